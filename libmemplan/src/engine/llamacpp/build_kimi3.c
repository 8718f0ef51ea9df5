/* SPDX-License-Identifier: MIT */
/*
 * Kimi K3: Kimi Linear's layers, experts in a narrower space, and attention
 * residuals: every few layers the running sum is put on a stack, and each half
 * of a layer reads a mix of that stack and of the sum since.
 */
#include "engine/llamacpp/build_kimi.h"
#include "engine/llamacpp/builders.h"
#include "engine/llamacpp/decoder.h"

static mpl_node *norm(mpl_build *b, int layer, const char *base, mpl_node *x)
{
    return mpl_norm(b, x, MPL_NORM_RMS, layer, base, layer);
}

/* One score a token for each of the rows in `x`. */
static mpl_node *scores_of(mpl_build *b, mpl_node *x, mpl_node *weight)
{
    x = mpl_op1(b->g, MPL_OP_RMS_NORM, x);
    return mpl_sum_rows(b->g, mpl_times(b, x, weight));
}

static mpl_node *column(mpl_build *b, mpl_node *x, uint64_t width)
{
    return mpl_cont(b->g,
                    mpl_view_2d(b->g, x, width, b->tokens, x->nb[1]));
}

/* stack NULL: only the sum. */
static mpl_node *mix(mpl_build *b, int layer, const char *base,
                     mpl_node *stack, mpl_node *sum)
{
    mpl_graph *const g = b->g;
    mpl_node *const weight = mpl_weight(b, layer, base, ".weight");
    if (stack == NULL || weight == NULL)
        return sum;
    const uint64_t count = stack->ne[1];
    mpl_node *const of_stack =
        mpl_reshape2(b, scores_of(b, stack, weight), count, b->tokens);
    mpl_node *const of_sum = scores_of(b, sum, weight);
    mpl_node *const shares =
        mpl_op1(g, MPL_OP_SOFT_MAX, mpl_concat(g, of_stack, of_sum, 0));
    mpl_node *const mixed =
        mpl_op_shaped(g, MPL_OP_DSV4_HC_PRE, MPL_DTYPE_FP32, stack->ne[0],
                      b->tokens, 1, 1, stack, column(b, shares, count));
    return mpl_plus(b, mixed, mpl_times(b, sum, column(b, shares, 1)));
}

static mpl_node *put(mpl_build *b, mpl_node *stack, mpl_node *sum)
{
    mpl_node *const top = mpl_reshape3(b, sum, sum->ne[0], 1, b->tokens);
    return stack == NULL ? top : mpl_concat(b->g, stack, top, 1);
}

static mpl_node *attend(mpl_build *b, int layer, mpl_node *x)
{
    if (mpl_layer_of(b, layer)->is_recurrent)
        return mpl_attend_kda(b, layer, x);
    mpl_node *out = mpl_attend_kimi(b, layer, x, NULL);
    if (mpl_has(b, layer, "attn_gate"))
        out = mpl_times(
            b, out, mpl_unary(b, mpl_linear_bare(b, layer, "attn_gate", x)));
    return mpl_linear_bare(b, layer, "attn_output", out);
}

static mpl_node *feed_forward(mpl_build *b, int layer, mpl_node *x)
{
    const uint32_t flags = MPL_FFN_GATE | MPL_FFN_NO_BIAS;
    if ((uint32_t)layer < b->h->dense_lead_count)
        return mpl_ffn(b, layer, x, MPL_ACT_SITU, flags);
    const mpl_moe moe = {
        .activation = MPL_ACT_SITU,
        .flags = MPL_MOE_NORM_MODEL,
        .router = mpl_linear_bare(b, layer, "ffn_gate_inp", x),
    };
    mpl_node *out = mpl_experts(
        b, layer, mpl_linear_bare(b, layer, "ffn_routed_down", x), &moe);
    if (mpl_has(b, layer, "ffn_routed_norm"))
        out = norm(b, layer, "ffn_routed_norm", out);
    out = mpl_linear_bare(b, layer, "ffn_routed_up", out);
    if (!mpl_has(b, layer, "ffn_gate_shexp"))
        return out;
    return mpl_plus(b, out, mpl_ffn(b, layer, x, MPL_ACT_SITU,
                                    flags | MPL_FFN_SHARED));
}

void mpl_build_kimi_k3(mpl_build *b)
{
    const uint32_t step = mpl_key_u32(b, "attn_res.block_size", 0);
    mpl_node *stack = NULL;
    mpl_node *sum = mpl_embed(b, "token_embd");
    mpl_open_states(b);
    mpl_open_attention(b);
    for (uint32_t i = 0; i < b->h->layer_count; i++) {
        const int layer = (int)i;
        const bool is_put = step > 0 && i % step == 0;
        mpl_at_layer(b, layer);
        mpl_node *x = mix(b, layer, "attn_res_score", stack, sum);
        if (is_put)
            stack = put(b, stack, sum);
        x = norm(b, layer, "attn_norm", x);
        mpl_expand(b, x);
        x = attend(b, layer, x);
        sum = is_put ? x : mpl_plus(b, sum, x);
        x = mix(b, layer, "ffn_res_score", stack, sum);
        x = feed_forward(b, layer, norm(b, layer, "ffn_norm", x));
        sum = mpl_plus(b, sum, x);
    }
    mpl_at_layer(b, -1);
    sum = mix(b, -1, "output_res_score", stack, sum);
    mpl_build_end(b, mpl_crop(b, sum), MPL_NORM_RMS, MPL_B_NO_OUTPUT_SCALE);
}
