/* SPDX-License-Identifier: MIT */
/*
 * Multi-head latent attention: DeepSeek 2 and 3, Mistral 4, MiniCPM 3, PLM.
 *
 * K and V come from one short latent a token. Where the model has the parts
 * apart (attn_k_b, attn_v_b), the latent itself is cached and attended to;
 * else it is expanded to ordinary heads.
 */
#include "engine/llamacpp/builders.h"
#include "engine/llamacpp/decoder.h"

static mpl_node *norm(mpl_build *b, int layer, const char *base, mpl_node *x)
{
    return mpl_norm(b, x, MPL_NORM_RMS, layer, base, layer);
}

static mpl_node *queries(mpl_build *b, int layer, mpl_node *x, uint64_t width)
{
    const uint64_t heads = mpl_layer_of(b, layer)->head_count;
    mpl_node *q;
    if (mpl_has(b, layer, "attn_q")) {
        q = mpl_linear_bare(b, layer, "attn_q", x);
    } else {
        q = mpl_linear_bare(b, layer, "attn_q_a", x);
        q = norm(b, layer, "attn_q_a_norm", q);
        q = mpl_linear_bare(b, layer, "attn_q_b", q);
    }
    return mpl_reshape3(b, q, width, heads, b->tokens);
}

static mpl_node *temper(mpl_build *b, mpl_node *q)
{
    return b->temperature != NULL ? mpl_times(b, q, b->temperature) : q;
}

/* Queries meet the latent directly: their unturned part goes through attn_k_b.
 */
static mpl_node *attend_absorbed(mpl_build *b, int layer, mpl_node *q,
                                 mpl_node *latent, mpl_node *k_turned)
{
    mpl_graph *const g = b->g;
    const mpl_llama_layer *const l = mpl_layer_of(b, layer);
    const uint64_t turned = l->rope_width;
    const mpl_attn_options options = {
        .out = "attn_output",
        .v_up = mpl_weight(b, layer, "attn_v_b", ".weight"),
    };
    mpl_node *still = mpl_view(g, q, q->ne[0] - turned, q->ne[1], q->ne[2], 1,
                               q->nb[1], q->nb[2], q->nb[3]);
    mpl_node *const turning = mpl_view(g, q, turned, q->ne[1], q->ne[2], 1,
                                       q->nb[1], q->nb[2], q->nb[3]);
    still = mpl_permute(g, still, 0, 2, 1, 3);
    still = mpl_mul_mat(g, mpl_weight(b, layer, "attn_k_b", ".weight"), still);
    still = mpl_permute(g, still, 0, 2, 1, 3);
    latent = mpl_reshape3(b, latent, latent->ne[0], 1, b->tokens);
    mpl_qkv x = {
        .q = temper(b, mpl_concat(g, still, mpl_rope_plain(b, turning), 0)),
        .k = mpl_concat(g, latent, k_turned, 0),
        .v = latent,
    };
    return mpl_attend_latent(b, layer, &b->full, x, &options);
}

/* Ordinary heads from the latent. */
static mpl_node *attend_expanded(mpl_build *b, int layer, mpl_node *q,
                                 mpl_node *latent, mpl_node *k_turned,
                                 bool has_factors)
{
    mpl_graph *const g = b->g;
    const mpl_llama_layer *const l = mpl_layer_of(b, layer);
    const uint64_t still = q->ne[0] - l->rope_width;
    const mpl_attn_options options = {.out = "attn_output"};
    mpl_node *const kv = mpl_linear_bare(b, layer, "attn_kv_b", latent);
    const uint64_t head = mpl_row_bytes(kv->dtype, still + l->value_width);
    mpl_node *const k_still = mpl_heads_view(b, kv, still, l->head_count, head);
    mpl_node *const v =
        mpl_heads_view(b, kv, l->value_width, l->head_count, head);
    mpl_qkv x = {
        .q = temper(b, mpl_rope(b, q, layer, has_factors)),
        .k = mpl_concat(
            g, k_still,
            mpl_repeat(g, k_turned, l->rope_width, l->head_count, b->tokens, 1),
            0),
        .v = mpl_cont(g, v),
    };
    if (b->h->arch == MPL_LLAMA_ARCH_PLM)
        x.v =
            mpl_view_2d(g, x.v, x.v->ne[0] * x.v->ne[1], b->tokens, x.v->nb[2]);
    return mpl_attend(b, layer, x, &options);
}

static mpl_node *attend(mpl_build *b, int layer, mpl_node *x, bool has_factors)
{
    mpl_graph *const g = b->g;
    const mpl_llama_layer *const l = mpl_layer_of(b, layer);
    const uint64_t width = b->h->is_mla ? b->h->mla_key_width : l->key_width;
    mpl_node *const q = queries(b, layer, x, width);
    mpl_node *const both = mpl_linear_bare(b, layer, "attn_kv_a_mqa", x);
    mpl_node *latent =
        mpl_view_2d(g, both, b->h->kv_rank, b->tokens, both->nb[1]);
    mpl_node *k = mpl_view(g, both, l->rope_width, 1, b->tokens, 1, both->nb[1],
                           both->nb[1], both->nb[2]);
    k = mpl_rope(b, k, layer, has_factors);
    latent = norm(b, layer, "attn_kv_a_norm", latent);
    return b->h->is_mla ? attend_absorbed(b, layer, q, latent, k)
                        : attend_expanded(b, layer, q, latent, k, has_factors);
}

static mpl_node *feed_forward(mpl_build *b, int layer, mpl_node *x)
{
    if (b->h->arch == MPL_LLAMA_ARCH_PLM)
        return mpl_ffn(b, layer, x, MPL_ACT_RELU_SQUARED, 0);
    const mpl_moe moe = {.flags = MPL_MOE_NORM_MODEL};
    if (!mpl_has(b, layer, "ffn_gate_inp"))
        return mpl_ffn(b, layer, x, MPL_ACT_SILU, MPL_FFN_GATE);
    return mpl_plus(
        b, mpl_experts(b, layer, x, &moe),
        mpl_ffn(b, layer, x, MPL_ACT_SILU, MPL_FFN_GATE | MPL_FFN_SHARED));
}

static mpl_node *one_layer(mpl_build *b, int layer, mpl_node *input,
                           bool is_minicpm)
{
    mpl_at_layer(b, layer);
    mpl_node *x = norm(b, layer, "attn_norm", input);
    x = attend(b, layer, x, is_minicpm);
    mpl_crop_last(b, layer, &x, &input);
    if (is_minicpm)
        x = mpl_scale(b, x);
    mpl_node *const middle = mpl_plus(b, x, input);
    x = feed_forward(b, layer, norm(b, layer, "ffn_norm", middle));
    if (is_minicpm)
        x = mpl_scale(b, x);
    return mpl_plus(b, x, middle);
}

void mpl_build_deepseek2(mpl_build *b)
{
    mpl_node *x = mpl_embed(b, "token_embd");
    if (mpl_key_is_set(b, "attention.temperature_scale"))
        b->temperature = mpl_attn_temperature(b);
    mpl_open_attention(b);
    for (uint32_t i = 0; i < b->h->layer_count; i++)
        x = one_layer(b, (int)i, x, false);
    mpl_build_end(b, x, MPL_NORM_RMS, MPL_B_NO_OUTPUT_SCALE);
}

void mpl_build_minicpm3(mpl_build *b)
{
    mpl_node *x = mpl_scale(b, mpl_embed(b, "token_embd"));
    mpl_open_attention(b);
    for (uint32_t i = 0; i < b->h->layer_count; i++)
        x = one_layer(b, (int)i, x, true);
    mpl_build_end(b, x, MPL_NORM_RMS, MPL_B_SCALE_NORMED);
}

/* Values of more than one token do not fit the cache's rows. */
void mpl_build_plm(mpl_build *b)
{
    mpl_node *x = mpl_embed(b, "token_embd");
    mpl_open_attention(b);
    if (b->tokens > 1)
        mpl_graph_refuse(b->g, MPL_REFUSAL_WIDE_VALUES);
    for (uint32_t i = 0; i < b->h->layer_count; i++)
        x = one_layer(b, (int)i, x, false);
    mpl_build_end(b, x, MPL_NORM_RMS, 0);
}
