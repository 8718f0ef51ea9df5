/* SPDX-License-Identifier: MIT */
/*
 * Attention: projections, the cache, the attention itself, its output.
 *
 *   flash   one operator over F16 masks
 *   plain   scores [cells, tokens, heads, streams] F32, soft max in place; V is
 *           stored transposed, an element a row
 */
#include "engine/llamacpp/build.h"

static mpl_node *merged_bias(mpl_build *b, int layer, mpl_node *x)
{
    mpl_node *const q = mpl_weight(b, layer, "attn_q", ".bias");
    mpl_node *const k = mpl_weight(b, layer, "attn_k", ".bias");
    mpl_node *const v = mpl_weight(b, layer, "attn_v", ".bias");
    if (mpl_weight(b, layer, "attn_qkv", ".bias") != NULL)
        return mpl_add_bias(b, layer, "attn_qkv", x);
    if (q == NULL || k == NULL || v == NULL)
        return x;
    return mpl_plus(b, x,
                   mpl_concat(b->g, mpl_concat(b->g, q, k, 0), v, 0));
}

static mpl_node *clamp(mpl_build *b, mpl_node *x, uint32_t flags)
{
    if (!b->h->has_clamp_kqv || (flags & MPL_QKV_FLAT))
        return x;
    return mpl_op1(b->g, MPL_OP_CLAMP, x);
}

static mpl_qkv split_heads(mpl_build *b, const mpl_llama_layer *l,
                           mpl_node *qkv)
{
    const uint64_t heads = l->head_count + 2 * (uint64_t)l->kv_head_count;
    qkv = mpl_reshape3(b, qkv, l->key_width, heads, b->tokens);
    return (mpl_qkv){
        mpl_view(b->g, qkv, l->key_width, l->head_count, b->tokens, 1,
                 qkv->nb[1], qkv->nb[2], qkv->nb[3]),
        mpl_view(b->g, qkv, l->key_width, l->kv_head_count, b->tokens, 1,
                 qkv->nb[1], qkv->nb[2], qkv->nb[3]),
        mpl_view(b->g, qkv, l->key_width, l->kv_head_count, b->tokens, 1,
                 qkv->nb[1], qkv->nb[2], qkv->nb[3])};
}

static mpl_qkv split_qkv(mpl_build *b, int layer, mpl_node *qkv,
                         uint32_t flags)
{
    const mpl_llama_layer *const l = mpl_layer_of(b, layer);
    const uint64_t element = mpl_row_bytes(qkv->dtype, 1);
    const uint64_t q = (uint64_t)l->key_width * l->head_count;
    const uint64_t k = (uint64_t)l->key_width * l->kv_head_count;
    const uint64_t v = (uint64_t)l->value_width * l->kv_head_count;
    if (flags & MPL_QKV_REGROUPED)
        return split_heads(b, l, qkv);
    if (flags & MPL_QKV_FLAT)
        return (mpl_qkv){
            mpl_cont(b->g, mpl_view_2d(b->g, qkv, q, b->tokens, qkv->nb[1])),
            mpl_cont(b->g, mpl_view_2d(b->g, qkv, k, b->tokens, qkv->nb[1])),
            mpl_cont(b->g, mpl_view_2d(b->g, qkv, v, b->tokens, qkv->nb[1]))};
    return (mpl_qkv){
        mpl_heads_view(b, qkv, l->key_width, l->head_count,
                       l->key_width * element),
        mpl_heads_view(b, qkv, l->key_width, l->kv_head_count,
                       l->key_width * element),
        mpl_heads_view(b, qkv, l->value_width, l->kv_head_count,
                       l->value_width * element)};
}

static mpl_node *project(mpl_build *b, int layer, const char *base,
                         mpl_node *x, uint32_t flags)
{
    mpl_node *out = flags & MPL_QKV_PLAIN
                        ? mpl_linear_bare(b, layer, base, x)
                        : mpl_linear(b, layer, base, x);
    if (!(flags & MPL_QKV_NO_BIAS))
        out = mpl_add_bias(b, layer, base, out);
    return clamp(b, out, flags);
}

mpl_qkv mpl_project_qkv(mpl_build *b, int layer, mpl_node *x, uint32_t flags)
{
    const mpl_llama_layer *const l = mpl_layer_of(b, layer);
    if (mpl_has(b, layer, "attn_qkv")) {
        mpl_node *const qkv = merged_bias(
            b, layer,
            flags & MPL_QKV_PLAIN ? mpl_linear_bare(b, layer, "attn_qkv", x)
                                  : mpl_linear(b, layer, "attn_qkv", x));
        return split_qkv(b, layer, clamp(b, qkv, flags), flags);
    }
    mpl_qkv out = {project(b, layer, "attn_q", x, flags),
                   project(b, layer, "attn_k", x, flags),
                   project(b, layer, "attn_v", x, flags)};
    if (flags & MPL_QKV_FLAT)
        return out;
    out.q = mpl_reshape3(b, out.q, l->key_width, l->head_count, b->tokens);
    out.k = mpl_reshape3(b, out.k, l->key_width, l->kv_head_count, b->tokens);
    out.v = mpl_reshape3(b, out.v, l->value_width, l->kv_head_count,
                         b->tokens);
    return out;
}

mpl_node *mpl_rotate(mpl_build *b, mpl_node *x, mpl_node *rotation)
{
    if (rotation == NULL || x == NULL)
        return x;
    const uint64_t side = rotation->ne[0];
    const uint64_t rows = mpl_node_elements(x) / side;
    mpl_node *const flat = mpl_node_is_contiguous(x)
                               ? mpl_reshape2(b, x, side, rows)
                               : mpl_cont_as(b->g, x, side, rows, 1, 1);
    return mpl_reshape(b->g, mpl_mul_mat(b->g, rotation, flat), x->ne[0],
                       x->ne[1], x->ne[2], x->ne[3]);
}

mpl_node *mpl_store_k(mpl_build *b, const mpl_attn_inputs *in, int layer,
                      mpl_node *k)
{
    mpl_node *table = mpl_cache_node(b, in->cache, 0, layer);
    mpl_node *const rows = mpl_view_2d(b->g, k, k->ne[0] * k->ne[1], k->ne[2],
                                       k->nb[2]);
    if (table->ne[2] > 1)
        table = mpl_reshape2(b, table, table->ne[0],
                             table->ne[1] * table->ne[2]);
    return mpl_set_rows(b->g, table, rows, in->k_ids);
}

static mpl_node *store_v_transposed(mpl_build *b, const mpl_attn_inputs *in,
                                    mpl_node *table, mpl_node *v)
{
    const uint64_t width = v->ne[0] * v->ne[1];
    const uint64_t tokens = v->ne[2];
    mpl_node *rows = mpl_row_bytes(v->dtype, width) == v->nb[2]
                         ? mpl_reshape2(b, v, width, tokens)
                         : mpl_cont_as(b->g, v, width, tokens, 1, 1);
    if (width < table->ne[0])
        rows = mpl_pad(b->g, rows, table->ne[0] - width, 0, 0, 0);
    table = mpl_reshape2(b, table, 1, mpl_node_elements(table));
    rows = mpl_reshape2(b, rows, 1, mpl_node_elements(rows));
    return mpl_set_rows(b->g, table, rows, in->v_ids);
}

mpl_node *mpl_store_v(mpl_build *b, const mpl_attn_inputs *in, int layer,
                      mpl_node *v)
{
    mpl_node *table = mpl_cache_node(b, in->cache, 1, layer);
    if (in->cache->is_transposed)
        return store_v_transposed(b, in, table, v);
    mpl_node *const rows = mpl_view_2d(b->g, v, v->ne[0] * v->ne[1], v->ne[2],
                                       v->nb[2]);
    if (table->ne[2] > 1)
        table = mpl_reshape2(b, table, table->ne[0],
                             table->ne[1] * table->ne[2]);
    return mpl_set_rows(b->g, table, rows, in->v_ids);
}

/* Whose cache a layer reads: its own, unless it shares another's. */
static int owner_of(const mpl_build *b, const mpl_llama_cache *cache,
                    int layer)
{
    const int32_t owner = b->h->layers[layer].kv_owner;
    return cache->k[layer].width == 0 && owner >= 0 ? owner : layer;
}

mpl_node *mpl_cached_k(mpl_build *b, const mpl_attn_inputs *in, int layer)
{
    const mpl_llama_layer *const l = mpl_layer_of(b, layer);
    mpl_node *const k =
        mpl_cache_node(b, in->cache, 0, owner_of(b, in->cache, layer));
    return mpl_view(b->g, k, l->key_width, l->kv_head_count, k->ne[1],
                    k->ne[2], mpl_row_bytes(k->dtype, l->key_width), k->nb[1],
                    k->nb[2]);
}

mpl_node *mpl_cached_v(mpl_build *b, const mpl_attn_inputs *in, int layer)
{
    const mpl_llama_layer *const l = mpl_layer_of(b, layer);
    mpl_node *const v =
        mpl_cache_node(b, in->cache, 1, owner_of(b, in->cache, layer));
    if (!in->cache->is_transposed)
        return mpl_view(b->g, v, l->value_width, l->kv_head_count, v->ne[1],
                        v->ne[2], mpl_row_bytes(v->dtype, l->value_width),
                        v->nb[1], v->nb[2]);
    return mpl_view(b->g, v, v->ne[1], l->kv_head_count, l->value_width,
                    v->ne[2],
                    mpl_row_bytes(v->dtype, v->ne[1] * l->value_width),
                    mpl_row_bytes(v->dtype, v->ne[1]), v->nb[2]);
}

static mpl_node *to_f16(mpl_build *b, mpl_node *x)
{
    return x->dtype == MPL_DTYPE_FP32 ? mpl_cast(b->g, x, MPL_DTYPE_FP16) : x;
}

static mpl_node *flash(mpl_build *b, mpl_node *q, mpl_node *k, mpl_node *v,
                       mpl_node *mask, const mpl_attn_options *options,
                       bool is_transposed)
{
    if (is_transposed)
        v = mpl_transpose(b->g, v);
    k = to_f16(b, k);
    v = to_f16(b, v);
    mpl_node *out = mpl_op_shaped(b->g, MPL_OP_FLASH_ATTN, MPL_DTYPE_FP32,
                                  v->ne[0], q->ne[2], q->ne[1], q->ne[3], q,
                                  k);
    out->src[2] = v;
    out->src[3] = mask;
    out->src[4] = options->sinks;
    if (options->v_up != NULL) {
        out = mpl_permute(b->g, out, 0, 2, 1, 3);
        out = mpl_mul_mat(b->g, options->v_up, out);
        out = mpl_cont(b->g, mpl_permute(b->g, out, 0, 2, 1, 3));
    }
    return mpl_reshape2(b, out, out->ne[0] * out->ne[1],
                        out->ne[2] * out->ne[3]);
}

static mpl_node *cap_scores(mpl_build *b, mpl_node *scores)
{
    const bool is_capped = b->h->arch == MPL_LLAMA_ARCH_GROK ||
                           b->h->arch == MPL_LLAMA_ARCH_GEMMA2;
    return is_capped ? mpl_softcap(b, scores) : scores;
}

static mpl_node *plain(mpl_build *b, mpl_node *q, mpl_node *k, mpl_node *v,
                       mpl_node *mask, const mpl_attn_options *options,
                       bool is_transposed)
{
    mpl_node *scores = cap_scores(b, mpl_mul_mat(b->g, k, q));
    if (options->score_bias != NULL &&
        options->score_bias->ne[1] != scores->ne[1])
        mpl_graph_refuse(b->g, MPL_REFUSAL_BIAS_STREAMS);
    if (options->score_bias != NULL)
        scores = mpl_plus(b, scores, options->score_bias);
    scores = mpl_op3(b->g, MPL_OP_SOFT_MAX, scores, mask, options->sinks);
    if (!is_transposed)
        v = mpl_cont(b->g, mpl_transpose(b->g, v));
    mpl_node *out = mpl_mul_mat(b->g, v, scores);
    if (options->v_up != NULL)
        out = mpl_mul_mat(b->g, options->v_up, out);
    out = mpl_permute(b->g, out, 0, 2, 1, 3);
    out = mpl_cont_as(b->g, out, out->ne[0] * out->ne[1],
                      out->ne[2] * out->ne[3], 1, 1);
    if (b->pins_host_attention)
        out->backend = (int8_t)b->setup->device_count;
    return out;
}

mpl_node *mpl_attention_core(mpl_build *b, mpl_node *q, mpl_node *k,
                             mpl_node *v, mpl_node *mask,
                             const mpl_attn_options *options)
{
    const bool is_transposed = v->nb[1] > v->nb[2];
    const uint64_t streams = k->ne[3] > 0 ? k->ne[3] : 1;
    const uint64_t per_stream = q->ne[2] / streams;
    q = mpl_view(b->g, q, q->ne[0], q->ne[1], per_stream, streams, q->nb[1],
                 q->nb[2], q->nb[2] * per_stream);
    q = mpl_permute(b->g, q, 0, 2, 1, 3);
    k = mpl_permute(b->g, k, 0, 2, 1, 3);
    v = mpl_permute(b->g, v, 0, 2, 1, 3);
    mpl_node *const out =
        b->setup->flash_attn && options->score_bias == NULL
            ? flash(b, q, k, v, mask, options, is_transposed)
            : plain(b, q, k, v, mask, options, is_transposed);
    mpl_expand(b, out);
    return out;
}

mpl_node *mpl_attn_out(mpl_build *b, int layer, mpl_node *x,
                       const mpl_attn_options *options)
{
    if (options->out == NULL)
        return x;
    x = mpl_linear(b, layer, options->out, x);
    return options->has_no_bias ? x
                                : mpl_add_bias(b, layer, options->out, x);
}

/* llama.cpp visits q, v, k for one cache, but q, k, v where full and sliding
 * caches are mixed, or where there is none. */
static void expand_qkv(mpl_build *b, mpl_qkv x)
{
    const bool is_single = b->full.cache != NULL && b->swa.cache == NULL &&
                           b->h->swa_kind == 0;
    mpl_expand(b, x.q);
    if (is_single && x.v != NULL)
        mpl_expand(b, x.v);
    if (x.k != NULL)
        mpl_expand(b, x.k);
    if (x.v != NULL)
        mpl_expand(b, x.v);
}

mpl_node *mpl_attend(mpl_build *b, int layer, mpl_qkv x,
                     const mpl_attn_options *options)
{
    const mpl_attn_inputs *const in = mpl_attn_inputs_of(b, layer);
    if (in->cache == NULL) {
        expand_qkv(b, x);
        return mpl_attn_out(
            b, layer, mpl_attention_core(b, x.q, x.k, x.v, in->mask, options),
            options);
    }
    x.q = mpl_rotate(b, x.q, in->k_rotation);
    x.k = mpl_rotate(b, x.k, in->k_rotation);
    x.v = mpl_rotate(b, x.v, in->v_rotation);
    expand_qkv(b, x);
    if (x.k != NULL)
        mpl_expand(b, mpl_store_k(b, in, layer, x.k));
    if (x.v != NULL)
        mpl_expand(b, mpl_store_v(b, in, layer, x.v));
    mpl_node *const out = mpl_attention_core(
        b, x.q, mpl_cached_k(b, in, layer), mpl_cached_v(b, in, layer),
        in->mask, options);
    return mpl_attn_out(b, layer, mpl_rotate(b, out, in->v_rotation),
                        options);
}

/* The latent is stored once; its first elements serve as V. */
mpl_node *mpl_attend_latent(mpl_build *b, int layer,
                            const mpl_attn_inputs *in, mpl_qkv x,
                            const mpl_attn_options *options)
{
    const uint64_t v_width = x.v->ne[0];
    x.q = mpl_rotate(b, x.q, in->k_rotation);
    x.k = mpl_rotate(b, x.k, in->k_rotation);
    mpl_expand(b, x.q);
    if (b->h->swa_kind == 0)
        mpl_expand(b, x.v);
    if (x.k != NULL) {
        mpl_expand(b, x.k);
        mpl_expand(b, mpl_store_k(b, in, layer, x.k));
    }
    mpl_node *const keys = mpl_cached_k(b, in, layer);
    mpl_node *const values =
        mpl_view(b->g, keys, v_width, keys->ne[1], keys->ne[2], keys->ne[3],
                 keys->nb[1], keys->nb[2], keys->nb[3]);
    mpl_node *const out =
        mpl_attention_core(b, x.q, keys, values, in->mask, options);
    return mpl_attn_out(b, layer, mpl_rotate(b, out, in->k_rotation),
                        options);
}
