/* SPDX-License-Identifier: MIT */
/* BitNet: norms inside attention and the network, before their last products;
 * the table of embeddings gives the logits. */
#include "engine/llamacpp/builders.h"
#include "engine/llamacpp/decoder.h"

static mpl_node *norm(mpl_build *b, int layer, const char *base, mpl_node *x)
{
    return mpl_norm(b, x, MPL_NORM_RMS, layer, base, layer);
}

static mpl_node *attend(mpl_build *b, int layer, mpl_node *x)
{
    static const mpl_attn_options NO_PRODUCT = {.out = NULL};
    mpl_qkv qkv = mpl_project_qkv(b, layer, x, 0);
    qkv.q = mpl_rope_plain(b, qkv.q);
    qkv.k = mpl_rope_plain(b, qkv.k);
    x = mpl_attend(b, layer, qkv, &NO_PRODUCT);
    x = mpl_linear(b, layer, "attn_output", norm(b, layer, "attn_sub_norm", x));
    return mpl_add_bias(b, layer, "attn_output", x);
}

static mpl_node *feed_forward(mpl_build *b, int layer, mpl_node *x)
{
    mpl_node *const up = mpl_linear(b, layer, "ffn_up", x);
    mpl_node *const gate = mpl_linear(b, layer, "ffn_gate", x);
    x = norm(b, layer, "ffn_sub_norm", mpl_glu(b->g, gate, up));
    return mpl_linear(b, layer, "ffn_down", x);
}

static mpl_node *one_layer(mpl_build *b, int layer, mpl_node *input)
{
    mpl_at_layer(b, layer);
    mpl_node *x = attend(b, layer, norm(b, layer, "attn_norm", input));
    mpl_crop_last(b, layer, &x, &input);
    mpl_node *const middle = mpl_plus(b, x, input);
    x = feed_forward(b, layer, norm(b, layer, "ffn_norm", middle));
    return mpl_plus(b, x, middle);
}

void mpl_build_bitnet(mpl_build *b)
{
    mpl_node *x = mpl_embed(b, "token_embd");
    mpl_open_attention(b);
    for (uint32_t i = 0; i < b->h->layer_count; i++)
        x = one_layer(b, (int)i, x);
    mpl_at_layer(b, -1);
    x = mpl_norm(b, x, MPL_NORM_RMS, -1, "output_norm", -1);
    mpl_mark_output(x);
    x = mpl_linear_bare(b, -1, "token_embd", x);
    mpl_mark_output(x);
    mpl_expand(b, x);
}
