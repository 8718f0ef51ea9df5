/* SPDX-License-Identifier: MIT */
/* Chameleon: queries and keys are normed by head; some models norm outputs
 * instead of inputs; logits of image tokens are overwritten. */
#include "engine/llamacpp/builders.h"
#include "engine/llamacpp/decoder.h"

enum { IMAGE_TOKENS = 8192 };

static mpl_node *norm(mpl_build *b, int layer, const char *base, mpl_node *x)
{
    return mpl_norm(b, x, MPL_NORM_RMS, layer, base, layer);
}

static mpl_node *head_norm(mpl_build *b, int layer, const char *base,
                           mpl_node *x)
{
    return mpl_has(b, layer, base)
               ? mpl_norm(b, x, MPL_NORM_LAYER, layer, base, layer)
               : x;
}

static mpl_node *one_layer(mpl_build *b, int layer, mpl_node *input)
{
    const mpl_attn_options options = {.out = "attn_output",
                                      .has_no_bias = true};
    const bool norms_outputs = b->h->has_swin_norm;
    mpl_at_layer(b, layer);
    mpl_node *x = norms_outputs ? input : norm(b, layer, "attn_norm", input);
    mpl_qkv qkv = mpl_project_qkv(b, layer, x, 0);
    qkv.q = mpl_rope_plain(b, head_norm(b, layer, "attn_q_norm", qkv.q));
    qkv.k = mpl_rope_plain(b, head_norm(b, layer, "attn_k_norm", qkv.k));
    x = mpl_attend(b, layer, qkv, &options);
    mpl_crop_last(b, layer, &x, &input);
    if (norms_outputs)
        x = norm(b, layer, "attn_norm", x);
    mpl_node *const middle = mpl_plus(b, x, input);
    if (!norms_outputs) /* else the network reads attention's output alone */
        x = norm(b, layer, "ffn_norm", middle);
    x = mpl_ffn(b, layer, x, MPL_ACT_SILU, MPL_FFN_GATE | MPL_FFN_NO_BIAS);
    if (norms_outputs)
        x = norm(b, layer, "ffn_norm", x);
    return mpl_plus(b, x, middle);
}

void mpl_build_chameleon(mpl_build *b)
{
    mpl_graph *const g = b->g;
    mpl_node *x = mpl_embed(b, "token_embd");
    mpl_open_attention(b);
    for (uint32_t i = 0; i < b->h->layer_count; i++)
        x = one_layer(b, (int)i, x);
    mpl_at_layer(b, -1);
    x = mpl_norm(b, x, MPL_NORM_RMS, -1, "output_norm", -1);
    mpl_mark_output(x);
    x = mpl_linear(b, -1, "output", x);
    mpl_node *const never = mpl_op1(
        g, MPL_OP_CLAMP, mpl_tensor4(g, MPL_DTYPE_FP32, IMAGE_TOKENS, 1, 1, 1));
    x = mpl_op2(g, MPL_OP_SET, x, never);
    mpl_mark_output(x);
    mpl_expand(b, x);
}
