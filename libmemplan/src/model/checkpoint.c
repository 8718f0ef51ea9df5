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

/* What is left of both sides where names and shapes agree, by layer. */
typedef struct remainder {
    uint64_t wanted; /* elements; bytes where weights are packed */
    uint64_t found;
} remainder;

typedef struct pairing {
    memplan_model *config;
    const memplan_model *weights;
    uint32_t *found;   /* by the config's tensor; MPL_NO_INDEX: none */
    remainder *layers; /* the last is of what is in no layer */
    uint32_t layer_count;
    uint32_t rest_count; /* of the config's tensors without a counterpart */
} pairing;

/* The first number in a name: "model.layers.12.mlp"; past all layers: none. */
static uint32_t layer_of(const pairing *pair, const char *name)
{
    for (const char *at = strchr(name, '.'); at != NULL;
         at = strchr(at + 1, '.')) {
        const size_t digits = strspn(at + 1, "0123456789");
        uint32_t number = 0;
        if (digits == 0 || digits > 6 ||
            (at[1 + digits] != '.' && at[1 + digits] != '\0'))
            continue;
        for (size_t digit = 0; digit < digits; digit++)
            number = number * 10 + (uint32_t)(at[1 + digit] - '0');
        return number < pair->layer_count ? number : UINT32_MAX;
    }
    return pair->layer_count;
}

static bool add_rest(pairing *pair, const mpl_tensor *tensor, bool is_wanted)
{
    const uint32_t layer = layer_of(pair, tensor->name);
    const uint64_t amount =
        pair->config->quantizer != NULL ? tensor->bytes : tensor->element_count;
    if (layer == UINT32_MAX) /* a layer that the model leaves out */
        return !is_wanted;
    uint64_t *const sum =
        is_wanted ? &pair->layers[layer].wanted : &pair->layers[layer].found;
    return mpl_add(sum, *sum, amount);
}

/* Pairs by name and shape; false: no memory, or more than 64 bits. */
static bool match(pairing *pair, mpl_arena *scratch)
{
    const memplan_model *const weights = pair->weights;
    mpl_name_index names;
    bool *const is_used =
        mpl_arena_alloc(scratch, weights->tensor_count, sizeof *is_used);
    pair->found = mpl_arena_alloc(scratch, pair->config->tensor_count,
                                  sizeof *pair->found);
    pair->layers = mpl_arena_alloc(scratch, (uint64_t)pair->layer_count + 1,
                                   sizeof *pair->layers);
    if (is_used == NULL || pair->found == NULL || pair->layers == NULL ||
        !mpl_name_index_build(&names, scratch, &weights->tensors->name,
                              sizeof *weights->tensors, weights->tensor_count))
        return false;
    for (uint32_t at = 0; at < pair->config->tensor_count; at++) {
        const mpl_tensor *const wanted = &pair->config->tensors[at];
        pair->found[at] = MPL_NO_INDEX;
        if (!is_stored(wanted))
            continue;
        const uint64_t found = mpl_name_index_find(&names, wanted->name);
        if (found != MEMPLAN_UNKNOWN &&
            has_same_shape(wanted, &weights->tensors[found])) {
            pair->found[at] = (uint32_t)found;
            is_used[found] = true;
            continue;
        }
        pair->rest_count++;
        if (!add_rest(pair, wanted, true))
            return false;
    }
    for (uint32_t at = 0; at < weights->tensor_count; at++)
        if (!is_used[at] && !add_rest(pair, &weights->tensors[at], false))
            return false;
    return true;
}

/*
 * A checkpoint may hold other tensors than the model that runs, where loading
 * joins them (experts one by one, q, k and v apart). They are the same where
 * each layer has as many elements left over on either side. Where weights are
 * packed it is bytes that count, and some quantizers add a few: names of
 * types, settings of their own.
 */
static bool is_near(const pairing *pair, const remainder *rest)
{
    const uint64_t slack =
        pair->config->quantizer != NULL ? rest->wanted / 64 : 0;
    const uint64_t more = mpl_sub_floor(rest->found, rest->wanted);
    const uint64_t less = mpl_sub_floor(rest->wanted, rest->found);
    return rest->wanted == 0 || (more <= slack && less <= slack);
}

static bool does_rest_agree(const pairing *pair)
{
    uint64_t wanted = 0;
    uint64_t found = 0;
    bool is_same = true;
    for (uint32_t at = 0; at <= pair->layer_count; at++) {
        const remainder *const rest = &pair->layers[at];
        is_same &= is_near(pair, rest);
        if (!mpl_add(&wanted, wanted, rest->wanted) ||
            !mpl_add(&found, found, rest->found))
            return false;
    }
    return is_same || wanted == found;
}

/* The float dtype of most elements; MPL_DTYPE_COUNT: none. */
uint32_t mpl_checkpoint_dtype(const memplan_model *weights)
{
    uint64_t elements[MPL_DTYPE_COUNT] = {0};
    uint32_t best = MPL_DTYPE_COUNT;
    for (uint32_t at = 0; at < weights->tensor_count; at++) {
        const mpl_tensor *const tensor = &weights->tensors[at];
        if (!mpl_dtype_is_float(tensor->dtype))
            continue;
        elements[tensor->dtype] += tensor->element_count;
        if (best == MPL_DTYPE_COUNT || elements[tensor->dtype] > elements[best])
            best = tensor->dtype;
    }
    return best;
}

/* The config's model takes the files' places, not their types: loading casts
 * to what the model was made in. */
static void take_places(const pairing *pair)
{
    for (uint32_t at = 0; at < pair->config->tensor_count; at++) {
        if (pair->found[at] == MPL_NO_INDEX)
            continue;
        const mpl_tensor *const from = &pair->weights->tensors[pair->found[at]];
        pair->config->tensors[at].file_offset = from->file_offset;
        pair->config->tensors[at].file_index = from->file_index;
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

static uint64_t sum_bytes(const memplan_model *model)
{
    uint64_t sum = 0;
    for (uint32_t at = 0; at < model->tensor_count; at++)
        if (is_stored(&model->tensors[at]) &&
            !mpl_add(&sum, sum, model->tensors[at].bytes))
            return MEMPLAN_UNKNOWN;
    return sum;
}

/* Why the model takes other bytes than its files. */
static bool note_difference(const pairing *pair)
{
    const uint64_t disk_bytes = sum_bytes(pair->weights);
    const uint64_t memory_bytes = sum_bytes(pair->config);
    const uint32_t on_disk = mpl_checkpoint_dtype(pair->weights);
    const uint32_t in_memory = mpl_checkpoint_dtype(pair->config);
    char disk[16];
    char memory[16];
    if (disk_bytes == memory_bytes)
        return true;
    (void)memplan_bytes_format(disk, sizeof disk, disk_bytes);
    (void)memplan_bytes_format(memory, sizeof memory, memory_bytes);
    if (on_disk != in_memory && on_disk != MPL_DTYPE_COUNT)
        return mpl_model_add_note(
            pair->config,
            "%s in the files, %s in memory: they have %s, and loading casts it "
            "to the %s of config.json",
            disk, memory, mpl_dtype_name(on_disk), mpl_dtype_name(in_memory));
    return mpl_model_add_note(
        pair->config,
        disk_bytes > memory_bytes
            ? "%s in the files, %s in memory: the files have tensors that the "
              "model does not load"
            : "%s in the files, %s in memory: loading makes some tensors wider "
              "than the files have them",
        disk, memory);
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
    weights->class_name =
        mpl_arena_strdup(weights->arena, config->class_name != NULL
                                             ? config->class_name
                                             : "");
    if (weights->architecture == NULL || weights->class_name == NULL)
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
    return mpl_model_add_note(weights,
                              "the files hold other tensors than config.json "
                              "describes: names and bytes are those of the "
                              "files, and a running model may have others");
}

/* True in `*out_is_config` where the config's model is the one to keep. */
static bool join(memplan_model *weights, memplan_model *config,
                 bool *out_is_config, mpl_arena *scratch)
{
    pairing pair = {.config = config,
                    .weights = weights,
                    .layer_count = config->layer_count};
    if (!match(&pair, scratch))
        return false;
    *out_is_config = pair.rest_count == 0 || does_rest_agree(&pair);
    if (!*out_is_config)
        return graft(weights, config);
    take_places(&pair);
    return take_files(config, weights) && note_difference(&pair);
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

bool mpl_checkpoint_is_half(const memplan_model *config, uint64_t total_bytes)
{
    /* Buffers that it holds beside parameters are few. */
    uint64_t least_bytes;
    uint64_t end_bytes;
    return total_bytes != MEMPLAN_UNKNOWN &&
           mpl_mul(&least_bytes, config->parameter_count, 2) &&
           mpl_mul(&end_bytes, config->parameter_count, 3) &&
           total_bytes >= least_bytes && total_bytes < end_bytes;
}

bool mpl_checkpoint_take_total(memplan_model *config, uint64_t total_bytes)
{
    const uint64_t memory_bytes = sum_bytes(config);
    char disk[16];
    char memory[16];
    config->file_bytes = total_bytes;
    if (total_bytes == MEMPLAN_UNKNOWN || total_bytes == memory_bytes)
        return true;
    (void)memplan_bytes_format(disk, sizeof disk, total_bytes);
    (void)memplan_bytes_format(memory, sizeof memory, memory_bytes);
    return mpl_model_add_note(config,
                              "%s in the files by their index, %s in memory: "
                              "loading makes it what config.json says",
                              disk, memory);
}
