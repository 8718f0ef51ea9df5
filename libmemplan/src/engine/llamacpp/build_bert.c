/* SPDX-License-Identifier: MIT */
/* Encoders: BERT and its kin. Tokens see each other; no cache, no logits. */
#include "engine/llamacpp/builders.h"
#include "engine/llamacpp/decoder.h"

static const mpl_attn_options PLAIN_OUT = {.out = "attn_output"};

static mpl_node *norm(mpl_build *b, int layer, const char *base, mpl_node *x)
{
    return mpl_norm(b, x, MPL_NORM_LAYER, layer, base, layer);
}

static bool turns(const mpl_build *b)
{
    const mpl_llama_arch arch = b->h->arch;
    return arch == MPL_LLAMA_ARCH_NOMIC_BERT ||
           arch == MPL_LLAMA_ARCH_NOMIC_BERT_MOE ||
           arch == MPL_LLAMA_ARCH_JINA_BERT_V3;
}

/* A norm over all heads at once. */
static mpl_node *norm_wide(mpl_build *b, int layer, const char *base,
                           mpl_node *x)
{
    if (!mpl_has(b, layer, base))
        return x;
    mpl_node *out = mpl_reshape2(b, x, x->ne[0] * x->ne[1], x->ne[2]);
    out = norm(b, layer, base, out);
    return mpl_reshape3(b, out, x->ne[0], x->ne[1], x->ne[2]);
}

static mpl_node *feed_forward(mpl_build *b, int layer, mpl_node *x)
{
    const mpl_moe moe = {.activation = MPL_ACT_GELU,
                         .gating = MPL_GATING_SOFTMAX};
    const uint32_t every = b->h->moe_every;
    if (every > 0 && (uint32_t)layer % every == 1)
        return mpl_experts(b, layer, x, &moe);
    const mpl_node *const up = mpl_weight(b, layer, "ffn_up", ".weight");
    const bool is_merged = b->h->arch == MPL_LLAMA_ARCH_JINA_BERT_V2 &&
                           !mpl_has(b, layer, "ffn_gate") && up != NULL &&
                           up->ne[1] != mpl_layer_of(b, layer)->ff_width;
    return mpl_ffn(b, layer, x, is_merged ? MPL_ACT_SWIGLU : MPL_ACT_GELU,
                   MPL_FFN_GATE);
}

static mpl_node *bert_layer(mpl_build *b, int layer, mpl_node *input)
{
    mpl_qkv qkv = mpl_project_qkv(b, layer, input, 0);
    qkv.q = norm_wide(b, layer, "attn_q_norm", qkv.q);
    qkv.k = norm_wide(b, layer, "attn_k_norm", qkv.k);
    if (turns(b)) {
        qkv.q = mpl_rope_plain(b, qkv.q);
        qkv.k = mpl_rope_plain(b, qkv.k);
    }
    mpl_node *x = mpl_attend(b, layer, qkv, &PLAIN_OUT);
    mpl_crop_last(b, layer, &x, &input);
    x = norm(b, layer, "attn_output_norm", mpl_plus(b, x, input));
    if (mpl_has(b, layer, "attn_norm_2"))
        x = norm(b, layer, "attn_norm_2", mpl_plus(b, x, input));
    mpl_node *const middle = x;
    x = mpl_plus(b, feed_forward(b, layer, x), middle);
    return norm(b, layer, "layer_output_norm", x);
}

void mpl_build_bert(mpl_build *b)
{
    mpl_node *x = mpl_embed(b, "token_embd");
    mpl_node *const types = mpl_weight(b, -1, "token_types", ".weight");
    if (types != NULL)
        x = mpl_plus(b, x, mpl_view_row(b->g, types, b->h->embd));
    if (b->h->arch == MPL_LLAMA_ARCH_BERT)
        x = mpl_plus(
            b,
            mpl_get_rows(b->g,
                         mpl_weight(b, -1, "position_embd", ".weight"),
                         mpl_positions(b)),
            x);
    x = mpl_norm(b, x, MPL_NORM_LAYER, -1, "token_embd_norm", 0);
    mpl_open_attention_no_cache(b);
    for (uint32_t i = 0; i < b->h->layer_count; i++) {
        mpl_at_layer(b, (int)i);
        x = bert_layer(b, (int)i, x);
    }
    mpl_mark_output(x);
    mpl_expand(b, x);
}

static mpl_node *modern_layer(mpl_build *b, int layer, mpl_node *input)
{
    mpl_node *x = mpl_has(b, layer, "attn_norm")
                      ? norm(b, layer, "attn_norm", input)
                      : input;
    mpl_qkv qkv = mpl_project_qkv(b, layer, x, 0);
    qkv.q = mpl_rope_plain(b, qkv.q);
    qkv.k = mpl_rope_plain(b, qkv.k);
    x = mpl_attend(b, layer, qkv, &PLAIN_OUT);
    mpl_crop_last(b, layer, &x, &input);
    mpl_node *const middle = mpl_plus(b, x, input);
    x = norm(b, layer, "ffn_norm", middle);
    x = mpl_ffn(b, layer, x, MPL_ACT_SWIGLU, 0);
    return mpl_plus(b, x, middle);
}

void mpl_build_modern_bert(mpl_build *b)
{
    mpl_node *x = mpl_embed(b, "token_embd");
    x = mpl_norm(b, x, MPL_NORM_LAYER, -1, "token_embd_norm", 0);
    mpl_open_attention_no_cache(b);
    for (uint32_t i = 0; i < b->h->layer_count; i++) {
        mpl_at_layer(b, (int)i);
        x = modern_layer(b, (int)i, x);
    }
    x = mpl_norm(b, x, MPL_NORM_LAYER, -1, "output_norm", -1);
    mpl_mark_output(x);
    mpl_expand(b, x);
}
