/* SPDX-License-Identifier: MIT */
/* The usual decoder, its variants told by a row of decoders.def. */
#include "engine/llamacpp/decoder.h"

enum { SMALL_BAICHUAN_LAYERS = 32, LARGE_LLAMA4_EXPERTS = 128 };

static const mpl_decoder DECODERS[MPL_LLAMA_ARCH_COUNT] = {
#define DECODER(arch, norm_, rope_, attention_, block_, ffn_norm_, post_norm_, \
                activation_, ffn_, gating_, moe_)                              \
    [MPL_LLAMA_ARCH_##arch] = {.is_described = true,                           \
                               .norm = MPL_NORM_##norm_,                       \
                               .rope = MPL_ROPE_##rope_,                       \
                               .attention = (attention_),                      \
                               .block = (block_),                              \
                               .ffn_norm = (ffn_norm_),                        \
                               .post_norm = (post_norm_),                      \
                               .activation = MPL_ACT_##activation_,            \
                               .ffn = (ffn_),                                  \
                               .gating = MPL_GATING_##gating_,                 \
                               .moe = (moe_)},
#include "engine/llamacpp/decoders.def"
#undef DECODER
};

const mpl_decoder *mpl_decoder_of(mpl_llama_arch arch)
{
    return DECODERS[arch].is_described ? &DECODERS[arch] : NULL;
}

/* What a layer hands from attention to its feed-forward network. */
typedef struct decoder_layer {
    mpl_build *b;
    const mpl_decoder *d;
    int layer;
    bool is_cropped; /* only the rows that want logits go on */
    mpl_node *input;
    mpl_node *normed; /* what attention read */
    mpl_node *skip;
} decoder_layer;

/* "Always" is one step over all layers: the last one stays unturned. */
static uint32_t nope_step(const mpl_llama_hparams *h)
{
    return h->nope_step == UINT32_MAX ? h->layer_count : h->nope_step;
}

static bool turns(const decoder_layer *l)
{
    const mpl_llama_hparams *const h = l->b->h;
    switch (l->d->rope) {
    case MPL_ROPE_NEVER:
        return false;
    case MPL_ROPE_WINDOW:
        return h->swa_kind == 0 || h->layers[l->layer].is_swa;
    case MPL_ROPE_STEP:
        return nope_step(h) > 0 &&
               ((uint32_t)l->layer + 1) % nope_step(h) != 0;
    case MPL_ROPE_LISTED:
        return h->layers[l->layer].has_rope;
    case MPL_ROPE_SMALL:
        return h->layer_count == SMALL_BAICHUAN_LAYERS;
    default:
        return true;
    }
}

static mpl_node *norm_head(const decoder_layer *l, const char *base,
                           mpl_node *x)
{
    const uint32_t traits = l->d->attention;
    const bool is_weighted =
        (traits & (MPL_A_QK_NORM | MPL_A_QK_NORM_WIDE)) != 0;
    const bool has_weight = mpl_has(l->b, l->layer, base);
    if (is_weighted && (has_weight || (traits & MPL_A_QK_NORM_BARE)))
        return mpl_norm(l->b, x, l->d->norm, l->layer, base, l->layer);
    if (!is_weighted && (traits & MPL_A_QK_NORM_BARE) && turns(l) &&
        l->b->h->expert_count != LARGE_LLAMA4_EXPERTS)
        return mpl_norm(l->b, x, MPL_NORM_RMS, l->layer, NULL, -1);
    return x;
}

static mpl_node *turn_head(const decoder_layer *l, const char *norm,
                           mpl_node *x)
{
    const uint32_t traits = l->d->attention;
    const bool is_after = (traits & MPL_A_QK_NORM_AFTER) != 0;
    const bool is_wide = (traits & MPL_A_QK_NORM_WIDE) != 0;
    if (!is_after && !is_wide)
        x = norm_head(l, norm, x);
    if (turns(l))
        x = mpl_rope(l->b, x, l->layer, (traits & MPL_A_FACTORS) != 0);
    return is_after ? norm_head(l, norm, x) : x;
}

static mpl_qkv heads_after_wide_norm(const decoder_layer *l, mpl_qkv x)
{
    mpl_build *const b = l->b;
    const mpl_llama_layer *const p = mpl_layer_of(b, l->layer);
    x.q = norm_head(l, "attn_q_norm", x.q);
    x.k = norm_head(l, "attn_k_norm", x.k);
    x.q = mpl_reshape3(b, x.q, p->key_width, p->head_count, b->tokens);
    x.k = mpl_reshape3(b, x.k, p->key_width, p->kv_head_count, b->tokens);
    if (x.v->ne[2] == 1)
        x.v = mpl_reshape3(b, x.v, p->value_width, p->kv_head_count,
                           b->tokens);
    return x;
}

static mpl_qkv project(const decoder_layer *l)
{
    mpl_build *const b = l->b;
    const uint32_t traits = l->d->attention;
    const mpl_llama_layer *const p = mpl_layer_of(b, l->layer);
    const bool is_wide = (traits & MPL_A_QK_NORM_WIDE) != 0;
    const bool is_regrouped = (traits & MPL_A_QKV_REGROUPED) != 0;
    uint32_t flags = traits & MPL_A_PLAIN_QKV ? MPL_QKV_PLAIN : 0;
    if (traits & MPL_A_NO_QKV_BIAS)
        flags |= MPL_QKV_NO_BIAS;
    if (is_wide && !is_regrouped)
        flags |= MPL_QKV_FLAT;
    if (is_regrouped && !is_wide)
        flags |= MPL_QKV_REGROUPED;
    mpl_qkv x = mpl_project_qkv(b, l->layer, l->normed, flags);
    if (is_wide && is_regrouped) {
        if (!mpl_has(b, l->layer, "attn_q_norm"))
            return x;
        x.q = mpl_reshape2(b, x.q, (uint64_t)p->key_width * p->head_count,
                           b->tokens);
        x.k = mpl_reshape2(b, x.k, (uint64_t)p->key_width * p->kv_head_count,
                           b->tokens);
    }
    return is_wide ? heads_after_wide_norm(l, x) : x;
}

/* Q times a factor for long positions: with Llama 4 only where positions do
 * not turn it. */
static mpl_node *temper(const decoder_layer *l, mpl_node *q)
{
    const bool is_llama4 = l->b->h->arch == MPL_LLAMA_ARCH_LLAMA4;
    const bool is_on =
        is_llama4 ? !turns(l)
                  : mpl_key_is_set(l->b, "attention.temperature_scale");
    return (l->d->attention & MPL_A_TEMPERATURE) && is_on
               ? mpl_times(l->b, q, l->b->temperature)
               : q;
}

static mpl_node *gate(const decoder_layer *l, mpl_node *x)
{
    mpl_build *const b = l->b;
    const mpl_llama_layer *const p = mpl_layer_of(b, l->layer);
    const uint64_t tokens = x->ne[1];
    mpl_node *g =
        mpl_unary(b, mpl_linear_bare(b, l->layer, "attn_gate", l->normed));
    if (g->ne[0] == p->head_count) {
        x = mpl_reshape3(b, x, p->value_width, p->head_count, tokens);
        g = mpl_reshape3(b, g, 1, p->head_count, tokens);
        x = mpl_times(b, x, g);
        x = mpl_reshape2(b, x, (uint64_t)p->value_width * p->head_count,
                         tokens);
    } else {
        x = mpl_times(b, x, g);
    }
    return mpl_linear(b, l->layer, "attn_output", x);
}

static mpl_node *attend(const decoder_layer *l)
{
    mpl_build *const b = l->b;
    const uint32_t traits = l->d->attention;
    mpl_qkv x = project(l);
    x.q = turn_head(l, "attn_q_norm", x.q);
    x.k = turn_head(l, "attn_k_norm", x.k);
    x.q = temper(l, x.q);
    if (traits & MPL_A_SCALE_Q)
        x.q = mpl_scale(b, x.q);
    const mpl_attn_options options = {
        .out = traits & MPL_A_GATED ? NULL : "attn_output",
        .has_no_bias = (traits & MPL_A_NO_OUT_BIAS) != 0,
        .sinks = mpl_weight(b, l->layer, "attn_sinks", ".weight"),
    };
    mpl_node *out = mpl_attend(b, l->layer, x, &options);
    if (traits & MPL_A_GATED)
        out = gate(l, out);
    if ((traits & MPL_A_SCALE_OUT) &&
        mpl_key_is_set(b, "attention.value_scale"))
        out = mpl_scale(b, out);
    if (traits & MPL_A_POST_NORM_EARLY)
        out = mpl_norm(b, out, l->d->norm, l->layer, l->d->post_norm,
                       traits & MPL_A_POST_NORM_LOOSE ? -1 : l->layer);
    return out;
}

static mpl_node *crop(const decoder_layer *l, mpl_node *x)
{
    return l->is_cropped ? mpl_crop(l->b, x) : x;
}

/* silu(g) / g of a product with the input: a sigmoid by other means. */
static mpl_node *shared_gate(const decoder_layer *l, mpl_node *x)
{
    mpl_build *const b = l->b;
    mpl_node *const g = mpl_linear_bare(b, l->layer, "ffn_gate_inp_shexp", x);
    return mpl_op2(b->g, MPL_OP_DIV, mpl_unary(b, g), g);
}

static mpl_node *shared_expert(const decoder_layer *l, mpl_node *x)
{
    const uint32_t traits = l->d->block;
    const bool is_clamped =
        (traits & MPL_B_CLAMPED) &&
        mpl_layer_key_is_set(l->b, "swiglu_clamp_shexp", l->layer);
    if (traits & MPL_B_SHARED_MERGED)
        return mpl_ffn(l->b, l->layer, x, MPL_ACT_SWIGLU, MPL_FFN_SHARED);
    mpl_node *const out =
        mpl_ffn(l->b, l->layer, x, MPL_ACT_SILU,
                MPL_FFN_GATE | MPL_FFN_SHARED |
                    (is_clamped ? MPL_FFN_CLAMPED : 0) |
                    (traits & MPL_B_SHARED_SCALE ? MPL_FFN_SCALE : 0));
    return traits & MPL_B_SHARED_GATE
               ? mpl_times(l->b, out, shared_gate(l, x))
               : out;
}

static mpl_node *feed_forward(const decoder_layer *l, mpl_node *x)
{
    mpl_build *const b = l->b;
    if (!mpl_has(b, l->layer, "ffn_gate_inp") ||
        (l->d->block & MPL_B_DENSE_ONLY))
        return mpl_ffn(b, l->layer, x, l->d->activation, l->d->ffn);
    const bool is_clamped =
        (l->d->block & MPL_B_CLAMPED) &&
        mpl_layer_key_is_set(b, "swiglu_clamp_exp", l->layer);
    const mpl_moe options = {.activation = l->d->activation,
                             .gating = l->d->gating,
                             .flags = l->d->moe |
                                      (is_clamped ? MPL_MOE_CLAMPED : 0)};
    mpl_node *out = mpl_experts(b, l->layer, x, &options);
    if (mpl_has(b, l->layer, "ffn_up_shexp"))
        return mpl_plus(b, out, shared_expert(l, x));
    if (b->h->arch == MPL_LLAMA_ARCH_GROK && mpl_has(b, l->layer, "ffn_up"))
        out = mpl_scale(
            b, mpl_plus(b, mpl_ffn(b, l->layer, x, l->d->activation,
                                  l->d->ffn),
                       out));
    return out;
}

static mpl_node *scale_residual(const decoder_layer *l, mpl_node *x)
{
    return l->b->h->has_residual_scale ? mpl_scale(l->b, x) : x;
}

/* Both branches read the layer's input; the sum differs by family. */
static mpl_node *parallel(const decoder_layer *l, mpl_node *attention,
                          mpl_node *input)
{
    mpl_build *const b = l->b;
    mpl_node *const out = crop(l, attention);
    mpl_node *const ffn = feed_forward(
        l, crop(l, mpl_has(b, l->layer, "attn_norm_2")
                       ? mpl_norm(b, l->input, l->d->norm, l->layer,
                                  "attn_norm", l->layer)
                       : l->normed));
    if (l->d->block & MPL_B_PARALLEL_INPUT_FIRST)
        return mpl_plus(b, mpl_plus(b, ffn, input), out);
    if (l->d->block & MPL_B_RESIDUAL_FIRST)
        return mpl_plus(b, mpl_plus(b, out, ffn), input);
    return mpl_plus(b, mpl_plus(b, ffn, out), input);
}

/* GPT-NeoX: two norms of one input. */
static mpl_node *parallel_normed(const decoder_layer *l, mpl_node *attention,
                                 mpl_node *input)
{
    mpl_build *const b = l->b;
    mpl_node *const out = crop(l, attention);
    mpl_node *const ffn = feed_forward(
        l, mpl_norm(b, input, l->d->norm, l->layer, "ffn_norm", l->layer));
    return mpl_plus(b, mpl_plus(b, ffn, input), out);
}

static mpl_node *sequential(const decoder_layer *l, mpl_node *attention,
                            mpl_node *input)
{
    mpl_build *const b = l->b;
    const mpl_decoder *const d = l->d;
    mpl_node *x = crop(l, attention);
    if (d->attention & MPL_A_POST_NORM)
        x = mpl_norm(b, x, d->norm, l->layer, d->post_norm, l->layer);
    x = scale_residual(l, x);
    mpl_node *const middle = d->block & MPL_B_RESIDUAL_FIRST
                                 ? mpl_plus(b, input, x)
                                 : mpl_plus(b, x, input);
    x = middle;
    if (b->h->arch == MPL_LLAMA_ARCH_STABLELM &&
        !mpl_has(b, l->layer, "ffn_norm"))
        x = crop(l, l->normed);
    else if (d->ffn_norm != NULL)
        x = mpl_norm(b, middle, d->norm, l->layer, d->ffn_norm, l->layer);
    x = feed_forward(l, x);
    if (d->block & MPL_B_FFN_POST_NORM)
        x = mpl_norm(b, x, d->norm, l->layer,
                     mpl_has(b, l->layer, "layer_output_norm")
                         ? "layer_output_norm"
                         : "post_ffw_norm",
                     d->block & MPL_B_FFN_POST_NORM_LOOSE ? -1 : l->layer);
    x = scale_residual(l, x);
    return d->block & MPL_B_FFN_RESIDUAL_FIRST ? mpl_plus(b, middle, x)
                                               : mpl_plus(b, x, middle);
}

/* Image features travel behind the embeddings, one slice a layer. */
static mpl_node *add_deepstack(const decoder_layer *l, mpl_node *x)
{
    mpl_build *const b = l->b;
    if (!(l->d->block & MPL_B_DEEPSTACK) ||
        (uint32_t)l->layer >= b->h->deepstack_count)
        return x;
    return mpl_plus(b, x,
                   mpl_view_2d(b->g, b->embd, b->h->embd, b->tokens,
                               b->embd->nb[1]));
}

static mpl_node *one_layer(decoder_layer *l)
{
    mpl_build *const b = l->b;
    const mpl_decoder *const d = l->d;
    mpl_at_layer(b, l->layer);
    l->normed = l->input;
    if (!(d->attention & MPL_A_NO_INPUT_NORM))
        l->normed = mpl_norm(b, l->input, d->norm, l->layer,
                             mpl_has(b, l->layer, "attn_norm_2")
                                 ? "attn_norm_2"
                                 : "attn_norm",
                             l->layer);
    mpl_node *const attention = attend(l);
    mpl_node *const input = crop(l, l->input);
    mpl_node *out;
    if (d->block & MPL_B_PARALLEL)
        out = parallel(l, attention, input);
    else if (b->h->arch == MPL_LLAMA_ARCH_GPTNEOX &&
             b->h->uses_parallel_residual)
        out = parallel_normed(l, attention, input);
    else
        out = sequential(l, attention, input);
    if (d->block & MPL_B_SKIP)
        out = mpl_plus(b, out,
                      mpl_times(b, crop(l, l->skip),
                                    mpl_weight(b, l->layer,
                                               "layer_output_scale",
                                               ".weight")));
    return add_deepstack(l, out);
}

static mpl_node *start(mpl_build *b, const mpl_decoder *d)
{
    mpl_node *x = mpl_embed(b, "token_embd");
    if (d->attention & MPL_A_SCALE_EMBD)
        x = mpl_scale(b, x);
    if (d->attention & MPL_A_NORM_EMBD)
        x = mpl_norm(b, x, MPL_NORM_RMS, -1, NULL, -1);
    if (d->attention & MPL_A_NO_CACHE)
        mpl_open_attention_no_cache(b);
    else
        mpl_open_attention(b);
    if (d->attention & MPL_A_TEMPERATURE)
        b->temperature = mpl_attn_temperature(b);
    if ((d->attention & MPL_A_POSITIONS) && mpl_has(b, -1, "position_embd"))
        x = mpl_plus(b, x,
                    mpl_get_rows(b->g,
                                 mpl_weight(b, -1, "position_embd",
                                            ".weight"),
                                 mpl_positions(b)));
    if (mpl_has(b, -1, "token_embd_norm"))
        x = mpl_norm(b, x, d->norm, -1, "token_embd_norm", 0);
    return x;
}

void mpl_build_end(mpl_build *b, mpl_node *x, mpl_norm_kind norm,
                   uint32_t block)
{
    mpl_at_layer(b, -1);
    if (block & MPL_B_KEEP_LAST)
        mpl_mark_output(x);
    if (block & MPL_B_CROP_LATE)
        x = mpl_crop(b, x);
    x = mpl_norm(b, x, norm, -1,
                 mpl_has(b, -1, "output_norm")       ? "output_norm"
                 : mpl_has(b, -1, "enc.output_norm") ? "enc.output_norm"
                                                     : "token_embd_norm",
                 -1);
    if (block & MPL_B_CROP_NORMED) {
        mpl_mark_output(x);
        x = mpl_crop(b, x);
    }
    x->name = "result_norm";
    mpl_mark_output(x);
    if (block & MPL_B_NO_LOGITS) {
        mpl_expand(b, x);
        return;
    }
    if (block & MPL_B_SCALE_NORMED)
        x = mpl_scale(b, x);
    x = block & MPL_B_NO_OUTPUT_SCALE ? mpl_linear_bare(b, -1, "output", x)
                                      : mpl_linear(b, -1, "output", x);
    if ((block & MPL_B_LOGIT_SCALE_ALWAYS) ||
        ((block & MPL_B_LOGIT_SCALE) && b->h->has_logit_scale))
        x = mpl_scale(b, x);
    if ((block & MPL_B_SOFTCAP) && b->h->has_final_softcap)
        x = mpl_softcap(b, x);
    if (!(block & MPL_B_NO_OUTPUT_BIAS))
        x = mpl_add_bias(b, -1, "output", x);
    if (block & MPL_B_PAD_VOCABULARY)
        x = mpl_pad_vocabulary(b, x);
    x->name = "result_output";
    mpl_mark_output(x);
    mpl_expand(b, x);
}

void mpl_build_decoder(mpl_build *b)
{
    const mpl_decoder *const d = mpl_decoder_of(b->h->arch);
    mpl_node *x = start(b, d);
    mpl_node *const skip = x;
    for (uint32_t i = 0; i < b->h->layer_count; i++) {
        decoder_layer l = {.b = b,
                           .d = d,
                           .layer = (int)i,
                           .is_cropped = i + 1 == b->h->layer_count &&
                                         !(d->block & MPL_B_ANY_OTHER_CROP),
                           .input = x,
                           .skip = skip};
        x = one_layer(&l);
    }
    mpl_build_end(b, x, d->norm, d->block);
}
