/* SPDX-License-Identifier: MIT */
/*
 * DeepSeek-V4's attention. Each layer keeps the latest cells as they are; by
 * its ratio it also keeps compressed ones:
 *
 *     4     pairs of blocks of four tokens overlap into one cell, and an
 *           indexer (compressed the same way) chooses among the cells
 *     128   128 tokens make a cell; all are attended to
 *
 * A compressor reads its state (the tokens of blocks not complete yet) and the
 * batch's tokens, joined into one table of rows.
 */
#ifndef MPL_ENGINE_LLAMACPP_BUILD_DEEPSEEK4_H
#define MPL_ENGINE_LLAMACPP_BUILD_DEEPSEEK4_H

#include "engine/llamacpp/build.h"

/* What the compressors of one kind share. */
typedef struct mpl_v4_compressor {
    mpl_attn_inputs cells; /* its cache; k_ids: the cells that it writes */
    const mpl_llama_cache *state;
    uint64_t ratio;
    bool overlaps;
    mpl_node *phases;  /* position within a block, a token */
    mpl_node *kept;    /* rows of the batch that the state keeps */
    mpl_node *places;  /* where */
    mpl_node *members; /* rows of the blocks that are complete */
    mpl_node *block_positions;
} mpl_v4_compressor;

typedef struct mpl_v4_inputs {
    mpl_attn_inputs raw;
    mpl_v4_compressor few;     /* ratio 4 */
    mpl_v4_compressor many;    /* ratio 128 */
    mpl_v4_compressor indexer; /* ratio 4 */
} mpl_v4_inputs;

void mpl_v4_open(mpl_build *b, mpl_v4_inputs *out);

/* One layer's attention, with its output product. */
mpl_node *mpl_v4_attend(mpl_build *b, const mpl_v4_inputs *inputs, int layer,
                        mpl_node *x);

#endif
