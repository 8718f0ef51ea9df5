/* SPDX-License-Identifier: MIT */
/*
 * Context memory: the caches of attention layers and the states of recurrent
 * ones, a tensor each.
 */
#ifndef MPL_ENGINE_LLAMACPP_CONTEXT_H
#define MPL_ENGINE_LLAMACPP_CONTEXT_H

#include "engine/llamacpp/setup.h"

/* Fills setup->caches from its sizes, types and layers. */
memplan_status mpl_llama_context_make(mpl_llama_setup *setup,
                                      memplan_error *error);

/* Bytes by buffer type: of caches of attention, and of states. */
typedef struct mpl_llama_context_bytes {
    uint64_t cache[MPL_LLAMA_BUFFER_MAX];
    uint64_t state[MPL_LLAMA_BUFFER_MAX];
} mpl_llama_context_bytes;

memplan_status mpl_llama_context_sum(mpl_llama_context_bytes *out,
                                     const mpl_llama_setup *setup,
                                     memplan_error *error);

#endif
