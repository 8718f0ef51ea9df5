/* SPDX-License-Identifier: MIT */
#include "model/path.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/failure.h"

/* A folder with more entries than this is no model's. */
enum { ENTRY_MAX_COUNT = 100000 };

mpl_path_kind mpl_path_look(const char *path)
{
    struct stat facts;
    if (stat(path, &facts) == 0)
        return S_ISREG(facts.st_mode)   ? MPL_PATH_FILE
               : S_ISDIR(facts.st_mode) ? MPL_PATH_FOLDER
                                        : MPL_PATH_OTHER;
    if (lstat(path, &facts) == 0)
        return MPL_PATH_DANGLING;
    return errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG
               ? MPL_PATH_NONE
               : MPL_PATH_OTHER;
}

bool mpl_path_is_file(const char *path)
{
    struct stat facts;
    return stat(path, &facts) == 0 && S_ISREG(facts.st_mode);
}

bool mpl_has_suffix(const char *text, const char *suffix)
{
    const size_t length = strlen(text);
    const size_t suffix_length = strlen(suffix);
    return length >= suffix_length &&
           strcmp(text + length - suffix_length, suffix) == 0;
}

const char *mpl_path_name(const char *path)
{
    const char *name = path;
    for (const char *at = path; *at != '\0'; at++)
        if (at[0] == '/' && at[1] != '/' && at[1] != '\0')
            name = at + 1;
    return name;
}

const char *mpl_path_join(mpl_arena *arena, const char *folder,
                          const char *name)
{
    return mpl_arena_format(arena, "%s%s%s", folder,
                            mpl_has_suffix(folder, "/") ? "" : "/", name);
}

const char *mpl_path_beside(mpl_arena *arena, const char *path,
                            const char *name)
{
    return mpl_arena_format(arena, "%.*s%s", (int)(mpl_path_name(path) - path),
                            path, name);
}

bool mpl_path_is_below(const char *name)
{
    if (name[0] == '\0' || name[0] == '/')
        return false;
    for (const char *part = name; part != NULL;
         part = strchr(part, '/'), part = part != NULL ? part + 1 : NULL)
        if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0'))
            return false;
    return true;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static memplan_status list_open(const char ***out, uint64_t *out_count,
                                mpl_arena *arena, DIR *stream,
                                const char *folder, memplan_error *error)
{
    const char **names = NULL;
    uint64_t count = 0;
    uint64_t capacity = 0;
    for (const struct dirent *entry; (entry = readdir(stream)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        if (count == ENTRY_MAX_COUNT)
            return mpl_fail(error, MEMPLAN_E_TOO_LARGE, MPL_NOWHERE,
                            "%.160s: a folder of more than %d entries", folder,
                            ENTRY_MAX_COUNT);
        names = mpl_arena_grow(arena, names, count, &capacity, sizeof *names);
        const char *const copy =
            names != NULL ? mpl_arena_strdup(arena, entry->d_name) : NULL;
        if (copy == NULL)
            return mpl_fail_memory(error);
        names[count++] = copy;
    }
    if (count > 0)
        qsort(names, (size_t)count, sizeof *names, compare_names);
    *out = names;
    *out_count = count;
    return MEMPLAN_OK;
}

memplan_status mpl_path_list(const char ***out, uint64_t *out_count,
                             mpl_arena *arena, const char *folder,
                             memplan_error *error)
{
    DIR *const stream = opendir(folder);
    if (stream == NULL)
        return mpl_fail(
            error, errno == ENOENT ? MEMPLAN_E_NOT_FOUND : MEMPLAN_E_IO,
            MPL_NOWHERE, "%.160s: the folder cannot be read", folder);
    const memplan_status status =
        list_open(out, out_count, arena, stream, folder, error);
    (void)closedir(stream);
    return status;
}

/* Five digits. */
static bool read_five(const char *text, uint64_t *out)
{
    *out = 0;
    for (int at = 0; at < 5; at++) {
        if (text[at] < '0' || text[at] > '9')
            return false;
        *out = *out * 10 + (uint64_t)(text[at] - '0');
    }
    return true;
}

bool mpl_path_is_part(const char *path, const char *suffix,
                      uint64_t *out_prefix_length, uint64_t *out_count)
{
    enum { NUMBERS_LENGTH = 15 }; /* "-00002-of-00005" */
    const size_t length = strlen(path);
    const size_t tail = NUMBERS_LENGTH + strlen(suffix);
    if (length < tail || !mpl_has_suffix(path, suffix))
        return false;
    const char *const numbers = path + length - tail;
    uint64_t number;
    if (numbers[0] != '-' || !read_five(numbers + 1, &number) ||
        strncmp(numbers + 6, "-of-", 4) != 0 ||
        !read_five(numbers + 10, out_count) || number < 1 ||
        number > *out_count)
        return false;
    *out_prefix_length = length - tail;
    return true;
}

const char *mpl_path_part(mpl_arena *arena, const char *path,
                          uint64_t prefix_length, uint64_t number,
                          uint64_t count, const char *suffix)
{
    return mpl_arena_format(arena, "%.*s-%05" PRIu64 "-of-%05" PRIu64 "%s",
                            (int)prefix_length, path, number, count, suffix);
}
