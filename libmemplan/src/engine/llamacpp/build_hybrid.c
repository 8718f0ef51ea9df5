/* SPDX-License-Identifier: MIT */
/*
 * Families that mix attention and state space layers: Mamba, Jamba,
 * Granite 4 H, Falcon H1, Nemotron H, PLaMo 2, LFM2.
 */
#include "engine/llamacpp/builders.h"
#include "engine/llamacpp/decoder.h"

static const mpl_attn_options PLAIN_OUT = {.out = "attn_output"};

static mpl_node *norm(mpl_build *b, int layer, const char *base, mpl_node *x)
{
    return mpl_norm(b, x, MPL_NORM_RMS, layer, base, layer);
}

static mpl_node *attend_plain(mpl_build *b, int layer, mpl_node *x)
{
    return mpl_attend(b, layer, mpl_project_qkv(b, layer, x, 0), &PLAIN_OUT);
}

static void open_hybrid(mpl_build *b)
{
    mpl_open_states(b);
    mpl_open_attention(b);
}

typedef mpl_node *layer_function(mpl_build *b, int layer, mpl_node *x);

static void each_layer(mpl_build *b, layer_function *one, uint32_t end)
{
    mpl_node *x = mpl_embed(b, "token_embd");
    open_hybrid(b);
    for (uint32_t i = 0; i < b->h->layer_count; i++) {
        mpl_at_layer(b, (int)i);
        x = one(b, (int)i, x);
    }
    mpl_build_end(b, x, MPL_NORM_RMS, end);
}

static mpl_node *mamba_layer(mpl_build *b, int layer, mpl_node *input)
{
    mpl_node *x = norm(b, layer, "attn_norm", input);
    x = b->h->arch == MPL_LLAMA_ARCH_MAMBA2 ? mpl_mamba2(b, layer, x)
                                            : mpl_mamba(b, layer, x);
    mpl_crop_last(b, layer, &x, &input);
    return mpl_plus(b, x, input);
}

void mpl_build_mamba(mpl_build *b)
{
    each_layer(b, mamba_layer, 0);
}

static mpl_node *jamba_layer(mpl_build *b, int layer, mpl_node *input)
{
    const mpl_moe moe = {.gating = MPL_GATING_SOFTMAX};
    mpl_node *x = norm(b, layer, "attn_norm", input);
    x = mpl_layer_of(b, layer)->kv_head_count == 0 ? mpl_mamba(b, layer, x)
                                                   : attend_plain(b, layer, x);
    mpl_crop_last(b, layer, &x, &input);
    mpl_node *const middle = mpl_plus(b, input, x);
    x = norm(b, layer, "ffn_norm", middle);
    x = mpl_has(b, layer, "ffn_gate_inp")
            ? mpl_experts(b, layer, x, &moe)
            : mpl_ffn(b, layer, x, MPL_ACT_SILU, MPL_FFN_GATE);
    return mpl_plus(b, middle, x);
}

void mpl_build_jamba(mpl_build *b)
{
    each_layer(b, jamba_layer, 0);
}

static mpl_node *granite_ffn(mpl_build *b, int layer, mpl_node *x)
{
    const mpl_moe moe = {.gating = MPL_GATING_SOFTMAX, .flags = MPL_MOE_NORM};
    x = norm(b, layer, "ffn_norm", x);
    if (!mpl_has(b, layer, "ffn_gate_inp"))
        return mpl_ffn(b, layer, x, MPL_ACT_SILU, MPL_FFN_GATE);
    mpl_node *const out = mpl_experts(b, layer, x, &moe);
    return mpl_has(b, layer, "ffn_up_shexp")
               ? mpl_plus(b, out,
                          mpl_ffn(b, layer, x, MPL_ACT_SILU,
                                  MPL_FFN_GATE | MPL_FFN_SHARED))
               : out;
}

static mpl_node *scale_if(mpl_build *b, bool is_on, mpl_node *x)
{
    return is_on ? mpl_scale(b, x) : x;
}

static mpl_node *granite_layer(mpl_build *b, int layer, mpl_node *input)
{
    const bool is_scaled = b->h->has_residual_scale;
    const mpl_llama_layer *const l = mpl_layer_of(b, layer);
    mpl_node *x = norm(b, layer, "attn_norm", input);
    if (l->is_recurrent) {
        x = mpl_mamba2(b, layer, x);
    } else {
        mpl_qkv qkv = mpl_project_qkv(b, layer, x, 0);
        if (l->has_rope) {
            qkv.q = mpl_rope(b, qkv.q, layer, true);
            qkv.k = mpl_rope(b, qkv.k, layer, true);
        }
        x = mpl_attend(b, layer, qkv, &PLAIN_OUT);
    }
    mpl_crop_last(b, layer, &x, &input);
    mpl_node *const middle = mpl_plus(b, scale_if(b, is_scaled, x), input);
    x = scale_if(b, is_scaled, granite_ffn(b, layer, middle));
    return mpl_plus(b, x, middle);
}

void mpl_build_granite_hybrid(mpl_build *b)
{
    each_layer(b, granite_layer, MPL_B_LOGIT_SCALE);
}

/* Falcon H1: attention and state space side by side in every layer. */
static mpl_node *falcon_h1_layer(mpl_build *b, int layer, mpl_node *input)
{
    mpl_node *x = norm(b, layer, "attn_norm", input);
    mpl_qkv qkv = mpl_project_qkv(b, layer, x, 0);
    qkv.q = mpl_rope_plain(b, qkv.q);
    qkv.k = mpl_rope_plain(b, qkv.k);
    const mpl_attn_options options = {.out = "attn_output",
                                      .has_no_bias = true};
    mpl_node *const attention = mpl_attend(b, layer, qkv, &options);
    x = norm(b, layer, "attn_norm", input);
    x = mpl_plus(b, attention, mpl_mamba2(b, layer, x));
    input = mpl_plus(b, x, input);
    if (mpl_is_last(b, layer))
        input = mpl_crop(b, input);
    x = norm(b, layer, "ffn_norm", input);
    x = mpl_ffn(b, layer, x, MPL_ACT_SILU, MPL_FFN_GATE);
    return mpl_plus(b, x, input);
}

void mpl_build_falcon_h1(mpl_build *b)
{
    each_layer(b, falcon_h1_layer, 0);
}

static mpl_node *nemotron_experts(mpl_build *b, int layer, mpl_node *x)
{
    mpl_moe moe = {.activation = MPL_ACT_RELU_SQUARED,
                   .gating = MPL_GATING_SIGMOID,
                   .flags = MPL_MOE_NORM_MODEL | MPL_MOE_SCALE};
    mpl_node *const latent = mpl_linear_bare(b, layer, "ffn_latent_down", x);
    moe.router = mpl_linear(b, layer, "ffn_gate_inp", x);
    mpl_node *out = mpl_experts(b, layer, latent, &moe);
    out = mpl_linear_bare(b, layer, "ffn_latent_up", out);
    return mpl_plus(b, out,
                    mpl_ffn(b, layer, x, MPL_ACT_RELU_SQUARED,
                            MPL_FFN_SHARED | MPL_FFN_SCALE));
}

/* Nemotron H: each layer is one thing only. */
static mpl_node *nemotron_layer(mpl_build *b, int layer, mpl_node *input)
{
    const mpl_llama_layer *const l = mpl_layer_of(b, layer);
    mpl_node *x = norm(b, layer, "attn_norm", input);
    if (l->is_recurrent)
        x = mpl_mamba2(b, layer, x);
    else if (l->ff_width == 0)
        x = attend_plain(b, layer, x);
    else if (mpl_has(b, layer, "ffn_gate_inp"))
        x = nemotron_experts(b, layer, x);
    else
        x = mpl_ffn(b, layer, x, MPL_ACT_RELU_SQUARED, MPL_FFN_SCALE);
    return mpl_plus(b, x, input);
}

void mpl_build_nemotron_h(mpl_build *b)
{
    each_layer(b, nemotron_layer, MPL_B_CROP_NORMED);
}

static mpl_node *plamo2_attention(mpl_build *b, int layer, mpl_node *x)
{
    mpl_qkv qkv = mpl_project_qkv(b, layer, x, MPL_QKV_PLAIN);
    qkv.q = mpl_rope_plain(b, norm(b, layer, "attn_q_norm", qkv.q));
    qkv.k = mpl_rope_plain(b, norm(b, layer, "attn_k_norm", qkv.k));
    return mpl_attend(b, layer, qkv, &PLAIN_OUT);
}

static mpl_node *plamo2_layer(mpl_build *b, int layer, mpl_node *input)
{
    mpl_node *x = norm(b, layer, "attn_norm", input);
    x = mpl_layer_of(b, layer)->is_recurrent ? mpl_mamba_plamo(b, layer, x)
                                             : plamo2_attention(b, layer, x);
    mpl_crop_last(b, layer, &x, &input);
    x = norm(b, layer, "post_attention_norm", x);
    mpl_node *const middle = mpl_plus(b, x, input);
    x = norm(b, layer, "ffn_norm", middle);
    x = mpl_ffn(b, layer, x, MPL_ACT_SWIGLU, 0);
    x = norm(b, layer, "post_ffw_norm", x);
    return mpl_plus(b, x, middle);
}

void mpl_build_plamo2(mpl_build *b)
{
    each_layer(b, plamo2_layer, 0);
}

/* LFM2: a gated short convolution in place of attention. */
static mpl_node *short_convolution(mpl_build *b, int layer, mpl_node *x)
{
    mpl_graph *const g = b->g;
    const uint64_t n = b->tokens / b->sequences;
    const uint64_t s = b->sequences;
    const uint64_t kept = b->h->shortconv_cache - 1;
    x = mpl_reshape3(b, x, x->ne[0], n, s);
    mpl_node *const bcx =
        mpl_linear_bare(b, layer, "shortconv.in_proj", x);
    const uint64_t width = bcx->ne[0] / 3;
    mpl_node *parts[3];
    for (int i = 0; i < 3; i++)
        parts[i] = mpl_view(g, bcx, width, n, s, 1, bcx->nb[1], bcx->nb[2],
                            bcx->nb[3]);
    mpl_node *bx = mpl_transpose(g, mpl_times(b, parts[0], parts[2]));
    mpl_node *const before = mpl_reshape3(b, mpl_read_state(b, layer, 0), kept,
                                          b->h->embd, s);
    bx = mpl_concat(g, before, bx, 0);
    mpl_keep_state(b, layer, 0,
                   mpl_view(g, bx, kept, bx->ne[1], bx->ne[2], 1, bx->nb[1],
                            bx->nb[2], bx->nb[3]));
    mpl_node *const kernel =
        mpl_weight(b, layer, "shortconv.conv", ".weight");
    mpl_node *const out = mpl_op_shaped(
        g, MPL_OP_SSM_CONV, MPL_DTYPE_FP32, kernel->ne[1],
        bx->ne[0] - kernel->ne[0] + 1, bx->ne[2], 1, bx, kernel);
    mpl_node *y = mpl_times(b, parts[1], out);
    y = mpl_linear_bare(b, layer, "shortconv.out_proj", y);
    return mpl_reshape2(b, y, y->ne[0], n * s);
}

static mpl_node *lfm2_layer(mpl_build *b, int layer, mpl_node *input)
{
    const mpl_moe moe = {.flags = MPL_MOE_NORM};
    mpl_node *x = norm(b, layer, "attn_norm", input);
    if (mpl_layer_of(b, layer)->is_recurrent) {
        x = short_convolution(b, layer, x);
    } else {
        mpl_qkv qkv = mpl_project_qkv(b, layer, x, 0);
        qkv.q = mpl_rope_plain(b, norm(b, layer, "attn_q_norm", qkv.q));
        qkv.k = mpl_rope_plain(b, norm(b, layer, "attn_k_norm", qkv.k));
        x = mpl_attend(b, layer, qkv, &PLAIN_OUT);
    }
    mpl_crop_last(b, layer, &x, &input);
    mpl_node *const middle = mpl_plus(b, input, x);
    x = norm(b, layer, "ffn_norm", middle);
    x = mpl_has(b, layer, "ffn_gate_inp")
            ? mpl_experts(b, layer, x, &moe)
            : mpl_ffn(b, layer, x, MPL_ACT_SILU, MPL_FFN_GATE);
    return mpl_plus(b, middle, x);
}

void mpl_build_lfm2(mpl_build *b)
{
    each_layer(b, lfm2_layer, 0);
}
