/* SPDX-License-Identifier: MIT */
#include "engine/llamacpp/build_sparse.h"

#include "base/checked.h"

void mpl_open_indexer(mpl_build *b, mpl_indexer *out)
{
    const mpl_llama_cache *const cache =
        b->setup->caches[MPL_LLAMA_CACHE_INDEXER];
    *out = (mpl_indexer){.inputs = {.cache = cache}};
    if (cache == NULL)
        return;
    out->inputs.k_ids = mpl_input4(b->g, "lid_k_idxs", MPL_DTYPE_I64,
                                   b->tokens, 1, 1, 1);
    out->inputs.mask = mpl_input4(
        b->g, "lid_mask", b->fuses_indexer ? MPL_DTYPE_FP16 : MPL_DTYPE_FP32,
        cache->cells, b->tokens / b->streams, 1, b->streams);
    out->inputs.k_rotation = mpl_k_rotation(b, b->h->indexer_width);
}

/* Scores [cells, tokens, 1, streams], step by step. */
static mpl_node *score(mpl_build *b, mpl_node *q, mpl_node *k,
                       mpl_node *weights, mpl_node *mask)
{
    mpl_graph *const g = b->g;
    q = mpl_permute(g, q, 0, 2, 1, 3);
    k = mpl_permute(g, k, 0, 2, 1, 3);
    mpl_node *out = mpl_mul_mat(g, k, q);
    out = mpl_cont(g, mpl_permute(g, out, 2, 1, 0, 3));
    out = mpl_times(b, mpl_unary(b, out), weights);
    out = mpl_sum_rows(g, out);
    out = mpl_cont(g, mpl_permute(g, out, 2, 1, 0, 3));
    return mpl_plus(b, out, mask);
}

static mpl_node *score_fused(mpl_build *b, mpl_node *q, mpl_node *k,
                             mpl_node *weights, mpl_node *mask)
{
    mpl_node *const out =
        mpl_op_shaped(b->g, MPL_OP_LIGHTNING_INDEXER, MPL_DTYPE_FP32,
                      k->ne[2], q->ne[2], 1, q->ne[3], q, k);
    out->src[2] = weights;
    out->src[3] = mask;
    return out;
}

mpl_node *mpl_best_cells(mpl_build *b, mpl_node *q, mpl_node *keys,
                         mpl_node *weights, mpl_node *mask)
{
    mpl_graph *const g = b->g;
    mpl_node *const all = b->fuses_indexer
                              ? score_fused(b, q, keys, weights, mask)
                              : score(b, q, keys, weights, mask);
    mpl_node *const top =
        mpl_op_shaped(g, MPL_OP_TOP_K, MPL_DTYPE_I32,
                      mpl_min(all->ne[0], b->h->indexer_top_k), all->ne[1],
                      all->ne[2], all->ne[3], all, NULL);
    return mpl_cont(g, top);
}

mpl_node *mpl_split_streams(mpl_build *b, mpl_node *x, int dim,
                            uint64_t streams)
{
    uint64_t ne[4] = {x->ne[0], x->ne[1], x->ne[2], streams};
    ne[dim] /= streams;
    return mpl_view(b->g, x, ne[0], ne[1], ne[2], ne[3], x->nb[1],
                    dim == 1 ? x->nb[2] / streams : x->nb[2],
                    x->nb[3] / streams);
}

mpl_node *mpl_index_cells(mpl_build *b, const mpl_indexer *indexer, int layer,
                          mpl_node *q, mpl_node *k, mpl_node *x,
                          const char *weights)
{
    mpl_graph *const g = b->g;
    const mpl_attn_inputs *const in = &indexer->inputs;
    if (in->k_rotation != NULL) {
        q = mpl_mul_mat(g, in->k_rotation, q);
        k = mpl_mul_mat(g, in->k_rotation, k);
    }
    mpl_expand(b, mpl_store_k(b, in, layer, k));
    mpl_node *w = mpl_linear_bare(b, layer, weights, x);
    mpl_node *const table = mpl_cache_node(b, in->cache, 0, layer);
    const uint64_t width = b->h->indexer_width;
    mpl_node *const keys =
        mpl_view(g, table, width, 1, table->ne[1], table->ne[2],
                 mpl_row_bytes(table->dtype, width), table->nb[1],
                 table->nb[2]);
    const uint64_t streams = table->ne[2] > 0 ? table->ne[2] : 1;
    q = mpl_split_streams(b, q, 2, streams);
    w = mpl_scale(b, mpl_split_streams(b, w, 1, streams));
    return mpl_best_cells(b, q, keys, w, in->mask);
}

mpl_node *mpl_mask_but(mpl_build *b, mpl_node *mask, mpl_node *cells,
                       uint32_t dtype)
{
    mpl_graph *const g = b->g;
    mpl_node *all = mpl_op1(g, MPL_OP_FILL, mask);
    all = mpl_view(g, all, 1, all->ne[0], all->ne[1], all->ne[3], all->nb[0],
                   all->nb[1], all->nb[2]);
    mpl_node *const flat =
        mpl_view(g, cells, cells->ne[0], cells->ne[1], cells->ne[3], 1,
                 cells->nb[1], cells->nb[2], cells->ne[3] * cells->nb[3]);
    mpl_node *zeros = mpl_tensor4(g, dtype, 1, flat->ne[0], flat->ne[1],
                                  flat->ne[2]);
    zeros = mpl_op1(g, MPL_OP_FILL, zeros);
    mpl_node *out = mpl_set_rows(g, all, zeros, flat);
    out = mpl_view(g, out, out->ne[1], out->ne[2], 1, out->ne[3], out->nb[2],
                   out->nb[3], out->nb[3]);
    return mpl_plus(b, out, mask);
}
