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

/* A mask that lets only chosen cells through. */
mpl_node *mpl_mask_but(mpl_build *b, mpl_node *mask, mpl_node *cells);

/* Latent attention to chosen cells (build_dsa.c). `*cells`: what the layers
 * before chose; replaced where this one has an indexer. All cells where the
 * model has none. */
mpl_node *mpl_attend_chosen(mpl_build *b, const mpl_indexer *indexer,
                            int layer, mpl_node *x, mpl_node **cells);

#endif
