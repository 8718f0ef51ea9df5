/* SPDX-License-Identifier: MIT */
/* Kimi Linear and Bailing 3: gated delta nets with a gate an element, latent
 * attention every few layers (Kimi's without positions). */
#include "engine/llamacpp/build_kimi.h"
#include "engine/llamacpp/build_delta.h"
#include "engine/llamacpp/builders.h"
#include "engine/llamacpp/decoder.h"

static mpl_node *norm(mpl_build *b, int layer, const char *base, mpl_node *x)
{
    return mpl_norm(b, x, MPL_NORM_RMS, layer, base, layer);
}

typedef struct kda {
    mpl_build *b;
    int layer;
    uint64_t width; /* of a head */
    uint64_t heads;
    uint64_t n; /* tokens of a sequence */
    uint64_t s; /* sequences */
    bool is_bounded; /* decay is a sigmoid, not a softplus */
    mpl_node *kept; /* convolution histories of q, k and v */
} kda;

/* One of q, k and v through its own short convolution. */
static mpl_node *convolve(const kda *a, mpl_node *x, const char *kernel_name)
{
    mpl_build *const b = a->b;
    mpl_graph *const g = b->g;
    const uint64_t before = b->h->ssm_conv - 1;
    const uint64_t inner = a->width * a->heads;
    const uint64_t row = mpl_row_bytes(MPL_DTYPE_FP32, before);
    const uint64_t all_rows = 3 * row * inner;
    mpl_node *const history = mpl_view(g, a->kept, before, inner, a->s, 1, row,
                                       all_rows, all_rows * a->s);
    x = mpl_reshape3(b, x, inner, a->n, a->s);
    mpl_node *const all =
        mpl_concat(g, history, mpl_transpose(g, x), 0);
    mpl_node *const last = mpl_view(g, all, before, inner, a->s, 1, all->nb[1],
                                    all->nb[2], all->nb[2] * a->s);
    mpl_node *const place = mpl_state_place(b, a->layer, 0);
    mpl_expand(b, mpl_copy_to(g, last,
                              mpl_view(g, place, before, inner, a->s, 1, row,
                                       all_rows, all_rows * a->s)));
    mpl_node *const kernel =
        mpl_reshape2(b, mpl_weight(b, a->layer, kernel_name, ".weight"),
                     b->h->ssm_conv, inner);
    mpl_node *out = mpl_op_shaped(g, MPL_OP_SSM_CONV, MPL_DTYPE_FP32, inner,
                                  all->ne[0] - before, all->ne[2], 1, all,
                                  kernel);
    out = mpl_unary(b, mpl_reshape2(b, out, inner, b->tokens));
    return mpl_reshape(g, out, a->width, a->heads, a->n, a->s);
}

static mpl_qkv project(const kda *a, mpl_node *x)
{
    mpl_build *const b = a->b;
    const uint64_t inner = a->width * a->heads;
    mpl_qkv in;
    if (mpl_has(b, a->layer, "attn_qkv")) {
        mpl_node *const all = mpl_linear_bare(b, a->layer, "attn_qkv", x);
        in.q = mpl_cont(b->g, mpl_view_2d(b->g, all, inner, b->tokens,
                                          all->nb[1]));
        in.k = mpl_cont(b->g, mpl_view_2d(b->g, all, inner, b->tokens,
                                          all->nb[1]));
        in.v = mpl_cont(b->g, mpl_view_2d(b->g, all, inner, b->tokens,
                                          all->nb[1]));
    } else {
        in.q = mpl_linear_bare(b, a->layer, "attn_q", x);
        in.k = mpl_linear_bare(b, a->layer, "attn_k", x);
        in.v = mpl_linear_bare(b, a->layer, "attn_v", x);
    }
    mpl_qkv out;
    out.q = convolve(a, in.q, "ssm_conv1d_q");
    out.k = convolve(a, in.k, "ssm_conv1d_k");
    out.v = convolve(a, in.v, "ssm_conv1d_v");
    return out;
}

static bool is_bailing(const mpl_build *b)
{
    return b->h->arch == MPL_LLAMA_ARCH_BAILINGMOE3;
}

static bool is_k3(const mpl_build *b)
{
    return b->h->arch == MPL_LLAMA_ARCH_KIMI_K3;
}

static mpl_node *decay(const kda *a, mpl_node *x)
{
    mpl_build *const b = a->b;
    mpl_node *g = mpl_linear_bare(b, a->layer, "ssm_f_a", x);
    if (!is_bailing(b))
        g = mpl_linear_bare(b, a->layer, "ssm_f_b", g);
    g = mpl_plus(b, g, mpl_weight(b, a->layer, "ssm_dt", ".bias"));
    if (!a->is_bounded)
        g = mpl_unary(b, g);
    g = mpl_reshape3(b, g, a->width, a->heads, b->tokens);
    mpl_node *const rate =
        mpl_reshape3(b, mpl_weight(b, a->layer, "ssm_a", ""), 1, a->heads, 1);
    g = mpl_times(b, g, rate);
    if (a->is_bounded && is_k3(b))
        g = mpl_scale(b, g);
    if (a->is_bounded)
        g = mpl_scale(b, mpl_unary(b, g));
    return mpl_reshape(b->g, g, a->width, a->heads, a->n, a->s);
}

static mpl_node *gated_output(const kda *a, mpl_node *x, mpl_node *out)
{
    mpl_build *const b = a->b;
    if (!is_bailing(b))
        x = mpl_reshape2(b, x, x->ne[0], a->n * a->s);
    mpl_node *gate =
        mpl_linear_bare(b, a->layer, is_k3(b) ? "ssm_g" : "ssm_g_a", x);
    if (!is_bailing(b) && !is_k3(b))
        gate = mpl_linear_bare(b, a->layer, "ssm_g_b", gate);
    gate = mpl_reshape3(b, gate, a->width, a->heads, a->n * a->s);
    out = mpl_reshape3(b, out, a->width, a->heads, a->n * a->s);
    out = norm(b, a->layer, "ssm_norm", out);
    out = mpl_times(b, out, mpl_unary(b, gate));
    out = mpl_cont_as(b->g, out, a->width * a->heads, b->tokens, 1, 1);
    return mpl_linear_bare(b, a->layer, "attn_output", out);
}

mpl_node *mpl_attend_kda(mpl_build *b, int layer, mpl_node *x)
{
    kda a = {.b = b,
             .layer = layer,
             .width = b->h->kda_width,
             .heads = b->h->layers[0].head_count,
             .n = b->tokens / b->sequences,
             .s = b->sequences,
             .is_bounded = is_bailing(b) ||
                           (is_k3(b) &&
                            mpl_key_exists(b, "kda.gate_lower_bound"))};
    a.kept = mpl_read_state(b, layer, 0);
    const mpl_qkv qkv = project(&a, x);
    mpl_node *const gate = decay(&a, x);
    mpl_node *beta = mpl_linear_bare(b, layer, "ssm_beta", x);
    beta = mpl_unary(b, mpl_reshape(b->g, beta, 1, a.heads, a.n, a.s));
    if (!is_bailing(b))
        x = mpl_reshape3(b, x, x->ne[0], a.n, a.s);
    mpl_node *const state = mpl_read_state(b, layer, 1);
    const mpl_delta in = {
        .q = mpl_unit_length(b, qkv.q),
        .k = mpl_unit_length(b, qkv.k),
        .v = qkv.v,
        .gate = gate,
        .beta = beta,
        .state = mpl_reshape(b->g, state, a.width, a.width, a.heads, a.s),
    };
    mpl_node *kept;
    mpl_node *const out = mpl_cont(b->g, mpl_delta_rule(b, &in, &kept));
    mpl_node *const place = mpl_state_place(b, layer, 1);
    mpl_expand(b, mpl_copy_to(b->g, kept,
                              mpl_view_row(b->g, place,
                                           place->ne[0] * a.s)));
    return gated_output(&a, x, out);
}

static mpl_node *attend_absorbed(mpl_build *b, int layer, mpl_node *q,
                                 mpl_node *latent, mpl_node *k_rest,
                                 const char *out_name)
{
    mpl_graph *const g = b->g;
    const mpl_llama_layer *const l = mpl_layer_of(b, layer);
    const uint64_t rest = l->rope_width;
    const uint64_t head = mpl_row_bytes(q->dtype, b->h->mla_key_width);
    const mpl_attn_options options = {
        .out = out_name,
        .v_up = mpl_weight(b, layer, "attn_v_b", ".weight"),
    };
    mpl_node *first = mpl_heads_view(b, q, b->h->mla_key_width - rest,
                                     l->head_count, head);
    mpl_node *second = mpl_heads_view(b, q, rest, l->head_count, head);
    if (is_bailing(b)) {
        second = mpl_rope_plain(b, second);
        k_rest = mpl_rope_plain(b, k_rest);
    }
    first = mpl_permute(g, first, 0, 2, 1, 3);
    first = mpl_mul_mat(g, mpl_weight(b, layer, "attn_k_b", ".weight"), first);
    first = mpl_permute(g, first, 0, 2, 1, 3);
    latent = mpl_reshape3(b, latent, latent->ne[0], 1, b->tokens);
    const mpl_qkv x = {mpl_concat(g, first, second, 0),
                       mpl_concat(g, latent, k_rest, 0), latent};
    return mpl_attend_latent(b, layer, &b->full, x, &options);
}

static mpl_node *attend_expanded(mpl_build *b, int layer, mpl_node *q,
                                 mpl_node *latent, mpl_node *k_rest,
                                 const char *out_name)
{
    mpl_graph *const g = b->g;
    const mpl_llama_layer *const l = mpl_layer_of(b, layer);
    const uint64_t width =
        b->h->is_mla ? b->h->mla_key_width : l->key_width;
    const uint64_t v_width =
        b->h->is_mla ? b->h->mla_value_width : l->value_width;
    const uint64_t rest = l->rope_width;
    const mpl_attn_options options = {.out = out_name};
    q = mpl_reshape3(b, q, width, l->head_count, b->tokens);
    mpl_node *const kv = mpl_linear_bare(b, layer, "attn_kv_b", latent);
    const uint64_t head = mpl_row_bytes(kv->dtype, width - rest + v_width);
    mpl_node *const k =
        mpl_heads_view(b, kv, width - rest, l->head_count, head);
    mpl_node *const v = mpl_heads_view(b, kv, v_width, l->head_count, head);
    const mpl_qkv x = {
        q,
        mpl_concat(g,
                   mpl_repeat(g, k_rest, rest, l->head_count, b->tokens, 1),
                   k, 0),
        mpl_cont(g, v)};
    return mpl_attend(b, layer, x, &options);
}

mpl_node *mpl_attend_kimi(mpl_build *b, int layer, mpl_node *x,
                          const char *out_name)
{
    mpl_graph *const g = b->g;
    const mpl_llama_layer *const l = mpl_layer_of(b, layer);
    const bool has_rank = is_k3(b) && mpl_has(b, layer, "attn_q_a");
    mpl_node *q = mpl_linear_bare(b, layer, has_rank ? "attn_q_a" : "attn_q",
                                  x);
    if (has_rank)
        q = mpl_linear_bare(b, layer, "attn_q_b",
                            norm(b, layer, "attn_q_a_norm", q));
    mpl_node *const both = mpl_linear_bare(b, layer, "attn_kv_a_mqa", x);
    mpl_node *latent =
        mpl_view_2d(g, both, b->h->kv_rank, b->tokens, both->nb[1]);
    mpl_node *const k_rest =
        mpl_view(g, both, l->rope_width, 1, b->tokens, 1, both->nb[1],
                 both->nb[1], both->nb[2]);
    latent = norm(b, layer, "attn_kv_a_norm", latent);
    return mpl_has(b, layer, "attn_k_b")
               ? attend_absorbed(b, layer, q, latent, k_rest, out_name)
               : attend_expanded(b, layer, q, latent, k_rest, out_name);
}

/* Each head's outputs times a gate. */
static mpl_node *attend_gated(mpl_build *b, int layer, mpl_node *x)
{
    mpl_graph *const g = b->g;
    const mpl_llama_layer *const l = mpl_layer_of(b, layer);
    const uint64_t width = b->h->mla_value_width;
    const bool has_rank = mpl_has(b, layer, "attn_q_a");
    mpl_node *q = mpl_linear_bare(b, layer, has_rank ? "attn_q_a" : "attn_q",
                                  x);
    if (has_rank)
        q = mpl_linear_bare(b, layer, "attn_q_b",
                            norm(b, layer, "attn_q_a_norm", q));
    mpl_node *const both = mpl_linear_bare(b, layer, "attn_kv_a_mqa", x);
    mpl_node *const latent =
        mpl_view_2d(g, both, b->h->kv_rank, b->tokens, both->nb[1]);
    mpl_node *const k_rest =
        mpl_view(g, both, l->rope_width, 1, b->tokens, 1, both->nb[1],
                 both->nb[1], both->nb[2]);
    mpl_node *out =
        attend_absorbed(b, layer, q, norm(b, layer, "attn_kv_a_norm", latent),
                        k_rest, NULL);
    mpl_node *const gate =
        mpl_unary(b, mpl_reshape3(b, mpl_linear_bare(b, layer, "attn_gate", x),
                                  1, l->head_count, b->tokens));
    out = mpl_times(b, mpl_reshape3(b, out, width, l->head_count, b->tokens),
                    gate);
    out = mpl_cont_as(g, out, width * l->head_count, b->tokens, 1, 1);
    return mpl_linear_bare(b, layer, "attn_output", out);
}

static mpl_node *feed_forward(mpl_build *b, int layer, mpl_node *x)
{
    uint32_t experts = MPL_MOE_NORM;
    uint32_t dense = MPL_FFN_GATE;
    if (is_bailing(b)) {
        experts = MPL_MOE_NORM_MODEL;
        if (mpl_layer_key_is_set(b, "swiglu_clamp_exp", layer))
            experts |= MPL_MOE_CLAMPED;
        if (mpl_layer_key_is_set(b, "swiglu_clamp_shexp", layer))
            dense |= MPL_FFN_CLAMPED;
    }
    const mpl_moe moe = {.flags = experts};
    if ((uint32_t)layer < b->h->dense_lead_count)
        return mpl_ffn(b, layer, x, MPL_ACT_SILU, dense);
    return mpl_plus(b, mpl_experts(b, layer, x, &moe),
                    mpl_ffn(b, layer, x, MPL_ACT_SILU,
                            dense | MPL_FFN_SHARED));
}

void mpl_build_kimi_linear(mpl_build *b)
{
    mpl_node *input = mpl_embed(b, "token_embd");
    mpl_open_states(b);
    mpl_open_attention(b);
    for (uint32_t i = 0; i < b->h->layer_count; i++) {
        const int layer = (int)i;
        mpl_at_layer(b, layer);
        mpl_node *x = norm(b, layer, "attn_norm", input);
        mpl_expand(b, x);
        x = b->h->layers[i].is_recurrent ? mpl_attend_kda(b, layer, x)
                                         : mpl_attend_kimi(b, layer, x,
                                                           "attn_output");
        if (i + 1 == b->h->layer_count) {
            x = mpl_crop(b, x);
            input = mpl_crop(b, input);
        }
        mpl_node *const middle = mpl_plus(b, x, input);
        x = feed_forward(b, layer, norm(b, layer, "ffn_norm", middle));
        input = mpl_plus(b, x, middle);
    }
    mpl_build_end(b, input, MPL_NORM_RMS, MPL_B_NO_OUTPUT_SCALE);
}

void mpl_build_bailing3(mpl_build *b)
{
    mpl_node *input = mpl_embed(b, "token_embd");
    mpl_open_states(b);
    mpl_open_attention(b);
    for (uint32_t i = 0; i < b->h->layer_count; i++) {
        const int layer = (int)i;
        mpl_at_layer(b, layer);
        mpl_node *x = norm(b, layer, "attn_norm", input);
        x = b->h->layers[i].is_recurrent ? mpl_attend_kda(b, layer, x)
                                         : attend_gated(b, layer, x);
        mpl_node *const middle = mpl_plus(b, x, input);
        x = feed_forward(b, layer, norm(b, layer, "ffn_norm", middle));
        input = mpl_plus(b, x, middle);
    }
    mpl_build_end(b, input, MPL_NORM_RMS,
                  MPL_B_CROP_NORMED | MPL_B_NO_OUTPUT_SCALE);
}
