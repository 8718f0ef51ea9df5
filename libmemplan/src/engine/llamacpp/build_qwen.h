/* SPDX-License-Identifier: MIT */
/* What the Qwen graphs with gated delta nets share. */
#ifndef MPL_ENGINE_LLAMACPP_BUILD_QWEN_H
#define MPL_ENGINE_LLAMACPP_BUILD_QWEN_H

#include "engine/llamacpp/build.h"

/* Which states of a layer (build_state.c). */
enum { MPL_STATE_R, MPL_STATE_S, MPL_STATE_PLE };

/* The `kept` columns that a short convolution remembers, then those of `x`,
 * [channels, tokens of a sequence, sequences]; the last become the state. */
mpl_node *mpl_convolve_input(mpl_build *b, int layer, int which, mpl_node *x,
                             uint64_t kept);

/* A layer of linear attention, its output product included. */
mpl_node *mpl_attend_delta(mpl_build *b, int layer, mpl_node *x);

/* Experts, and a shared one times a gate. */
mpl_node *mpl_qwen_feed_forward(mpl_build *b, int layer, mpl_node *x);

#endif
