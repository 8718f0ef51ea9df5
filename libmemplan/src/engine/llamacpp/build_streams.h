/* SPDX-License-Identifier: MIT */
/*
 * DeepSeek-V4's hyper-connections: several residual streams. Each half of a
 * layer reads a weighted sum of them; its output joins each stream with a
 * weight, and the streams are mixed with one another.
 *
 * Three operators are fused where the backends that run them are those of
 * their layers (mpl_llama_settle_fused); else each is several.
 */
#ifndef MPL_ENGINE_LLAMACPP_BUILD_STREAMS_H
#define MPL_ENGINE_LLAMACPP_BUILD_STREAMS_H

#include "engine/llamacpp/build.h"

/* The weights of one half of a layer. */
typedef struct mpl_stream_names {
    const char *fn;
    const char *scale;
    const char *base;
} mpl_stream_names;

/* How a half's output goes back to the streams. */
typedef struct mpl_stream_weights {
    mpl_node *post; /* [streams, tokens] */
    mpl_node *comb; /* [streams, streams, tokens] */
} mpl_stream_weights;

/* [width, tokens] of x, which has [width, streams, tokens]. */
mpl_node *mpl_streams_reduce(mpl_build *b, int layer,
                             const mpl_stream_names *names, mpl_node *x,
                             mpl_stream_weights *weights);
/* The streams after a half whose output is x. */
mpl_node *mpl_streams_join(mpl_build *b, mpl_node *x, mpl_node *streams,
                           const mpl_stream_weights *weights);
/* The sum that the output product reads: weights of the whole model. */
mpl_node *mpl_streams_end(mpl_build *b, const mpl_stream_names *names,
                          mpl_node *x);

#endif
