/* SPDX-License-Identifier: MIT */
/*
 * The gated delta rule: a state that each token corrects. One operator where
 * every backend has it; else chunk by chunk, or step by step.
 */
#ifndef MPL_ENGINE_LLAMACPP_BUILD_DELTA_H
#define MPL_ENGINE_LLAMACPP_BUILD_DELTA_H

#include "engine/llamacpp/build.h"

typedef struct mpl_delta {
    mpl_node *q; /* [width, heads, tokens of a sequence, sequences] */
    mpl_node *k;
    mpl_node *v;
    mpl_node *gate;  /* [1 or width, heads, tokens, sequences] */
    mpl_node *beta;  /* [1, heads, tokens, sequences] */
    mpl_node *state; /* [width, width, heads, sequences] */
} mpl_delta;

/* The outputs; `*state` becomes the new states. */
mpl_node *mpl_delta_rule(mpl_build *b, const mpl_delta *in, mpl_node **state);

/* A row divided by its length. */
mpl_node *mpl_unit_length(mpl_build *b, mpl_node *x);

#endif
