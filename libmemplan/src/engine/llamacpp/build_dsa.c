/* SPDX-License-Identifier: MIT */
/* DeepSeek 3.2, GLM with DSA, dots 3: latent attention to the cells that an
 * indexer picks. In GLM some layers use the choice of the one before; in dots
 * some attend to a window instead, and each head has a gate. */
#include "base/checked.h"
#include "engine/llamacpp/build_sparse.h"
#include "engine/llamacpp/builders.h"
#include "engine/llamacpp/decoder.h"

static mpl_node *norm(mpl_build *b, int layer, const char *base, mpl_node *x)
{
    return mpl_norm(b, x, MPL_NORM_RMS, layer, base, layer);
}

static mpl_node *choose_cells(mpl_build *b, const mpl_indexer *indexer,
                              int layer, mpl_node *x, mpl_node *q_latent)
{
    const uint64_t width = b->h->indexer_width;
    mpl_node *q = mpl_linear_bare(b, layer, "indexer.attn_q_b", q_latent);
    q = mpl_reshape3(b, q, width, b->h->indexer_head_count, b->tokens);
    q = mpl_rope_plain(b, q);
    mpl_node *k = mpl_linear_bare(b, layer, "indexer.attn_k", x);
    k = mpl_norm(b, k, MPL_NORM_LAYER, layer, "indexer.k_norm", layer);
    k = mpl_rope_plain(b, mpl_reshape3(b, k, width, 1, b->tokens));
    return mpl_index_cells(b, indexer, layer, q, k, x, "indexer.proj");
}

/* What the cells hold: latent values, and the part of keys that turns. */
static mpl_node *make_key(mpl_build *b, int layer, mpl_node *x,
                          mpl_node **out_latent)
{
    const uint64_t turned = mpl_layer_of(b, layer)->rope_width;
    mpl_node *const both = mpl_linear_bare(b, layer, "attn_kv_a_mqa", x);
    const uint64_t rank = mpl_sub_floor(both->ne[0], turned);
    mpl_node *latent = mpl_view_2d(b->g, both, rank, b->tokens, both->nb[1]);
    mpl_node *turning = mpl_view(b->g, both, turned, 1, b->tokens, 1,
                                 both->nb[1], both->nb[1], both->nb[2]);
    if (mpl_has(b, layer, "attn_k_norm"))
        turning = norm(b, layer, "attn_k_norm", turning);
    latent = norm(b, layer, "attn_kv_a_norm", latent);
    *out_latent = mpl_reshape3(b, latent, rank, 1, b->tokens);
    return mpl_concat(b->g, *out_latent, mpl_rope_plain(b, turning), 0);
}

static mpl_node *make_query(mpl_build *b, int layer, mpl_node *q_latent)
{
    mpl_graph *const g = b->g;
    const mpl_llama_layer *const l = mpl_layer_of(b, layer);
    mpl_node *const q = mpl_linear_bare(b, layer, "attn_q_b", q_latent);
    const uint64_t width = q->ne[0] / mpl_max(l->head_count, 1);
    const uint64_t head = mpl_row_bytes(q->dtype, width);
    mpl_node *still = mpl_heads_view(
        b, q, mpl_sub_floor(width, l->rope_width), l->head_count, head);
    mpl_node *const turning =
        mpl_heads_view(b, q, l->rope_width, l->head_count, head);
    still = mpl_permute(g, still, 0, 2, 1, 3);
    still = mpl_mul_mat(g, mpl_weight(b, layer, "attn_k_b", ".weight"), still);
    still = mpl_permute(g, still, 0, 2, 1, 3);
    return mpl_concat(g, still, mpl_rope_plain(b, turning), 0);
}

/* `cells` NULL: all that the mask allows. */
static mpl_node *attend(mpl_build *b, int layer, const mpl_attn_inputs *in,
                        mpl_node *x, mpl_node *q_latent, mpl_node *cells)
{
    mpl_graph *const g = b->g;
    const uint64_t heads = mpl_layer_of(b, layer)->head_count;
    const bool has_gate = mpl_has(b, layer, "attn_gate");
    const mpl_attn_options options = {
        .out = has_gate ? NULL : "attn_output",
        .v_up = mpl_weight(b, layer, "attn_v_b", ".weight"),
        .sinks = mpl_weight(b, layer, "attn_sinks", ".weight"),
    };
    mpl_node *latent;
    mpl_node *const query = make_query(b, layer, q_latent);
    mpl_node *const key = make_key(b, layer, x, &latent);
    mpl_expand(b, query);
    mpl_expand(b, latent);
    mpl_expand(b, key);
    mpl_expand(b, mpl_store_k(b, in, layer, key));
    mpl_node *const mask =
        cells == NULL ? in->mask
                      : mpl_mask_but(b, in->mask, cells, MPL_DTYPE_FP32);
    mpl_node *const keys = mpl_cached_k(b, in, layer);
    mpl_node *const values =
        mpl_view(g, keys, latent->ne[0], keys->ne[1], keys->ne[2], keys->ne[3],
                 keys->nb[1], keys->nb[2], keys->nb[3]);
    mpl_node *out = mpl_attn_out(
        b, layer, mpl_attention_core(b, query, keys, values, mask, &options),
        &options);
    if (!has_gate)
        return out;
    mpl_node *gate = mpl_unary(b, mpl_linear_bare(b, layer, "attn_gate", x));
    if (gate->ne[0] == out->ne[0])
        return mpl_linear_bare(b, layer, "attn_output",
                               mpl_times(b, out, gate));
    gate = mpl_reshape3(b, gate, 1, heads, b->tokens);
    const uint64_t width = out->ne[0];
    out = mpl_reshape3(b, out, width / mpl_max(heads, 1), heads, b->tokens);
    out = mpl_reshape2(b, mpl_times(b, out, gate), width, b->tokens);
    return mpl_linear(b, layer, "attn_output", out);
}

static mpl_node *feed_forward(mpl_build *b, int layer, mpl_node *x)
{
    const mpl_moe moe = {.flags = MPL_MOE_NORM_MODEL | MPL_MOE_SCALE};
    const uint32_t flags = MPL_FFN_GATE | MPL_FFN_SCALE;
    if (!mpl_has(b, layer, "ffn_gate_inp"))
        return mpl_ffn(b, layer, x, MPL_ACT_SILU, flags);
    return mpl_plus(b, mpl_experts(b, layer, x, &moe),
                    mpl_ffn(b, layer, x, MPL_ACT_SILU,
                            flags | MPL_FFN_SHARED));
}

mpl_node *mpl_attend_chosen(mpl_build *b, const mpl_indexer *indexer,
                            int layer, mpl_node *x, mpl_node **cells)
{
    const mpl_llama_layer *const l = mpl_layer_of(b, layer);
    const bool has_window = l->is_swa && b->swa.cache != NULL;
    const bool has_cells = !has_window && indexer->inputs.cache != NULL;
    const bool may_borrow = b->h->arch == MPL_LLAMA_ARCH_GLM_DSA ||
                            b->h->arch == MPL_LLAMA_ARCH_HY_V4;
    mpl_node *q = mpl_linear_bare(b, layer, "attn_q_a", x);
    q = norm(b, layer, "attn_q_a_norm", q);
    if (has_cells && (!may_borrow || l->is_indexer_full))
        *cells = choose_cells(b, indexer, layer, x, q);
    if (has_cells && *cells == NULL)
        return x;
    return attend(b, layer, has_window ? &b->swa : &b->full, x, q,
                  has_cells ? *cells : NULL);
}

static mpl_node *one_layer(mpl_build *b, const mpl_indexer *indexer,
                           int layer, mpl_node *input, mpl_node **cells)
{
    mpl_at_layer(b, layer);
    mpl_node *x = norm(b, layer, "attn_norm", input);
    x = mpl_attend_chosen(b, indexer, layer, x, cells);
    mpl_crop_last(b, layer, &x, &input);
    mpl_node *const middle = mpl_plus(b, x, input);
    x = feed_forward(b, layer, norm(b, layer, "ffn_norm", middle));
    return mpl_plus(b, x, middle);
}

void mpl_build_dsa(mpl_build *b)
{
    mpl_indexer indexer;
    mpl_node *cells = NULL;
    mpl_node *x = mpl_embed(b, "token_embd");
    mpl_open_attention(b);
    mpl_open_indexer(b, &indexer);
    if (indexer.inputs.cache == NULL)
        return;
    for (uint32_t i = 0; i < b->h->layer_count; i++)
        x = one_layer(b, &indexer, (int)i, x, &cells);
    mpl_build_end(b, x, MPL_NORM_RMS, MPL_B_NO_OUTPUT_SCALE);
}
