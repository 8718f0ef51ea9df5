/* SPDX-License-Identifier: MIT */
/*
 * Data types of tensors: one table yields the enum, the names and the sizes.
 * Sizes stay rational: bytes a block, elements a block.
 */
#ifndef MPL_MODEL_DTYPE_H
#define MPL_MODEL_DTYPE_H

#include <stdbool.h>
#include <stdint.h>

/* The rows are in dtypes.def: DTYPE(id, name, elements, bytes). */
typedef enum mpl_dtype {
#define DTYPE(id, name, elements, bytes) MPL_DTYPE_##id,
#include "model/dtypes.def"
#undef DTYPE
    MPL_DTYPE_COUNT
} mpl_dtype;

/* "fp16", "q4_k", ... A static string; "?" past the table. */
const char *mpl_dtype_name(uint32_t dtype);

uint64_t mpl_dtype_block_elements(uint32_t dtype);
uint64_t mpl_dtype_block_bytes(uint32_t dtype);

/* By memplan's name, safetensors' ("BF16") or torch's ("bfloat16",
 * "torch.bfloat16"); MPL_DTYPE_COUNT where unknown. */
mpl_dtype mpl_dtype_from_name(const char *name);

/* By safetensors' name alone, as the format spells it; MPL_DTYPE_COUNT where
 * it has no such name. */
mpl_dtype mpl_dtype_from_safetensors(const char *name);

/* By GGUF type id 0-42; MPL_DTYPE_COUNT for a removed or unknown one. */
mpl_dtype mpl_dtype_from_ggml(uint32_t id);

/* fp64, fp32, fp16 or bf16: what models compute in and loaders cast. */
bool mpl_dtype_is_float(uint32_t dtype);

/* Bytes of `elements` in rows of whole blocks; false when they pass 64 bits or
 * are no whole number of blocks. */
bool mpl_dtype_bytes(uint64_t *out, uint32_t dtype, uint64_t elements);

#endif
