/* SPDX-License-Identifier: MIT */
/*
 * For each layer with attention:
 *
 *     K   row(type_k, key_width * kv_heads) * cells * streams
 *     V   row(type_v, value_width * kv_heads) * cells * streams; none with
 *         MLA; without flash attention the widest layer's width for all
 *
 * where layers with a window have pad(min(n_ctx_seq, window * (unified ?
 * sequences : 1) + n_ubatch), 256) cells and the others n_ctx_seq. For each
 * recurrent layer R and S, a row a sequence, in float32. Sparse indexers and
 * DeepSeek-V4's compressed caches are caches of their own.
 */
#include "engine/llamacpp/context.h"

#include <stddef.h>

#include "base/checked.h"
#include "base/failure.h"

/* What a cache is made of, before its tensors. */
typedef struct cache_plan {
    mpl_llama_cache_kind kind;
    uint64_t cells;
    uint32_t streams;
    uint32_t dtype_k;
    uint32_t dtype_v;
    bool (*has)(const mpl_llama_setup *setup, uint32_t layer);
    uint64_t (*k_width)(const mpl_llama_setup *setup, uint32_t layer);
    uint64_t (*v_width)(const mpl_llama_setup *setup, uint32_t layer);
} cache_plan;

/* ---- Which layers ------------------------------------------------------ */

static bool is_trunk(const mpl_llama_setup *setup, uint32_t i)
{
    const mpl_llama_hparams *hparams = setup->hparams;
    if (hparams->has_router_layer || hparams->layer_count == 0)
        return true;
    return setup->is_mtp ? i >= hparams->layer_count : i < hparams->layer_count;
}

static bool is_nemotron(const mpl_llama_hparams *hparams)
{
    return hparams->arch == MPL_LLAMA_ARCH_NEMOTRON_H ||
           hparams->arch == MPL_LLAMA_ARCH_NEMOTRON_H_MOE;
}

static bool has_attention(const mpl_llama_setup *setup, uint32_t i)
{
    const mpl_llama_hparams *hparams = setup->hparams;
    const mpl_llama_layer *layer = &hparams->layers[i];
    if (hparams->arch == MPL_LLAMA_ARCH_DEEPSEEK4)
        return true;
    if (layer->kv_owner != (int32_t)i)
        return false;
    if (hparams->arch == MPL_LLAMA_ARCH_FALCON_H1 ||
        hparams->arch == MPL_LLAMA_ARCH_MINIMAX_M3)
        return true;
    if (hparams->is_hybrid_arch && layer->is_recurrent)
        return false;
    if (is_nemotron(hparams) && layer->ff_width != 0)
        return false;
    return is_trunk(setup, i);
}

static bool has_full(const mpl_llama_setup *setup, uint32_t i)
{
    const mpl_llama_hparams *hparams = setup->hparams;
    return has_attention(setup, i) &&
           !(hparams->swa_kind != 0 && hparams->layers[i].is_swa);
}

static bool has_window(const mpl_llama_setup *setup, uint32_t i)
{
    return has_attention(setup, i) && setup->hparams->layers[i].is_swa;
}

static bool has_indexer(const mpl_llama_setup *setup, uint32_t i)
{
    const mpl_llama_hparams *hparams = setup->hparams;
    const mpl_llama_layer *layer = &hparams->layers[i];
    switch (hparams->arch) {
    case MPL_LLAMA_ARCH_MINIMAX_M3:
        return i >= hparams->dense_lead_count;
    case MPL_LLAMA_ARCH_DEEPSEEK32:
        return i < hparams->layer_count;
    case MPL_LLAMA_ARCH_GLM_DSA:
    case MPL_LLAMA_ARCH_DOTS3NOTE:
        return i < hparams->layer_count && layer->is_indexer_full;
    case MPL_LLAMA_ARCH_HY_V4:
        return hparams->indexer_top_k > 0 && layer->is_indexer_full;
    case MPL_LLAMA_ARCH_GLM5_NEXT:
        return i < hparams->layer_count && !layer->is_recurrent &&
               layer->is_indexer_full;
    case MPL_LLAMA_ARCH_QWEN4EXP:
        return i < hparams->layer_count && !layer->is_recurrent &&
               hparams->indexer_width > 0;
    case MPL_LLAMA_ARCH_DEEPSEEK4:
        return layer->compress_ratio == 4;
    default:
        return false;
    }
}

static bool has_csa(const mpl_llama_setup *setup, uint32_t i)
{
    return setup->hparams->layers[i].compress_ratio == 4;
}

static bool has_hca(const mpl_llama_setup *setup, uint32_t i)
{
    return setup->hparams->layers[i].compress_ratio == 128;
}

static bool has_csa_state(const mpl_llama_setup *setup, uint32_t i)
{
    return i < setup->hparams->layer_count && has_csa(setup, i);
}

static bool has_hca_state(const mpl_llama_setup *setup, uint32_t i)
{
    return i < setup->hparams->layer_count && has_hca(setup, i);
}

static bool has_state(const mpl_llama_setup *setup, uint32_t i)
{
    const mpl_llama_hparams *hparams = setup->hparams;
    const mpl_llama_layer *layer = &hparams->layers[i];
    if (i >= hparams->layer_count || setup->is_mtp)
        return false;
    if (is_nemotron(hparams) && layer->ff_width != 0)
        return false;
    return layer->is_recurrent;
}

static bool has_ple(const mpl_llama_setup *setup, uint32_t i)
{
    return has_state(setup, i) && setup->hparams->layers[i].is_ple;
}

/* ---- How wide ---------------------------------------------------------- */

static uint64_t no_width(const mpl_llama_setup *setup, uint32_t i)
{
    (void)setup;
    (void)i;
    return 0;
}

static uint64_t key_width(const mpl_llama_setup *setup, uint32_t i)
{
    const mpl_llama_layer *layer = &setup->hparams->layers[i];
    return (uint64_t)layer->key_width * layer->kv_head_count;
}

static uint64_t own_value_width(const mpl_llama_setup *setup, uint32_t i)
{
    const mpl_llama_layer *layer = &setup->hparams->layers[i];
    return (uint64_t)layer->value_width * layer->kv_head_count;
}

/* Transposed values share one shape: the widest. */
static uint64_t value_width(const mpl_llama_setup *setup, uint32_t i)
{
    uint64_t widest = 0;
    if (setup->hparams->is_mla)
        return 0;
    if (setup->flash_attn)
        return own_value_width(setup, i);
    for (uint32_t j = 0; j < setup->hparams->layer_count_all; j++)
        widest = mpl_max(widest, own_value_width(setup, j));
    return widest;
}

static uint64_t indexer_key_width(const mpl_llama_setup *setup, uint32_t i)
{
    const mpl_llama_hparams *hparams = setup->hparams;
    (void)i;
    return (uint64_t)hparams->indexer_width *
           (hparams->indexer_pool > 0 ? 3 : 1);
}

/* One head; the architectures of the hybrid kind and V4 keep keys only. */
static uint64_t indexer_value_width(const mpl_llama_setup *setup, uint32_t i)
{
    const mpl_llama_hparams *hparams = setup->hparams;
    if (hparams->is_mla || hparams->is_hybrid_arch)
        return 0;
    return hparams->layers[i].value_width;
}

static uint64_t r_width(const mpl_llama_setup *setup, uint32_t i)
{
    (void)i;
    return setup->hparams->r_width;
}

static uint64_t s_width(const mpl_llama_setup *setup, uint32_t i)
{
    (void)i;
    return setup->hparams->s_width;
}

static uint64_t ple_width(const mpl_llama_setup *setup, uint32_t i)
{
    (void)i;
    return setup->hparams->ple_conv_width;
}

static uint64_t csa_state_width(const mpl_llama_setup *setup, uint32_t i)
{
    (void)i;
    return 2 * (uint64_t)setup->hparams->layers[0].key_width;
}

static uint64_t hca_state_width(const mpl_llama_setup *setup, uint32_t i)
{
    (void)i;
    return setup->hparams->layers[0].key_width;
}

static uint64_t indexer_state_width(const mpl_llama_setup *setup, uint32_t i)
{
    (void)i;
    return 2 * (uint64_t)setup->hparams->indexer_width;
}

/* ---- Tensors ----------------------------------------------------------- */

static bool make_tensor(mpl_llama_cache_tensor *out,
                        const mpl_llama_setup *setup, uint32_t layer,
                        uint32_t dtype, uint64_t width, const cache_plan *plan)
{
    const uint32_t device =
        setup->kv_offload ? setup->layer_device[layer] : MPL_LLAMA_HOST;
    out->width = width;
    out->dtype = dtype;
    out->buffer = device == MPL_LLAMA_HOST ? MPL_LLAMA_BUFFER_CPU
                                           : MPL_LLAMA_BUFFER_DEVICE + device;
    return mpl_dtype_bytes(&out->bytes, dtype, width) &&
           mpl_mul(&out->bytes, out->bytes, plan->cells) &&
           mpl_mul(&out->bytes, out->bytes, plan->streams);
}

static memplan_status refuse_width(const cache_plan *plan, uint64_t width,
                                   memplan_error *error)
{
    return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                    "llama.cpp refuses it: a cache row of %llu elements is no "
                    "whole number of blocks of %s, or its size passes 64 bits",
                    (unsigned long long)width, mpl_dtype_name(plan->dtype_k));
}

static memplan_status make_cache(mpl_llama_setup *setup, const cache_plan *plan,
                                 memplan_error *error)
{
    const uint32_t layers = setup->hparams->layer_count_all;
    mpl_llama_cache *cache = mpl_arena_alloc(setup->arena, 1, sizeof *cache);
    if (cache == NULL)
        return mpl_fail_memory(error);
    *cache = (mpl_llama_cache){
        .kind = plan->kind,
        .cells = plan->cells,
        .streams = plan->streams,
        .is_transposed = !setup->flash_attn,
        .k = mpl_arena_alloc(setup->arena, layers, sizeof *cache->k),
        .v = mpl_arena_alloc(setup->arena, layers, sizeof *cache->v)};
    if (cache->k == NULL || cache->v == NULL)
        return mpl_fail_memory(error);
    bool is_used = false;
    for (uint32_t i = 0; i < layers; i++) {
        if (!plan->has(setup, i))
            continue;
        is_used = true;
        const uint64_t k = plan->k_width(setup, i);
        const uint64_t v = plan->v_width(setup, i);
        if (!make_tensor(&cache->k[i], setup, i, plan->dtype_k, k, plan) ||
            !make_tensor(&cache->v[i], setup, i, plan->dtype_v, v, plan))
            return refuse_width(plan, k, error);
    }
    if (is_used)
        setup->caches[plan->kind] = cache;
    return MEMPLAN_OK;
}

static uint64_t pad_256(uint64_t cells)
{
    return (cells + 255) / 256 * 256;
}

static uint64_t window_cells(const mpl_llama_setup *setup)
{
    const mpl_llama_hparams *hparams = setup->hparams;
    const bool is_joint =
        setup->kv_unified && hparams->arch != MPL_LLAMA_ARCH_DEEPSEEK4;
    const uint64_t sequences = is_joint ? setup->n_seq : 1;
    if (setup->swa_full)
        return setup->n_ctx_seq;
    return pad_256(mpl_min(setup->n_ctx_seq,
                           hparams->swa_window * sequences + setup->n_ubatch));
}

static memplan_status make_attention(mpl_llama_setup *setup,
                                     memplan_error *error)
{
    const uint32_t k = setup->type_k;
    const uint32_t v = setup->type_v;
    const uint32_t streams = setup->n_stream;
    const cache_plan plans[] = {
        {MPL_LLAMA_CACHE_FULL, setup->n_ctx_seq, streams, k, v, has_full,
         key_width, value_width},
        {MPL_LLAMA_CACHE_SWA, window_cells(setup), streams, k, v, has_window,
         key_width, value_width},
        {MPL_LLAMA_CACHE_INDEXER, setup->n_ctx_seq, streams, k, v, has_indexer,
         indexer_key_width, indexer_value_width}};
    for (uint32_t i = 0; i < 3; i++) {
        if (plans[i].kind == MPL_LLAMA_CACHE_SWA &&
            setup->hparams->swa_kind == 0)
            continue;
        if (plans[i].kind == MPL_LLAMA_CACHE_INDEXER && setup->is_mtp)
            continue;
        const memplan_status status = make_cache(setup, &plans[i], error);
        if (status != MEMPLAN_OK)
            return status;
    }
    return MEMPLAN_OK;
}

/* A compressor turns `ratio` cells into one. */
static uint64_t compressed(const mpl_llama_setup *setup, uint64_t ratio)
{
    return pad_256(mpl_max(1, (setup->n_ctx_seq + ratio - 1) / ratio));
}

/* DeepSeek-V4: streams a sequence even where the cache is unified. */
static memplan_status make_compressed(mpl_llama_setup *setup,
                                      memplan_error *error)
{
    const uint32_t k = setup->type_k;
    const uint32_t f32 = MPL_DTYPE_FP32;
    const uint32_t streams = setup->n_seq;
    const uint32_t planes = streams * (1 + setup->n_rs_seq);
    const cache_plan plans[] = {
        {MPL_LLAMA_CACHE_SWA, window_cells(setup), streams, k, k, has_attention,
         key_width, no_width},
        {MPL_LLAMA_CACHE_CSA, compressed(setup, 4), streams, k, k, has_csa,
         key_width, no_width},
        {MPL_LLAMA_CACHE_HCA, compressed(setup, 128), streams, k, k, has_hca,
         key_width, no_width},
        {MPL_LLAMA_CACHE_INDEXER, compressed(setup, 4), streams, k, k, has_csa,
         indexer_key_width, no_width},
        {MPL_LLAMA_CACHE_CSA_STATE, 8, planes, f32, f32, has_csa_state,
         csa_state_width, csa_state_width},
        {MPL_LLAMA_CACHE_HCA_STATE, 128, planes, f32, f32, has_hca_state,
         hca_state_width, hca_state_width},
        {MPL_LLAMA_CACHE_INDEXER_STATE, 8, planes, f32, f32, has_csa_state,
         indexer_state_width, indexer_state_width}};
    for (uint32_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
        const memplan_status status = make_cache(setup, &plans[i], error);
        if (status != MEMPLAN_OK)
            return status;
    }
    return MEMPLAN_OK;
}

static memplan_status make_states(mpl_llama_setup *setup, memplan_error *error)
{
    const uint64_t rows = (uint64_t)setup->n_seq * (1 + setup->n_rs_seq);
    const uint32_t f32 = MPL_DTYPE_FP32;
    const cache_plan states = {MPL_LLAMA_CACHE_RECURRENT,
                               rows,
                               1,
                               f32,
                               f32,
                               has_state,
                               r_width,
                               s_width};
    const cache_plan history = {
        MPL_LLAMA_CACHE_PLE, rows, 1, f32, f32, has_ple, ple_width, no_width};
    const memplan_status status = make_cache(setup, &states, error);
    return status != MEMPLAN_OK || setup->hparams->ple_conv_width == 0
               ? status
               : make_cache(setup, &history, error);
}

memplan_status mpl_llama_context_make(mpl_llama_setup *setup,
                                      memplan_error *error)
{
    const mpl_llama_hparams *hparams = setup->hparams;
    const mpl_llama_memory memory = MPL_LLAMA_ARCHES[hparams->arch].memory;
    for (uint32_t i = 0; i < MPL_LLAMA_CACHE_KIND_COUNT; i++)
        setup->caches[i] = NULL;
    if (memory == MPL_LLAMA_MEMORY_NONE)
        return MEMPLAN_OK;
    if (hparams->arch == MPL_LLAMA_ARCH_DEEPSEEK4)
        return make_compressed(setup, error);
    memplan_status status = MEMPLAN_OK;
    if (memory != MPL_LLAMA_MEMORY_RECURRENT)
        status = make_attention(setup, error);
    if (status == MEMPLAN_OK && memory != MPL_LLAMA_MEMORY_ATTENTION)
        status = make_states(setup, error);
    return status;
}

/* ---- Sums -------------------------------------------------------------- */

static bool is_state(uint32_t kind)
{
    return kind == MPL_LLAMA_CACHE_RECURRENT || kind == MPL_LLAMA_CACHE_PLE ||
           kind == MPL_LLAMA_CACHE_CSA_STATE ||
           kind == MPL_LLAMA_CACHE_HCA_STATE ||
           kind == MPL_LLAMA_CACHE_INDEXER_STATE;
}

/* Padded as the buffer type pads a tensor [width, cells, streams]. */
static bool add_tensor(uint64_t *sums, const mpl_llama_setup *setup,
                       const mpl_llama_cache *cache,
                       const mpl_llama_cache_tensor *tensor)
{
    if (tensor->width == 0)
        return true;
    const uint64_t ne[4] = {tensor->width, cache->cells, cache->streams, 1};
    uint64_t bytes = 0;
    return mpl_llama_alloc_bytes(&bytes, &setup->buffers[tensor->buffer],
                                 tensor->dtype, ne) &&
           mpl_add(&sums[tensor->buffer], sums[tensor->buffer], bytes);
}

memplan_status mpl_llama_context_sum(mpl_llama_context_bytes *out,
                                     const mpl_llama_setup *setup,
                                     memplan_error *error)
{
    *out = (mpl_llama_context_bytes){{0}, {0}};
    for (uint32_t kind = 0; kind < MPL_LLAMA_CACHE_KIND_COUNT; kind++) {
        const mpl_llama_cache *cache = setup->caches[kind];
        uint64_t *sums = is_state(kind) ? out->state : out->cache;
        for (uint32_t i = 0;
             cache != NULL && i < setup->hparams->layer_count_all; i++)
            if (!add_tensor(sums, setup, cache, &cache->k[i]) ||
                !add_tensor(sums, setup, cache, &cache->v[i]))
                return mpl_fail(error, MEMPLAN_E_TOO_LARGE, MPL_NOWHERE,
                                "the context passes 64 bits");
    }
    return MEMPLAN_OK;
}
