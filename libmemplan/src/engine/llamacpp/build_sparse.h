/* SPDX-License-Identifier: MIT */
/*
 * Sparse attention (DSA): an indexer scores all cells with a few light heads,
 * and attention reads only the best of them.
 */
#ifndef MPL_ENGINE_LLAMACPP_BUILD_SPARSE_H
#define MPL_ENGINE_LLAMACPP_BUILD_SPARSE_H

#include "engine/llamacpp/build.h"

/* What indexers share. */
typedef struct mpl_indexer {
    mpl_attn_inputs inputs; /* its cache, indices, mask and rotation */
} mpl_indexer;

/* Inputs; the mask is F16 where the indexer is one operator. */
void mpl_open_indexer(mpl_build *b, mpl_indexer *out);

/* Cells to attend to: I32 [chosen, tokens, 1, streams]. `q` has [width,
 * heads, tokens], `k` [width, 1, tokens], `weights` [heads, tokens]. */
mpl_node *mpl_index_cells(mpl_build *b, const mpl_indexer *indexer, int layer,
                          mpl_node *q, mpl_node *k, mpl_node *x,
                          const char *weights);

/* The best of the cells for queries [width, heads, tokens, streams]. */
mpl_node *mpl_best_cells(mpl_build *b, mpl_node *q, mpl_node *keys,
                         mpl_node *weights, mpl_node *mask);
/* Tokens, in dimension 1 or 2, as tokens of streams. */
mpl_node *mpl_split_streams(mpl_build *b, mpl_node *x, int dim,
                            uint64_t streams);

/* A mask that lets only chosen cells through; `dtype` of the zeros that open
 * it. */
mpl_node *mpl_mask_but(mpl_build *b, mpl_node *mask, mpl_node *cells,
                       uint32_t dtype);

/* Latent attention to chosen cells (build_dsa.c). `*cells`: what the layers
 * before chose; replaced where this one has an indexer. All cells where the
 * model has none. */
mpl_node *mpl_attend_chosen(mpl_build *b, const mpl_indexer *indexer,
                            int layer, mpl_node *x, mpl_node **cells);

#endif
