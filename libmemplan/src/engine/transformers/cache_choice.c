/* SPDX-License-Identifier: MIT */
/*
 * Which cache generate() makes of a request, and which it refuses to make:
 *
 *     quantized    decoders whose layers all keep every token, in whole groups
 *     offloaded    where a GPU executes and there is host memory
 *
 * What is not quantized is kept as it was computed: no class casts it.
 *
 * Some classes keep a cache of their own, whatever is asked for.
 */
#include <string.h>

#include "base/failure.h"
#include "engine/transformers/job.h"

enum { GROUP_ELEMENTS = 64, RESIDUAL_TOKENS = 128 };

/* Families to which generate() hands no cache. */
static bool has_own_cache(const char *architecture)
{
    static const char *const NAMES[] = {
        "minimax", "reformer", "rwkv", "xlnet", "xlstm",
    };
    for (size_t at = 0; at < sizeof NAMES / sizeof *NAMES; at++)
        if (strcmp(NAMES[at], architecture) == 0)
            return true;
    return false;
}

/* Families whose layers keep what they compress in classes of their own: of
 * as many tokens as fill a step, so that no more than stated is there. */
static bool is_compressed(const char *architecture)
{
    return strcmp(architecture, "deepseek_v4") == 0;
}

static bool has_cross(const mpl_state *state)
{
    return state->cross_key_elements != 0 || state->cross_value_elements != 0;
}

/* What keeps a layer out of a QuantizedCache, or NULL. */
static const char *quantizing_obstacle(const mpl_job *job,
                                       const mpl_kv_loading *loading,
                                       const mpl_state *state)
{
    const uint64_t bytes = mpl_dtype_block_bytes(job->compute_dtype);
    const mpl_kv_tensor keys = {state->key_elements, 1, job->group_elements,
                                bytes};
    const mpl_kv_tensor values = {state->value_elements, 1, job->group_elements,
                                  bytes};
    if (state->window_tokens != 0)
        return "slides over a window";
    if (state->fixed_elements != 0 || state->fixed_bytes != 0)
        return "keeps a recurrent state";
    if (state->index_elements != 0)
        return "keeps an indexer's keys";
    if (has_cross(state))
        return "has cross attention";
    return mpl_kv_divides(loading, &keys) && mpl_kv_divides(loading, &values)
               ? NULL
               : "has keys or values that groups of q_group_size do not divide";
}

static memplan_status check_quantized(const mpl_job *job,
                                      const mpl_kv_loading *loading,
                                      memplan_error *error)
{
    for (uint32_t row = 0; row < job->row_count; row++) {
        const mpl_unit *const unit = mpl_transformers_unit(job, row);
        const char *const obstacle =
            quantizing_obstacle(job, loading, &unit->state);
        if (obstacle != NULL)
            return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                            "kv_dtype \"%.20s\": transformers has no quantized "
                            "cache for unit \"%.60s\", which %s",
                            loading->name, unit->name, obstacle);
    }
    return MEMPLAN_OK;
}

bool mpl_transformers_may_quantize(const mpl_job *job, const char *kv_dtype)
{
    const mpl_kv_loading *const loading = mpl_kv_loading_find(kv_dtype);
    const bool is_chosen =
        job->request->cache != NULL && !job->cache_kind->is_quantized;
    return !is_chosen && !job->has_own_cache && loading != NULL &&
           check_quantized(job, loading, NULL) == MEMPLAN_OK;
}

static memplan_status check_offloaded(const mpl_job *job, memplan_error *error)
{
    const char *const name = job->cache_kind->name;
    if (job->device_pool_count == 0)
        return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                        "cache \"%s\": it moves layers between a GPU and host "
                        "memory, and there is no GPU",
                        name);
    if (job->host_pool == MPL_NO_INDEX)
        return mpl_fail(error, MEMPLAN_E_ARGUMENT, MPL_NOWHERE,
                        "cache \"%s\": it rests in host memory, and none is "
                        "given",
                        name);
    return MEMPLAN_OK;
}

/* What keeps a class from keeping such keys and values. */
static memplan_status check_loading(const mpl_job *job, memplan_error *error)
{
    const mpl_kv_loading *const loading = job->kv_loading;
    if ((loading->backend != MPL_KV_PLAIN) != job->cache_kind->is_quantized)
        return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                        "cache \"%s\" does not keep %s", job->cache_kind->name,
                        loading->name);
    if (loading->backend == MPL_KV_PLAIN &&
        loading->dtype != job->compute_dtype)
        return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                        "kv_dtype \"%s\": transformers keeps keys and values "
                        "as it computes them, here in %s; load the weights in "
                        "%s, or quantize the cache to fp8, int8, int4 or int2",
                        loading->name, mpl_dtype_name(job->compute_dtype),
                        loading->name);
    return MEMPLAN_OK;
}

/* The class and the bits, each by what the request says of the other. */
static memplan_status choose(mpl_job *job, memplan_error *error)
{
    const mpl_request *const request = job->request;
    job->cache_kind = mpl_cache_kind_find(request->cache);
    if (job->cache_kind == NULL) {
        const char *const names = mpl_cache_kind_names(job->arena);
        return names == NULL
                   ? mpl_fail_memory(error)
                   : mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                              "cache \"%.40s\": transformers makes %s",
                              request->cache, names);
    }
    const char *const kv_dtype = request->kv_dtype != NULL ? request->kv_dtype
                                 : job->cache_kind->is_quantized ? "int4"
                                                                 : NULL;
    if (kv_dtype == NULL)
        return MEMPLAN_OK;
    job->kv_loading = mpl_kv_loading_find(kv_dtype);
    if (job->kv_loading == NULL)
        return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                        "kv_dtype \"%.40s\": transformers keeps fp32, fp16, "
                        "bf16, fp8, int8, int4, int2, or hqq-int8 to hqq-int1",
                        kv_dtype);
    const bool is_quantized = job->kv_loading->backend != MPL_KV_PLAIN;
    if (is_quantized && request->cache == NULL)
        job->cache_kind = mpl_cache_kind_find("quantized");
    return check_loading(job, error);
}

static memplan_status find_encoder(mpl_job *job, memplan_error *error)
{
    const mpl_request *const request = job->request;
    job->encoder_tokens = request->encoder_tokens != 0
                              ? request->encoder_tokens
                              : job->model->facts.encoder_tokens;
    if (job->encoder_tokens == MEMPLAN_UNKNOWN) {
        job->encoder_tokens = job->prompt_tokens;
        job->is_encoder_assumed = true;
    }
    for (uint32_t row = 0; row < job->row_count; row++) {
        const mpl_state *const state = &mpl_transformers_unit(job, row)->state;
        job->has_cross |= has_cross(state);
        job->has_encoder |= has_cross(state) && state->key_elements != 0;
    }
    if (job->has_cross)
        return MEMPLAN_OK;
    job->encoder_tokens = 0;
    if (request->encoder_tokens != 0)
        return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                        "encoder tokens: %.80s has no cross attention that "
                        "would keep them",
                        job->model->name);
    return MEMPLAN_OK;
}

memplan_status mpl_transformers_cache(mpl_job *job, memplan_error *error)
{
    if (job->group_elements == 0)
        job->group_elements = GROUP_ELEMENTS;
    if (job->residual_tokens == 0)
        job->residual_tokens = RESIDUAL_TOKENS;
    job->has_own_cache = has_own_cache(job->model->architecture);
    job->is_cache_bound = is_compressed(job->model->architecture);
    memplan_status status = find_encoder(job, error);
    if (status == MEMPLAN_OK)
        status = choose(job, error);
    const mpl_cache_kind *const kind = job->cache_kind;
    if (status == MEMPLAN_OK && job->has_own_cache &&
        (kind->is_static || kind->is_offloaded || kind->is_quantized))
        return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                        "cache \"%s\": %.40s keeps a cache of its own, and "
                        "generate() ignores what is asked for",
                        kind->name, job->model->architecture);
    if (status == MEMPLAN_OK && job->is_cache_bound && kind->is_static)
        return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                        "cache \"%s\": %.40s has no static layers", kind->name,
                        job->model->architecture);
    if (status == MEMPLAN_OK && kind->is_quantized)
        status = check_quantized(job, job->kv_loading, error);
    if (status == MEMPLAN_OK && kind->is_offloaded)
        status = check_offloaded(job, error);
    return status;
}
