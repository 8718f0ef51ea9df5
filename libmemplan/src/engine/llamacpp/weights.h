/* SPDX-License-Identifier: MIT */
/*
 * Weights: what llama.cpp makes of the tensors of a file, and which buffer
 * type each of them ends in.
 */
#ifndef MPL_ENGINE_LLAMACPP_WEIGHTS_H
#define MPL_ENGINE_LLAMACPP_WEIGHTS_H

#include "engine/llamacpp/params.h"
#include "engine/llamacpp/setup.h"
#include "model/gguf.h"

/* Weights of one model: the same for every setup. */
typedef struct mpl_llama_weights {
    const mpl_llama_weight *items;
    uint32_t count;
    uint32_t token_embd; /* or MPL_NO_INDEX */
    const struct mpl_llama_weight_index *index;
} mpl_llama_weights;

memplan_status mpl_llama_weights_read(mpl_llama_weights *out, mpl_arena *arena,
                                      const mpl_llama_hparams *hparams,
                                      const mpl_gguf *gguf,
                                      memplan_error *error);

/* Whether two layers have the same weights as far as a graph can tell: of a
 * quantized weight on its layer's own device, which is never copied, the type
 * does not matter. */
bool mpl_llama_weights_alike(const mpl_llama_setup *setup, uint32_t a,
                             uint32_t b);

/* What the processor can do with packed weights. */
typedef struct mpl_llama_cpu {
    bool has_avx2;
    bool has_avx512;
    bool has_amx; /* amx_int8 and avx512_vnni */
    bool has_neon_dot;
    bool has_neon_i8mm;
} mpl_llama_cpu;

/* From words like "avx2", "avx512f", "amx_int8", "asimddp", "i8mm". */
void mpl_llama_cpu_add(mpl_llama_cpu *cpu, const char *word, uint64_t length);

/* How weights are placed beyond the setup's devices. */
typedef struct mpl_llama_placing {
    const mpl_llama_params *params;
    mpl_llama_cpu cpu;
    bool uses_mmap;
    const mpl_llama_device *all_devices; /* also those left out */
    uint32_t all_device_count;
} mpl_llama_placing;

/* Fills setup->weights, weight_buffer and the like. */
memplan_status mpl_llama_weights_place(mpl_llama_setup *setup,
                                       const mpl_llama_weights *weights,
                                       const mpl_llama_placing *placing,
                                       memplan_error *error);

/* Bytes of the model by buffer type: `bytes` are padded sums, as allocated;
 * `mapped` the range of the files from the first to the last weight of a
 * buffer type that is mapped instead, holes included, and `touched` the bytes
 * of the weights in it. */
typedef struct mpl_llama_weight_bytes {
    uint64_t bytes[MPL_LLAMA_BUFFER_MAX];
    uint64_t mapped[MPL_LLAMA_BUFFER_MAX];
    uint64_t touched[MPL_LLAMA_BUFFER_MAX];
} mpl_llama_weight_bytes;

memplan_status mpl_llama_weights_sum(mpl_llama_weight_bytes *out,
                                     const mpl_llama_setup *setup,
                                     bool uses_mmap, memplan_error *error);

#endif
