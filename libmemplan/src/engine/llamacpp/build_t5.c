/* SPDX-License-Identifier: MIT */
/*
 * T5: the decoder, which is the graph that a context reserves. Scores carry a
 * bias by distance, so self-attention is never flash attention; each layer
 * also attends to the encoder's output.
 */
#include "engine/llamacpp/builders.h"
#include "engine/llamacpp/decoder.h"

typedef struct cross {
    mpl_build *b;
    mpl_node *encoded; /* [embd, trained context] */
    mpl_node *buckets; /* of distances: [cells, tokens] */
    mpl_node *mask;
} cross;

static mpl_node *norm(mpl_build *b, int layer, const char *base, mpl_node *x)
{
    return mpl_norm(b, x, MPL_NORM_RMS, layer, base, layer);
}

static mpl_node *heads(const cross *c, int layer, const char *base,
                       mpl_node *x)
{
    const mpl_llama_layer *const l = mpl_layer_of(c->b, layer);
    mpl_node *const out = mpl_linear(c->b, layer, base, x);
    return mpl_reshape3(c->b, out, l->key_width,
                        l->key_width > 0 ? out->ne[0] / l->key_width : 0,
                        x->ne[1]);
}

static mpl_node *distance_bias(const cross *c, int layer)
{
    mpl_graph *const g = c->b->g;
    mpl_node *table = mpl_weight(c->b, layer, "dec.attn_rel_b", ".weight");
    if (table == NULL)
        table = mpl_weight(c->b, 0, "dec.attn_rel_b", ".weight");
    if (table == NULL)
        return NULL;
    mpl_node *const flat =
        mpl_reshape2(c->b, c->buckets, mpl_node_elements(c->buckets), 1);
    mpl_node *out = mpl_get_rows(g, table, flat);
    out = mpl_reshape3(c->b, out, out->ne[0], c->buckets->ne[0],
                       c->buckets->ne[1]);
    return mpl_cont(g, mpl_permute(g, out, 2, 0, 1, 3));
}

static mpl_node *attend_self(const cross *c, int layer, mpl_node *x)
{
    const mpl_attn_options options = {.out = "dec.attn_o",
                                      .score_bias = distance_bias(c, layer)};
    const mpl_qkv qkv = {heads(c, layer, "dec.attn_q", x),
                         heads(c, layer, "dec.attn_k", x),
                         heads(c, layer, "dec.attn_v", x)};
    return mpl_attend(c->b, layer, qkv, &options);
}

static mpl_node *attend_encoder(const cross *c, int layer, mpl_node *x)
{
    mpl_build *const b = c->b;
    const mpl_attn_options options = {.out = "dec.cross_attn_o"};
    mpl_node *const q = heads(c, layer, "dec.cross_attn_q", x);
    mpl_node *const k = heads(c, layer, "dec.cross_attn_k", c->encoded);
    mpl_node *const v = heads(c, layer, "dec.cross_attn_v", c->encoded);
    mpl_expand(b, q);
    mpl_expand(b, k);
    mpl_expand(b, v);
    return mpl_attn_out(b, layer,
                        mpl_attention_core(b, q, k, v, c->mask, &options),
                        &options);
}

static mpl_node *feed_forward(mpl_build *b, int layer, mpl_node *x)
{
    mpl_node *const up = mpl_linear_bare(b, layer, "dec.ffn_up", x);
    mpl_node *const out =
        mpl_has(b, layer, "dec.ffn_gate")
            ? mpl_glu(b->g, mpl_linear_bare(b, layer, "dec.ffn_gate", x), up)
            : mpl_unary(b, up);
    return mpl_linear_bare(b, layer, "dec.ffn_down", out);
}

static mpl_node *one_layer(const cross *c, int layer, mpl_node *input,
                           bool is_last)
{
    mpl_build *const b = c->b;
    mpl_at_layer(b, layer);
    mpl_node *x = norm(b, layer, "dec.attn_norm", input);
    mpl_node *middle = mpl_plus(b, attend_self(c, layer, x), input);
    x = norm(b, layer, "dec.cross_attn_norm", middle);
    x = attend_encoder(c, layer, x);
    if (is_last) {
        x = mpl_crop(b, x);
        middle = mpl_crop(b, middle);
    }
    middle = mpl_plus(b, x, middle);
    x = feed_forward(b, layer, norm(b, layer, "dec.ffn_norm", middle));
    return mpl_plus(b, x, middle);
}

void mpl_build_t5(mpl_build *b)
{
    const mpl_llama_hparams *const h = b->h;
    const mpl_llama_cache *const cache =
        b->setup->caches[MPL_LLAMA_CACHE_FULL];
    mpl_node *x = mpl_embed(b, "token_embd");
    mpl_open_attention(b);
    if (cache == NULL)
        return;
    const cross c = {
        .b = b,
        .encoded = mpl_input4(b->g, "cross_embd", MPL_DTYPE_FP32, h->embd,
                              h->context_train, 1, 1),
        .buckets = mpl_input4(b->g, "pos_bucket_dec", MPL_DTYPE_I32,
                              cache->cells, b->tokens, 1, 1),
        .mask = mpl_input4(b->g, "cross_kq_mask", b->full.mask->dtype,
                           h->context_train, b->tokens, 1, 1),
    };
    for (uint32_t i = 0; i < h->dec_layer_count; i++)
        x = one_layer(&c, (int)i, x, i + 1 == h->dec_layer_count);
    mpl_at_layer(b, -1);
    x = mpl_norm(b, x, MPL_NORM_RMS, -1, "dec.output_norm", -1);
    mpl_mark_output(x);
    x = mpl_linear(b, -1, "output", x);
    mpl_mark_output(x);
    mpl_expand(b, x);
}
