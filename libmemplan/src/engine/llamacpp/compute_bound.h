/* SPDX-License-Identifier: MIT */
/* Compute buffers of architectures whose graph is not described: an upper
 * bound, for prompts of so many tokens. */
#ifndef MPL_ENGINE_LLAMACPP_COMPUTE_BOUND_H
#define MPL_ENGINE_LLAMACPP_COMPUTE_BOUND_H

#include "engine/llamacpp/compute.h"

memplan_status mpl_compute_bound(mpl_llama_compute_result *out,
                                 const mpl_llama_setup *setup,
                                 uint64_t tokens, memplan_error *error);

#endif
