/* SPDX-License-Identifier: MIT */
/* The caches that generate() makes: which class, and how it keeps tensors. */
#ifndef MPL_ENGINE_TRANSFORMERS_CACHE_H
#define MPL_ENGINE_TRANSFORMERS_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "memplan.h"

/* A cache_implementation. */
typedef struct mpl_cache_kind {
    const char *name;
    const char *class_name; /* that holds it */
    const char *text;
    bool is_static;         /* all tokens' room is taken at once */
    bool is_offloaded;      /* layers rest in host memory */
    bool is_quantized;
} mpl_cache_kind;

/* What takes a quantized cache's bits. */
typedef enum mpl_kv_backend {
    MPL_KV_PLAIN,
    MPL_KV_QUANTO, /* groups in rows, packed over rows */
    MPL_KV_HQQ,    /* groups in columns, packed within them */
    MPL_KV_FP8     /* one scale a tensor, nothing left over */
} mpl_kv_backend;

/* How keys and values are kept. */
typedef struct mpl_kv_loading {
    const char *name;
    mpl_kv_backend backend;
    uint32_t dtype; /* MPL_DTYPE_COUNT: quantized */
    uint32_t bits;
    uint32_t step_copies; /* of a layer in the dtype of computation that one
                             step makes */
    const char *rule;
} mpl_kv_loading;

/* By name; NULL where there is none. A NULL name is generate()'s default. */
const mpl_cache_kind *mpl_cache_kind_find(const char *name);
const mpl_kv_loading *mpl_kv_loading_find(const char *name);

/* The rows in their order; NULL past the last one. */
const mpl_cache_kind *mpl_cache_kind_at(uint32_t index);
const mpl_kv_loading *mpl_kv_loading_at(uint32_t index);

/* All names, with commas between them; NULL: no memory. */
const char *mpl_cache_kind_names(mpl_arena *arena);

/* What cuts a layer's keys, or its values, into groups. */
typedef struct mpl_kv_tensor {
    uint64_t elements; /* a token */
    uint64_t sequences;
    uint64_t group_elements;
    uint64_t compute_bytes; /* of an element as computed */
} mpl_kv_tensor;

/* Whether the groups come out whole, whatever the number of tokens. */
bool mpl_kv_divides(const mpl_kv_loading *loading, const mpl_kv_tensor *tensor);

/* Bytes of `tokens` tokens, scales and zero points included. False: past 64
 * bits. */
bool mpl_kv_quantized_bytes(uint64_t *out, const mpl_kv_loading *loading,
                            const mpl_kv_tensor *tensor, uint64_t tokens);

#endif
