/* SPDX-License-Identifier: MIT */
/* Deci, Nemotron Super: layers may lack attention, its heads, or the FFN. */
#include "engine/llamacpp/builders.h"
#include "engine/llamacpp/decoder.h"

static mpl_node *attend(mpl_build *b, int layer, mpl_node *x)
{
    const mpl_attn_options options = {.out = "attn_output"};
    x = mpl_norm(b, x, MPL_NORM_RMS, layer, "attn_norm", layer);
    if (mpl_layer_of(b, layer)->kv_head_count == 0)
        return mpl_linear_bare(b, layer, "attn_output", x);
    mpl_qkv qkv = mpl_project_qkv(b, layer, x, 0);
    qkv.q = mpl_rope(b, qkv.q, layer, true);
    qkv.k = mpl_rope(b, qkv.k, layer, true);
    return mpl_attend(b, layer, qkv, &options);
}

static mpl_node *one_layer(mpl_build *b, int layer, mpl_node *input)
{
    const mpl_llama_layer *const l = mpl_layer_of(b, layer);
    const bool has_attention = l->head_count > 0;
    mpl_node *x = has_attention ? attend(b, layer, input) : input;
    mpl_node *residual = input;
    mpl_crop_last(b, layer, &x, &residual);
    if (l->ff_width == 0)
        return input;
    mpl_node *const middle = has_attention ? mpl_plus(b, x, residual) : x;
    x = mpl_norm(b, middle, MPL_NORM_RMS, layer, "ffn_norm", layer);
    x = mpl_ffn(b, layer, x, MPL_ACT_SILU, MPL_FFN_GATE);
    return mpl_plus(b, x, middle);
}

void mpl_build_deci(mpl_build *b)
{
    mpl_node *x = mpl_embed(b, "token_embd");
    mpl_open_attention(b);
    for (uint32_t i = 0; i < b->h->layer_count; i++) {
        mpl_at_layer(b, (int)i);
        x = one_layer(b, (int)i, x);
    }
    mpl_build_end(b, x, MPL_NORM_RMS, 0);
}
