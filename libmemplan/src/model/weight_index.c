/* SPDX-License-Identifier: MIT */
/*
 *     {"metadata": {"total_size": BYTES}, "weight_map": {TENSOR: FILE, …}}
 */
#include "model/weight_index.h"

#include <string.h>

#include "base/failure.h"
#include "base/json.h"
#include "model/name_index.h"
#include "model/path.h"

static memplan_status fail_map(const char *path, const char *why,
                               const char *what, memplan_error *error)
{
    return mpl_fail(error, MEMPLAN_E_CORRUPT, MPL_NOWHERE,
                    "%.120s: weight_map: %s \"%.80s\"", path, why, what);
}

static memplan_status read_entries(mpl_weight_index *out, mpl_arena *arena,
                                   const char *path, mpl_json_value map,
                                   memplan_error *error)
{
    if (mpl_json_type_of(map) != MPL_JSON_OBJECT)
        return mpl_fail(error, MEMPLAN_E_CORRUPT, MPL_NOWHERE,
                        "%.160s: weight_map is %s, not an object", path,
                        mpl_json_type_name(map));
    out->entry_count = mpl_json_count(map);
    mpl_weight_entry *entry =
        mpl_arena_alloc(arena, out->entry_count, sizeof *entry);
    if (entry == NULL)
        return mpl_fail_memory(error);
    out->entries = entry;
    const char *last = "";
    for (mpl_json_walk walk = mpl_json_begin(map); mpl_json_next(&walk);
         entry++) {
        const char *const file = mpl_json_string(walk.value, NULL);
        if (file == NULL || strlen(walk.key) != walk.key_length)
            return fail_map(path, "no file's name stands for", walk.key, error);
        if (!mpl_path_is_below(file))
            return fail_map(path, "a file outside the folder:", file, error);
        if (strcmp(file, last) != 0 &&
            (last = mpl_arena_strdup(arena, file)) == NULL)
            return mpl_fail_memory(error);
        entry->file = last;
        entry->tensor = mpl_arena_copy(arena, walk.key, walk.key_length);
        if (entry->tensor == NULL)
            return mpl_fail_memory(error);
    }
    return MEMPLAN_OK;
}

/* Each file once, in the order in which the index first names them. */
static memplan_status collect_files(mpl_weight_index *out, mpl_arena *arena,
                                    const char *path, memplan_error *error)
{
    mpl_name_index files;
    if (!mpl_name_index_build(&files, arena, &out->entries->file,
                              sizeof *out->entries, out->entry_count))
        return mpl_fail_memory(error);
    const char **const paths =
        mpl_arena_alloc(arena, out->entry_count, sizeof *paths);
    if (paths == NULL)
        return mpl_fail_memory(error);
    for (uint64_t at = 0; at < out->entry_count; at++) {
        const char *const file = out->entries[at].file;
        if ((at > 0 && file == out->entries[at - 1].file) ||
            mpl_name_index_find(&files, file) != at)
            continue;
        paths[out->path_count] = mpl_path_beside(arena, path, file);
        if (paths[out->path_count++] == NULL)
            return mpl_fail_memory(error);
    }
    out->paths = paths;
    return MEMPLAN_OK;
}

static memplan_status refuse_duplicates(const mpl_weight_index *index,
                                        const char *path, memplan_error *error)
{
    mpl_arena *const scratch = mpl_arena_create();
    mpl_name_index names = {.duplicate = MEMPLAN_UNKNOWN};
    const bool is_made =
        scratch != NULL &&
        mpl_name_index_build(&names, scratch, &index->entries->tensor,
                             sizeof *index->entries, index->entry_count);
    mpl_arena_free(scratch);
    if (!is_made)
        return mpl_fail_memory(error);
    return names.duplicate == MEMPLAN_UNKNOWN
               ? MEMPLAN_OK
               : fail_map(path, "two files stand for",
                          index->entries[names.duplicate].tensor, error);
}

memplan_status mpl_weight_index_read(mpl_weight_index *out, mpl_arena *arena,
                                     const char *path, uint64_t max_bytes,
                                     memplan_error *error)
{
    mpl_json *json = NULL;
    memplan_status status = mpl_json_open(&json, path, max_bytes, error);
    if (status != MEMPLAN_OK)
        return status;
    mpl_weight_index made = {.total_bytes = MEMPLAN_UNKNOWN};
    const mpl_json_value root = mpl_json_root(json);
    status = read_entries(&made, arena, path, mpl_json_get(root, "weight_map"),
                          error);
    uint64_t total;
    if (mpl_json_u64(mpl_json_get(mpl_json_get(root, "metadata"), "total_size"),
                     &total))
        made.total_bytes = total;
    mpl_json_free(json);
    if (status == MEMPLAN_OK && made.entry_count == 0)
        status = mpl_fail(error, MEMPLAN_E_CORRUPT, MPL_NOWHERE,
                          "%.160s: weight_map is empty", path);
    if (status == MEMPLAN_OK)
        status = refuse_duplicates(&made, path, error);
    if (status == MEMPLAN_OK)
        status = collect_files(&made, arena, path, error);
    if (status == MEMPLAN_OK)
        *out = made;
    return status;
}

memplan_status mpl_weight_index_check(const mpl_weight_index *index,
                                      const memplan_model *model,
                                      const char *path, memplan_error *error)
{
    mpl_arena *const scratch = mpl_arena_create();
    mpl_name_index names;
    memplan_status status = MEMPLAN_OK;
    if (scratch == NULL ||
        !mpl_name_index_build(&names, scratch, &model->tensors->name,
                              sizeof *model->tensors, model->tensor_count))
        status = mpl_fail_memory(error);
    for (uint64_t at = 0; status == MEMPLAN_OK && at < index->entry_count; at++)
        if (mpl_name_index_find(&names, index->entries[at].tensor) ==
            MEMPLAN_UNKNOWN)
            status = fail_map(path, "no shard holds", index->entries[at].tensor,
                              error);
    mpl_arena_free(scratch);
    return status;
}
