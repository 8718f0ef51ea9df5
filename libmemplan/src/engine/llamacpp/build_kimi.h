/* SPDX-License-Identifier: MIT */
/* What the Kimi graphs share: delta attention, and latent attention without
 * positions. */
#ifndef MPL_ENGINE_LLAMACPP_BUILD_KIMI_H
#define MPL_ENGINE_LLAMACPP_BUILD_KIMI_H

#include "engine/llamacpp/build.h"

/* Delta attention with a gate an element, its output product included. */
mpl_node *mpl_attend_kda(mpl_build *b, int layer, mpl_node *x);

/* Latent attention; `out_name` NULL: without the output product. */
mpl_node *mpl_attend_kimi(mpl_build *b, int layer, mpl_node *x,
                          const char *out_name);

#endif
