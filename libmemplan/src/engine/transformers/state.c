/* SPDX-License-Identifier: MIT */
/*
 * The cache that generate() keeps, a layer:
 *
 *     cache  = sequences * min(context, window)
 *              * (key_elements + value_elements) * bytes of the dtype
 *     fixed  = sequences * fixed_bytes
 *
 * A sliding layer looks at window - 1 earlier tokens through a view: of one
 * token more while it writes, and right after a step over the prompt, of these
 * and all the step's keys and values. What those have beyond the window is
 * `window_bytes`.
 *
 * A quantized cache knows no windows: every layer keeps all tokens,
 *
 *     tokens * elements * (bits / 8 + 2 * compute bytes / 64)
 *     + 128 tokens in the dtype of computation
 *
 * (a scale and a zero point for each 64; the last 128 tokens unquantized).
 */
#include <string.h>

#include "base/checked.h"
#include "base/failure.h"
#include "engine/transformers/job.h"

enum { QUANTIZED_GROUP = 64, RESIDUAL_TOKENS = 128 };

static const mpl_kv_loading KV_LOADINGS[] = {
    {"fp32", MPL_DTYPE_FP32, 32, "keys and values in 4 bytes each"},
    {"fp16", MPL_DTYPE_FP16, 16, "keys and values in 2 bytes each"},
    {"bf16", MPL_DTYPE_BF16, 16, "keys and values in 2 bytes each"},
    {"int8", MPL_DTYPE_COUNT, 8,
     "QuantizedCache: 8 bits, scale and zero point for 64, the last 128 "
     "tokens as computed"},
    {"int4", MPL_DTYPE_COUNT, 4,
     "QuantizedCache: 4 bits, scale and zero point for 64, the last 128 "
     "tokens as computed"},
    {"int2", MPL_DTYPE_COUNT, 2,
     "QuantizedCache: 2 bits, scale and zero point for 64, the last 128 "
     "tokens as computed"},
};
enum { KV_LOADING_COUNT = sizeof KV_LOADINGS / sizeof *KV_LOADINGS };

const mpl_kv_loading *mpl_kv_loading_find(const char *name)
{
    for (uint32_t at = 0; at < KV_LOADING_COUNT; at++)
        if (strcmp(KV_LOADINGS[at].name, name) == 0)
            return &KV_LOADINGS[at];
    return NULL;
}

/* Bytes of `tokens` tokens in a plain dtype. */
static bool plain_cache(uint64_t *out, uint64_t tokens, uint64_t elements,
                        uint64_t sequences, uint32_t dtype)
{
    uint64_t count;
    return mpl_mul(&count, tokens, elements) &&
           mpl_mul(&count, count, sequences) &&
           mpl_dtype_bytes(out, dtype, count);
}

static bool quantized_cache(uint64_t *out, const mpl_job *job,
                            uint64_t elements)
{
    const uint64_t sequences = job->request->sequences;
    const uint64_t residual =
        mpl_min(job->request->context_tokens, RESIDUAL_TOKENS);
    uint64_t count;
    uint64_t packed;
    uint64_t groups;
    uint64_t scales;
    uint64_t plain;
    return mpl_mul(&count, job->request->context_tokens, elements) &&
           mpl_mul(&count, count, sequences) &&
           mpl_mul_div(&packed, count, job->kv_loading->bits, 8) &&
           mpl_add(&groups, count / QUANTIZED_GROUP, 1) &&
           mpl_mul(&groups, groups, 2) &&
           mpl_dtype_bytes(&scales, job->compute_dtype, groups) &&
           plain_cache(&plain, residual, elements, sequences,
                       job->compute_dtype) &&
           mpl_add(out, packed, scales) && mpl_add(out, *out, plain);
}

/* What has no window: an indexer's keys, and cross attention's keys and
 * values of the encoder's tokens. */
static bool whole_cache(uint64_t *out, const mpl_job *job,
                        const mpl_state *state, uint32_t dtype)
{
    const uint64_t sequences = job->request->sequences;
    uint64_t cross;
    uint64_t indexer;
    return mpl_add(&cross, state->cross_key_elements,
                   state->cross_value_elements) &&
           plain_cache(&cross, job->encoder_tokens, cross, sequences, dtype) &&
           plain_cache(&indexer, job->request->context_tokens,
                       state->index_elements, sequences, dtype) &&
           mpl_add(out, cross, indexer);
}

static bool fixed_state(uint64_t *out, const mpl_job *job,
                        const mpl_state *state)
{
    uint64_t bytes;
    return mpl_dtype_bytes(&bytes, job->compute_dtype, state->fixed_elements) &&
           mpl_add(&bytes, bytes, state->fixed_bytes) &&
           mpl_mul(out, bytes, job->request->sequences);
}

static bool unit_state(const mpl_job *job, const mpl_state *state,
                       mpl_unit_cost *cost)
{
    const uint64_t sequences = job->request->sequences;
    const uint64_t context = job->request->context_tokens;
    uint64_t elements;
    uint64_t whole;
    if (!mpl_add(&elements, state->key_elements, state->value_elements) ||
        !fixed_state(&cost->state_bytes, job, state) ||
        !plain_cache(&cost->widest_bytes, context, elements, sequences,
                     job->compute_dtype))
        return false;
    const mpl_kv_loading *const kv = job->kv_loading;
    if (kv != NULL && kv->dtype == MPL_DTYPE_COUNT)
        return quantized_cache(&cost->cache_bytes, job, elements);
    const uint32_t dtype = kv != NULL ? kv->dtype : job->compute_dtype;
    const uint64_t kept = state->window_tokens != 0
                              ? mpl_min(context, state->window_tokens)
                              : context;
    /* Both are at most 2^40: no sum of them passes 64 bits. */
    const uint64_t seen =
        kept < context ? mpl_min(context, job->prompt_tokens + kept - 1) : kept;
    return whole_cache(&whole, job, state, dtype) &&
           plain_cache(&cost->cache_bytes, kept, elements, sequences, dtype) &&
           mpl_add(&cost->cache_bytes, cost->cache_bytes, whole) &&
           plain_cache(&cost->window_bytes, mpl_sub_floor(seen, kept), elements,
                       sequences, dtype);
}

static void copy_state(mpl_unit_cost *into, const mpl_unit_cost *from)
{
    into->state_bytes = from->state_bytes;
    into->widest_bytes = from->widest_bytes;
    into->cache_bytes = from->cache_bytes;
    into->window_bytes = from->window_bytes;
}

memplan_status mpl_transformers_state(mpl_job *job, memplan_error *error)
{
    job->encoder_tokens = job->model->facts.encoder_tokens;
    if (job->encoder_tokens == MEMPLAN_UNKNOWN)
        job->encoder_tokens = job->prompt_tokens;
    for (uint32_t index = 0; index < job->model->unit_count; index++) {
        const mpl_unit *const unit = &job->model->units[index];
        const uint32_t first = job->unit_of_row[job->row_of_unit[index]];
        if (first < index)
            copy_state(&job->units[index], &job->units[first]);
        else if (!unit_state(job, &unit->state, &job->units[index]))
            return mpl_fail(error, MEMPLAN_E_TOO_LARGE, MPL_NOWHERE,
                            "unit \"%s\": its cache for %llu tokens passes "
                            "64 bits",
                            unit->name,
                            (unsigned long long)job->request->context_tokens);
        if (job->units[index].window_bytes != 0)
            job->has_windows = true;
    }
    return MEMPLAN_OK;
}
