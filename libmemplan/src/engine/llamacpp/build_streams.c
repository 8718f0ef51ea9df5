/* SPDX-License-Identifier: MIT */
#include "engine/llamacpp/build_streams.h"

#include "base/checked.h"

static mpl_node *mixes_of(mpl_build *b, int layer,
                          const mpl_stream_names *names, mpl_node *x)
{
    mpl_node *const flat = mpl_reshape2(b, x, x->ne[0] * x->ne[1], x->ne[2]);
    return mpl_linear_bare(b, layer, names->fn,
                           mpl_op1(b->g, MPL_OP_RMS_NORM, flat));
}

/* x * scale + base, each a part of one small weight. */
static mpl_node *affine(mpl_build *b, int layer, const mpl_stream_names *names,
                        mpl_node *x)
{
    mpl_node *const scale =
        mpl_view_row(b->g, mpl_weight(b, layer, names->scale, ".weight"), 1);
    mpl_node *const base = mpl_view_row(
        b->g, mpl_weight(b, layer, names->base, ".weight"), x->ne[0]);
    return mpl_plus(b, mpl_times(b, x, scale), base);
}

static mpl_node *part(mpl_build *b, mpl_node *mixes, uint64_t width)
{
    return mpl_view_2d(b->g, mixes, width, mixes->ne[1], mixes->nb[1]);
}

static mpl_node *weighted_sum(mpl_build *b, int layer, mpl_node *x,
                              mpl_node *weights)
{
    const uint64_t tokens = x->ne[2];
    if (layer >= 0 && !b->setup->unfused_hc_pre)
        return mpl_op_shaped(b->g, MPL_OP_DSV4_HC_PRE, MPL_DTYPE_FP32, x->ne[0],
                             tokens, 1, 1, x, weights);
    mpl_node *out = NULL;
    for (uint64_t i = 0; i < x->ne[1]; i++) {
        mpl_node *const one =
            mpl_times(b, mpl_view_2d(b->g, x, x->ne[0], tokens, x->nb[2]),
                      mpl_view_2d(b->g, weights, 1, tokens, weights->nb[1]));
        out = out == NULL ? one : mpl_plus(b, out, one);
    }
    return out == NULL ? x : out;
}

/* Rows and columns of the mixing matrix are divided by their sums in turn
 * (Sinkhorn). */
static mpl_node *divide_by_sums(mpl_build *b, mpl_node *x, mpl_node *epsilon,
                                bool is_columns)
{
    mpl_graph *const g = b->g;
    mpl_node *const rows =
        is_columns ? mpl_cont(g, mpl_permute(g, x, 1, 0, 2, 3)) : x;
    mpl_node *sum = mpl_plus(b, mpl_sum_rows(g, rows), epsilon);
    if (is_columns)
        sum = mpl_permute(g, sum, 1, 0, 2, 3);
    return mpl_op2(g, MPL_OP_DIV, x, sum);
}

static mpl_node *mixing_matrix(mpl_build *b, int layer,
                               const mpl_stream_names *names, mpl_node *mixes)
{
    enum { LOOP_MAX = 1 << 10 }; /* turns that a graph could hold */
    mpl_graph *const g = b->g;
    const uint64_t count = b->h->hc_mult;
    if (!b->setup->unfused_hc_comb) {
        mpl_node *const out = mpl_op_shaped(
            g, MPL_OP_DSV4_HC_COMB, MPL_DTYPE_FP32, count, count, mixes->ne[1],
            1, mixes, mpl_weight(b, layer, names->scale, ".weight"));
        out->src[2] = mpl_weight(b, layer, names->base, ".weight");
        return out;
    }
    const uint64_t turns = mpl_min(
        mpl_key_u32(b, "hyper_connection.sinkhorn_iterations", 1), LOOP_MAX);
    mpl_node *out = affine(b, layer, names, part(b, mixes, count * count));
    out = mpl_reshape3(b, out, count, count, mixes->ne[1]);
    out = mpl_op1(g, MPL_OP_SOFT_MAX, out);
    mpl_node *const epsilon =
        mpl_op1(g, MPL_OP_FILL, mpl_tensor4(g, MPL_DTYPE_FP32, 1, 1, 1, 1));
    out = divide_by_sums(b, mpl_plus(b, out, epsilon), epsilon, true);
    for (uint64_t i = 1; i < turns; i++) {
        out = divide_by_sums(b, out, epsilon, false);
        out = divide_by_sums(b, out, epsilon, true);
    }
    return out;
}

mpl_node *mpl_streams_reduce(mpl_build *b, int layer,
                             const mpl_stream_names *names, mpl_node *x,
                             mpl_stream_weights *weights)
{
    const uint64_t count = b->h->hc_mult;
    mpl_node *const mixes = mixes_of(b, layer, names, x);
    mpl_node *pre = affine(b, layer, names, part(b, mixes, count));
    pre = mpl_scale(b, mpl_unary(b, pre));
    mpl_node *const post = affine(b, layer, names, part(b, mixes, count));
    weights->post = mpl_scale(b, mpl_unary(b, post));
    weights->comb = mixing_matrix(b, layer, names, mixes);
    return weighted_sum(b, layer, x, pre);
}

static mpl_node *join_one(mpl_build *b, mpl_node *x, mpl_node *streams,
                          const mpl_stream_weights *w)
{
    const uint64_t tokens = x->ne[1];
    mpl_node *out =
        mpl_times(b, x, mpl_view_2d(b->g, w->post, 1, tokens, w->post->nb[1]));
    for (uint64_t i = 0; i < streams->ne[1]; i++) {
        mpl_node *const one =
            mpl_view_2d(b->g, streams, x->ne[0], tokens, streams->nb[2]);
        mpl_node *const weight =
            mpl_view_2d(b->g, w->comb, 1, tokens, w->comb->nb[2]);
        out = mpl_plus(b, out, mpl_times(b, one, weight));
    }
    return mpl_reshape3(b, out, x->ne[0], 1, tokens);
}

mpl_node *mpl_streams_join(mpl_build *b, mpl_node *x, mpl_node *streams,
                           const mpl_stream_weights *weights)
{
    mpl_node *out = NULL;
    if (!b->setup->unfused_hc_post) {
        out = mpl_op_shaped(b->g, MPL_OP_DSV4_HC_POST, MPL_DTYPE_FP32,
                            streams->ne[0], streams->ne[1], streams->ne[2], 1,
                            x, streams);
        out->src[2] = weights->post;
        out->src[3] = weights->comb;
        return out;
    }
    for (uint64_t i = 0; i < streams->ne[1]; i++) {
        mpl_node *const one = join_one(b, x, streams, weights);
        out = out == NULL ? one : mpl_concat(b->g, out, one, 1);
    }
    return out == NULL ? streams : out;
}

mpl_node *mpl_streams_end(mpl_build *b, const mpl_stream_names *names,
                          mpl_node *x)
{
    mpl_node *const mixes = mixes_of(b, -1, names, x);
    mpl_node *const scale = mpl_weight(b, -1, names->scale, ".weight");
    mpl_node *const base = mpl_weight(b, -1, names->base, ".weight");
    mpl_node *const weights = mpl_scale(
        b, mpl_unary(b, mpl_plus(b, mpl_times(b, mixes, scale), base)));
    return weighted_sum(b, -1, x, weights);
}
