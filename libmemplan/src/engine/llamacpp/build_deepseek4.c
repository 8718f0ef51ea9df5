/* SPDX-License-Identifier: MIT */
/*
 * DeepSeek-V4: hyper-connections around attention to a window of raw cells and
 * to compressed ones (build_deepseek4_attention.c), and around experts. The
 * first layers choose experts by a table of tokens.
 */
#include "engine/llamacpp/build_deepseek4.h"
#include "engine/llamacpp/build_streams.h"
#include "engine/llamacpp/builders.h"

static mpl_node *norm(mpl_build *b, int layer, const char *base, mpl_node *x)
{
    return mpl_norm(b, x, MPL_NORM_RMS, layer, base, layer);
}

static mpl_node *feed_forward(mpl_build *b, int layer, mpl_node *x)
{
    mpl_moe moe = {.flags = MPL_MOE_NORM_MODEL};
    mpl_node *const table = mpl_weight(b, layer, "ffn_gate_tid2eid", ".weight");
    if (table != NULL)
        moe.chosen = mpl_get_rows(b->g, table, b->token_ids);
    return mpl_plus(
        b, mpl_experts(b, layer, x, &moe),
        mpl_ffn(b, layer, x, MPL_ACT_SILU, MPL_FFN_GATE | MPL_FFN_SHARED));
}

static mpl_node *one_layer(mpl_build *b, const mpl_v4_inputs *inputs, int layer,
                           mpl_node *x)
{
    static const mpl_stream_names ATTENTION = {"hc_attn_fn", "hc_attn_scale",
                                               "hc_attn_base"};
    static const mpl_stream_names FFN = {"hc_ffn_fn", "hc_ffn_scale",
                                         "hc_ffn_base"};
    mpl_stream_weights weights;
    mpl_at_layer(b, layer);
    mpl_node *half = mpl_streams_reduce(b, layer, &ATTENTION, x, &weights);
    half = norm(b, layer, "attn_norm", half);
    half = mpl_v4_attend(b, inputs, layer, half);
    x = mpl_streams_join(b, half, x, &weights);
    half = mpl_streams_reduce(b, layer, &FFN, x, &weights);
    mpl_expand(b, x);
    mpl_expand(b, weights.post);
    mpl_expand(b, weights.comb);
    half = feed_forward(b, layer, norm(b, layer, "ffn_norm", half));
    x = mpl_streams_join(b, half, x, &weights);
    mpl_pin(b, x, layer);
    return x;
}

void mpl_build_deepseek4(mpl_build *b)
{
    static const mpl_stream_names HEAD = {"output_hc_fn", "output_hc_scale",
                                          "output_hc_base"};
    enum { STREAMS_MAX = 64 }; /* beyond them nothing is real */
    const uint64_t streams = b->h->hc_mult;
    const uint64_t width = b->h->embd;
    mpl_v4_inputs inputs;
    if (streams > STREAMS_MAX) {
        b->g->status = MEMPLAN_E_TOO_LARGE;
        return;
    }
    mpl_node *x = mpl_embed(b, "token_embd");
    mpl_v4_open(b, &inputs);
    mpl_expand(b, inputs.raw.mask);
    x = mpl_reshape3(b, x, width, 1, b->tokens);
    x = mpl_repeat(b->g, x, width, streams, b->tokens, 1);
    for (uint32_t i = 0; i < b->h->layer_count; i++)
        x = one_layer(b, &inputs, (int)i, x);
    mpl_at_layer(b, -1);
    x = mpl_crop(b, mpl_reshape2(b, x, width * streams, b->tokens));
    x = mpl_reshape3(b, x, width, streams, b->outputs);
    x = mpl_streams_end(b, &HEAD, x);
    x = mpl_norm(b, x, MPL_NORM_RMS, -1, "output_norm", -1);
    mpl_mark_output(x);
    x = mpl_linear_bare(b, -1, "output", x);
    mpl_mark_output(x);
    mpl_expand(b, x);
}
