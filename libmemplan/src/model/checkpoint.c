/* SPDX-License-Identifier: MIT */
#include "model/checkpoint.h"

#include <string.h>

#include "base/checked.h"
#include "base/failure.h"
#include "model/name_index.h"

/* A tensor that a checkpoint of this model must hold. */
static bool is_stored(const mpl_tensor *tensor)
{
    return tensor->tied_to == MPL_NO_INDEX &&
           (tensor->flags & MPL_TENSOR_TRANSIENT) == 0;
}

static bool has_same_shape(const mpl_tensor *a, const mpl_tensor *b)
{
    return a->dimension_count == b->dimension_count &&
           memcmp(a->shape, b->shape, a->dimension_count * sizeof *a->shape) ==
               0;
}

/* Every tensor that the config wants is in the files, in its shape. */
static bool do_agree(const memplan_model *config, const memplan_model *weights,
                     const mpl_name_index *names)
{
    for (uint32_t at = 0; at < config->tensor_count; at++) {
        const mpl_tensor *const wanted = &config->tensors[at];
        const uint64_t found =
            is_stored(wanted) ? mpl_name_index_find(names, wanted->name) : 0;
        if (is_stored(wanted) &&
            (found == MEMPLAN_UNKNOWN ||
             !has_same_shape(wanted, &weights->tensors[found])))
            return false;
    }
    return true;
}

/* The config's model takes the files' types and places. */
static void take_tensors(memplan_model *config, const memplan_model *weights,
                         const mpl_name_index *names)
{
    for (uint32_t at = 0; at < config->tensor_count; at++) {
        mpl_tensor *const tensor = &config->tensors[at];
        if (!is_stored(tensor))
            continue;
        const mpl_tensor *const from =
            &weights->tensors[mpl_name_index_find(names, tensor->name)];
        tensor->dtype = from->dtype;
        tensor->bytes = from->bytes;
        tensor->file_offset = from->file_offset;
        tensor->file_index = from->file_index;
    }
    for (uint32_t at = 0; at < config->tensor_count; at++) {
        mpl_tensor *const tensor = &config->tensors[at];
        if (tensor->tied_to == MPL_NO_INDEX)
            continue;
        tensor->dtype = config->tensors[tensor->tied_to].dtype;
        tensor->bytes = config->tensors[tensor->tied_to].bytes;
    }
}

static bool take_files(memplan_model *config, const memplan_model *weights)
{
    const char **const files =
        mpl_arena_alloc(config->arena, weights->file_count, sizeof *files);
    if (files == NULL)
        return false;
    for (uint32_t at = 0; at < weights->file_count; at++)
        if ((files[at] = mpl_arena_strdup(config->arena, weights->files[at])) ==
            NULL)
            return false;
    config->files = files;
    config->file_count = weights->file_count;
    config->file_bytes = weights->file_bytes;
    config->format = weights->format;
    return true;
}

/*
 * A checkpoint may hold other tensors than the model that runs, where loading
 * joins them (experts one by one, q, k and v apart). When all elements are
 * there and of one type, the model's tensors are of that type too.
 */
static bool do_sums_agree(const memplan_model *config,
                          const memplan_model *weights)
{
    uint64_t wanted = 0;
    uint64_t found = 0;
    for (uint32_t at = 0; at < config->tensor_count; at++)
        if (is_stored(&config->tensors[at]) &&
            !mpl_add(&wanted, wanted, config->tensors[at].element_count))
            return false;
    for (uint32_t at = 0; at < weights->tensor_count; at++)
        if (weights->tensors[at].dtype != weights->tensors[0].dtype ||
            !mpl_add(&found, found, weights->tensors[at].element_count))
            return false;
    return wanted == found && found > 0;
}

static bool retype(memplan_model *config, uint32_t dtype)
{
    for (uint32_t at = 0; at < config->tensor_count; at++) {
        mpl_tensor *const tensor = &config->tensors[at];
        if ((tensor->flags & MPL_TENSOR_TRANSIENT) != 0)
            continue;
        tensor->dtype = dtype;
        if (!mpl_dtype_bytes(&tensor->bytes, dtype, tensor->element_count))
            return false;
    }
    return true;
}

static const mpl_unit *find_layer(const memplan_model *model, uint32_t layer)
{
    for (uint32_t at = 0; at < model->unit_count; at++)
        if (model->units[at].kind == MPL_UNIT_LAYER &&
            model->units[at].layer_index == layer)
            return &model->units[at];
    return NULL;
}

/* The files' model takes the config's facts, and keeps its parsed text. */
static bool graft(memplan_model *weights, memplan_model *config)
{
    weights->architecture =
        mpl_arena_strdup(weights->arena, config->architecture);
    if (weights->architecture == NULL)
        return false;
    weights->facts = config->facts;
    for (uint32_t at = 0; at < weights->unit_count; at++) {
        mpl_unit *const unit = &weights->units[at];
        const mpl_unit *const same = unit->kind == MPL_UNIT_LAYER
                                         ? find_layer(config, unit->layer_index)
                                         : NULL;
        if (same != NULL)
            unit->state = same->state;
    }
    weights->config = config->config;
    config->config = NULL;
    return true;
}

/* True in `*out_is_config` where the config's model is the one to keep. */
static bool join(memplan_model *weights, memplan_model *config,
                 bool *out_is_config, mpl_arena *scratch)
{
    mpl_name_index names;
    if (!mpl_name_index_build(&names, scratch, &weights->tensors->name,
                              sizeof *weights->tensors, weights->tensor_count))
        return false;
    const bool is_same = do_agree(config, weights, &names);
    *out_is_config = is_same || do_sums_agree(config, weights);
    if (is_same)
        take_tensors(config, weights, &names);
    else if (*out_is_config && !retype(config, weights->tensors[0].dtype))
        *out_is_config = false;
    return *out_is_config ? take_files(config, weights)
                          : graft(weights, config);
}

memplan_status mpl_checkpoint_join(memplan_model **out, memplan_model *weights,
                                   memplan_model *config, memplan_error *error)
{
    mpl_arena *const scratch = mpl_arena_create();
    bool is_config = false;
    const bool is_done =
        scratch != NULL && join(weights, config, &is_config, scratch);
    mpl_arena_free(scratch);
    memplan_model_free(is_done && is_config ? weights : config);
    if (is_done) {
        *out = is_config ? config : weights;
        return MEMPLAN_OK;
    }
    memplan_model_free(weights);
    return mpl_fail_memory(error);
}

void mpl_checkpoint_take_total(memplan_model *config, uint64_t total_bytes)
{
    uint64_t wide_bytes;
    if (total_bytes != MEMPLAN_UNKNOWN &&
        mpl_mul(&wide_bytes, config->parameter_count, 4) &&
        wide_bytes == total_bytes)
        (void)retype(config, MPL_DTYPE_FP32);
}
