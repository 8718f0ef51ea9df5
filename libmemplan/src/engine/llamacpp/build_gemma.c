/* SPDX-License-Identifier: MIT */
/*
 * Gemma 3n and 4: inputs of every layer looked up beside the token's, caches
 * that later layers share, and in 3n several predictions of each layer (AltUp).
 */
#include "engine/llamacpp/builders.h"
#include "engine/llamacpp/decoder.h"

enum { SPARSE_LAYERS_3N = 10 };

static mpl_node *norm(mpl_build *b, int layer, const char *base, mpl_node *x)
{
    return mpl_norm(b, x, MPL_NORM_RMS, layer, base, layer);
}

static mpl_node *bare_norm(mpl_build *b, mpl_node *x)
{
    return mpl_op1(b->g, MPL_OP_RMS_NORM, x);
}

/* The first or any later matrix of a stack. */
static mpl_node *slice(mpl_build *b, mpl_node *x)
{
    return mpl_view_2d(b->g, x, x->ne[0], x->ne[1],
                       mpl_row_bytes(x->dtype, x->ne[0]));
}

/* Per-layer inputs [width, tokens, layers]: looked up, and projected from the
 * embeddings. */
static mpl_node *layer_inputs(mpl_build *b, mpl_node *embd)
{
    mpl_graph *const g = b->g;
    const uint64_t layers = b->h->layer_count;
    mpl_node *const table =
        mpl_weight(b, -1, "per_layer_token_embd", ".weight");
    if (table == NULL || layers == 0)
        return NULL;
    const uint64_t width = table->ne[0] / layers;
    mpl_node *const tokens =
        mpl_input4(g, "inp_tokens", MPL_DTYPE_I32, b->tokens, 1, 1, 1);
    mpl_node *looked_up = mpl_get_rows(g, table, tokens);
    looked_up = mpl_reshape3(b, looked_up, width, layers, b->tokens);
    looked_up = mpl_scale(b, looked_up);
    mpl_expand(b, looked_up);
    mpl_node *projected =
        mpl_scale(b, mpl_linear_bare(b, -1, "per_layer_model_proj", embd));
    projected = mpl_reshape3(b, projected, width, layers, b->tokens);
    projected = mpl_norm(b, projected, MPL_NORM_RMS, -1,
                         "per_layer_proj_norm", -1);
    mpl_node *const sum = mpl_scale(b, mpl_plus(b, projected, looked_up));
    return mpl_cont(g, mpl_permute(g, sum, 0, 2, 1, 3));
}

static bool owns_cache(const mpl_build *b, int layer)
{
    return b->h->kv_from_start == UINT32_MAX ||
           (uint32_t)layer < b->h->kv_from_start;
}

/* One part of a merged product, or a product of its own. */
static mpl_node *part_of(mpl_build *b, mpl_node *merged, uint64_t width)
{
    return mpl_cont(b->g, mpl_view_2d(b->g, merged, width, b->tokens,
                                      merged->nb[1]));
}

static mpl_node *heads(mpl_build *b, mpl_node *x, uint64_t width,
                       uint64_t count)
{
    return mpl_reshape3(b, x, width, count, b->tokens);
}

static mpl_node *attend_3n(mpl_build *b, int layer, mpl_node *x)
{
    const mpl_attn_options options = {.out = "attn_output"};
    const mpl_llama_layer *const l = mpl_layer_of(b, layer);
    mpl_qkv qkv = {0};
    if (owns_cache(b, layer)) {
        qkv = mpl_project_qkv(b, layer, x, 0);
        qkv.k = mpl_rope_plain(b, norm(b, layer, "attn_k_norm", qkv.k));
        qkv.v = bare_norm(b, qkv.v);
    } else {
        qkv.q = heads(b, mpl_linear(b, layer, "attn_q", x), l->key_width,
                      l->head_count);
    }
    qkv.q = mpl_rope_plain(b, norm(b, layer, "attn_q_norm", qkv.q));
    return mpl_attend(b, layer, qkv, &options);
}

/* Gemma 4: V may be K itself, before its norm. */
static mpl_node *attend_4(mpl_build *b, int layer, mpl_node *x)
{
    const mpl_attn_options options = {.out = "attn_output"};
    const mpl_llama_layer *const l = mpl_layer_of(b, layer);
    const uint64_t width = l->key_width;
    const uint64_t kv = width * l->kv_head_count;
    const bool has_factors = !l->is_swa;
    mpl_node *const merged = mpl_has(b, layer, "attn_qkv")
                                 ? mpl_linear(b, layer, "attn_qkv", x)
                                 : NULL;
    mpl_qkv qkv = {0};
    qkv.q = merged != NULL ? part_of(b, merged, width * l->head_count)
                           : mpl_linear(b, layer, "attn_q", x);
    qkv.q = norm(b, layer, "attn_q_norm",
                 heads(b, qkv.q, width, l->head_count));
    qkv.q = mpl_rope(b, qkv.q, layer, has_factors);
    if (!owns_cache(b, layer))
        return mpl_attend(b, layer, qkv, &options);
    qkv.k = merged != NULL ? part_of(b, merged, kv)
                           : mpl_linear(b, layer, "attn_k", x);
    if (merged != NULL)
        qkv.v = part_of(b, merged, kv);
    else
        qkv.v = mpl_has(b, layer, "attn_v") ? mpl_linear(b, layer, "attn_v", x)
                                            : qkv.k;
    qkv.k = heads(b, qkv.k, width, l->kv_head_count);
    qkv.v = bare_norm(b, heads(b, qkv.v, width, l->kv_head_count));
    qkv.k = norm(b, layer, "attn_k_norm", qkv.k);
    qkv.k = mpl_rope(b, qkv.k, layer, has_factors);
    return mpl_attend(b, layer, qkv, &options);
}

static mpl_node *feed_forward_4(mpl_build *b, int layer, mpl_node *x)
{
    const uint32_t flags = MPL_FFN_GATE | MPL_FFN_SCALE;
    mpl_node *const dense = mpl_ffn(b, layer, norm(b, layer, "ffn_norm", x),
                                    MPL_ACT_GELU, flags);
    if (!mpl_has(b, layer, "ffn_gate_inp"))
        return dense;
    mpl_moe moe = {.activation = MPL_ACT_GELU,
                   .gating = MPL_GATING_SOFTMAX,
                   .flags = MPL_MOE_NORM | MPL_MOE_SCALE | MPL_MOE_UNSCALED};
    mpl_node *const first = norm(b, layer, "post_ffw_norm_1", dense);
    mpl_node *const in = norm(b, layer, "pre_ffw_norm_2", x);
    mpl_node *routed = mpl_scale(b, bare_norm(b, x));
    routed = mpl_times(b, routed,
                       mpl_weight(b, layer, "ffn_gate_inp", ".scale"));
    moe.router = mpl_linear_bare(b, layer, "ffn_gate_inp", routed);
    mpl_node *const out = mpl_experts(b, layer, in, &moe);
    return mpl_plus(b, first, norm(b, layer, "post_ffw_norm_2", out));
}

static mpl_node *add_layer_input(mpl_build *b, int layer, mpl_node *x,
                                 mpl_node *inputs)
{
    if (inputs == NULL)
        return x;
    mpl_node *out = mpl_unary(b, mpl_linear(b, layer, "inp_gate", x));
    out = mpl_times(b, out, slice(b, inputs));
    out = mpl_linear(b, layer, "proj", out);
    return mpl_plus(b, x, norm(b, layer, "post_norm", out));
}

static mpl_node *layer_4(mpl_build *b, int layer, mpl_node *input,
                         mpl_node *inputs)
{
    mpl_at_layer(b, layer);
    mpl_node *x = attend_4(b, layer, norm(b, layer, "attn_norm", input));
    x = norm(b, layer, "post_attention_norm", x);
    mpl_node *const middle = mpl_plus(b, x, input);
    x = feed_forward_4(b, layer, middle);
    x = mpl_norm(b, x, MPL_NORM_RMS, layer, "post_ffw_norm", -1);
    x = add_layer_input(b, layer, mpl_plus(b, x, middle), inputs);
    mpl_node *const scale =
        mpl_weight(b, layer, "layer_output_scale", ".weight");
    return scale != NULL ? mpl_times(b, x, scale) : x;
}

void mpl_build_gemma4(mpl_build *b)
{
    mpl_node *x = mpl_scale(b, mpl_embed(b, "token_embd"));
    mpl_open_attention(b);
    mpl_node *const inputs = layer_inputs(b, x);
    for (uint32_t i = 0; i < b->h->layer_count; i++)
        x = layer_4(b, (int)i, x, inputs);
    mpl_build_end(b, x, MPL_NORM_RMS, MPL_B_CROP_NORMED | MPL_B_SOFTCAP);
}

/* ---- Gemma 3n: [width, tokens, predictions] ---------------------------- */

static mpl_node *magnitude(mpl_build *b, mpl_node *x)
{
    return mpl_op1(b->g, MPL_OP_SQRT,
                   mpl_sum_rows(b->g, mpl_op1(b->g, MPL_OP_SQR, x)));
}

static mpl_node *with_magnitude(mpl_build *b, mpl_node *x, mpl_node *wanted)
{
    mpl_node *const own = magnitude(b, x);
    return mpl_op2(b->g, MPL_OP_DIV, mpl_times(b, x, wanted), own);
}

static mpl_node *modalities(mpl_build *b, int layer, mpl_node *x)
{
    x = mpl_scale(b, norm(b, layer, "altup_router_norm", x));
    return mpl_unary(b, mpl_linear_bare(b, layer, "altup_router", x));
}

static mpl_node *predict(mpl_build *b, int layer, mpl_node *x)
{
    mpl_graph *const g = b->g;
    const uint64_t count = x->ne[2];
    mpl_node *coefs = mpl_linear(b, layer, "altup_predict_coef",
                                 modalities(b, layer, slice(b, x)));
    coefs = mpl_reshape3(b, coefs, count, count, b->tokens);
    mpl_node *const turned = mpl_cont(g, mpl_permute(g, x, 1, 2, 0, 3));
    mpl_node *out = mpl_mul_mat(g, turned, coefs);
    out = mpl_cont(g, mpl_permute(g, out, 0, 2, 1, 3));
    return mpl_plus(b, out, x);
}

static mpl_node *correct(mpl_build *b, int layer, mpl_node *predictions,
                         mpl_node *x)
{
    mpl_graph *const g = b->g;
    const uint64_t count = predictions->ne[2];
    mpl_node *const seen = modalities(b, layer, x);
    mpl_node *change =
        mpl_op2(g, MPL_OP_SUB, x, slice(b, predictions));
    mpl_node *coefs = mpl_linear(b, layer, "altup_correct_coef", seen);
    coefs = mpl_transpose(g, mpl_scale(b, coefs));
    coefs = mpl_cont_as(g, coefs, 1, b->tokens, count, 1);
    change = mpl_repeat(g, change, b->h->embd, b->tokens, count, 1);
    return mpl_plus(b, mpl_times(b, change, coefs), predictions);
}

static mpl_node *laurel(mpl_build *b, int layer, mpl_node *x)
{
    mpl_node *out = mpl_linear(b, layer, "laurel_l", x);
    out = mpl_linear(b, layer, "laurel_r", out);
    return mpl_plus(b, norm(b, layer, "laurel_post_norm", out), x);
}

/* Only the largest activations of the first layers pass. */
static mpl_node *sparse(mpl_build *b, mpl_node *x)
{
    mpl_graph *const g = b->g;
    mpl_node *const mean = mpl_sum_rows(g, x);
    mpl_node *const apart =
        mpl_op1(g, MPL_OP_SQR, mpl_op2(g, MPL_OP_SUB, x, mean));
    mpl_node *const spread =
        mpl_op1(g, MPL_OP_SQRT, mpl_scale(b, mpl_sum_rows(g, apart)));
    mpl_node *const least = mpl_plus(b, mean, mpl_scale(b, spread));
    return mpl_unary(b, mpl_op2(g, MPL_OP_SUB, x, least));
}

static mpl_node *feed_forward_3n(mpl_build *b, int layer, mpl_node *x)
{
    mpl_node *const up = mpl_linear(b, layer, "ffn_up", x);
    mpl_node *gate = mpl_linear(b, layer, "ffn_gate", x);
    if (layer < SPARSE_LAYERS_3N)
        gate = sparse(b, gate);
    return mpl_linear(b, layer, "ffn_down",
                      mpl_times(b, up, mpl_unary(b, gate)));
}

static mpl_node *others(mpl_build *b, mpl_node *x)
{
    const uint64_t count = x->ne[2] - 1;
    return mpl_view(b->g, x, x->ne[0], x->ne[1], count, 1, x->nb[1], x->nb[2],
                    x->nb[2] * count);
}

static mpl_node *layer_3n(mpl_build *b, int layer, mpl_node *input,
                          mpl_node *inputs)
{
    mpl_at_layer(b, layer);
    mpl_node *const predictions = predict(b, layer, input);
    mpl_node *const active = slice(b, predictions);
    mpl_node *x = norm(b, layer, "attn_norm", active);
    mpl_node *const side = laurel(b, layer, x);
    x = norm(b, layer, "post_attention_norm", attend_3n(b, layer, x));
    x = mpl_plus(b, x, active);
    mpl_node *const middle = mpl_scale(b, mpl_plus(b, x, side));
    x = feed_forward_3n(b, layer, norm(b, layer, "ffn_norm", middle));
    x = mpl_norm(b, x, MPL_NORM_RMS, layer, "post_ffw_norm", -1);
    x = mpl_plus(b, x, middle);
    mpl_node *const corrected = correct(b, layer, predictions, x);
    mpl_node *first = slice(b, corrected);
    first = mpl_times(b, first,
                      mpl_weight(b, layer, "altup_correct_scale", ".weight"));
    first = mpl_unary(b, mpl_linear(b, layer, "inp_gate", first));
    first = mpl_times(b, first, slice(b, inputs));
    first = norm(b, layer, "post_norm", mpl_linear(b, layer, "proj", first));
    mpl_node *const kept = slice(b, corrected);
    return mpl_concat(b->g, kept,
                      mpl_plus(b, others(b, corrected), first), 2);
}

static mpl_node *merge_predictions(mpl_build *b, mpl_node *x)
{
    const uint64_t count = x->ne[2];
    mpl_node *const wanted = magnitude(b, slice(b, x));
    mpl_node *rest =
        mpl_mul_mat(b->g, mpl_weight(b, -1, "altup_unembd_proj", ".weight"),
                    others(b, x));
    rest = with_magnitude(b, rest, wanted);
    mpl_node *out = slice(b, x);
    for (uint64_t i = 1; i < count; i++)
        out = mpl_plus(b, out, slice(b, rest));
    return mpl_scale(b, out);
}

void mpl_build_gemma3n(mpl_build *b)
{
    mpl_node *x = mpl_scale(b, mpl_embed(b, "token_embd"));
    mpl_node *const project = mpl_weight(b, -1, "altup_proj", ".weight");
    mpl_open_attention(b);
    mpl_node *const inputs = layer_inputs(b, x);
    if (project == NULL || inputs == NULL)
        return;
    const uint64_t count = project->ne[2];
    mpl_node *const wanted = magnitude(b, x);
    mpl_node *const copies =
        mpl_repeat(b->g, x, b->h->embd, b->tokens, count, 1);
    mpl_node *const added =
        with_magnitude(b, mpl_mul_mat(b->g, project, copies), wanted);
    x = mpl_concat(b->g, x, added, 2);
    for (uint32_t i = 0; i < b->h->layer_count; i++)
        x = layer_3n(b, (int)i, x, inputs);
    mpl_at_layer(b, -1);
    x = mpl_crop(b, merge_predictions(b, x));
    mpl_build_end(b, x, MPL_NORM_RMS, MPL_B_SOFTCAP);
}
