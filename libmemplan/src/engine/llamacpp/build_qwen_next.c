/* SPDX-License-Identifier: MIT */
/*
 * Qwen3-Next and Qwen3.5: gated delta nets, and gated attention every few
 * layers.
 */
#include "engine/llamacpp/build_delta.h"
#include "engine/llamacpp/build_qwen.h"
#include "engine/llamacpp/builders.h"
#include "engine/llamacpp/decoder.h"

static mpl_node *norm(mpl_build *b, int layer, const char *base, mpl_node *x)
{
    return mpl_norm(b, x, MPL_NORM_RMS, layer, base, layer);
}

static bool is_next(const mpl_build *b)
{
    return b->h->arch == MPL_LLAMA_ARCH_QWEN3NEXT;
}

/* Queries and gates of a head lie side by side. */
static mpl_node *half(mpl_build *b, mpl_node *x, uint64_t width,
                      uint64_t heads)
{
    const uint64_t row = mpl_row_bytes(x->dtype, 2 * width);
    return mpl_view(b->g, x, width, heads, b->tokens, 1, row, row * heads,
                    row * heads * b->tokens);
}

static mpl_node *plain_product(mpl_build *b, int layer, const char *base,
                               mpl_node *x)
{
    return mpl_add_bias(b, layer, base, mpl_linear(b, layer, base, x));
}

/* A merged product is cut into three contiguous parts. */
static mpl_qkv project(mpl_build *b, int layer, mpl_node *x)
{
    const mpl_llama_layer *const l = mpl_layer_of(b, layer);
    const uint64_t kv = (uint64_t)l->key_width * l->kv_head_count;
    const uint64_t q = 2 * (uint64_t)l->key_width * l->head_count;
    if (!mpl_has(b, layer, "attn_qkv"))
        return (mpl_qkv){plain_product(b, layer, "attn_q", x),
                         plain_product(b, layer, "attn_k", x),
                         plain_product(b, layer, "attn_v", x)};
    mpl_node *const all = plain_product(b, layer, "attn_qkv", x);
    return (mpl_qkv){
        mpl_cont(b->g, mpl_view_2d(b->g, all, q, b->tokens, all->nb[1])),
        mpl_cont(b->g, mpl_view_2d(b->g, all, kv, b->tokens, all->nb[1])),
        mpl_cont(b->g, mpl_view_2d(b->g, all, kv, b->tokens, all->nb[1]))};
}

static mpl_node *attend(mpl_build *b, int layer, mpl_node *x)
{
    const mpl_llama_layer *const l = mpl_layer_of(b, layer);
    const uint64_t width = l->key_width;
    const mpl_attn_options none = {.out = NULL};
    mpl_qkv qkv = project(b, layer, x);
    mpl_node *const both =
        is_next(b) ? mpl_reshape3(b, qkv.q, 2 * width, l->head_count,
                                  b->tokens)
                   : qkv.q;
    mpl_node *gate = half(b, both, width, l->head_count);
    qkv.q = norm(b, layer, "attn_q_norm",
                 half(b, both, width, l->head_count));
    qkv.k = mpl_reshape3(b, qkv.k, width, l->kv_head_count, b->tokens);
    qkv.k = norm(b, layer, "attn_k_norm", qkv.k);
    qkv.v = mpl_reshape3(b, qkv.v, width, l->kv_head_count, b->tokens);
    qkv.q = mpl_rope_plain(b, qkv.q);
    qkv.k = mpl_rope_plain(b, qkv.k);
    mpl_node *const out = mpl_attend(b, layer, qkv, &none);
    gate = mpl_cont_as(b->g, gate, width * l->head_count, b->tokens, 1, 1);
    return mpl_linear(b, layer, "attn_output",
                      mpl_times(b, out, mpl_unary(b, gate)));
}

/* Sizes of a linear layer. */
typedef struct linear_layer {
    mpl_build *b;
    int layer;
    uint64_t key_width;
    uint64_t key_heads;
    uint64_t value_width;
    uint64_t value_heads;
    uint64_t n; /* tokens of a sequence */
    uint64_t s; /* sequences */
    mpl_node *mixed; /* q, k and v before the convolution */
    mpl_node *z;
    mpl_node *gate;
    mpl_node *beta;
} linear_layer;

static mpl_node *slice4(const linear_layer *l, mpl_node *x, uint64_t width)
{
    return mpl_view(l->b->g, x, width, x->ne[1], x->ne[2], x->ne[3], x->nb[1],
                    x->nb[2], x->nb[3]);
}

/* Old files keep q, k, v and z of a head together. */
static void split_qkvz(linear_layer *l, mpl_node *x)
{
    mpl_build *const b = l->b;
    mpl_graph *const g = b->g;
    const uint64_t ratio = l->value_heads / l->key_heads;
    const uint64_t values = l->value_width * ratio;
    mpl_node *all = mpl_linear(b, l->layer, "ssm_in", x);
    all = mpl_reshape(g, all, 2 * l->key_width + 2 * values, l->key_heads,
                      l->n, l->s);
    mpl_node *const q =
        mpl_cont_as(g, slice4(l, all, l->key_width),
                    l->key_width * l->key_heads, l->n, l->s, 1);
    mpl_node *const k =
        mpl_cont_as(g, slice4(l, all, l->key_width),
                    l->key_width * l->key_heads, l->n, l->s, 1);
    mpl_node *const v =
        mpl_cont_as(g, slice4(l, all, values),
                    l->value_width * l->value_heads, l->n, l->s, 1);
    l->z = mpl_cont(g, slice4(l, all, values));
    l->mixed = mpl_concat(g, mpl_concat(g, q, k, 0), v, 0);
}

static void project_linear(linear_layer *l, mpl_node *x)
{
    mpl_build *const b = l->b;
    if (!mpl_has(b, l->layer, "attn_qkv")) {
        split_qkvz(l, x);
        return;
    }
    mpl_node *const mixed =
        is_next(b) ? mpl_linear_bare(b, l->layer, "attn_qkv", x)
                   : mpl_linear(b, l->layer, "attn_qkv", x);
    l->mixed = mpl_reshape3(b, mixed, mixed->ne[0], l->n, l->s);
    l->z = is_next(b) ? mpl_linear_bare(b, l->layer, "attn_gate", x)
                      : mpl_linear(b, l->layer, "attn_gate", x);
}

static mpl_node *soft_gate(const linear_layer *l, mpl_node *alpha)
{
    mpl_build *const b = l->b;
    alpha = mpl_plus(b, alpha, mpl_weight(b, l->layer, "ssm_dt", ".bias"));
    alpha = mpl_times(b, mpl_unary(b, alpha),
                      mpl_weight(b, l->layer, "ssm_a", ""));
    return mpl_reshape(b->g, alpha, 1, l->value_heads, l->n, l->s);
}

static void project_gates_together(linear_layer *l, mpl_node *x)
{
    mpl_build *const b = l->b;
    const uint64_t ratio = l->value_heads / l->key_heads;
    mpl_node *both = mpl_linear_bare(b, l->layer, "ssm_ba", x);
    both = mpl_reshape(b->g, both, 2 * ratio, l->key_heads, l->n, l->s);
    mpl_node *const beta =
        mpl_unary(b, mpl_cont(b->g, slice4(l, both, ratio)));
    mpl_node *const alpha = mpl_cont_as(b->g, slice4(l, both, ratio),
                                        l->value_heads, l->n, l->s, 1);
    l->gate = soft_gate(l, alpha);
    l->beta = mpl_reshape(b->g, beta, 1, l->value_heads, l->n, l->s);
}

static void project_gates(linear_layer *l, mpl_node *x)
{
    mpl_build *const b = l->b;
    if (is_next(b)) {
        project_gates_together(l, x);
        return;
    }
    mpl_node *const beta = mpl_linear(b, l->layer, "ssm_beta", x);
    l->beta = mpl_unary(
        b, mpl_reshape(b->g, beta, 1, l->value_heads, l->n, l->s));
    mpl_node *const alpha = mpl_linear(b, l->layer, "ssm_alpha", x);
    l->gate = soft_gate(
        l, mpl_reshape3(b, alpha, l->value_heads, l->n, l->s));
}

mpl_node *mpl_convolve_input(mpl_build *b, int layer, int which, mpl_node *x,
                             uint64_t kept)
{
    mpl_graph *const g = b->g;
    const uint64_t channels = x->ne[0];
    const uint64_t sequences = b->sequences;
    mpl_node *const before = mpl_reshape3(
        b, mpl_read_state(b, layer, which), kept, channels, sequences);
    mpl_node *const all = mpl_concat(g, before, mpl_transpose(g, x), 0);
    mpl_node *last = mpl_view(g, all, kept, channels, sequences, 1,
                              all->nb[1], all->nb[2],
                              all->nb[2] * sequences);
    if (b->h->arch == MPL_LLAMA_ARCH_QWEN4EXP)
        last = mpl_cont(g, last);
    mpl_keep_state(b, layer, which, last);
    return all;
}

static mpl_node *convolve(const linear_layer *l)
{
    mpl_build *const b = l->b;
    mpl_node *const kernel = mpl_weight(b, l->layer, "ssm_conv1d", ".weight");
    const uint64_t kept = kernel->ne[0] - 1;
    mpl_node *const all =
        mpl_convolve_input(b, l->layer, MPL_STATE_R, l->mixed, kept);
    return mpl_op_shaped(b->g, MPL_OP_SSM_CONV, MPL_DTYPE_FP32, kernel->ne[1],
                         all->ne[0] - kept, all->ne[2], 1, all, kernel);
}

/* Key heads serve several value heads. */
static mpl_node *spread_heads(const linear_layer *l, mpl_node *x)
{
    mpl_graph *const g = l->b->g;
    const bool is_fused = l->b->fuses_delta_one && l->b->fuses_delta_many;
    if (l->key_heads == l->value_heads || (!is_next(l->b) && is_fused))
        return x;
    if (!is_next(l->b))
        return mpl_repeat(g, x, l->key_width, l->value_heads, l->n, l->s);
    x = mpl_reshape(g, x, l->key_width, 1, l->key_heads, l->n * l->s);
    x = mpl_repeat(g, x, l->key_width, l->value_heads / l->key_heads,
                   l->key_heads, l->n * l->s);
    return mpl_reshape(g, x, l->key_width, l->value_heads, l->n, l->s);
}

static mpl_node *conv_slice(const linear_layer *l, mpl_node *x, uint64_t width,
                            uint64_t heads)
{
    return mpl_view(l->b->g, x, width, heads, l->n, l->s,
                    mpl_row_bytes(x->dtype, width), x->nb[1],
                    x->nb[1] * l->n);
}

mpl_node *mpl_attend_delta(mpl_build *b, int layer, mpl_node *x)
{
    const mpl_llama_hparams *const h = b->h;
    linear_layer l = {
        .b = b,
        .layer = layer,
        .key_width = h->ssm_state,
        .key_heads = h->ssm_group_count,
        .value_heads = h->ssm_dt_rank,
        .value_width = h->ssm_dt_rank > 0 ? h->ssm_inner / h->ssm_dt_rank : 0,
        .n = b->tokens / b->sequences,
        .s = b->sequences,
    };
    if (h->arch == MPL_LLAMA_ARCH_QWEN4EXP)
        l.value_width = h->ssm_state;
    project_linear(&l, x);
    project_gates(&l, x);
    mpl_node *const raw = convolve(&l);
    mpl_node *const state = mpl_read_state(b, layer, 1);
    mpl_node *const mixed = mpl_unary(b, raw);
    const mpl_delta in = {
        .q = spread_heads(&l, mpl_unit_length(b, conv_slice(&l, mixed,
                                                            l.key_width,
                                                            l.key_heads))),
        .k = spread_heads(&l, mpl_unit_length(b, conv_slice(&l, mixed,
                                                            l.key_width,
                                                            l.key_heads))),
        .v = conv_slice(&l, mixed, l.value_width, l.value_heads),
        .gate = l.gate,
        .beta = l.beta,
        .state = mpl_reshape(b->g, state, l.value_width, l.value_width,
                             l.value_heads, l.s),
    };
    mpl_node *kept;
    mpl_node *out = mpl_delta_rule(b, &in, &kept);
    mpl_keep_state(b, layer, 1, kept);
    mpl_node *const z =
        mpl_reshape(b->g, l.z, l.value_width, l.value_heads, l.n, l.s);
    out = norm(b, layer, "ssm_norm", out);
    out = mpl_times(b, out, mpl_unary(b, z));
    out = mpl_reshape3(b, out, l.value_width * l.value_heads, l.n, l.s);
    out = is_next(b) ? mpl_linear_bare(b, layer, "ssm_out", out)
                     : mpl_linear(b, layer, "ssm_out", out);
    return mpl_reshape2(b, out, h->embd, l.n * l.s);
}

mpl_node *mpl_qwen_feed_forward(mpl_build *b, int layer, mpl_node *x)
{
    const mpl_moe moe = {.gating = MPL_GATING_SOFTMAX,
                         .flags = MPL_MOE_NORM | MPL_MOE_SCALE};
    if (!mpl_has(b, layer, "ffn_gate_inp"))
        return mpl_ffn(b, layer, x, MPL_ACT_SILU,
                       MPL_FFN_GATE | (is_next(b) ? 0 : MPL_FFN_SCALE));
    mpl_node *const out = mpl_experts(b, layer, x, &moe);
    if (!mpl_has(b, layer, "ffn_up_shexp"))
        return out;
    mpl_node *const shared =
        mpl_ffn(b, layer, x, MPL_ACT_SILU,
                MPL_FFN_GATE | MPL_FFN_SHARED | MPL_FFN_SCALE);
    mpl_node *const gate =
        mpl_unary(b, mpl_linear(b, layer, "ffn_gate_inp_shexp", x));
    return mpl_plus(b, out, mpl_times(b, shared, gate));
}

void mpl_build_qwen_next(mpl_build *b)
{
    mpl_node *x = mpl_embed(b, "token_embd");
    mpl_open_states(b);
    mpl_open_attention(b);
    for (uint32_t i = 0; i < b->h->layer_count; i++) {
        const int layer = (int)i;
        mpl_at_layer(b, layer);
        mpl_node *const normed = norm(b, layer, "attn_norm", x);
        mpl_expand(b, normed);
        mpl_node *const out = b->h->layers[i].is_recurrent
                                  ? mpl_attend_delta(b, layer, normed)
                                  : attend(b, layer, normed);
        mpl_node *const middle = mpl_plus(b, out, x);
        x = norm(b, layer, "post_attention_norm", middle);
        x = mpl_plus(b, mpl_qwen_feed_forward(b, layer, x), middle);
    }
    mpl_build_end(b, x, MPL_NORM_RMS, MPL_B_CROP_NORMED);
}
