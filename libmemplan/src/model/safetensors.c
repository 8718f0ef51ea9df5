/* SPDX-License-Identifier: MIT */
/* From one safetensors file, or all shards, to a model. */
#include "model/safetensors.h"

#include <inttypes.h>
#include <string.h>

#include "base/checked.h"
#include "base/failure.h"
#include "model/name_index.h"

static memplan_status read_shards(mpl_shard *shards, mpl_arena *arena,
                                  const char *const *paths, uint64_t count,
                                  uint64_t header_max_bytes,
                                  memplan_error *error)
{
    for (uint64_t at = 0; at < count; at++) {
        const memplan_status status = mpl_safetensors_read(
            &shards[at], arena, paths[at], header_max_bytes, error);
        if (status != MEMPLAN_OK)
            return status;
    }
    return MEMPLAN_OK;
}

/* All shards' tensors in one list; one shard's list is that list. */
static memplan_status join(memplan_model *model, const mpl_shard *shards,
                           uint64_t count, memplan_error *error)
{
    uint64_t total = 0;
    model->file_bytes = 0;
    for (uint64_t at = 0; at < count; at++) {
        total += shards[at].tensor_count;
        if (total >= MPL_NO_INDEX ||
            !mpl_add(&model->file_bytes, model->file_bytes,
                     shards[at].file_bytes))
            return mpl_fail(error, MEMPLAN_E_TOO_LARGE, MPL_NOWHERE,
                            "%.160s: %" PRIu64 " tensors are too many",
                            shards[at].path, total);
    }
    model->tensor_count = (uint32_t)total;
    model->tensors = shards[0].tensors;
    if (count == 1)
        return MEMPLAN_OK;
    model->tensors =
        mpl_arena_alloc(model->arena, total, sizeof *model->tensors);
    if (model->tensors == NULL)
        return mpl_fail_memory(error);
    mpl_tensor *next = model->tensors;
    for (uint64_t at = 0; at < count; at++)
        for (uint64_t i = 0; i < shards[at].tensor_count; i++, next++) {
            *next = shards[at].tensors[i];
            next->file_index = (uint32_t)at;
        }
    return MEMPLAN_OK;
}

static memplan_status refuse_duplicates(const memplan_model *model,
                                        const char *const *paths,
                                        memplan_error *error)
{
    mpl_arena *const scratch = mpl_arena_create();
    mpl_name_index index = {.duplicate = MEMPLAN_UNKNOWN};
    const bool is_made =
        scratch != NULL &&
        (mpl_names_are_distinct(scratch, &model->tensors->name,
                                sizeof *model->tensors, model->tensor_count) ||
         mpl_name_index_build(&index, scratch, &model->tensors->name,
                              sizeof *model->tensors, model->tensor_count));
    mpl_arena_free(scratch);
    if (!is_made)
        return mpl_fail_memory(error);
    if (index.duplicate == MEMPLAN_UNKNOWN)
        return MEMPLAN_OK;
    const mpl_tensor *const tensor = &model->tensors[index.duplicate];
    return mpl_fail(error, MEMPLAN_E_CORRUPT, MPL_NOWHERE,
                    "%.120s: tensor \"%.80s\" stands twice",
                    paths[tensor->file_index], tensor->name);
}

memplan_status mpl_safetensors_open(memplan_model *model,
                                    const char *const *paths, uint64_t count,
                                    uint64_t header_max_bytes,
                                    memplan_error *error)
{
    mpl_shard *const shards =
        mpl_arena_alloc(model->arena, count, sizeof *shards);
    if (shards == NULL)
        return mpl_fail_memory(error);
    memplan_status status = read_shards(shards, model->arena, paths, count,
                                        header_max_bytes, error);
    if (status == MEMPLAN_OK)
        status = join(model, shards, count, error);
    if (status == MEMPLAN_OK)
        status = refuse_duplicates(model, paths, error);
    if (status == MEMPLAN_OK && !mpl_group_modules(model))
        status = mpl_fail_memory(error);
    if (status != MEMPLAN_OK)
        return status;
    model->format = "safetensors";
    model->files = paths;
    model->file_count = (uint32_t)count;
    return MEMPLAN_OK;
}
