/* SPDX-License-Identifier: MIT */
/*
 * A graph that is not described still consists of known parts: products with
 * the weights that the model has, attention over the cells that the context
 * has, states, masks, logits. An intermediate tensor lives from one of these
 * to the next; only residual streams cross a layer. So no buffer needs more
 * than
 *
 *     inputs and logits                             of the whole graph
 *   + all products of the widest layer              as if none were freed
 *
 * where every product counts with the element-wise operators around it. All
 * of it is charged to each buffer type that may compute: which one an operator
 * lands on is not known either. So the sum is many times what a buffer takes.
 *
 * Taken for the architectures that are described too, it was never below a
 * recorded buffer, but for T5's: attention to an encoder's output is not in it.
 */
#include "engine/llamacpp/compute_bound.h"

#include "base/checked.h"
#include "base/failure.h"
#include "engine/llamacpp/sched.h"

enum {
    FLOAT_BYTES = 4,
    /* Outputs and inputs of a product: itself, the next form of it (biased,
     * rotated, activated, permuted), and a gap that neither fits. */
    PRODUCT_TENSORS = 3,
    SCORE_TENSORS = 3, /* product, softmax, and a gap */
    MASK_TENSORS = 4,  /* float32, float16, and what indexers make of them */
    ROW_TENSORS = 2,   /* keys and values: gathered, joined or cast */
    STATE_TENSORS = 4, /* gathered, permuted, updated, stored back */
    STREAM_TENSORS = 8, /* residual streams around both halves of a layer */
    INPUT_TENSORS = 8,
    STACK_TENSORS = 3, /* Kimi K3: outputs of earlier layers, joined */
    DELTA_CHUNK = 64, /* unfused delta rules: about so many matrices of */
    DELTA_TENSORS = 16, /* chunk x chunk a head */
    SPLIT_WEIGHTS = 30, /* GGML_SCHED_MAX_SPLIT_INPUTS */
    ROUNDING_BYTES = 1 << 20 /* small tensors, and alignment */
};

typedef struct sum {
    const mpl_llama_setup *setup;
    uint64_t tokens;
    uint64_t cells; /* of a sequence, over all attention caches */
    uint64_t streams;
    uint64_t value;
    bool is_too_large;
} sum;

/* s += a * b * c * d */
static void add(sum *s, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    uint64_t product;
    if (!mpl_mul(&product, a, b) || !mpl_mul(&product, product, c) ||
        !mpl_mul(&product, product, d) ||
        !mpl_add(&s->value, s->value, product))
        s->is_too_large = true;
}

/* Some backends lack the fused operators of indexers and delta rules. */
static bool is_fused(const mpl_llama_setup *setup)
{
    for (uint32_t i = 0; i < setup->device_count; i++)
        if (!setup->devices[i].backend->is_exact)
            return false;
    return true;
}

static bool scores_each_indexer_head(const mpl_llama_setup *setup)
{
    const mpl_llama_arch arch = setup->hparams->arch;
    return !is_fused(setup) || arch == MPL_LLAMA_ARCH_MINIMAX_M3 ||
           arch == MPL_LLAMA_ARCH_QWEN4EXP;
}

/* Input and output of each product, once for each chosen expert. */
static void add_product(sum *s, const mpl_llama_weight *w, uint32_t layer)
{
    const mpl_llama_layer *const l = &s->setup->hparams->layers[layer];
    const bool is_expert = w->use == MPL_LLAMA_USE_EXPERTS;
    const bool is_output = w->class_ == MPL_LLAMA_CLASS_OUTPUT;
    const uint64_t repeats = is_expert ? mpl_max(l->experts_used, 1) : 1;
    const uint64_t heads = is_expert ? 1 : mpl_max(w->ne[2], 1);
    const uint64_t rows =
        is_output ? mpl_min(s->tokens, mpl_max(s->setup->n_outputs_max, 1))
                  : s->tokens;
    uint64_t width;
    if (!mpl_add(&width, w->ne[0], w->ne[1]) ||
        !mpl_mul(&width, width, heads)) {
        s->is_too_large = true;
        return;
    }
    add(s, width, rows, repeats,
        (is_output ? 2 : PRODUCT_TENSORS) * FLOAT_BYTES);
}

static void add_products(sum *s, uint32_t layer)
{
    const mpl_llama_setup *const setup = s->setup;
    for (uint32_t i = 0; i < setup->weight_count; i++) {
        const mpl_llama_weight *const w = &setup->weights[i];
        const bool is_elsewhere =
            w->layer != MPL_NO_INDEX && w->layer != layer;
        const bool is_product = w->use == MPL_LLAMA_USE_MATMUL ||
                                w->use == MPL_LLAMA_USE_EXPERTS;
        if (is_product && !is_elsewhere)
            add_product(s, w, layer);
    }
}

static void add_attention(sum *s, uint32_t layer)
{
    const mpl_llama_hparams *const h = s->setup->hparams;
    const mpl_llama_layer *const l = &h->layers[layer];
    const uint64_t width = mpl_max(l->key_width, l->value_width) +
                           h->mla_key_width + h->mla_value_width;
    const uint64_t score_bytes = SCORE_TENSORS * FLOAT_BYTES;
    if (!s->setup->flash_attn)
        add(s, l->head_count, s->cells, s->tokens, score_bytes);
    add(s, scores_each_indexer_head(s->setup) ? h->indexer_head_count : 1,
        s->cells, s->tokens, score_bytes);
    add(s, s->cells * s->streams,
        mpl_max(l->kv_head_count, 1) * width + h->indexer_width, ROW_TENSORS,
        FLOAT_BYTES);
}

static void add_state(sum *s)
{
    const mpl_llama_setup *const setup = s->setup;
    const mpl_llama_hparams *const h = setup->hparams;
    add(s, h->s_width + h->r_width + h->ple_conv_width, setup->n_seq,
        STATE_TENSORS, FLOAT_BYTES);
    for (uint32_t kind = 0; kind < MPL_LLAMA_CACHE_KIND_COUNT; kind++) {
        const mpl_llama_cache *const cache = setup->caches[kind];
        if (cache == NULL || kind < MPL_LLAMA_CACHE_CSA_STATE ||
            kind > MPL_LLAMA_CACHE_INDEXER_STATE)
            continue;
        uint64_t width = 0;
        for (uint32_t i = 0; i < h->layer_count_all; i++)
            width = mpl_max(width, cache->k[i].width + cache->v[i].width);
        add(s, width, cache->cells * cache->streams + s->tokens,
            STATE_TENSORS, FLOAT_BYTES);
    }
    if (is_fused(setup) || h->s_width == 0)
        return;
    uint64_t heads = h->ssm_dt_rank;
    for (uint32_t i = 0; i < h->layer_count_all; i++)
        heads = mpl_max(heads, h->layers[i].head_count);
    add(s, heads, s->tokens + (uint64_t)DELTA_CHUNK * setup->n_seq,
        DELTA_CHUNK, DELTA_TENSORS * FLOAT_BYTES);
}

static void add_inputs(sum *s)
{
    const mpl_llama_setup *const setup = s->setup;
    const mpl_llama_hparams *const h = setup->hparams;
    const uint64_t width =
        mpl_max(h->embd_in, h->embd) * mpl_max(h->hc_mult, 1);
    add(s, width, s->tokens, STREAM_TENSORS, FLOAT_BYTES);
    add(s, width, s->tokens, INPUT_TENSORS * FLOAT_BYTES, setup->copy_count);
    add(s, s->cells, s->tokens, MASK_TENSORS * FLOAT_BYTES,
        setup->copy_count);
    if (h->arch == MPL_LLAMA_ARCH_KIMI_K3)
        add(s, h->embd * (uint64_t)h->layer_count, s->tokens, STACK_TENSORS,
            FLOAT_BYTES);
}

/* Weights of the host that a device borrows for large batches: as many as
 * one split may have inputs. */
static void add_borrowed(sum *s)
{
    const mpl_llama_setup *const setup = s->setup;
    uint64_t total = 0, largest = 0;
    if (!setup->op_offload || setup->device_count == 0 || is_fused(setup))
        return;
    for (uint32_t i = 0; i < setup->weight_count; i++) {
        if (setup->weight_buffer[i] >= MPL_LLAMA_BUFFER_DEVICE)
            continue;
        largest = mpl_max(largest, setup->weights[i].bytes);
        if (!mpl_add(&total, total, setup->weights[i].bytes))
            s->is_too_large = true;
    }
    if (largest <= total / SPLIT_WEIGHTS)
        total = largest * SPLIT_WEIGHTS;
    add(s, total, 1, 1, 1);
}

static void open_sum(sum *out, const mpl_llama_setup *setup, uint64_t tokens)
{
    *out = (sum){.setup = setup, .tokens = tokens, .streams = 1,
                 .value = ROUNDING_BYTES};
    for (uint32_t i = 0; i <= MPL_LLAMA_CACHE_HCA; i++) {
        const mpl_llama_cache *const cache = setup->caches[i];
        if (cache == NULL)
            continue;
        out->streams = mpl_max(out->streams, cache->streams);
        if (!mpl_add(&out->cells, out->cells, cache->cells))
            out->is_too_large = true;
    }
}

memplan_status mpl_compute_bound(mpl_llama_compute_result *out,
                                 const mpl_llama_setup *setup,
                                 uint64_t tokens, memplan_error *error)
{
    sum whole;
    uint64_t widest = 0;
    open_sum(&whole, setup, tokens);
    for (uint32_t i = 0; i < setup->hparams->layer_count_all; i++) {
        sum layer = whole;
        layer.value = 0;
        add_products(&layer, i);
        add_attention(&layer, i);
        whole.is_too_large |= layer.is_too_large;
        widest = mpl_max(widest, layer.value);
    }
    add_state(&whole);
    add_inputs(&whole);
    add_borrowed(&whole);
    add(&whole, widest, 1, 1, 1);
    if (whole.is_too_large)
        return mpl_fail(error, MEMPLAN_E_TOO_LARGE, MPL_NOWHERE,
                        "%s: its compute buffers may pass 64 bits of bytes",
                        setup->hparams->arch_name);
    mpl_sched_options options;
    mpl_sched_options_of(&options, setup);
    for (uint32_t i = 0; i < options.backend_count; i++)
        out->bytes[options.buffer[i]] = whole.value;
    out->certainty = MPL_BOUND;
    out->rule = "llama.cpp 0.5.0: all products of the widest layer, as if "
                "none were freed";
    return MEMPLAN_OK;
}
