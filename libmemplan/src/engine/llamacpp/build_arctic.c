/* SPDX-License-Identifier: MIT */
/* Arctic: a dense network on the residual path and experts beside it, which
 * read the layer's input. */
#include "engine/llamacpp/builders.h"
#include "engine/llamacpp/decoder.h"

static mpl_node *one_layer(mpl_build *b, int layer, mpl_node *input)
{
    const bool is_last = mpl_is_last(b, layer);
    const mpl_attn_options attention = {.out = "attn_output"};
    const mpl_moe moe = {.gating = MPL_GATING_SOFTMAX, .flags = MPL_MOE_NORM};
    mpl_at_layer(b, layer);
    mpl_node *x = mpl_norm(b, input, MPL_NORM_RMS, layer, "attn_norm", layer);
    mpl_qkv qkv = mpl_project_qkv(b, layer, x, 0);
    qkv.q = mpl_rope_plain(b, qkv.q);
    qkv.k = mpl_rope_plain(b, qkv.k);
    x = mpl_attend(b, layer, qkv, &attention);
    if (is_last) {
        x = mpl_crop(b, x);
        input = mpl_crop(b, input);
    }
    mpl_node *const middle = mpl_plus(b, x, input);
    x = mpl_norm(b, middle, MPL_NORM_RMS, layer, "ffn_norm", layer);
    x = mpl_ffn(b, layer, x, MPL_ACT_SILU, MPL_FFN_GATE);
    mpl_node *const dense = mpl_plus(b, x, middle);
    x = mpl_norm(b, input, MPL_NORM_RMS, layer, "ffn_norm_exps", layer);
    return mpl_plus(b, mpl_experts(b, layer, x, &moe), dense);
}

void mpl_build_arctic(mpl_build *b)
{
    mpl_node *x = mpl_embed(b, "token_embd");
    mpl_open_attention(b);
    for (uint32_t i = 0; i < b->h->layer_count; i++)
        x = one_layer(b, (int)i, x);
    mpl_build_end(b, x, MPL_NORM_RMS, 0);
}
