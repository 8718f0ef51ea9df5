/* SPDX-License-Identifier: MIT */
/* What a file is by its name and first bytes, and which file of a folder is
 * the model. */
#include <inttypes.h>
#include <string.h>

#include "base/failure.h"
#include "base/input.h"
#include "model/locate.h"
#include "model/path.h"

static memplan_status add_config(mpl_source *out, mpl_arena *arena,
                                 memplan_error *error)
{
    const char *const path = mpl_path_beside(arena, out->path, "config.json");
    if (path == NULL)
        return mpl_fail_memory(error);
    if (mpl_path_is_file(path))
        out->config_path = path;
    return MEMPLAN_OK;
}

/* One file is a set of one. */
static memplan_status use_safetensors(mpl_source *out, mpl_arena *arena,
                                      memplan_error *error)
{
    uint64_t prefix_length = 0;
    uint64_t count = 1;
    const bool is_part =
        mpl_path_is_part(out->path, ".safetensors", &prefix_length, &count);
    const char **const paths = mpl_arena_alloc(arena, count, sizeof *paths);
    if (paths == NULL)
        return mpl_fail_memory(error);
    for (uint64_t at = 0; at < count; at++) {
        paths[at] = is_part ? mpl_path_part(arena, out->path, prefix_length,
                                            at + 1, count, ".safetensors")
                            : out->path;
        if (paths[at] == NULL)
            return mpl_fail_memory(error);
        if (mpl_path_look(paths[at]) == MPL_PATH_NONE)
            return mpl_fail(error, MEMPLAN_E_NOT_FOUND, MPL_NOWHERE,
                            "%.160s: missing, one of the %" PRIu64
                            " shards of the model",
                            paths[at], count);
    }
    out->paths = paths;
    out->path_count = count;
    return add_config(out, arena, error);
}

/* "GGUF" at the front: a file of a store, which has no suffix. */
static memplan_status look_inside(const char *path, bool *out_is_gguf,
                                  memplan_error *error)
{
    mpl_input input;
    const memplan_status status = mpl_input_open(&input, path, 4096, error);
    if (status != MEMPLAN_OK)
        return status;
    *out_is_gguf =
        mpl_input_need(&input, 0, 4) && memcmp(input.data, "GGUF", 4) == 0;
    mpl_input_close(&input);
    return MEMPLAN_OK;
}

typedef struct suffix_row {
    const char *suffix;
    mpl_source_kind kind;
} suffix_row;

static const suffix_row SUFFIXES[] = {
    {".gguf", MPL_SOURCE_GGUF},
    {".safetensors", MPL_SOURCE_SAFETENSORS},
    {".index.json", MPL_SOURCE_INDEX},
    {".json", MPL_SOURCE_CONFIG},
};

static memplan_status use_file(mpl_source *out, mpl_arena *arena,
                               memplan_error *error)
{
    static const size_t ROWS = sizeof SUFFIXES / sizeof *SUFFIXES;
    size_t row = 0;
    while (row < ROWS && !mpl_has_suffix(out->path, SUFFIXES[row].suffix))
        row++;
    bool is_gguf = false;
    memplan_status status = MEMPLAN_OK;
    if (row == ROWS)
        status = look_inside(out->path, &is_gguf, error);
    if (status != MEMPLAN_OK)
        return status;
    if (row == ROWS && !is_gguf)
        return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                        "%.120s: no model that is read here: a .gguf, a "
                        ".safetensors, a weight index or a config.json",
                        out->path);
    out->kind = row < ROWS ? SUFFIXES[row].kind : MPL_SOURCE_GGUF;
    if (out->kind == MPL_SOURCE_SAFETENSORS)
        return use_safetensors(out, arena, error);
    return out->kind == MPL_SOURCE_INDEX ? add_config(out, arena, error)
                                         : MEMPLAN_OK;
}

/* What a folder holds, the best first. */
typedef struct folder_files {
    const char *index;       /* of safetensors */
    const char *other_index; /* of pickles */
    const char *single;      /* model.safetensors */
    const char *shard;       /* the first of a set */
    const char *config;
    const char *gguf;           /* the first .gguf, or first part */
    uint64_t gguf_count;        /* sets */
    uint64_t safetensors_count; /* neither single nor shards */
    const char *safetensors;
} folder_files;

static void sort_out(folder_files *files, const char *name)
{
    uint64_t prefix_length;
    uint64_t count;
    if (strcmp(name, "model.safetensors.index.json") == 0) {
        files->index = name;
    } else if (strcmp(name, "pytorch_model.bin.index.json") == 0) {
        files->other_index = name;
    } else if (strcmp(name, "model.safetensors") == 0) {
        files->single = name;
    } else if (strcmp(name, "config.json") == 0) {
        files->config = name;
    } else if (mpl_path_is_part(name, ".safetensors", &prefix_length, &count)) {
        if (files->shard == NULL)
            files->shard = name;
    } else if (mpl_has_suffix(name, ".safetensors")) {
        files->safetensors = name;
        files->safetensors_count++;
    } else if (mpl_has_suffix(name, ".gguf")) {
        /* Names are sorted: the first part of a set comes first. */
        if (mpl_path_is_part(name, ".gguf", &prefix_length, &count) &&
            strncmp(name + prefix_length, "-00001-", 7) != 0)
            return;
        if (files->gguf == NULL)
            files->gguf = name;
        files->gguf_count++;
    }
}

static const char *best_of(const folder_files *files)
{
    if (files->index != NULL)
        return files->index;
    if (files->single != NULL)
        return files->single;
    if (files->shard != NULL)
        return files->shard;
    if (files->safetensors_count == 1)
        return files->safetensors;
    if (files->gguf_count == 1)
        return files->gguf;
    return files->config != NULL ? files->config : files->other_index;
}

static memplan_status use_folder(mpl_source *out, mpl_arena *arena,
                                 const char *folder, memplan_error *error)
{
    const char **names = NULL;
    uint64_t count = 0;
    const memplan_status status =
        mpl_path_list(&names, &count, arena, folder, error);
    if (status != MEMPLAN_OK)
        return status;
    folder_files files = {0};
    for (uint64_t at = 0; at < count; at++)
        sort_out(&files, names[at]);
    const char *const best = best_of(&files);
    if (best == NULL && files.gguf_count > 1)
        return mpl_fail(error, MEMPLAN_E_NOT_FOUND, MPL_NOWHERE,
                        "%.120s: holds %" PRIu64
                        " models, \"%.60s\" and others: name one",
                        folder, files.gguf_count, files.gguf);
    if (best == NULL)
        return mpl_fail(error, MEMPLAN_E_NOT_FOUND, MPL_NOWHERE,
                        "%.140s: a folder without a .gguf, .safetensors, "
                        "weight index or config.json",
                        folder);
    const char *const path = mpl_path_join(arena, folder, best);
    return path != NULL
               ? mpl_locate_path(out, arena, path, mpl_path_look(path), error)
               : mpl_fail_memory(error);
}

/* A file that is called the same in every folder is named as its folder. */
static const char *model_name(mpl_arena *arena, const char *path)
{
    static const char *const COMMON[] = {"config.json", "model.safetensors",
                                         "model.safetensors.index.json",
                                         "pytorch_model.bin.index.json"};
    const char *const name = mpl_path_name(path);
    bool is_common = false;
    for (size_t at = 0; at < sizeof COMMON / sizeof *COMMON; at++)
        is_common = is_common || strcmp(name, COMMON[at]) == 0;
    if (!is_common || name - path < 2)
        return name;
    const char *const folder =
        mpl_arena_copy(arena, path, (uint64_t)(name - path - 1));
    return folder != NULL ? mpl_path_name(folder) : NULL;
}

memplan_status mpl_locate_path(mpl_source *out, mpl_arena *arena,
                               const char *path, mpl_path_kind kind,
                               memplan_error *error)
{
    switch (kind) {
    case MPL_PATH_FILE:
        *out = (mpl_source){.path = path, .name = model_name(arena, path)};
        if (out->name == NULL)
            return mpl_fail_memory(error);
        return use_file(out, arena, error);
    case MPL_PATH_FOLDER: {
        const memplan_status status = use_folder(out, arena, path, error);
        if (status == MEMPLAN_OK)
            out->name = mpl_path_name(path);
        return status;
    }
    case MPL_PATH_DANGLING:
        return mpl_fail(error, MEMPLAN_E_NOT_FOUND, MPL_NOWHERE,
                        "%.160s: a symbolic link to a file that is not there",
                        path);
    case MPL_PATH_NONE:
        return mpl_fail(error, MEMPLAN_E_NOT_FOUND, MPL_NOWHERE,
                        "%.160s: no such file or folder", path);
    default:
        return mpl_fail(error, MEMPLAN_E_IO, MPL_NOWHERE,
                        "%.160s: not a file or folder that may be read", path);
    }
}
