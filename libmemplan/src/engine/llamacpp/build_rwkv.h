/* SPDX-License-Identifier: MIT */
/* What the versions of RWKV share: the token before each, kept between
 * batches, and the layers around their mixing. */
#ifndef MPL_ENGINE_LLAMACPP_BUILD_RWKV_H
#define MPL_ENGINE_LLAMACPP_BUILD_RWKV_H

#include "engine/llamacpp/build.h"

/* [embd, tokens, sequences] of x, from somewhere in each sequence. */
mpl_node *mpl_rwkv_part(mpl_build *b, mpl_node *x, uint64_t tokens);
/* The token before each of x's: kept ones first. */
mpl_node *mpl_rwkv_shifted(mpl_build *b, mpl_node *kept, mpl_node *x);
/* The shifts that the states of this batch hold: [embd, count, sequences]. */
mpl_node *mpl_rwkv_shifts(mpl_build *b, int layer);
void mpl_rwkv_keep_shifts(mpl_build *b, int layer, mpl_node *last);
/* Rows [embd, tokens] as heads. */
mpl_node *mpl_rwkv_heads(mpl_build *b, mpl_node *x);
/* Keeps the state that follows a batch's outputs in `out`, and gives those. */
mpl_node *mpl_rwkv_outputs(mpl_build *b, int layer, mpl_node *out);

/* What tells the versions apart. */
typedef struct mpl_rwkv {
    /* `x` is normed; `first_values` are kept from layer to layer. */
    mpl_node *(*mix_time)(mpl_build *b, int layer, mpl_node *x,
                          mpl_node *before, mpl_node **first_values);
    /* NULL: a transformer's norms and gated network. */
    mpl_node *(*mix_channels)(mpl_build *b, int layer, mpl_node *x,
                              mpl_node *before);
    bool is_rescaled; /* every few layers, where the file says so */
} mpl_rwkv;

/* The whole graph; nothing where heads have no width. */
void mpl_rwkv_stack(mpl_build *b, const mpl_rwkv *version);

#endif
