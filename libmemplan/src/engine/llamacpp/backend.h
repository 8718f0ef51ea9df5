/* SPDX-License-Identifier: MIT */
/*
 * Backends: what ggml's backends demand of memory, as data (backends.def).
 */
#ifndef MPL_ENGINE_LLAMACPP_BACKEND_H
#define MPL_ENGINE_LLAMACPP_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

typedef enum mpl_llama_backend_kind {
    MPL_LLAMA_CPU,
    MPL_LLAMA_CUDA,
    MPL_LLAMA_HIP,
    MPL_LLAMA_METAL,
    MPL_LLAMA_VULKAN,
    MPL_LLAMA_SYCL,
    MPL_LLAMA_RPC,
    MPL_LLAMA_BACKEND_COUNT
} mpl_llama_backend_kind;

typedef struct mpl_llama_backend {
    const char *name;          /* "CUDA": device names start so */
    const char *host_name;     /* of pinned host memory, or "" */
    const char *uncounted;     /* what is in none of llama.cpp's buffers */
    uint32_t alignment_bytes;  /* of tensors in a buffer */
    uint32_t row_elements;     /* a quantized row is padded to so many on
                                  allocation; 0: not */
    uint64_t buffer_max_bytes; /* UINT64_MAX: no bound */
    bool has_async;            /* async and events: pipeline copies */
    bool has_op_offload;       /* takes ops on host weights */
    bool has_pinned_host;      /* a "NAME_Host" buffer type */
    bool maps_host_pointer;    /* buffers straight over a mapped file */
    bool reorders_nodes;       /* its graphs may need other sizes */
    bool is_exact;             /* its rules were compared with recorded bytes */
} mpl_llama_backend;

/* By kind; every backend of the profile. */
extern const mpl_llama_backend MPL_LLAMA_BACKENDS[MPL_LLAMA_BACKEND_COUNT];

/* By the name of a backend, of a device of it ("CUDA1"), or of a vendor;
 * letters without case. MPL_LLAMA_BACKEND_COUNT where unknown. */
mpl_llama_backend_kind mpl_llama_backend_find(const char *name);

#endif
