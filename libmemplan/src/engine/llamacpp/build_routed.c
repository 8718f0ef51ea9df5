/* SPDX-License-Identifier: MIT */
/* Decoders whose router or experts stand elsewhere than usual: Grove,
 * SmallThinker, Cohere 2 MoE. */
#include "engine/llamacpp/builders.h"
#include "engine/llamacpp/decoder.h"

static const mpl_attn_options PLAIN_OUT = {.out = "attn_output"};

static mpl_node *norm(mpl_build *b, int layer, const char *base, mpl_node *x)
{
    return mpl_norm(b, x, MPL_NORM_RMS, layer, base, layer);
}

static mpl_qkv turned(mpl_build *b, mpl_qkv x, int layer, bool has_factors)
{
    x.q = mpl_rope(b, x.q, layer, has_factors);
    x.k = mpl_rope(b, x.k, layer, has_factors);
    return x;
}

/* Grove: the router picks experts, and the chunks that they belong to; chunks
 * read what the experts gave. */
static mpl_node *grove_experts(mpl_build *b, int layer, mpl_node *x)
{
    const uint32_t used = mpl_layer_of(b, layer)->experts_used;
    const uint32_t group = mpl_key_u32(b, "experts_per_group", 1);
    const uint32_t chunk_count = b->h->expert_count / group;
    mpl_moe moe = {.gating = MPL_GATING_SOFTMAX, .flags = MPL_MOE_NORM};
    moe.router = mpl_linear(b, layer, "ffn_gate_inp", x);
    mpl_node *const out = mpl_experts(b, layer, x, &moe);
    moe.flags |= MPL_MOE_CHUNKS;
    moe.experts = chunk_count;
    moe.experts_used = used > chunk_count ? chunk_count : used;
    mpl_node *const chunks = mpl_experts(b, layer, out, &moe);
    return mpl_plus(b, out, mpl_scale(b, chunks));
}

static mpl_node *grove_layer(mpl_build *b, int layer, mpl_node *input)
{
    mpl_node *x = norm(b, layer, "attn_norm", input);
    mpl_qkv qkv = mpl_project_qkv(b, layer, x, 0);
    qkv.q = norm(b, layer, "attn_q_norm", qkv.q);
    qkv.k = norm(b, layer, "attn_k_norm", qkv.k);
    x = mpl_attend(b, layer, turned(b, qkv, layer, false), &PLAIN_OUT);
    mpl_crop_last(b, layer, &x, &input);
    mpl_node *const middle = mpl_plus(b, x, input);
    x = grove_experts(b, layer, norm(b, layer, "ffn_norm", middle));
    return mpl_plus(b, x, middle);
}

/* SmallThinker: the router reads the layer's input, before attention. */
static mpl_node *smallthinker_layer(mpl_build *b, int layer, mpl_node *input)
{
    const uint32_t step = b->h->nope_step;
    const bool turns = step == UINT32_MAX || step == b->h->layer_count ||
                       (step > 0 && (uint32_t)layer % step != 0);
    mpl_moe moe = {.activation = MPL_ACT_RELU, .flags = MPL_MOE_NORM};
    moe.router = mpl_linear(b, layer, "ffn_gate_inp", input);
    mpl_node *x = norm(b, layer, "attn_norm", input);
    mpl_qkv qkv = mpl_project_qkv(b, layer, x, 0);
    if (turns)
        qkv = turned(b, qkv, layer, false);
    x = mpl_attend(b, layer, qkv, &PLAIN_OUT);
    if (mpl_is_last(b, layer)) {
        x = mpl_crop(b, x);
        input = mpl_crop(b, input);
        moe.router = mpl_crop(b, moe.router);
    }
    mpl_node *const middle = mpl_plus(b, x, input);
    x = norm(b, layer, "ffn_norm", middle);
    return mpl_plus(b, mpl_experts(b, layer, x, &moe), middle);
}

static mpl_norm_kind cohere_norm(const mpl_build *b)
{
    return mpl_key_is_set(b, "attention.layer_norm_rms_epsilon")
               ? MPL_NORM_RMS
               : MPL_NORM_LAYER;
}

static mpl_node *cohere_ffn(mpl_build *b, int layer, mpl_node *x)
{
    const mpl_moe moe = {.flags = MPL_MOE_NORM_MODEL | MPL_MOE_SCALE};
    if (!mpl_has(b, layer, "ffn_gate_inp"))
        return mpl_ffn(b, layer, x, MPL_ACT_SILU,
                       MPL_FFN_GATE | MPL_FFN_SCALE);
    mpl_node *const out = mpl_experts(b, layer, x, &moe);
    if (!mpl_has(b, layer, "ffn_up_shexp"))
        return out;
    mpl_node *const shared =
        mpl_ffn(b, layer, x, MPL_ACT_SILU,
                MPL_FFN_GATE | MPL_FFN_SHARED | MPL_FFN_SCALE);
    return mpl_scale(b, mpl_plus(b, out, shared));
}

/* Cohere 2 MoE: both branches read one norm. */
static mpl_node *cohere_layer(mpl_build *b, int layer, mpl_node *input)
{
    const bool turns = mpl_layer_of(b, layer)->is_swa ||
                       (uint32_t)layer < b->h->dense_lead_count;
    mpl_node *const x =
        mpl_norm(b, input, cohere_norm(b), layer, "attn_norm", layer);
    mpl_qkv qkv = mpl_project_qkv(b, layer, x, 0);
    if (turns)
        qkv = turned(b, qkv, layer, true);
    mpl_node *const attention = mpl_attend(b, layer, qkv, &PLAIN_OUT);
    mpl_node *const out = mpl_plus(b, cohere_ffn(b, layer, x), input);
    return mpl_plus(b, out, attention);
}

typedef mpl_node *layer_function(mpl_build *b, int layer, mpl_node *x);

static mpl_node *each_layer(mpl_build *b, layer_function *one)
{
    mpl_node *x = mpl_embed(b, "token_embd");
    mpl_open_attention(b);
    for (uint32_t i = 0; i < b->h->layer_count; i++) {
        mpl_at_layer(b, (int)i);
        x = one(b, (int)i, x);
    }
    return x;
}

void mpl_build_grove(mpl_build *b)
{
    mpl_build_end(b, each_layer(b, grove_layer), MPL_NORM_RMS, 0);
}

void mpl_build_smallthinker(mpl_build *b)
{
    mpl_build_end(b, each_layer(b, smallthinker_layer), MPL_NORM_RMS, 0);
}

void mpl_build_cohere2moe(mpl_build *b)
{
    mpl_build_end(b, each_layer(b, cohere_layer), cohere_norm(b),
                  MPL_B_CROP_NORMED | MPL_B_LOGIT_SCALE |
                      MPL_B_NO_OUTPUT_SCALE);
}
