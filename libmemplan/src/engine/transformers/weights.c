/* SPDX-License-Identifier: MIT */
/*
 * Weights by dtype. A float dtype casts every float parameter; a quantizer
 * packs the weights of linear layers and leaves embeddings, norms, biases and
 * the output projection in 16 bits:
 *
 *     packed(weight) = elements * bits / 8 + scales * scale_bytes
 *     scales         = rows, or blocks of `block` elements
 *
 * Buffers keep their own dtype. Tied tensors count at their owner.
 */
#include <string.h>

#include "base/checked.h"
#include "base/failure.h"
#include "engine/transformers/job.h"

static const mpl_loading LOADINGS[] = {
    {"fp32", MPL_DTYPE_FP32, 0, 0, 0, false,
     "float parameters in 4 bytes each"},
    {"fp16", MPL_DTYPE_FP16, 0, 0, 0, false,
     "float parameters in 2 bytes each"},
    {"bf16", MPL_DTYPE_BF16, 0, 0, 0, false,
     "float parameters in 2 bytes each"},
    {"int8", MPL_DTYPE_FP16, 8, 0, 4, false,
     "linear weights in 1 byte with a 4-byte scale a row, the rest in 16 "
     "bits"},
    {"nf4", MPL_DTYPE_COUNT, 4, 64, 4, true,
     "bitsandbytes: linear weights in 4 bits with a 4-byte scale for 64; "
     "what is offloaded stays in 16 bits"},
    {"int4", MPL_DTYPE_COUNT, 4, 64, 4, false,
     "linear weights in 4 bits with 4 bytes of scale and zero point for 64, "
     "the rest in 16 bits"},
};
enum { LOADING_COUNT = sizeof LOADINGS / sizeof *LOADINGS };

static const mpl_loading AS_STORED = {"auto",
                                      MPL_DTYPE_COUNT,
                                      0,
                                      0,
                                      0,
                                      false,
                                      "parameters in the dtypes of the model"};

const mpl_loading *mpl_loading_find(const char *name)
{
    if (name == NULL || strcmp(name, "auto") == 0)
        return &AS_STORED;
    for (uint32_t at = 0; at < LOADING_COUNT; at++)
        if (strcmp(LOADINGS[at].name, name) == 0)
            return &LOADINGS[at];
    return NULL;
}

static bool is_float(uint32_t dtype)
{
    return dtype == MPL_DTYPE_FP64 || dtype == MPL_DTYPE_FP32 ||
           dtype == MPL_DTYPE_FP16 || dtype == MPL_DTYPE_BF16;
}

/* 16 bits for what a quantizer leaves, also where the model says fp32. */
static uint32_t rest_dtype(const mpl_job *job)
{
    return job->loading->dtype != MPL_DTYPE_COUNT ? job->loading->dtype
                                                  : job->compute_dtype;
}

static bool plain_bytes(uint64_t *out, const mpl_job *job,
                        const mpl_tensor *tensor)
{
    const mpl_loading *const loading = job->loading;
    const bool is_cast =
        loading->weight_bits != 0 || loading->dtype != MPL_DTYPE_COUNT;
    if (!is_cast || !is_float(tensor->dtype) ||
        (tensor->flags & MPL_TENSOR_BUFFER) != 0) {
        *out = tensor->bytes;
        return true;
    }
    return mpl_dtype_bytes(out, rest_dtype(job), tensor->element_count);
}

static bool packed_bytes(uint64_t *out, const mpl_job *job,
                         const mpl_tensor *tensor)
{
    const mpl_loading *const loading = job->loading;
    uint64_t bits;
    uint64_t scales = 0;
    if (!mpl_mul(&bits, tensor->element_count, loading->weight_bits))
        return false;
    if (loading->block != 0)
        scales = (tensor->element_count + loading->block - 1) / loading->block;
    else if (tensor->dimension_count > 0 &&
             tensor->shape[tensor->dimension_count - 1] > 0)
        scales =
            tensor->element_count / tensor->shape[tensor->dimension_count - 1];
    return mpl_mul(&scales, scales, loading->scale_bytes) &&
           mpl_add(out, bits / 8 + (bits % 8 != 0), scales);
}

/* Only the trunk's linear layers are packed: the head stays. */
static bool is_packed(const mpl_job *job, const mpl_tensor *tensor)
{
    return job->loading->weight_bits != 0 &&
           (tensor->flags & MPL_TENSOR_LINEAR) != 0 &&
           (tensor->flags & MPL_TENSOR_BUFFER) == 0 &&
           is_float(tensor->dtype) &&
           job->model->units[tensor->unit_index].kind == MPL_UNIT_LAYER;
}

/* The length of a name without its last part: the leaf module's. */
static size_t module_length(const char *name)
{
    const char *const dot = strrchr(name, '.');
    return dot != NULL ? (size_t)(dot - name) : 0;
}

/* What one decoded token reads: one row of a lookup counts as nothing, of
 * routed experts the used ones. */
static bool read_bytes(uint64_t *out, const mpl_job *job,
                       const mpl_tensor *tensor, uint64_t bytes)
{
    const mpl_facts *const facts = &job->model->facts;
    if ((tensor->flags & MPL_TENSOR_LOOKUP) != 0) {
        *out = 0;
        return true;
    }
    if ((tensor->flags & MPL_TENSOR_EXPERT) == 0 || facts->expert_count == 0 ||
        facts->expert_count == MEMPLAN_UNKNOWN ||
        facts->experts_used == MEMPLAN_UNKNOWN) {
        *out = bytes;
        return true;
    }
    uint64_t used;
    if (!mpl_mul(&used, facts->experts_used, job->request->sequences))
        used = facts->expert_count;
    return mpl_mul_div(out, bytes, mpl_min(used, facts->expert_count),
                       facts->expert_count);
}

typedef struct leaf {
    const char *name; /* a tensor of it */
    size_t length;
    uint64_t bytes;
    uint64_t stored_bytes;
} leaf;

/* Adds a tensor to the leaf module that is being summed up. */
static bool add_to_leaf(leaf *current, mpl_unit_cost *cost, const char *name,
                        uint64_t bytes, uint64_t stored_bytes)
{
    const size_t length = module_length(name);
    if (current->name == NULL || current->length != length ||
        memcmp(current->name, name, length) != 0)
        *current = (leaf){name, length, 0, 0};
    if (!mpl_add(&current->bytes, current->bytes, bytes) ||
        !mpl_add(&current->stored_bytes, current->stored_bytes, stored_bytes))
        return false;
    cost->leaf_bytes = mpl_max(cost->leaf_bytes, current->bytes);
    cost->stored_leaf_bytes =
        mpl_max(cost->stored_leaf_bytes, current->stored_bytes);
    return true;
}

static bool add_tensor(mpl_job *job, mpl_unit_cost *cost, leaf *current,
                       const mpl_tensor *tensor)
{
    const bool is_tied = tensor->tied_to != MPL_NO_INDEX;
    const mpl_tensor *const owner =
        is_tied ? &job->model->tensors[tensor->tied_to] : tensor;
    uint64_t plain;
    if (!plain_bytes(&plain, job, owner))
        return false;
    if ((tensor->flags & MPL_TENSOR_BUFFER) != 0)
        return is_tied ||
               mpl_add(&cost->buffer_bytes, cost->buffer_bytes, plain);
    uint64_t device = plain;
    if (is_packed(job, owner) && !packed_bytes(&device, job, owner))
        return false;
    const uint64_t away = job->loading->keeps_offloaded ? plain : device;
    uint64_t read;
    return read_bytes(&read, job, tensor, device) &&
           mpl_add(&cost->read_bytes, cost->read_bytes, read) &&
           add_to_leaf(current, cost, tensor->name, away, owner->bytes) &&
           (is_tied ||
            (mpl_add(&cost->device_bytes, cost->device_bytes, device) &&
             mpl_add(&cost->offloaded_bytes, cost->offloaded_bytes, away)));
}

memplan_status mpl_transformers_weights(mpl_job *job, memplan_error *error)
{
    const memplan_model *const model = job->model;
    for (uint32_t index = 0; index < model->unit_count; index++) {
        const mpl_unit *const unit = &model->units[index];
        leaf current = {NULL, 0, 0, 0};
        job->tied_to[index] = MPL_NO_INDEX;
        for (uint32_t at = 0; at < unit->tensor_count; at++) {
            const mpl_tensor *const tensor =
                &model->tensors[unit->first_tensor + at];
            if (!add_tensor(job, &job->units[index], &current, tensor))
                return mpl_fail(error, MEMPLAN_E_TOO_LARGE, MPL_NOWHERE,
                                "unit \"%s\": its bytes pass 64 bits",
                                unit->name);
            if (tensor->tied_to == MPL_NO_INDEX)
                continue;
            const uint32_t owner = model->tensors[tensor->tied_to].unit_index;
            if (owner < index)
                job->tied_to[index] = owner;
            else if (owner > index)
                job->tied_to[owner] = index;
        }
    }
    return MEMPLAN_OK;
}

/* A checkpoint that is quantized already cannot be quantized again. */
static bool is_quantized(const memplan_model *model)
{
    for (uint32_t at = 0; at < model->tensor_count; at++)
        if ((model->tensors[at].flags & MPL_TENSOR_LINEAR) != 0 &&
            !is_float(model->tensors[at].dtype))
            return true;
    return false;
}

const char *const *mpl_loading_smaller(const mpl_job *job, uint32_t *out_count)
{
    static const char *const NAMES[] = {"bf16", "int8", "int4", "nf4"};
    enum { NAME_COUNT = sizeof NAMES / sizeof *NAMES };
    uint32_t first = 1;
    if (is_quantized(job->model))
        first = NAME_COUNT;
    else if (job->loading->weight_bits == 8)
        first = 2;
    else if (job->loading->weight_bits == 4)
        first = job->loading->keeps_offloaded ? 2 : NAME_COUNT;
    else if (job->compute_dtype == MPL_DTYPE_FP32)
        first = 0;
    *out_count = NAME_COUNT - first;
    return NAMES + first;
}
