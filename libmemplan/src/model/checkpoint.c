/* SPDX-License-Identifier: MIT */
#include "model/checkpoint.h"

#include <string.h>

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
           memcmp(a->shape, b->shape,
                  a->dimension_count * sizeof *a->shape) == 0;
}

/* Every tensor that the config wants is in the files, in its shape. */
static bool do_agree(const memplan_model *config, const memplan_model *weights,
                     const mpl_name_index *names)
{
    for (uint32_t at = 0; at < config->tensor_count; at++) {
        const mpl_tensor *const wanted = &config->tensors[at];
        const uint64_t found = is_stored(wanted)
                                   ? mpl_name_index_find(names, wanted->name)
                                   : 0;
        if (is_stored(wanted) &&
            (found == MEMPLAN_UNKNOWN ||
             !has_same_shape(wanted, &weights->tensors[found])))
            return false;
    }
    return true;
}

/* The config's model takes the files' types and places. */
static bool overlay(memplan_model *config, const memplan_model *weights,
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
    const char **const files = mpl_arena_alloc(
        config->arena, weights->file_count, sizeof *files);
    if (files == NULL)
        return false;
    for (uint32_t at = 0; at < weights->file_count; at++)
        if ((files[at] = mpl_arena_strdup(config->arena,
                                          weights->files[at])) == NULL)
            return false;
    config->files = files;
    config->file_count = weights->file_count;
    config->file_bytes = weights->file_bytes;
    config->format = weights->format;
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
        const mpl_unit *const same =
            unit->kind == MPL_UNIT_LAYER
                ? find_layer(config, unit->layer_index)
                : NULL;
        if (same != NULL)
            unit->state = same->state;
    }
    weights->config = config->config;
    config->config = NULL;
    return true;
}

memplan_status mpl_checkpoint_join(memplan_model **out, memplan_model *weights,
                                   memplan_model *config, memplan_error *error)
{
    mpl_arena *const scratch = mpl_arena_create();
    mpl_name_index names;
    bool is_done =
        scratch != NULL &&
        mpl_name_index_build(&names, scratch, &weights->tensors->name,
                             sizeof *weights->tensors, weights->tensor_count);
    const bool is_overlay = is_done && do_agree(config, weights, &names);
    if (is_done)
        is_done = is_overlay ? overlay(config, weights, &names)
                             : graft(weights, config);
    mpl_arena_free(scratch);
    memplan_model_free(is_done && is_overlay ? weights : config);
    if (is_done) {
        *out = is_overlay ? config : weights;
        return MEMPLAN_OK;
    }
    memplan_model_free(weights);
    return mpl_fail_memory(error);
}
