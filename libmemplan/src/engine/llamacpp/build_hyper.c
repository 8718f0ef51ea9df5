/* SPDX-License-Identifier: MIT */
/*
 * Hunyuan 4: hyper-connections. Several residual streams; each half of a layer
 * reads a weighted sum of them, and its output is added to each with a weight
 * of its own.
 */
#include "engine/llamacpp/build_sparse.h"
#include "engine/llamacpp/builders.h"
#include "engine/llamacpp/decoder.h"

/* Rows [width, tokens] of `x` that start somewhere inside each row. */
static mpl_node *part(mpl_build *b, mpl_node *x, uint64_t width)
{
    return mpl_view_2d(b->g, x, width, x->ne[x->ne[2] > 1 ? 2 : 1],
                       x->nb[x->ne[2] > 1 ? 2 : 1]);
}

static mpl_node *stream(mpl_build *b, mpl_node *x)
{
    return mpl_view_2d(b->g, x, x->ne[0], x->ne[2], x->nb[2]);
}

static mpl_node *reduce(mpl_build *b, mpl_node *x, mpl_node *weights)
{
    const uint64_t count = x->ne[1];
    mpl_node *const all = mpl_cast(b->g, x, MPL_DTYPE_FP32);
    mpl_node *out = NULL;
    for (uint64_t i = 0; i < count; i++) {
        mpl_node *const xi = stream(b, all);
        mpl_node *const wi =
            mpl_view_2d(b->g, weights, 1, weights->ne[1], weights->nb[1]);
        mpl_node *const product = mpl_times(b, xi, wi);
        out = out == NULL ? product : mpl_plus(b, out, product);
    }
    return out == NULL ? x : mpl_cast(b->g, out, x->dtype);
}

static mpl_node *mix(mpl_build *b, int layer, const char *base, mpl_node *x)
{
    mpl_node *flat = mpl_reshape2(b, x, x->ne[0] * x->ne[1], x->ne[2]);
    flat = mpl_op1(b->g, MPL_OP_RMS_NORM, flat);
    return mpl_mul_mat(b->g, mpl_weight(b, layer, base, ".weight"), flat);
}

typedef struct names {
    const char *fn;
    const char *scale;
    const char *base;
} names;

static mpl_node *weigh(mpl_build *b, int layer, const names *n, mpl_node *mixes)
{
    const uint64_t count = b->h->hc_mult;
    mpl_node *const scale = mpl_weight(b, layer, n->scale, ".weight");
    mpl_node *const base = mpl_weight(b, layer, n->base, ".weight");
    mpl_node *out = part(b, mixes, count);
    out = mpl_times(b, out, mpl_view_row(b->g, scale, 1));
    out = mpl_plus(b, out, mpl_view_row(b->g, base, count));
    return mpl_unary(b, out);
}

static mpl_node *before(mpl_build *b, int layer, const names *n, mpl_node *x,
                        mpl_node **after_weights)
{
    mpl_node *const mixes = mix(b, layer, n->fn, x);
    mpl_node *const weights = mpl_scale(b, weigh(b, layer, n, mixes));
    *after_weights =
        mpl_scale(b, mpl_scale(b, weigh(b, layer, n, mixes)));
    return reduce(b, x, weights);
}

static mpl_node *after(mpl_build *b, mpl_node *x, mpl_node *streams,
                       mpl_node *weights)
{
    mpl_graph *const g = b->g;
    const uint64_t count = streams->ne[1];
    mpl_node *out = NULL;
    x = mpl_cast(g, x, MPL_DTYPE_FP32);
    weights = mpl_cast(g, weights, MPL_DTYPE_FP32);
    mpl_node *const all = mpl_cast(g, streams, MPL_DTYPE_FP32);
    for (uint64_t i = 0; i < count; i++) {
        mpl_node *const kept = stream(b, all);
        mpl_node *const wi =
            mpl_view_2d(g, weights, 1, weights->ne[1], weights->nb[1]);
        mpl_node *sum = mpl_plus(b, kept, mpl_times(b, x, wi));
        sum = mpl_reshape3(b, sum, sum->ne[0], 1, sum->ne[1]);
        out = out == NULL ? sum : mpl_concat(g, out, sum, 1);
    }
    return out == NULL ? x : mpl_cast(g, out, streams->dtype);
}

static mpl_node *merge(mpl_build *b, mpl_node *x)
{
    mpl_node *w = mix(b, -1, "output_hc_fn", x);
    w = mpl_times(b, w, mpl_weight(b, -1, "output_hc_scale", ".weight"));
    w = mpl_plus(b, w, mpl_weight(b, -1, "output_hc_base", ".weight"));
    return reduce(b, x, mpl_scale(b, mpl_unary(b, w)));
}

static mpl_node *norm(mpl_build *b, int layer, const char *base, mpl_node *x)
{
    return mpl_norm(b, x, MPL_NORM_RMS, layer, base, layer);
}

static mpl_node *feed_forward(mpl_build *b, int layer, mpl_node *x)
{
    const mpl_moe moe = {.flags = MPL_MOE_NORM_MODEL};
    if ((uint32_t)layer < b->h->dense_lead_count)
        return mpl_ffn(b, layer, x, MPL_ACT_SILU, MPL_FFN_GATE);
    return mpl_plus(b, mpl_experts(b, layer, x, &moe),
                    mpl_ffn(b, layer, x, MPL_ACT_SILU,
                            MPL_FFN_GATE | MPL_FFN_SHARED));
}

void mpl_build_hunyuan4(mpl_build *b)
{
    static const names ATTENTION = {"hc_attn_fn", "hc_attn_scale",
                                    "hc_attn_base"};
    static const names FFN = {"hc_ffn_fn", "hc_ffn_scale", "hc_ffn_base"};
    const uint64_t embd = b->h->embd;
    const uint64_t count = b->h->hc_mult;
    mpl_indexer indexer;
    mpl_node *cells = NULL;
    mpl_node *weights;
    mpl_node *x = mpl_embed(b, "token_embd");
    mpl_open_attention(b);
    mpl_open_indexer(b, &indexer);
    indexer.inputs.k_rotation = NULL;
    x = mpl_reshape3(b, x, embd, 1, b->tokens);
    x = mpl_repeat(b->g, x, embd, count, b->tokens, 1);
    for (uint32_t i = 0; i < b->h->layer_count; i++) {
        const int layer = (int)i;
        mpl_at_layer(b, layer);
        mpl_node *half = before(b, layer, &ATTENTION, x, &weights);
        half = norm(b, layer, "attn_norm", half);
        half = mpl_attend_chosen(b, &indexer, layer, half, &cells);
        x = after(b, half, x, weights);
        half = before(b, layer, &FFN, x, &weights);
        half = feed_forward(b, layer, norm(b, layer, "ffn_norm", half));
        x = after(b, half, x, weights);
    }
    mpl_at_layer(b, -1);
    x = mpl_crop(b, mpl_reshape2(b, x, embd * count, b->tokens));
    x = mpl_reshape3(b, x, embd, count, b->outputs);
    mpl_build_end(b, merge(b, x), MPL_NORM_RMS, MPL_B_NO_OUTPUT_SCALE);
}
