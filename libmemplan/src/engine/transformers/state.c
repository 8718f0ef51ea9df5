/* SPDX-License-Identifier: MIT */
/*
 * The cache that generate() keeps, a layer, with e the bytes of the dtype:
 *
 *     DynamicCache    sequences * tokens * (key_elements + value_elements) * e
 *       sliding       with min(context, window) tokens, and 8 bytes
 *     StaticCache     the same of all tokens from the start, and 8 bytes
 *     QuantizedCache  see cache.c, for keys and values each
 *     indexers        sequences * context * index_elements * e
 *     cross           sequences * encoder tokens * (cross_key_elements +
 *                     cross_value_elements) * e
 *     fixed           sequences * (fixed_elements * e + fixed_bytes)
 *
 * (8 bytes are a counter that lies beside the tensors.)
 *
 * A dynamic sliding layer looks at window - 1 earlier tokens through a view: of
 * one token more while it writes, and right after a step over the prompt, of
 * these and all the step's keys and values. What those have beyond the window
 * is `window_bytes`. A window of 1 would be a view of all: nothing is dropped.
 * A compressor of DeepSeek-V4 makes an entry of each `rate` tokens, and keeps
 * the others as a view of the whole step, which up to rate - 1 tokens of the
 * step before stand in front of: rate tokens are in `fixed`, and all of the
 * step but one are added to `window_bytes`.
 *
 * A quantized cache leaves what came since it last packed as computed, fewer
 * than residual_length tokens, and packs all of a first step. It is largest
 * with that many left over, or with none:
 *
 *     max(packed(context), packed(context - left) + plain(left)),
 *     left = min(residual_length - 1, context - 1)
 *
 * An offloaded cache rests in host memory, but for the layer at work and the
 * next one; a static one leaves sliding layers where they are.
 */
#include <string.h>

#include "base/checked.h"
#include "base/failure.h"
#include "engine/transformers/job.h"

enum { COUNTER_BYTES = 8, LAYERS_AT_WORK = 2 };

/* Bytes of `tokens` tokens in a plain dtype. */
static bool plain_cache(uint64_t *out, uint64_t tokens, uint64_t elements,
                        uint64_t sequences, uint32_t dtype)
{
    uint64_t count;
    return mpl_mul(&count, tokens, elements) &&
           mpl_mul(&count, count, sequences) &&
           mpl_dtype_bytes(out, dtype, count);
}

static bool quantized_part(uint64_t *out, const mpl_job *job, uint64_t elements)
{
    const mpl_kv_tensor tensor = {elements, job->request->sequences,
                                  job->group_elements,
                                  mpl_dtype_block_bytes(job->compute_dtype)};
    const uint64_t context = job->request->context_tokens;
    const uint64_t left = job->kv_loading->backend != MPL_KV_FP8
                              ? mpl_min(job->residual_tokens - 1, context - 1)
                              : 0;
    uint64_t whole;
    uint64_t packed;
    uint64_t plain;
    if (!mpl_kv_quantized_bytes(&whole, job->kv_loading, &tensor, context) ||
        !mpl_kv_quantized_bytes(&packed, job->kv_loading, &tensor,
                                context - left) ||
        !plain_cache(&plain, left, elements, tensor.sequences,
                     job->compute_dtype) ||
        !mpl_add(&packed, packed, plain))
        return false;
    *out = mpl_max(whole, packed);
    return true;
}

static bool quantized_cache(uint64_t *out, const mpl_job *job,
                            const mpl_state *state)
{
    uint64_t keys;
    uint64_t values;
    return quantized_part(&keys, job, state->key_elements) &&
           quantized_part(&values, job, state->value_elements) &&
           mpl_add(out, keys, values);
}

/* Tokens whose keys and values one layer holds. */
static uint64_t kept_tokens(const mpl_job *job, const mpl_state *state)
{
    const uint64_t context = job->request->context_tokens;
    const bool is_dropping =
        state->window_tokens > (job->cache_kind->is_static ? 0 : 1);
    return is_dropping ? mpl_min(context, state->window_tokens) : context;
}

/* What a layer of plain tensors holds of the tokens, and its counters. */
static bool plain_layer(mpl_unit_cost *cost, const mpl_job *job,
                        const mpl_state *state, uint32_t dtype)
{
    const uint64_t sequences = job->request->sequences;
    const uint64_t context = job->request->context_tokens;
    const uint64_t kept = kept_tokens(job, state);
    /* Both are at most 2^40: no sum of them passes 64 bits. */
    const uint64_t seen = kept < context && !job->cache_kind->is_static
                              ? mpl_min(context, job->prompt_tokens + kept - 1)
                              : kept;
    const bool has_counter = job->cache_kind->is_static
                                 ? !job->has_own_cache
                                 : state->window_tokens != 0;
    const uint64_t counters =
        has_counter ? state->cache_count * COUNTER_BYTES : 0;
    uint64_t elements;
    uint64_t step;
    if (!mpl_add(&elements, state->key_elements, state->value_elements) ||
        !plain_cache(&step, job->prompt_tokens - 1, state->step_elements,
                     sequences, job->compute_dtype))
        return false;
    return plain_cache(&cost->cache_bytes, kept, elements, sequences, dtype) &&
           mpl_add(&cost->cache_bytes, cost->cache_bytes, counters) &&
           plain_cache(&cost->window_bytes, mpl_sub_floor(seen, kept), elements,
                       sequences, dtype) &&
           mpl_add(&cost->window_bytes, cost->window_bytes, step);
}

/* What has no window: an indexer's keys, and cross attention's keys and
 * values of the encoder's tokens. */
static bool whole_layer(uint64_t *out_index, mpl_unit_cost *cost,
                        const mpl_job *job, const mpl_state *state,
                        uint32_t dtype)
{
    const uint64_t sequences = job->request->sequences;
    const uint64_t counter = job->cache_kind->is_static ? COUNTER_BYTES : 0;
    uint64_t elements;
    return mpl_add(&elements, state->cross_key_elements,
                   state->cross_value_elements) &&
           plain_cache(&cost->cross_bytes, job->encoder_tokens, elements,
                       sequences, dtype) &&
           mpl_add(&cost->cross_bytes, cost->cross_bytes,
                   elements != 0 ? counter : 0) &&
           plain_cache(out_index, job->request->context_tokens,
                       state->index_elements, sequences, dtype) &&
           mpl_add(out_index, *out_index,
                   state->index_elements != 0 ? counter : 0);
}

static bool fixed_state(uint64_t *out, const mpl_job *job,
                        const mpl_state *state)
{
    uint64_t bytes;
    return mpl_dtype_bytes(&bytes, job->compute_dtype, state->fixed_elements) &&
           mpl_add(&bytes, bytes, state->fixed_bytes) &&
           mpl_mul(out, bytes, job->request->sequences);
}

/* Moves what rests in host memory out of the layer's own bytes. States of a
 * layer that has both go along. */
static bool move_away(mpl_job *job, const mpl_state *state, mpl_unit_cost *cost)
{
    uint64_t at_work;
    if (job->cache_kind->is_static && state->window_tokens != 0)
        return true;
    if (!mpl_add(&cost->away_bytes, cost->cache_bytes, cost->cross_bytes) ||
        !mpl_add(&at_work, cost->away_bytes, cost->window_bytes) ||
        !mpl_mul(&at_work, at_work, LAYERS_AT_WORK))
        return false;
    job->at_work_bytes = mpl_max(job->at_work_bytes, at_work);
    cost->cache_bytes = 0;
    cost->cross_bytes = 0;
    cost->window_bytes = 0;
    return mpl_add(&cost->away_bytes, cost->away_bytes,
                   cost->away_bytes != 0 ? cost->state_bytes : 0);
}

static bool unit_state(mpl_job *job, const mpl_state *state,
                       mpl_unit_cost *cost)
{
    const mpl_kv_loading *const kv = job->kv_loading;
    const uint32_t dtype = kv != NULL && kv->dtype != MPL_DTYPE_COUNT
                               ? kv->dtype
                               : job->compute_dtype;
    uint64_t elements;
    uint64_t index;
    if (!mpl_add(&elements, state->key_elements, state->value_elements) ||
        !fixed_state(&cost->state_bytes, job, state) ||
        !plain_cache(&cost->widest_bytes, job->request->context_tokens,
                     elements, job->request->sequences, job->compute_dtype))
        return false;
    if (job->cache_kind->is_quantized)
        return quantized_cache(&cost->cache_bytes, job, state);
    if (!plain_layer(cost, job, state, dtype) ||
        !whole_layer(&index, cost, job, state, dtype))
        return false;
    /* A static layer leaves its indexer's keys where they are. */
    if (job->cache_kind->is_offloaded && job->cache_kind->is_static)
        return move_away(job, state, cost) &&
               mpl_add(&cost->cache_bytes, cost->cache_bytes, index);
    return mpl_add(&cost->cache_bytes, cost->cache_bytes, index) &&
           (!job->cache_kind->is_offloaded || move_away(job, state, cost));
}

/* What rests in host memory, of all units. */
static bool sum_away(mpl_job *job)
{
    for (uint32_t row = 0; row < job->row_count; row++)
        if (!mpl_mul_add(&job->away_bytes, job->away_bytes,
                         job->costs[row].away_bytes, job->rows[row].unit_count))
            return false;
    return true;
}

static memplan_status too_large(const mpl_job *job, const mpl_unit *unit,
                                memplan_error *error)
{
    return mpl_fail(error, MEMPLAN_E_TOO_LARGE, MPL_NOWHERE,
                    "unit \"%s\": its cache for %llu tokens passes 64 bits",
                    unit->name,
                    (unsigned long long)job->request->context_tokens);
}

memplan_status mpl_transformers_state(mpl_job *job, memplan_error *error)
{
    for (uint32_t row = 0; row < job->row_count; row++) {
        const mpl_unit *const unit = mpl_transformers_unit(job, row);
        const uint64_t window = unit->state.window_tokens;
        if (!unit_state(job, &unit->state, &job->costs[row]))
            return too_large(job, unit, error);
        if (window != 0 && window < job->request->context_tokens)
            job->has_windows = true;
    }
    return sum_away(job) ? MEMPLAN_OK
                         : mpl_fail(error, MEMPLAN_E_TOO_LARGE, MPL_NOWHERE,
                                    "the cache in host memory for %llu tokens "
                                    "passes 64 bits",
                                    (unsigned long long)
                                        job->request->context_tokens);
}
