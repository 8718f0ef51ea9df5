/* SPDX-License-Identifier: MIT */
/*
 * Which weights a quantization names, and what they take.
 */
#include "model/stored_weights.h"

#include <stddef.h>
#include <string.h>

#include "base/checked.h"
#include "base/ending.h"
#include "base/failure.h"
#include "model/name_index.h"
#include "model/quantization_config.h"
#include "model/weight_names.h"

/* Names against patterns: a second's work at the very most. */
enum { MAX_COMPARISONS = 1 << 26 };

/* A tensor that the method packs where nobody names it. */
typedef struct candidate {
    uint32_t tensor;
    uint32_t group;          /* plus 1; 0: none */
    uint32_t rank;           /* how closely a target named it */
    mpl_weight_names called; /* where modules are named at all */
} candidate;

typedef struct work {
    memplan_model *model;
    mpl_arena *scratch;
    const mpl_quantization *from;
    mpl_packed_group *groups;
    candidate *candidates;
    uint32_t candidate_count;
    memplan_error *error;
} work;

static bool is_candidate(const work *job, uint32_t index)
{
    const memplan_model *const model = job->model;
    const mpl_quantizer *const by = job->from->quantizer;
    const mpl_tensor *const tensor = &model->tensors[index];
    const bool is_listed =
        mpl_json_type_of(job->from->skipped) == MPL_JSON_ARRAY;
    if ((tensor->flags & (MPL_TENSOR_KEPT | MPL_TENSOR_BUFFER)) != 0 ||
        tensor->tied_to != MPL_NO_INDEX || !mpl_dtype_is_float(tensor->dtype))
        return false;
    if (by->parts == MPL_PARTS_LAYERS &&
        model->units[tensor->unit_index].kind != MPL_UNIT_LAYER)
        return false;
    if (mpl_is_joined_experts(tensor))
        return (by->parts & MPL_PARTS_EXPERTS) != 0;
    if ((by->parts & MPL_PARTS_LINEAR) == 0)
        return false;
    if (by->head == MPL_HEAD_ALWAYS ||
        (by->head == MPL_HEAD_LISTED && !is_listed))
        return mpl_is_quantized(model, index);
    return (tensor->flags & MPL_TENSOR_LINEAR) != 0 &&
           tensor->dimension_count == 2;
}

static bool is_named(const candidate *one, const mpl_module_pattern *pattern)
{
    for (uint32_t at = 0;
         at < MPL_WEIGHT_NAMES && one->called.names[at] != NULL; at++)
        if (mpl_module_pattern_matches(pattern, one->called.names[at]))
            return true;
    return false;
}

static memplan_status note_unread(const work *job, const char *pattern)
{
    return mpl_model_add_note(job->model,
                              "quantization_config: \"%.120s\" is a pattern "
                              "that is not understood, and taken to match "
                              "nothing",
                              pattern)
               ? MEMPLAN_OK
               : mpl_fail_memory(job->error);
}

/* Puts what a pattern names in a group, unless another one was closer. */
static memplan_status assign(const work *job, const char *text, uint32_t group,
                             uint32_t rank)
{
    mpl_module_pattern pattern;
    const char *const name =
        mpl_weight_running_name(job->scratch, job->model, text);
    if (name == NULL)
        return mpl_fail_memory(job->error);
    mpl_module_pattern_open(&pattern, job->from->quantizer->patterns, name);
    const memplan_status status =
        pattern.is_readable ? MEMPLAN_OK : note_unread(job, text);
    for (uint32_t at = 0; at < job->candidate_count; at++) {
        candidate *const one = &job->candidates[at];
        if (rank <= one->rank || !is_named(one, &pattern))
            continue;
        one->group = group;
        one->rank = rank;
    }
    mpl_module_pattern_close(&pattern);
    return status;
}

/* All that nothing named closer. */
static void assign_class(const work *job, uint32_t group, uint32_t wanted_flag)
{
    for (uint32_t at = 0; at < job->candidate_count; at++) {
        candidate *const one = &job->candidates[at];
        if (one->rank > 0 ||
            (job->model->tensors[one->tensor].flags & wanted_flag) == 0)
            continue;
        one->group = group;
        one->rank = 1;
    }
}

/* A whole name is closer than an expression, and that than a class. */
static memplan_status assign_targets(const work *job, uint32_t group)
{
    const mpl_json_value targets = job->groups[group - 1].targets;
    uint32_t flags = job->groups[group - 1].flags;
    if (flags == 0)
        flags = MPL_TENSOR_LINEAR | MPL_TENSOR_EXPERT;
    if (mpl_json_type_of(targets) != MPL_JSON_ARRAY) {
        assign_class(job, group, flags);
        return MEMPLAN_OK;
    }
    mpl_json_walk walk = mpl_json_begin(targets);
    while (mpl_json_next(&walk)) {
        const char *const text = mpl_json_string(walk.value, NULL);
        memplan_status status = MEMPLAN_OK;
        if (text == NULL)
            continue;
        if (strcmp(text, "Linear") == 0)
            assign_class(job, group, flags);
        else
            status =
                assign(job, text, group, strncmp(text, "re:", 3) == 0 ? 2 : 3);
        if (status != MEMPLAN_OK)
            return status;
    }
    return MEMPLAN_OK;
}

static memplan_status check_count(const work *job, mpl_json_value list)
{
    return mpl_json_count(list) <=
                   MAX_COMPARISONS / (job->model->tensor_count + 1)
               ? MEMPLAN_OK
               : mpl_fail(job->error, MEMPLAN_E_TOO_LARGE, MPL_NOWHERE,
                          "\"quantization_config\" names %llu modules, more "
                          "than any model has",
                          (unsigned long long)mpl_json_count(list));
}

static memplan_status skip(const work *job)
{
    memplan_status status = check_count(job, job->from->skipped);
    mpl_json_walk walk = mpl_json_begin(job->from->skipped);
    while (status == MEMPLAN_OK && mpl_json_next(&walk)) {
        const char *const text = mpl_json_string(walk.value, NULL);
        if (text != NULL)
            status = assign(job, text, 0, UINT32_MAX);
    }
    return status;
}

/* A module of quantized_layers and its group. */
typedef struct layer_entry {
    const char *name;
    uint32_t group;
} layer_entry;

/* The group of an algorithm, made where it is new; 0: not known. */
static uint32_t group_of(work *job, const char **algorithms, uint32_t *count,
                         const char *algorithm)
{
    for (uint32_t at = 0; at < *count; at++)
        if (strcmp(algorithms[at], algorithm) == 0)
            return at + 1;
    if (*count == MPL_PACKED_GROUPS ||
        !mpl_packing_of_algorithm(&job->groups[*count].packing, algorithm))
        return 0;
    algorithms[*count] = algorithm;
    return ++*count;
}

/* False: an expert past the first, which is packed like the first. */
static bool is_first_expert(const char *name)
{
    const char *const at = strstr(name, ".experts.");
    return at == NULL || strncmp(at, ".experts.0.", 11) == 0 ||
           strspn(at + 9, "0123456789") == 0;
}

/* The entries of quantized_layers that matter, by running names. */
static memplan_status read_layers(work *job, layer_entry *entries,
                                  uint64_t *out_count)
{
    const char *algorithms[MPL_PACKED_GROUPS];
    uint32_t algorithm_count = 0;
    mpl_json_walk walk = mpl_json_begin(job->from->layers);
    while (mpl_json_next(&walk)) {
        const char *const algorithm =
            mpl_json_string(mpl_json_get(walk.value, "quant_algo"), NULL);
        if (algorithm == NULL || !is_first_expert(walk.key))
            continue;
        const uint32_t group =
            group_of(job, algorithms, &algorithm_count, algorithm);
        if (group == 0 &&
            !mpl_model_add_note(job->model,
                                "the quantization \"%.40s\" is not known: its "
                                "weights are counted as if they had none",
                                algorithm))
            return mpl_fail_memory(job->error);
        entries[*out_count] = (layer_entry){
            mpl_weight_running_name(job->scratch, job->model, walk.key), group};
        if (entries[(*out_count)++].name == NULL)
            return mpl_fail_memory(job->error);
    }
    return MEMPLAN_OK;
}

static memplan_status assign_layers(work *job)
{
    const uint64_t most = mpl_json_count(job->from->layers);
    layer_entry *const entries =
        mpl_arena_alloc(job->scratch, most + 1, sizeof *entries);
    uint64_t count = 0;
    mpl_name_index index;
    if (entries == NULL)
        return mpl_fail_memory(job->error);
    const memplan_status status = read_layers(job, entries, &count);
    if (status != MEMPLAN_OK)
        return status;
    if (!mpl_name_index_build(&index, job->scratch, &entries->name,
                              sizeof *entries, count))
        return mpl_fail_memory(job->error);
    for (uint32_t at = 0; at < job->candidate_count; at++) {
        candidate *const one = &job->candidates[at];
        for (uint32_t name = 0;
             name < MPL_WEIGHT_NAMES && one->called.names[name] != NULL;
             name++) {
            const uint64_t found =
                mpl_name_index_find(&index, one->called.names[name]);
            if (found != MEMPLAN_UNKNOWN)
                one->group = entries[found].group;
        }
    }
    return MEMPLAN_OK;
}

/* Experts that have inputs before outputs are told by the model's width. */
static void find_direction(const memplan_model *model, mpl_tensor *tensor)
{
    const uint64_t hidden = model->facts.hidden_elements;
    if (!mpl_is_joined_experts(tensor))
        return;
    const uint32_t inputs_at = mpl_ends_with(tensor->name, "down_proj") ? 2 : 1;
    if (tensor->shape[inputs_at] == hidden &&
        tensor->shape[3 - inputs_at] != hidden)
        tensor->flags |= MPL_TENSOR_TRANSPOSED;
}

static memplan_status pack(const work *job, const candidate *one)
{
    const uint32_t index = one->tensor;
    mpl_tensor *const tensor = &job->model->tensors[index];
    const mpl_quantization *const from = job->from;
    const mpl_packing *const packing = &job->groups[one->group - 1].packing;
    const bool keeps_scales = from->quantizer->device == MPL_LOADING_DENSE &&
                              !mpl_is_joined_experts(tensor);
    const bool has_scheme = from->scheme != MPL_SCHEME_COUNT;
    uint64_t bytes;
    uint64_t dense_bytes = tensor->bytes;
    find_direction(job->model, tensor);
    const bool is_counted =
        has_scheme
            ? mpl_quantized_bytes(&bytes, job->model, index, from->scheme)
            : mpl_packing_bytes(&bytes, packing, tensor,
                                mpl_joined_parts(tensor)) &&
                  mpl_packing_dense_bytes(&dense_bytes, packing, tensor,
                                          mpl_joined_parts(tensor),
                                          keeps_scales);
    if (!is_counted)
        return mpl_fail(job->error, MEMPLAN_E_TOO_LARGE, MPL_NOWHERE,
                        "\"%s\" has more bytes than 64 bits can say",
                        tensor->name);
    tensor->dense_bytes = dense_bytes;
    tensor->dense_dtype = tensor->dtype;
    tensor->bytes = bytes;
    tensor->dtype = !has_scheme                             ? packing->dtype
                    : mpl_scheme_at(from->scheme)->bits < 8 ? MPL_DTYPE_U8
                                                            : MPL_DTYPE_I8;
    tensor->flags |= MPL_TENSOR_PACKED;
    return MEMPLAN_OK;
}

/* Kernels of MXFP4 want the experts' biases in fp32. */
static void widen_biases(const work *job)
{
    if (strcmp(job->from->quantizer->name, "mxfp4") != 0)
        return;
    for (uint32_t at = 0; at < job->model->tensor_count; at++) {
        mpl_tensor *const tensor = &job->model->tensors[at];
        uint64_t bytes;
        if (!mpl_ends_with(tensor->name, "_proj_bias") ||
            !mpl_dtype_bytes(&bytes, MPL_DTYPE_FP32, tensor->element_count))
            continue;
        tensor->dense_bytes = tensor->bytes;
        tensor->dense_dtype = tensor->dtype;
        tensor->bytes = bytes;
        tensor->dtype = MPL_DTYPE_FP32;
        tensor->flags |= MPL_TENSOR_PACKED;
    }
}

/* Whether modules are named, and not only what kind of weights is meant. */
static bool has_names(const work *job)
{
    bool has_any = mpl_json_type_of(job->from->layers) == MPL_JSON_OBJECT ||
                   mpl_json_count(job->from->skipped) > 0;
    for (uint32_t at = 0; at < job->from->group_count; at++)
        has_any = has_any || mpl_json_count(job->groups[at].targets) > 0;
    return has_any;
}

/* Where no module is named, a unit that differs from another in names alone is
 * packed as that one: it needs no candidates. */
static memplan_status find_candidates(work *job, bool has_names)
{
    const memplan_model *const model = job->model;
    for (uint32_t index = 0; index < model->unit_count; index++) {
        const mpl_unit *const unit = &model->units[index];
        if (unit->like_before > 0 && !has_names)
            continue;
        for (uint32_t at = unit->first_tensor;
             at < unit->first_tensor + unit->tensor_count; at++) {
            candidate *const one = &job->candidates[job->candidate_count];
            if (!is_candidate(job, at))
                continue;
            *one = (candidate){.tensor = at};
            if (has_names &&
                !mpl_weight_names_of(&one->called, job->scratch,
                                     &model->tensors[at],
                                     job->from->quantizer->patterns))
                return mpl_fail_memory(job->error);
            job->candidate_count++;
        }
    }
    return MEMPLAN_OK;
}

static void pack_like(mpl_tensor *tensor, const mpl_tensor *twin)
{
    tensor->flags = twin->flags;
    tensor->bytes = twin->bytes;
    tensor->dtype = twin->dtype;
    tensor->dense_bytes = twin->dense_bytes;
    tensor->dense_dtype = twin->dense_dtype;
}

static void pack_units_alike(memplan_model *model)
{
    for (uint32_t index = 0; index < model->unit_count; index++) {
        const mpl_unit *const unit = &model->units[index];
        const mpl_unit *const like = unit - unit->like_before;
        for (uint32_t at = 0; unit != like && at < unit->tensor_count; at++)
            pack_like(&model->tensors[unit->first_tensor + at],
                      &model->tensors[like->first_tensor + at]);
    }
}

static memplan_status pack_all(work *job, bool has_names)
{
    bool is_any = false;
    for (uint32_t at = 0; at < job->candidate_count; at++) {
        const candidate *const one = &job->candidates[at];
        const memplan_status status =
            one->group != 0 ? pack(job, one) : MEMPLAN_OK;
        if (status != MEMPLAN_OK)
            return status;
        is_any = is_any || one->group != 0;
    }
    if (!is_any)
        return MEMPLAN_OK;
    job->model->quantizer = job->from->quantizer;
    widen_biases(job);
    if (has_names)
        mpl_model_compare_units(job->model);
    else
        pack_units_alike(job->model);
    return MEMPLAN_OK;
}

static memplan_status run(work *job)
{
    const bool names_any = has_names(job);
    mpl_model_number_tensors(job->model);
    memplan_status status = find_candidates(job, names_any);
    if (status == MEMPLAN_OK &&
        mpl_json_type_of(job->from->layers) == MPL_JSON_OBJECT)
        status = assign_layers(job);
    for (uint32_t group = 1;
         status == MEMPLAN_OK && group <= job->from->group_count; group++) {
        status = check_count(job, job->groups[group - 1].targets);
        if (status == MEMPLAN_OK)
            status = assign_targets(job, group);
    }
    if (status == MEMPLAN_OK)
        status = skip(job);
    return status == MEMPLAN_OK ? pack_all(job, names_any) : status;
}

static memplan_status note_unknown(memplan_model *model,
                                   const mpl_quantization *from,
                                   memplan_error *error)
{
    return mpl_model_add_note(model,
                              "how \"%.40s\" packs its weights is not known: "
                              "they are counted as if they had not been "
                              "quantized",
                              from->method)
               ? MEMPLAN_OK
               : mpl_fail_memory(error);
}

memplan_status mpl_stored_weights_apply(memplan_model *model,
                                        mpl_json_value quantization,
                                        const char *expert_dtype,
                                        memplan_error *error)
{
    mpl_quantization from;
    if (mpl_json_type_of(quantization) != MPL_JSON_OBJECT)
        return MEMPLAN_OK;
    memplan_status status =
        mpl_quantization_read(&from, quantization, expert_dtype, error);
    if (status != MEMPLAN_OK)
        return status;
    if (from.group_count == 0 &&
        mpl_json_type_of(from.layers) != MPL_JSON_OBJECT)
        return note_unknown(model, &from, error);
    mpl_arena *const scratch = mpl_arena_create();
    work job = {.model = model,
                .scratch = scratch,
                .from = &from,
                .groups = from.groups,
                .error = error};
    if (scratch != NULL)
        job.candidates = mpl_arena_take(scratch, model->tensor_count,
                                        sizeof *job.candidates);
    status = job.candidates != NULL ? run(&job) : mpl_fail_memory(error);
    mpl_arena_free(scratch);
    return status;
}
