/* SPDX-License-Identifier: MIT */
/* MiniMax 01: lightning attention (a decayed sum of K V by head) in most
 * layers, ordinary attention in each eighth. */
#include "engine/llamacpp/builders.h"
#include "engine/llamacpp/decoder.h"

static mpl_node *norm(mpl_build *b, int layer, const char *base, mpl_node *x)
{
    return mpl_norm(b, x, MPL_NORM_RMS, layer, base, layer);
}

/* Decays that the host computes: by position and by pair of positions. */
typedef struct decays {
    mpl_node *slopes;
    mpl_node *of_q;
    mpl_node *of_k;
    mpl_node *of_pairs;
} decays;

static mpl_node *decay(mpl_build *b, mpl_node *x)
{
    return mpl_unary(b, mpl_scale(b, x));
}

static mpl_node *attend_linear(mpl_build *b, int layer, mpl_node *x,
                               const decays *d)
{
    mpl_graph *const g = b->g;
    const mpl_llama_layer *const l = mpl_layer_of(b, layer);
    const uint64_t width = b->h->la_width > 0 ? b->h->la_width : l->key_width;
    const uint64_t heads = b->h->layers[0].head_count;
    const uint64_t n = b->tokens / b->sequences;
    const uint64_t s = b->sequences;
    mpl_expand(b, mpl_read_state(b, layer, 0));
    mpl_node *const slope = mpl_scale(b, d->slopes);
    x = mpl_reshape(g, x, x->ne[0], n, 1, s);
    mpl_node *qkv = mpl_unary(b, mpl_linear_bare(b, layer, "attn_qkv", x));
    qkv = mpl_reshape(g, qkv, width * 3, heads, n, s);
    mpl_node *part[3];
    for (int i = 0; i < 3; i++)
        part[i] = mpl_view(g, qkv, width, heads, n, s, qkv->nb[1], qkv->nb[2],
                           qkv->nb[3]);
    mpl_node *const state = mpl_read_state(b, layer, 1);
    mpl_node *const old = mpl_reshape(g, state, width, width, heads, s);
    mpl_node *const q_far = mpl_permute(
        g, mpl_times(b, part[0], decay(b, d->of_q)), 0, 2, 1, 3);
    mpl_node *const far = mpl_mul_mat(g, old, q_far);
    mpl_node *qk = mpl_mul_mat(g, mpl_permute(g, part[1], 0, 2, 1, 3),
                               mpl_permute(g, part[0], 0, 2, 1, 3));
    qk = mpl_times(b, qk, decay(b, d->of_pairs));
    mpl_node *const v =
        mpl_cont(g, mpl_permute(g, part[2], 1, 2, 0, 3));
    mpl_node *out = mpl_plus(b, far, mpl_mul_mat(g, v, qk));
    mpl_expand(b, out);
    mpl_node *const block =
        mpl_reshape3(b, mpl_unary(b, mpl_scale(b, slope)), 1, 1, heads);
    mpl_node *const faded = mpl_times(b, old, block);
    mpl_node *k = mpl_times(b, part[1], decay(b, d->of_k));
    k = mpl_cont(g, mpl_permute(g, k, 1, 2, 0, 3));
    mpl_node *const fresh = mpl_plus(b, faded, mpl_mul_mat(g, k, v));
    mpl_node *const place = mpl_state_place(b, layer, 1);
    mpl_expand(b, mpl_copy_to(g, fresh,
                              mpl_view_row(g, place, place->ne[0] * s)));
    out = mpl_cont(g, mpl_permute(g, out, 0, 2, 1, 3));
    out = mpl_reshape(g, out, out->ne[0] * out->ne[1], out->ne[2], 1,
                      out->ne[3]);
    out = norm(b, layer, "attn_norm_2", out);
    mpl_node *const gate =
        mpl_unary(b, mpl_linear_bare(b, layer, "attn_gate", x));
    out = mpl_linear_bare(b, layer, "attn_output", mpl_times(b, gate, out));
    return mpl_reshape2(b, out, out->ne[0], n * s);
}

static mpl_node *attend(mpl_build *b, int layer, mpl_node *x)
{
    const mpl_attn_options options = {.out = "attn_output"};
    mpl_qkv qkv = mpl_project_qkv(b, layer, x, 0);
    qkv.q = mpl_rope_plain(b, qkv.q);
    qkv.k = mpl_rope_plain(b, qkv.k);
    return mpl_attend(b, layer, qkv, &options);
}

/* Residuals start at the norms, not at the inputs. */
static mpl_node *one_layer(mpl_build *b, int layer, mpl_node *input,
                           const decays *d)
{
    const mpl_moe moe = {.gating = MPL_GATING_SOFTMAX, .flags = MPL_MOE_NORM};
    mpl_at_layer(b, layer);
    mpl_node *residual = norm(b, layer, "attn_norm", input);
    mpl_node *x = mpl_layer_of(b, layer)->is_recurrent
                      ? attend_linear(b, layer, residual, d)
                      : attend(b, layer, residual);
    mpl_crop_last(b, layer, &x, &residual);
    x = mpl_plus(b, x, mpl_scale(b, residual));
    residual = norm(b, layer, "ffn_norm", x);
    x = mpl_experts(b, layer, residual, &moe);
    return mpl_plus(b, x, mpl_scale(b, residual));
}

void mpl_build_minimax01(mpl_build *b)
{
    mpl_graph *const g = b->g;
    const uint64_t heads = b->h->layers[0].head_count;
    const uint64_t n = b->tokens / b->sequences;
    const uint64_t s = b->sequences;
    mpl_node *x = mpl_embed(b, "token_embd");
    mpl_open_states(b);
    mpl_open_attention(b);
    const decays d = {
        .slopes = mpl_input4(g, "slopes", MPL_DTYPE_FP32, heads, 1, 1, 1),
        .of_q = mpl_input4(g, "q_decay", MPL_DTYPE_FP32, 1, heads, n, s),
        .of_k = mpl_input4(g, "k_decay", MPL_DTYPE_FP32, 1, heads, n, s),
        .of_pairs = mpl_input4(g, "diag_decay", MPL_DTYPE_FP32, n, n, heads,
                               s),
    };
    for (uint32_t i = 0; i < b->h->layer_count; i++)
        x = one_layer(b, (int)i, x, &d);
    mpl_build_end(b, x, MPL_NORM_RMS, 0);
}
