/* SPDX-License-Identifier: MIT */
/*
 * A setup: one configuration of llama.cpp for one model, fully resolved. It is
 * what the rooms of this folder say to each other:
 *
 *     params   what was asked for                  -> the scalars
 *     devices  where                               -> devices, buffer types
 *     weights  which buffer type holds each weight -> weights
 *     context  caches and states                   -> caches
 *     compute  graph, scheduler, allocator         reads all of it
 */
#ifndef MPL_ENGINE_LLAMACPP_SETUP_H
#define MPL_ENGINE_LLAMACPP_SETUP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "engine/llamacpp/backend.h"
#include "engine/llamacpp/hparams.h"
#include "memplan.h"

/* In place of a device's position: the host's processors. */
#define MPL_LLAMA_HOST UINT32_MAX

typedef struct mpl_llama_device {
    const char *name; /* "CUDA0", "RPC1" */
    const mpl_llama_backend *backend;
    mpl_llama_backend_kind kind;
    uint32_t pool; /* of the machine */
    bool lacks_mmap; /* integrated: mapped files are not used then */
    uint32_t compute_capability; /* 90 for 9.0; 0: not NVIDIA, or unknown */
    uint64_t free_bytes;
    uint64_t total_bytes;
} mpl_llama_device;

/*
 * Buffer types. The first four are the host's, then one a device:
 * MPL_LLAMA_BUFFER_DEVICE + position in devices.
 */
enum {
    MPL_LLAMA_BUFFER_CPU,    /* plain */
    MPL_LLAMA_BUFFER_REPACK, /* rows interleaved for the processor */
    MPL_LLAMA_BUFFER_AMX,    /* packed for AMX tiles */
    MPL_LLAMA_BUFFER_PINNED, /* the first device's pinned host memory */
    MPL_LLAMA_BUFFER_DEVICE,
    MPL_LLAMA_BUFFER_MAX = MPL_LLAMA_BUFFER_DEVICE + MPL_LLAMA_MAX_DEVICES,
    MPL_LLAMA_BUFFER_NONE = UINT16_MAX
};

typedef struct mpl_llama_buffer_type {
    const char *name;  /* "CPU", "CPU_REPACK", "CUDA0", "CUDA_Host" */
    uint32_t device;   /* or MPL_LLAMA_HOST */
    uint32_t alignment_bytes;
    uint32_t row_elements; /* see mpl_llama_backend */
    bool is_host;          /* plain memory that the CPU backend can run on:
                              not the repacked ones */
    uint64_t buffer_max_bytes;
} mpl_llama_buffer_type;

/* Whose device a weight goes to, and what for (tensors.def). */
typedef enum mpl_llama_class {
    MPL_LLAMA_CLASS_INPUT,
    MPL_LLAMA_CLASS_OUTPUT,
    MPL_LLAMA_CLASS_LAYER
} mpl_llama_class;

typedef enum mpl_llama_use {
    MPL_LLAMA_USE_MATMUL,
    MPL_LLAMA_USE_EXPERTS,
    MPL_LLAMA_USE_ROWS,
    MPL_LLAMA_USE_OTHER,
    MPL_LLAMA_USE_UNUSED
} mpl_llama_use;

/* One weight as llama.cpp creates it. ne[0] is the fastest dimension. */
typedef struct mpl_llama_weight {
    const char *name; /* "blk.0.attn_q.weight", "output.weight" */
    const char *part; /* without "blk.0." */
    uint32_t layer;   /* of the name; MPL_NO_INDEX: none */
    uint32_t dtype;   /* a mpl_dtype */
    uint64_t ne[4];
    uint64_t bytes;
    uint32_t dimension_count; /* without trailing ones; at least 1 */
    uint32_t file_index;
    uint64_t file_offset;
    mpl_llama_class class_;
    mpl_llama_use use;
    bool is_shared;      /* one for each layer that asks: rope_freqs */
    bool is_copy;        /* output.weight made of token_embd.weight */
    uint32_t expert_part; /* 1 up, 2 gate or gate_up, 4 down; 0: no expert */
    bool is_expert_ffn;  /* -cmoe moves it */
    bool is_dense_ffn;   /* -ncffn moves it */
} mpl_llama_weight;

typedef enum mpl_llama_cache_kind {
    MPL_LLAMA_CACHE_FULL,    /* n_ctx_seq cells */
    MPL_LLAMA_CACHE_SWA,     /* sliding window layers */
    MPL_LLAMA_CACHE_INDEXER, /* sparse attention's indexer keys */
    MPL_LLAMA_CACHE_INDEXER_SWA,
    MPL_LLAMA_CACHE_CSA,     /* DeepSeek-V4: compressed by 4 */
    MPL_LLAMA_CACHE_HCA,     /* DeepSeek-V4: compressed by 128 */
    MPL_LLAMA_CACHE_CSA_STATE, /* compressor states: k = kv, v = score */
    MPL_LLAMA_CACHE_HCA_STATE,
    MPL_LLAMA_CACHE_INDEXER_STATE,
    MPL_LLAMA_CACHE_RECURRENT, /* k = R (conv, shift), v = S (state) */
    MPL_LLAMA_CACHE_PLE,       /* k = convolution history */
    MPL_LLAMA_CACHE_KIND_COUNT
} mpl_llama_cache_kind;

/* One tensor of a cache: [width, cells, streams]. width 0: absent. */
typedef struct mpl_llama_cache_tensor {
    uint64_t width;  /* elements a cell */
    uint64_t bytes;  /* unpadded */
    uint32_t dtype;
    uint32_t buffer; /* a buffer type */
} mpl_llama_cache_tensor;

typedef struct mpl_llama_cache {
    mpl_llama_cache_kind kind;
    uint64_t cells;   /* a stream; rows of a recurrent state */
    uint32_t streams; /* 1 of a recurrent state */
    bool is_transposed; /* V is stored transposed (no flash attention) */
    mpl_llama_cache_tensor *k; /* by layer, layer_count_all; those that only
                                  read another's are absent: see kv_owner */
    mpl_llama_cache_tensor *v;
} mpl_llama_cache;

typedef struct mpl_llama_setup {
    const mpl_llama_hparams *hparams;
    mpl_arena *arena; /* of this setup; scratch may come from it too */

    /* Context sizes, after llama.cpp's own rules. */
    uint32_t n_ctx;
    uint32_t n_ctx_seq;
    uint32_t n_batch;
    uint32_t n_ubatch;
    uint32_t n_seq;
    uint32_t n_stream;
    uint32_t n_rs_seq;      /* rollback snapshots of recurrent states */
    uint32_t n_outputs_max;
    uint32_t type_k; /* mpl_dtype */
    uint32_t type_v;
    bool kv_unified;
    bool flash_attn; /* resolved, unless is_flash_auto */
    bool is_flash_auto; /* on, until a probe of the graph says otherwise */
    /* Operators that are several, because a backend runs one elsewhere than
     * on its layer's device: see mpl_llama_settle_fused. */
    bool unfused_hc_pre;
    bool unfused_hc_comb;
    bool unfused_hc_post;
    bool kv_offload;
    bool op_offload;
    bool swa_full;
    bool embeddings; /* the context returns embeddings, not logits */
    bool has_overrides;
    bool is_split_layer; /* split mode layer: pipeline copies are possible */
    bool loads_mtp;      /* the MTP layers are loaded too */
    bool is_mtp;         /* the MTP layers' own context */
    bool builds_all_layers; /* graphs are never shortened: to compare */

    /* Where. */
    const mpl_llama_device *devices;
    uint32_t device_count;
    uint32_t gpu_layers;       /* resolved: 0 .. layer_count_all + 1 */
    const uint32_t *layer_device; /* layer_count_all + 1 entries; the last is
                                     the output's; a position or
                                     MPL_LLAMA_HOST */
    struct mpl_run *probed; /* generation, scheduled to see where flash
                               attention lands; NULL: none */
    const uint32_t *layer_source; /* of a shortened setup: the model's number
                                     of each layer; NULL: the same */
    const mpl_llama_buffer_type *buffers; /* MPL_LLAMA_BUFFER_DEVICE +
                                             device_count entries */
    uint32_t buffer_count;
    bool has_pinned; /* the first device has pinned host memory: the CPU
                        backend computes in it */
    bool has_pinned_weights; /* some device has: the host's weights are there,
                                unless files are mapped */
    uint32_t copy_count; /* 4: pipeline copies, else 1 */

    /* Weights, and the buffer type of each. */
    const mpl_llama_weight *weights;
    uint32_t weight_count;
    const uint16_t *weight_buffer; /* by weight; MPL_LLAMA_BUFFER_NONE: not
                                      loaded */
    const struct mpl_llama_weight_index *index;
    uint32_t token_embd; /* a weight, or MPL_NO_INDEX */
    uint32_t host_other; /* where the host keeps what it cannot pack */

    /* Caches; NULL where there is none of that kind. */
    const mpl_llama_cache *caches[MPL_LLAMA_CACHE_KIND_COUNT];
} mpl_llama_setup;

/* A weight by name: `part` of `layer`, or of the whole model with
 * MPL_NO_INDEX ("token_embd.weight"). NULL where the model has none. */
const mpl_llama_weight *mpl_llama_find_weight(const mpl_llama_setup *setup,
                                              uint32_t layer,
                                              const char *part);

/* The buffer type that holds a weight. Weights without a number that every
 * layer loads (rope_freqs, rope_factors_long, ...) have one copy a buffer
 * type: `layer` says whose; others ignore it. */
uint32_t mpl_llama_buffer_of(const mpl_llama_setup *setup,
                             const mpl_llama_weight *weight, uint32_t layer);

/* Bytes that a tensor takes in a buffer type: padding of quantized rows and
 * alignment included. False when they pass 64 bits. */
bool mpl_llama_alloc_bytes(uint64_t *out, const mpl_llama_buffer_type *buffer,
                           uint32_t dtype, const uint64_t ne[4]);

#endif
