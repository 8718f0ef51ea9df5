/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* O_CLOEXEC, strverscmp */
#include "machine/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/checked.h"

/* root + path, or false where it is too long. */
static bool make_path(const mpl_tree *tree, char *out, const char *path,
                      va_list args)
{
    const int root = snprintf(out, MPL_TREE_PATH_BYTES, "%s", tree->root);
    if (root < 0 || root >= MPL_TREE_PATH_BYTES)
        return false;
    const int rest =
        vsnprintf(out + root, (size_t)(MPL_TREE_PATH_BYTES - root), path, args);
    return rest >= 0 && rest < MPL_TREE_PATH_BYTES - root;
}

static bool read_file(char *out, uint64_t out_size, const char *path)
{
    /* O_NONBLOCK: a pipe in a recorded tree must not stop us. */
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0)
        return false;
    uint64_t length = 0;
    bool is_read = true;
    while (length + 1 < out_size) {
        const ssize_t got =
            read(descriptor, out + length, (size_t)(out_size - 1 - length));
        if (got < 0 && errno == EINTR)
            continue;
        is_read = got >= 0;
        if (got <= 0)
            break;
        length += (uint64_t)got;
    }
    (void)close(descriptor);
    if (!is_read)
        return false;
    while (length > 0 && (out[length - 1] == '\n' || out[length - 1] == '\0'))
        length--;
    out[length] = '\0';
    return true;
}

bool mpl_tree_text(const mpl_tree *tree, char *out, uint64_t out_size,
                   const char *path, ...)
{
    char full[MPL_TREE_PATH_BYTES];
    va_list args;
    va_start(args, path);
    const bool fits = make_path(tree, full, path, args);
    va_end(args);
    return fits && read_file(out, out_size, full);
}

bool mpl_tree_is_denied(const mpl_tree *tree, const char *path, ...)
{
    char full[MPL_TREE_PATH_BYTES];
    char text[8];
    va_list args;
    va_start(args, path);
    const bool fits = make_path(tree, full, path, args);
    va_end(args);
    return fits && access(full, F_OK) == 0 &&
           !read_file(text, sizeof text, full);
}

/* Numbers in names by value, so that "node10" comes after "node9". */
static int compare_names(const void *a, const void *b)
{
    return strverscmp(*(const char *const *)a, *(const char *const *)b);
}

/* Adds the names of an open folder. False: no memory. */
static bool read_names(DIR *folder, mpl_arena *arena, const char ***names,
                       uint32_t *count)
{
    enum { MAX_NAMES = 4096 };
    uint64_t capacity = 0;
    const struct dirent *entry;
    while (*count < MAX_NAMES && (entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        const char **const wider =
            mpl_arena_grow(arena, *names, *count, &capacity, sizeof *wider);
        const char *const name = mpl_arena_strdup(arena, entry->d_name);
        if (wider == NULL || name == NULL)
            return false;
        *names = wider;
        wider[(*count)++] = name;
    }
    return true;
}

bool mpl_tree_list(const mpl_tree *tree, mpl_arena *arena, const char ***out,
                   uint32_t *out_count, const char *path)
{
    char full[MPL_TREE_PATH_BYTES];
    *out = NULL;
    *out_count = 0;
    const int length = snprintf(full, sizeof full, "%s%s", tree->root, path);
    DIR *const folder =
        length > 0 && length < (int)sizeof full ? opendir(full) : NULL;
    if (folder == NULL)
        return true;
    const bool is_kept = read_names(folder, arena, out, out_count);
    (void)closedir(folder);
    if (*out_count > 0)
        qsort(*out, *out_count, sizeof **out, compare_names);
    return is_kept;
}

bool mpl_tree_parse(const char *text, uint64_t *out)
{
    const uint64_t base = text[0] == '0' && text[1] == 'x' ? 16 : 10;
    const char *at = text + (base == 16 ? 2 : 0);
    uint64_t value = 0;
    bool has_digits = false;
    for (;; at++, has_digits = true) {
        const char *const digits = "0123456789abcdef";
        const char *const found =
            *at != '\0' ? strchr(digits, *at | 0x20) : NULL;
        const uint64_t digit =
            found != NULL ? (uint64_t)(found - digits) : base;
        if (digit >= base)
            break;
        if (!mpl_mul(&value, value, base) || !mpl_add(&value, value, digit))
            return false;
    }
    if (has_digits)
        *out = value;
    return has_digits;
}

bool mpl_tree_number(const mpl_tree *tree, uint64_t *out, const char *path, ...)
{
    char full[MPL_TREE_PATH_BYTES];
    char text[64];
    va_list args;
    va_start(args, path);
    const bool fits = make_path(tree, full, path, args);
    va_end(args);
    return fits && read_file(text, sizeof text, full) &&
           mpl_tree_parse(text, out);
}

bool mpl_tree_field(const char *text, const char *key, uint64_t *out)
{
    const size_t length = strlen(key);
    for (const char *line = text; line != NULL;) {
        if (strncmp(line, key, length) == 0) {
            const char *at = line + length;
            const bool ends = *at == ':' || *at == ' ' || *at == '\t';
            at += strspn(at, ": \t");
            if (ends)
                return mpl_tree_parse(at, out);
        }
        line = strchr(line, '\n');
        if (line != NULL)
            line++;
    }
    return false;
}

/* A field of "Node 0 MemTotal:  24684096 kB", in bytes; 0 where absent. */
uint64_t mpl_tree_node_bytes(const mpl_tree *tree, uint32_t node,
                             const char *key)
{
    char text[MPL_TREE_FILE_BYTES];
    uint64_t kib;
    uint64_t bytes;
    if (!mpl_tree_text(tree, text, sizeof text,
                       "/sys/devices/system/node/node%u/meminfo", node))
        return 0;
    const char *const at = strstr(text, key);
    if (at == NULL)
        return 0;
    const char *const number =
        at + strlen(key) + strspn(at + strlen(key), ": ");
    return mpl_tree_parse(number, &kib) && mpl_mul(&bytes, kib, 1024) ? bytes
                                                                      : 0;
}
