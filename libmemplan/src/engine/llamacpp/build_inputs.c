/* SPDX-License-Identifier: MIT */
/* Inputs: tokens, positions, masks, indices, states to copy. */
#include "engine/llamacpp/build.h"

#include "base/checked.h"

mpl_node *mpl_embed(mpl_build *b, const char *base)
{
    mpl_graph *const g = b->g;
    const uint64_t width = b->h->embd_in > b->h->embd ? b->h->embd_in
                                                      : b->h->embd;
    mpl_node *const tokens =
        mpl_input4(g, "inp_tokens", MPL_DTYPE_I32, b->tokens, 1, 1, 1);
    mpl_node *const given = mpl_input4(g, "inp_embd", MPL_DTYPE_FP32, width,
                                       b->tokens, 1, 1);
    mpl_node *rows =
        mpl_get_rows(g, mpl_weight(b, -1, base, ".weight"), tokens);
    if (width > b->h->embd)
        rows = mpl_pad(g, rows, width - b->h->embd, 0, 0, 0);
    /* Both paths are in the graph; embeddings given by the caller are not
     * read here, so their space is never given back. */
    mpl_expand(b, rows);
    mpl_expand(b, given);
    b->token_ids = tokens;
    b->embd = rows;
    mpl_node *out = rows;
    if (width > b->h->embd)
        out = mpl_view_2d(g, rows, b->h->embd, b->tokens, rows->nb[1]);
    b->embd = out;
    if (b->h->has_embedding_scale) {
        if (!mpl_node_is_contiguous(out))
            out = mpl_cont(g, out);
        out = mpl_scale(b, out);
    }
    mpl_expand(b, out);
    return out;
}

mpl_node *mpl_positions(mpl_build *b)
{
    const uint64_t per_token = mpl_max(b->h->positions_per_token, 1);
    if (b->positions == NULL)
        b->positions = mpl_input4(b->g, "inp_pos", MPL_DTYPE_I32,
                                  b->tokens * per_token, 1, 1, 1);
    return b->positions;
}

mpl_node *mpl_out_ids(mpl_build *b)
{
    if (b->out_ids == NULL)
        b->out_ids = mpl_input4(b->g, "out_ids", MPL_DTYPE_I32, b->outputs, 1,
                                1, 1);
    return b->out_ids;
}

mpl_node *mpl_attn_temperature(mpl_build *b)
{
    return mpl_input4(b->g, "inp_attn_scale", MPL_DTYPE_FP32, 1, 1, b->tokens,
                      1);
}

/* The widest V of all layers: what a transposed cache stores a token. */
static uint64_t v_width_max(const mpl_build *b)
{
    uint64_t most = 0;
    for (uint32_t i = 0; i < b->h->layer_count_all; i++) {
        const mpl_llama_layer *const layer = &b->h->layers[i];
        most = mpl_max(most, (uint64_t)layer->value_width *
                                 layer->kv_head_count);
    }
    return most;
}

/* Quantized caches are rotated, if all heads have one width and the first
 * layer's is a multiple of 64. */
static uint64_t uniform_width(const mpl_build *b, const mpl_llama_cache *cache,
                              int which)
{
    const mpl_llama_cache_tensor *const tensors =
        which == 0 ? cache->k : cache->v;
    uint64_t width = 0;
    for (uint32_t i = 0; tensors != NULL && i < b->h->layer_count_all; i++) {
        const mpl_llama_layer *const layer = &b->h->layers[i];
        const uint64_t own =
            which == 0 ? layer->key_width : layer->value_width;
        if (cache->k[i].width == 0)
            continue;
        if (width != 0 && width != own)
            return 0;
        width = own;
    }
    return width;
}

static bool is_quantized(uint32_t dtype)
{
    return mpl_dtype_block_elements(dtype) > 1;
}

enum { ROTATION_STEP = 64 };

mpl_node *mpl_k_rotation(mpl_build *b, uint64_t width)
{
    uint64_t side = ROTATION_STEP;
    while (width > 0 && width % (side * 2) == 0)
        side *= 2;
    return mpl_input4(b->g, "attn_inp_k_rot", MPL_DTYPE_FP32, side, side, 1,
                      1);
}

mpl_node *mpl_quantized_rotation(mpl_build *b, const mpl_llama_cache *cache)
{
    const uint64_t width = uniform_width(b, cache, 0);
    if (!is_quantized(b->setup->type_k) || width == 0 ||
        b->h->layers[0].key_width % ROTATION_STEP != 0)
        return NULL;
    return mpl_k_rotation(b, width);
}

static mpl_node *v_rotation(mpl_build *b, const mpl_llama_cache *cache)
{
    if (!is_quantized(b->setup->type_v) || uniform_width(b, cache, 1) == 0 ||
        b->h->layers[0].value_width % ROTATION_STEP != 0)
        return NULL;
    return mpl_input4(b->g, "attn_inp_v_rot", MPL_DTYPE_FP32, ROTATION_STEP,
                      ROTATION_STEP, 1, 1);
}

static uint32_t mask_dtype(const mpl_build *b)
{
    return b->setup->flash_attn ? MPL_DTYPE_FP16 : MPL_DTYPE_FP32;
}

void mpl_open_cache_inputs(mpl_build *b, mpl_attn_inputs *out,
                           mpl_llama_cache_kind kind, bool has_v)
{
    const mpl_llama_cache *const cache = b->setup->caches[kind];
    *out = (mpl_attn_inputs){.cache = cache};
    if (cache == NULL)
        return;
    out->k_ids = mpl_input4(b->g, "attn_inp_k_idxs", MPL_DTYPE_I64, b->tokens,
                            1, 1, 1);
    if (has_v) {
        const uint64_t rows = cache->is_transposed
                                  ? b->tokens * v_width_max(b)
                                  : b->tokens;
        out->v_ids = mpl_input4(b->g, "attn_inp_v_idxs", MPL_DTYPE_I64, rows,
                                1, 1, 1);
    }
    out->mask = mpl_input4(b->g, "attn_inp_kq_mask", mask_dtype(b),
                           cache->cells, b->tokens / b->streams, 1,
                           b->streams);
    if (has_v || b->h->swa_kind != 0)
        out->k_rotation = mpl_quantized_rotation(b, cache);
    if (has_v)
        out->v_rotation = v_rotation(b, cache);
}

void mpl_open_attention(mpl_build *b)
{
    mpl_open_cache_inputs(b, &b->full, MPL_LLAMA_CACHE_FULL, !b->h->is_mla);
    mpl_open_cache_inputs(b, &b->swa, MPL_LLAMA_CACHE_SWA, !b->h->is_mla);
}

void mpl_open_attention_no_cache(mpl_build *b)
{
    b->full = (mpl_attn_inputs){
        .mask = mpl_input4(b->g, "attn_inp_kq_mask", mask_dtype(b), b->tokens,
                           b->tokens, 1, 1),
    };
    if (b->h->swa_kind != 0)
        b->swa = (mpl_attn_inputs){
            .mask = mpl_input4(b->g, "attn_inp_kq_mask_swa", mask_dtype(b),
                               b->tokens, b->tokens, 1, 1),
        };
}

const mpl_attn_inputs *mpl_attn_inputs_of(const mpl_build *b, int layer)
{
    const bool is_swa = mpl_layer_of(b, layer)->is_swa && b->swa.mask != NULL;
    return is_swa || b->full.mask == NULL ? &b->swa : &b->full;
}

mpl_node **mpl_cache_slot(mpl_build *b, mpl_llama_cache_kind kind, int which,
                          int layer)
{
    const uint64_t layers = b->h->layer_count_all;
    return &b->cache_nodes[(2 * (uint64_t)kind + (uint64_t)which) * layers +
                           (uint64_t)layer];
}

mpl_node *mpl_cache_node(mpl_build *b, const mpl_llama_cache *cache, int which,
                         int layer)
{
    mpl_node **const slot = mpl_cache_slot(b, cache->kind, which, layer);
    const mpl_llama_cache_tensor *const tensor =
        which == 0 ? &cache->k[layer] : &cache->v[layer];
    if (*slot != NULL)
        return *slot;
    *slot = mpl_tensor4(b->g, tensor->dtype, tensor->width, cache->cells,
                        cache->streams, 1);
    (*slot)->buffer = (uint16_t)tensor->buffer;
    (*slot)->name = which == 0 ? "cache_k" : "cache_v";
    (*slot)->layer = (int16_t)layer;
    return *slot;
}

void mpl_open_states(mpl_build *b)
{
    const mpl_llama_cache *const cache =
        b->setup->caches[MPL_LLAMA_CACHE_RECURRENT];
    if (cache == NULL)
        return;
    mpl_node *const rows = mpl_input4(b->g, "rs_s_copy", MPL_DTYPE_I32,
                                      cache->cells, 1, 1, 1);
    b->state_main = mpl_view_row(b->g, rows, b->sequences);
    b->state_extra = mpl_view_row(
        b->g, rows, mpl_sub_floor(cache->cells, b->sequences));
}
