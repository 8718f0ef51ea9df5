/* SPDX-License-Identifier: MIT */
/*
 * Compute buffers: what the graphs of a setup need between operators.
 */
#ifndef MPL_ENGINE_LLAMACPP_COMPUTE_H
#define MPL_ENGINE_LLAMACPP_COMPUTE_H

#include "engine/ledger.h"
#include "engine/llamacpp/setup.h"

typedef enum mpl_llama_mode {
    MPL_LLAMA_REAL, /* as a load allocates */
    MPL_LLAMA_DRY   /* as llama.cpp's own fit measures */
} mpl_llama_mode;

typedef struct mpl_llama_compute_result {
    uint64_t bytes[MPL_LLAMA_BUFFER_MAX]; /* by buffer type */
    mpl_certainty certainty;
    const char *rule; /* a sentence: how the figure came about */
} mpl_llama_compute_result;

/*
 * Whether flash attention stays on: llama.cpp schedules a graph of one token a
 * sequence, without the forced assignments, and turns it off everywhere when a
 * FLASH_ATTN_EXT lands on another device than its layer's. Else the setup
 * keeps that graph, for the generation's is the same.
 */
memplan_status mpl_llama_flash_stays(bool *out, mpl_llama_setup *setup,
                                     memplan_error *error);

/*
 * Which fused operators stay: like flash attention they are given up where a
 * probe puts one on another device than its layer's. Flash attention is settled
 * before.
 */
memplan_status mpl_llama_settle_fused(mpl_llama_setup *setup,
                                      memplan_error *error);

/*
 * Compute buffers of a setup. Where the architecture's graph is not described
 * the result is an upper bound, marked so. `setup->flash_attn` is final.
 *
 * MEMPLAN_OK; _UNSUPPORTED with the error that llama.cpp would end with, such
 * as an AMX weight whose input is not contiguous and for which no other backend
 * is left (GGML_ASSERT(*cur_backend_id != -1)), or a graph that outgrows its
 * hash table;
 * _TOO_LARGE; _NO_MEMORY.
 */
memplan_status mpl_llama_compute(mpl_llama_compute_result *out,
                                 const mpl_llama_setup *setup,
                                 mpl_llama_mode mode, memplan_error *error);

/* For a person: the tensors alive where a buffer type reaches its peak of
 * `bytes`, the largest first, in one sentence in the setup's arena. NULL: not
 * known. */
const char *mpl_llama_explain_compute(const mpl_llama_setup *setup,
                                      mpl_llama_mode mode, uint32_t buffer,
                                      uint64_t bytes);

#endif
