/* SPDX-License-Identifier: MIT */
/*
 * A quantized tensor of N elements in n = N / g groups of g, of b bits each,
 * computed in e bytes:
 *
 *     quanto   ceil(n / (8 / b)) * g + 2 n e     rows of a group are packed
 *                                               over each other
 *     HQQ      floor(g * b / 8) * n + 2 n e      a group is a column, packed
 *                                               within itself
 *              ceil(g / 10) * 4 * n + 2 n e      of 3 bits: ten in 32
 *     fp8      N + 4                             one scale in fp32
 *
 * A scale and a zero point for each group are kept in the dtype of computation.
 */
#include "engine/transformers/cache.h"

#include <stddef.h>
#include <string.h>

#include "base/checked.h"
#include "model/dtype.h"

enum { PER_WORD = 10, WORD_BYTES = 4, FP8_SCALE_BYTES = 4, BYTE_BITS = 8 };

/* generate() reads "hybrid" as no choice, and the other old names as static. */
static const mpl_cache_kind CACHE_KINDS[] = {
    {"dynamic", "DynamicCache", "grows with the tokens", false, false, false},
    {"static", "StaticCache", "room for all tokens at once", true, false,
     false},
    {"offloaded", "DynamicCache",
     "rests in host memory, two layers on each device", false, true, false},
    {"offloaded_static", "StaticCache", "offloaded, room for all tokens",
     true, true, false},
    {"quantized", "QuantizedCache", "in kv_dtype, the last tokens as computed",
     false, false, true},
    {"hybrid", "DynamicCache", "an old name of dynamic", false, false, false},
    {"sliding_window", "StaticCache", "an old name of static", true, false,
     false},
    {"hybrid_chunked", "StaticCache", "an old name of static", true, false,
     false},
    {"offloaded_hybrid", "StaticCache", "an old name of offloaded_static",
     true, true, false},
    {"offloaded_hybrid_chunked", "StaticCache",
     "an old name of offloaded_static", true, true, false},
};
enum { CACHE_KIND_COUNT = sizeof CACHE_KINDS / sizeof *CACHE_KINDS };

#define QUANTIZED(bits, backend)                                               \
    "QuantizedCache: " bits " by " backend ", the last tokens as computed"

static const mpl_kv_loading KV_LOADINGS[] = {
    {"fp32", MPL_KV_PLAIN, MPL_DTYPE_FP32, 32, 1,
     "keys and values in 4 bytes each"},
    {"fp16", MPL_KV_PLAIN, MPL_DTYPE_FP16, 16, 1,
     "keys and values in 2 bytes each"},
    {"bf16", MPL_KV_PLAIN, MPL_DTYPE_BF16, 16, 1,
     "keys and values in 2 bytes each"},
    {"int8", MPL_KV_HQQ, MPL_DTYPE_COUNT, 8, 7, QUANTIZED("8 bits", "HQQ")},
    {"int4", MPL_KV_QUANTO, MPL_DTYPE_COUNT, 4, 3,
     QUANTIZED("4 bits", "quanto")},
    {"int2", MPL_KV_QUANTO, MPL_DTYPE_COUNT, 2, 3,
     QUANTIZED("2 bits", "quanto")},
    {"fp8", MPL_KV_FP8, MPL_DTYPE_COUNT, 8, 4,
     "QuantizedCache: fp8, one scale for a layer's keys and one for its "
     "values"},
    {"hqq-int8", MPL_KV_HQQ, MPL_DTYPE_COUNT, 8, 7, QUANTIZED("8 bits", "HQQ")},
    {"hqq-int4", MPL_KV_HQQ, MPL_DTYPE_COUNT, 4, 7, QUANTIZED("4 bits", "HQQ")},
    {"hqq-int3", MPL_KV_HQQ, MPL_DTYPE_COUNT, 3, 7, QUANTIZED("3 bits", "HQQ")},
    {"hqq-int2", MPL_KV_HQQ, MPL_DTYPE_COUNT, 2, 7, QUANTIZED("2 bits", "HQQ")},
    {"hqq-int1", MPL_KV_HQQ, MPL_DTYPE_COUNT, 1, 7, QUANTIZED("1 bit", "HQQ")},
};
enum { KV_LOADING_COUNT = sizeof KV_LOADINGS / sizeof *KV_LOADINGS };

const mpl_cache_kind *mpl_cache_kind_find(const char *name)
{
    for (uint32_t at = 0; at < CACHE_KIND_COUNT; at++)
        if (name == NULL || strcmp(CACHE_KINDS[at].name, name) == 0)
            return &CACHE_KINDS[at];
    return NULL;
}

const mpl_kv_loading *mpl_kv_loading_find(const char *name)
{
    for (uint32_t at = 0; at < KV_LOADING_COUNT; at++)
        if (strcmp(KV_LOADINGS[at].name, name) == 0)
            return &KV_LOADINGS[at];
    return NULL;
}

const mpl_cache_kind *mpl_cache_kind_at(uint32_t index)
{
    return index < CACHE_KIND_COUNT ? &CACHE_KINDS[index] : NULL;
}

const mpl_kv_loading *mpl_kv_loading_at(uint32_t index)
{
    return index < KV_LOADING_COUNT ? &KV_LOADINGS[index] : NULL;
}

const char *mpl_cache_kind_names(mpl_arena *arena)
{
    const char *names = CACHE_KINDS[0].name;
    for (uint32_t at = 1; at < CACHE_KIND_COUNT && names != NULL; at++)
        names = mpl_arena_format(arena, "%s, %s", names, CACHE_KINDS[at].name);
    return names;
}

bool mpl_kv_divides(const mpl_kv_loading *loading, const mpl_kv_tensor *tensor)
{
    const uint64_t group = tensor->group_elements;
    if (loading->backend == MPL_KV_FP8 || loading->backend == MPL_KV_PLAIN)
        return true;
    if (group == 0 || tensor->elements % group != 0)
        return false;
    return loading->backend == MPL_KV_QUANTO || loading->bits == 3 ||
           group * loading->bits % BYTE_BITS == 0;
}

static bool packed_bytes(uint64_t *out, const mpl_kv_loading *loading,
                         uint64_t groups, uint64_t group_elements)
{
    const uint64_t each = BYTE_BITS / loading->bits;
    if (loading->backend == MPL_KV_QUANTO)
        return mpl_mul(out, groups / each + (groups % each != 0),
                       group_elements);
    if (loading->bits == 3)
        return mpl_mul(
            out, groups,
            (group_elements / PER_WORD + (group_elements % PER_WORD != 0)) *
                WORD_BYTES);
    return mpl_mul(out, groups, group_elements / each);
}

bool mpl_kv_quantized_bytes(uint64_t *out, const mpl_kv_loading *loading,
                            const mpl_kv_tensor *tensor, uint64_t tokens)
{
    uint64_t count;
    uint64_t scales;
    *out = 0;
    if (!mpl_mul(&count, tokens, tensor->elements) ||
        !mpl_mul(&count, count, tensor->sequences))
        return false;
    if (count == 0)
        return true;
    if (loading->backend == MPL_KV_FP8)
        return mpl_add(out, count, FP8_SCALE_BYTES);
    const uint64_t groups = count / tensor->group_elements;
    return packed_bytes(out, loading, groups, tensor->group_elements) &&
           mpl_mul(&scales, groups, 2 * tensor->compute_bytes) &&
           mpl_add(out, *out, scales);
}
