/* SPDX-License-Identifier: MIT */
/* T5's encoder alone: every token sees all others, with a bias by distance. */
#include "engine/llamacpp/builders.h"
#include "engine/llamacpp/decoder.h"

static mpl_node *norm(mpl_build *b, int layer, const char *base, mpl_node *x)
{
    return mpl_norm(b, x, MPL_NORM_RMS, layer, base, layer);
}

static mpl_node *heads(mpl_build *b, int layer, const char *base, mpl_node *x)
{
    const mpl_llama_layer *const l = mpl_layer_of(b, layer);
    mpl_node *const out = mpl_linear_bare(b, layer, base, x);
    return mpl_reshape3(b, out, l->key_width,
                        l->key_width > 0 ? out->ne[0] / l->key_width : 0,
                        b->tokens);
}

static mpl_node *distance_bias(mpl_build *b, int layer, mpl_node *buckets)
{
    mpl_graph *const g = b->g;
    mpl_node *table = mpl_weight(b, layer, "enc.attn_rel_b", ".weight");
    if (table == NULL)
        table = mpl_weight(b, 0, "enc.attn_rel_b", ".weight");
    if (table == NULL)
        return NULL;
    mpl_node *out = mpl_get_rows(
        g, table, mpl_reshape2(b, buckets, mpl_node_elements(buckets), 1));
    out = mpl_reshape3(b, out, out->ne[0], b->tokens, b->tokens);
    return mpl_cont(g, mpl_permute(g, out, 2, 0, 1, 3));
}

static mpl_node *feed_forward(mpl_build *b, int layer, mpl_node *x)
{
    mpl_node *const up = mpl_linear_bare(b, layer, "enc.ffn_up", x);
    mpl_node *const out =
        mpl_has(b, layer, "enc.ffn_gate")
            ? mpl_glu(b->g, mpl_linear_bare(b, layer, "enc.ffn_gate", x), up)
            : mpl_unary(b, up);
    return mpl_linear_bare(b, layer, "enc.ffn_down", out);
}

static mpl_node *one_layer(mpl_build *b, int layer, mpl_node *buckets,
                           mpl_node *input)
{
    mpl_node *x = norm(b, layer, "enc.attn_norm", input);
    const mpl_attn_options options = {
        .out = "enc.attn_o", .score_bias = distance_bias(b, layer, buckets)};
    const mpl_qkv qkv = {heads(b, layer, "enc.attn_q", x),
                         heads(b, layer, "enc.attn_k", x),
                         heads(b, layer, "enc.attn_v", x)};
    x = mpl_attend(b, layer, qkv, &options);
    mpl_crop_last(b, layer, &x, &input);
    mpl_node *const middle = mpl_plus(b, x, input);
    x = feed_forward(b, layer, norm(b, layer, "enc.ffn_norm", middle));
    return mpl_plus(b, x, middle);
}

void mpl_build_t5_encoder(mpl_build *b)
{
    mpl_node *x = mpl_embed(b, "token_embd");
    mpl_open_attention_no_cache(b);
    mpl_node *const buckets = mpl_input4(b->g, "pos_bucket_enc", MPL_DTYPE_I32,
                                         b->tokens, b->tokens, 1, 1);
    for (uint32_t i = 0; i < b->h->layer_count; i++) {
        mpl_at_layer(b, (int)i);
        x = one_layer(b, (int)i, buckets, x);
    }
    mpl_build_end(b, x, MPL_NORM_RMS, MPL_B_NO_LOGITS);
}
