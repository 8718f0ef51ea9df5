/* SPDX-License-Identifier: MIT */
/*
 * A Hugging Face cache:
 *
 *     models--ORG--NAME/refs/REVISION      holds COMMIT
 *     models--ORG--NAME/snapshots/COMMIT/  the files, as links to blobs
 */
#include <string.h>

#include "base/failure.h"
#include "base/input.h"
#include "model/locate.h"
#include "model/path.h"

enum { COMMIT_MAX_BYTES = 128 };

/* "models--ORG--NAME"; NULL where no name can be meant. */
static const char *repository_folder(mpl_arena *arena, const char *cache,
                                     const char *name)
{
    const char *const slash = strchr(name, '/');
    if (slash == NULL)
        return mpl_arena_format(arena, "%s/models--%s", cache, name);
    return mpl_arena_format(arena, "%s/models--%.*s--%s", cache,
                            (int)(slash - name), name, slash + 1);
}

/* The commit in a refs file: letters and digits alone. */
static memplan_status read_ref(const char **out, mpl_arena *arena,
                               const char *path, memplan_error *error)
{
    mpl_input input;
    const memplan_status status =
        mpl_input_read_all(&input, path, COMMIT_MAX_BYTES, error);
    if (status != MEMPLAN_OK)
        return status;
    uint64_t length = 0;
    while (length < input.size_bytes &&
           strchr("0123456789abcdefABCDEF", (char)input.data[length]) != NULL &&
           input.data[length] != '\0')
        length++;
    const char *const commit =
        mpl_arena_copy(arena, (const char *)input.data, length);
    mpl_input_close(&input);
    if (commit == NULL)
        return mpl_fail_memory(error);
    if (length == 0)
        return mpl_fail(error, MEMPLAN_E_CORRUPT, 0,
                        "%.160s: no commit stands in it", path);
    *out = commit;
    return MEMPLAN_OK;
}

static memplan_status find_commit(const char **out, mpl_arena *arena,
                                  const char *repository, const char *revision,
                                  memplan_error *error)
{
    const char *const ref =
        mpl_arena_format(arena, "%s/refs/%s", repository, revision);
    const char *const snapshot =
        mpl_arena_format(arena, "%s/snapshots/%s", repository, revision);
    if (ref == NULL || snapshot == NULL)
        return mpl_fail_memory(error);
    if (mpl_path_look(ref) == MPL_PATH_FILE)
        return read_ref(out, arena, ref, error);
    if (mpl_path_look(snapshot) == MPL_PATH_FOLDER) {
        *out = revision;
        return MEMPLAN_OK;
    }
    return mpl_fail(error, MEMPLAN_E_IO, MPL_NOWHERE,
                    "%.140s: revision \"%.60s\" is not in the cache",
                    repository, revision);
}

memplan_status mpl_locate_hub(const char **out_folder, mpl_arena *arena,
                              const char *cache, const char *revision,
                              const char *name, memplan_error *error)
{
    const char *const slash = strchr(name, '/');
    if (!mpl_path_is_below(name) ||
        (slash != NULL && strchr(slash + 1, '/') != NULL))
        return MEMPLAN_E_NOT_FOUND;
    const char *const repository = repository_folder(arena, cache, name);
    if (repository == NULL)
        return mpl_fail_memory(error);
    if (mpl_path_look(repository) != MPL_PATH_FOLDER)
        return MEMPLAN_E_NOT_FOUND;
    if (revision == NULL)
        revision = "main";
    if (!mpl_path_is_below(revision))
        return mpl_fail(error, MEMPLAN_E_ARGUMENT, MPL_NOWHERE,
                        "revision \"%.80s\" is no name of a branch, tag or "
                        "commit",
                        revision);
    const char *commit = NULL;
    const memplan_status status =
        find_commit(&commit, arena, repository, revision, error);
    if (status != MEMPLAN_OK)
        return status;
    *out_folder =
        mpl_arena_format(arena, "%s/snapshots/%s", repository, commit);
    if (*out_folder == NULL)
        return mpl_fail_memory(error);
    if (mpl_path_look(*out_folder) != MPL_PATH_FOLDER)
        return mpl_fail(error, MEMPLAN_E_IO, MPL_NOWHERE,
                        "%.200s: the snapshot is not in the cache",
                        *out_folder);
    return MEMPLAN_OK;
}
