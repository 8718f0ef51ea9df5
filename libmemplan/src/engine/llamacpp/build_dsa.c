/* SPDX-License-Identifier: MIT */
/* DeepSeek 3.2 and GLM with DSA: latent attention to the cells that an indexer
 * picks; in GLM some layers use the choice of the one before. */
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

static mpl_node *attend(mpl_build *b, int layer, mpl_node *x,
                        mpl_node *q_latent, mpl_node *cells)
{
    mpl_graph *const g = b->g;
    const mpl_llama_layer *const l = mpl_layer_of(b, layer);
    const uint64_t turned = l->rope_width;
    const uint64_t width = b->h->mla_key_width;
    const mpl_attn_options options = {
        .out = "attn_output",
        .v_up = mpl_weight(b, layer, "attn_v_b", ".weight"),
    };
    mpl_node *const q = mpl_linear_bare(b, layer, "attn_q_b", q_latent);
    const uint64_t head = mpl_row_bytes(q->dtype, width);
    mpl_node *still =
        mpl_heads_view(b, q, width - turned, l->head_count, head);
    mpl_node *const turning = mpl_heads_view(b, q, turned, l->head_count, head);
    mpl_node *const both = mpl_linear_bare(b, layer, "attn_kv_a_mqa", x);
    mpl_node *latent =
        mpl_view_2d(g, both, b->h->kv_rank, b->tokens, both->nb[1]);
    mpl_node *const k_turning = mpl_view(g, both, turned, 1, b->tokens, 1,
                                         both->nb[1], both->nb[1],
                                         both->nb[2]);
    latent = norm(b, layer, "attn_kv_a_norm", latent);
    still = mpl_permute(g, still, 0, 2, 1, 3);
    still = mpl_mul_mat(g, mpl_weight(b, layer, "attn_k_b", ".weight"), still);
    still = mpl_permute(g, still, 0, 2, 1, 3);
    latent = mpl_reshape3(b, latent, latent->ne[0], 1, b->tokens);
    mpl_node *const query =
        mpl_concat(g, still, mpl_rope_plain(b, turning), 0);
    mpl_node *const key =
        mpl_concat(g, latent, mpl_rope_plain(b, k_turning), 0);
    mpl_expand(b, query);
    mpl_expand(b, latent);
    mpl_expand(b, key);
    mpl_expand(b, mpl_store_k(b, &b->full, layer, key));
    mpl_node *const mask = mpl_mask_but(b, b->full.mask, cells);
    mpl_node *const keys = mpl_cached_k(b, &b->full, layer);
    mpl_node *const values =
        mpl_view(g, keys, latent->ne[0], keys->ne[1], keys->ne[2], keys->ne[3],
                 keys->nb[1], keys->nb[2], keys->nb[3]);
    return mpl_attn_out(
        b, layer, mpl_attention_core(b, query, keys, values, mask, &options),
        &options);
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

static mpl_node *one_layer(mpl_build *b, const mpl_indexer *indexer,
                           int layer, mpl_node *input, mpl_node **cells)
{
    const bool has_indexer = b->h->arch != MPL_LLAMA_ARCH_GLM_DSA ||
                             mpl_layer_of(b, layer)->is_indexer_full;
    mpl_at_layer(b, layer);
    mpl_node *x = norm(b, layer, "attn_norm", input);
    mpl_node *q = mpl_linear_bare(b, layer, "attn_q_a", x);
    q = norm(b, layer, "attn_q_a_norm", q);
    if (has_indexer)
        *cells = choose_cells(b, indexer, layer, x, q);
    if (*cells == NULL)
        return input;
    x = attend(b, layer, x, q, *cells);
    if ((uint32_t)layer + 1 == b->h->layer_count) {
        x = mpl_crop(b, x);
        input = mpl_crop(b, input);
    }
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
