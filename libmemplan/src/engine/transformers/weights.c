/* SPDX-License-Identifier: MIT */
/*
 * Weights by scheme. What a tensor takes is in model/quantization.h; here a
 * unit's are added up, where it executes and where it rests. Tied tensors
 * count at their owner.
 */
#include <string.h>

#include "base/checked.h"
#include "base/failure.h"
#include "engine/transformers/job.h"

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
                       uint32_t index)
{
    const memplan_model *const model = job->model;
    const mpl_tensor *const tensor = &model->tensors[index];
    const bool is_tied = tensor->tied_to != MPL_NO_INDEX;
    const uint32_t owner = is_tied ? tensor->tied_to : index;
    const bool is_plain_away = (job->loading->away & MPL_AWAY_PLAIN) != 0;
    uint64_t device;
    uint64_t away;
    uint64_t read;
    if (!mpl_transformers_tensor_bytes(&device, job, owner, job->scheme) ||
        !mpl_transformers_tensor_bytes(
            &away, job, owner, is_plain_away ? MPL_SCHEME_AUTO : job->scheme))
        return false;
    if ((tensor->flags & MPL_TENSOR_BUFFER) != 0)
        return is_tied ||
               mpl_add(&cost->buffer_bytes, cost->buffer_bytes, device);
    if ((tensor->flags & MPL_TENSOR_JOINED) != 0)
        cost->joined_bytes =
            mpl_max(cost->joined_bytes, mpl_max(device, away));
    return read_bytes(&read, job, tensor, device) &&
           mpl_add(&cost->read_bytes, cost->read_bytes, read) &&
           add_to_leaf(current, cost, tensor->name, away,
                       model->tensors[owner].bytes) &&
           (is_tied ||
            (mpl_add(&cost->device_bytes, cost->device_bytes, device) &&
             mpl_add(&cost->offloaded_bytes, cost->offloaded_bytes, away)));
}

/* Ties go to the earlier unit, whichever owns the bytes. */
static void note_tie(mpl_job *job, uint32_t index, uint32_t owner)
{
    if (owner < index)
        job->tied_to[index] = owner;
    else if (owner > index)
        job->tied_to[owner] = index;
}

static memplan_status add_row(mpl_job *job, uint32_t row, memplan_error *error)
{
    const memplan_model *const model = job->model;
    const uint32_t index = job->rows[row].unit;
    const mpl_unit *const unit = &model->units[index];
    const uint32_t end = unit->first_tensor + unit->tensor_count;
    leaf current = {NULL, 0, 0, 0};
    for (uint32_t at = unit->first_tensor; at < end; at++) {
        const uint32_t tied_to = model->tensors[at].tied_to;
        if (!add_tensor(job, &job->costs[row], &current, at))
            return mpl_fail(error, MEMPLAN_E_TOO_LARGE, MPL_NOWHERE,
                            "unit \"%s\": its bytes pass 64 bits",
                            unit->name);
        if (tied_to != MPL_NO_INDEX)
            note_tie(job, index, model->tensors[tied_to].unit_index);
    }
    return MEMPLAN_OK;
}

/* False: no memory. */
static bool note_joined(mpl_job *job)
{
    for (uint32_t row = 0; row < job->row_count; row++) {
        if (job->costs[row].joined_bytes == 0)
            continue;
        if (job->is_joined == NULL)
            job->is_joined = mpl_arena_alloc(job->arena, job->row_count,
                                             sizeof *job->is_joined);
        if (job->is_joined == NULL)
            return false;
        job->is_joined[row] = true;
    }
    return true;
}

memplan_status mpl_transformers_weights(mpl_job *job, memplan_error *error)
{
    const uint64_t units = job->model->unit_count;
    job->tied_to = mpl_arena_take(job->arena, units, sizeof *job->tied_to);
    if (job->tied_to == NULL)
        return mpl_fail_memory(error);
    memset(job->tied_to, 0xff, units * sizeof *job->tied_to);
    for (uint32_t row = 0; row < job->row_count; row++) {
        const memplan_status status = add_row(job, row, error);
        if (status != MEMPLAN_OK)
            return status;
    }
    return note_joined(job) ? MEMPLAN_OK : mpl_fail_memory(error);
}

bool mpl_transformers_has_quantized(const mpl_job *job)
{
    const memplan_model *const model = job->model;
    for (uint32_t row = 0; row < job->row_count; row++) {
        const mpl_unit *const unit = mpl_transformers_unit(job, row);
        for (uint32_t at = 0; at < unit->tensor_count; at++) {
            const mpl_tensor *const tensor =
                &model->tensors[unit->first_tensor + at];
            if ((tensor->flags & MPL_TENSOR_PACKED) != 0 ||
                ((tensor->flags & MPL_TENSOR_LINEAR) != 0 &&
                 !mpl_dtype_is_float(tensor->dtype)))
                return true;
        }
    }
    return false;
}

const char *const *mpl_transformers_smaller(const mpl_job *job,
                                            uint32_t *out_count)
{
    static const char *const ALL[] = {"bf16", "int8", "int4", "nf4"};
    static const char *const OLDER[] = {"bf16", "int8", "nf4"};
    const bool is_old = mpl_transformers_lacks_tiles(job);
    const char *const *const names = is_old ? OLDER : ALL;
    const uint32_t count = is_old ? 3 : 4;
    uint32_t first = 1;
    if (mpl_transformers_has_quantized(job) ||
        (job->loading->bits != 0 && job->loading->bits < 8))
        first = count;
    else if (job->loading->bits == 8)
        first = 2;
    else if (job->compute_dtype == MPL_DTYPE_FP32)
        first = 0;
    *out_count = count - first;
    return names + first;
}
