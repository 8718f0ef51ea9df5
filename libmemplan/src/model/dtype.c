/* SPDX-License-Identifier: MIT */
#include "model/dtype.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "base/checked.h"

typedef struct dtype_row {
    const char *name;
    uint64_t block_elements;
    uint64_t block_bytes;
} dtype_row;

static const dtype_row ROWS[] = {
#define DTYPE(id, name, elements, bytes) {name, elements, bytes},
#include "model/dtypes.def"
#undef DTYPE
};

typedef struct alias {
    const char *name;
    mpl_dtype dtype;
} alias;

/* torch's names. */
static const alias TORCH[] = {
    {"float64", MPL_DTYPE_FP64},
    {"float32", MPL_DTYPE_FP32},
    {"float", MPL_DTYPE_FP32},
    {"float16", MPL_DTYPE_FP16},
    {"half", MPL_DTYPE_FP16},
    {"bfloat16", MPL_DTYPE_BF16},
    {"float8_e4m3fn", MPL_DTYPE_FP8_E4M3},
    {"float8_e5m2", MPL_DTYPE_FP8_E5M2},
    {"float8_e8m0fnu", MPL_DTYPE_FP8_E8M0},
    {"float8_e4m3fnuz", MPL_DTYPE_FP8_E4M3FNUZ},
    {"float8_e5m2fnuz", MPL_DTYPE_FP8_E5M2FNUZ},
    {"float4_e2m1fn_x2", MPL_DTYPE_FP4},
    {"complex64", MPL_DTYPE_C64},
    {"int64", MPL_DTYPE_I64},
    {"int32", MPL_DTYPE_I32},
    {"int16", MPL_DTYPE_I16},
    {"int8", MPL_DTYPE_I8},
    {"uint64", MPL_DTYPE_U64},
    {"uint32", MPL_DTYPE_U32},
    {"uint16", MPL_DTYPE_U16},
    {"uint8", MPL_DTYPE_U8},
};

/* Every dtype of the format. */
static const alias SAFETENSORS[] = {
    {"BF16", MPL_DTYPE_BF16},
    {"F16", MPL_DTYPE_FP16},
    {"F32", MPL_DTYPE_FP32},
    {"F64", MPL_DTYPE_FP64},
    {"F8_E4M3", MPL_DTYPE_FP8_E4M3},
    {"F8_E5M2", MPL_DTYPE_FP8_E5M2},
    {"F8_E8M0", MPL_DTYPE_FP8_E8M0},
    {"F8_E4M3FNUZ", MPL_DTYPE_FP8_E4M3FNUZ},
    {"F8_E5M2FNUZ", MPL_DTYPE_FP8_E5M2FNUZ},
    {"F6_E2M3", MPL_DTYPE_FP6_E2M3},
    {"F6_E3M2", MPL_DTYPE_FP6_E3M2},
    {"F4", MPL_DTYPE_FP4},
    {"C64", MPL_DTYPE_C64},
    {"I64", MPL_DTYPE_I64},
    {"I32", MPL_DTYPE_I32},
    {"I16", MPL_DTYPE_I16},
    {"I8", MPL_DTYPE_I8},
    {"U64", MPL_DTYPE_U64},
    {"U32", MPL_DTYPE_U32},
    {"U16", MPL_DTYPE_U16},
    {"U8", MPL_DTYPE_U8},
    {"BOOL", MPL_DTYPE_BOOL},
};

/* GGUF type ids 0 to 42; the removed ones have no row in the table. */
static const mpl_dtype BY_GGML_ID[] = {
    MPL_DTYPE_FP32,    MPL_DTYPE_FP16,   MPL_DTYPE_Q4_0,    MPL_DTYPE_Q4_1,
    MPL_DTYPE_COUNT,   MPL_DTYPE_COUNT,  MPL_DTYPE_Q5_0,    MPL_DTYPE_Q5_1,
    MPL_DTYPE_Q8_0,    MPL_DTYPE_Q8_1,   MPL_DTYPE_Q2_K,    MPL_DTYPE_Q3_K,
    MPL_DTYPE_Q4_K,    MPL_DTYPE_Q5_K,   MPL_DTYPE_Q6_K,    MPL_DTYPE_Q8_K,
    MPL_DTYPE_IQ2_XXS, MPL_DTYPE_IQ2_XS, MPL_DTYPE_IQ3_XXS, MPL_DTYPE_IQ1_S,
    MPL_DTYPE_IQ4_NL,  MPL_DTYPE_IQ3_S,  MPL_DTYPE_IQ2_S,   MPL_DTYPE_IQ4_XS,
    MPL_DTYPE_I8,      MPL_DTYPE_I16,    MPL_DTYPE_I32,     MPL_DTYPE_I64,
    MPL_DTYPE_FP64,    MPL_DTYPE_IQ1_M,  MPL_DTYPE_BF16,    MPL_DTYPE_COUNT,
    MPL_DTYPE_COUNT,   MPL_DTYPE_COUNT,  MPL_DTYPE_TQ1_0,   MPL_DTYPE_TQ2_0,
    MPL_DTYPE_COUNT,   MPL_DTYPE_COUNT,  MPL_DTYPE_COUNT,   MPL_DTYPE_MXFP4,
    MPL_DTYPE_NVFP4,   MPL_DTYPE_Q1_0,   MPL_DTYPE_Q2_0,
};

const char *mpl_dtype_name(uint32_t dtype)
{
    return dtype < MPL_DTYPE_COUNT ? ROWS[dtype].name : "?";
}

uint64_t mpl_dtype_block_elements(uint32_t dtype)
{
    return ROWS[dtype].block_elements;
}

uint64_t mpl_dtype_block_bytes(uint32_t dtype)
{
    return ROWS[dtype].block_bytes;
}

mpl_dtype mpl_dtype_from_safetensors(const char *name)
{
    for (size_t row = 0; row < sizeof SAFETENSORS / sizeof *SAFETENSORS; row++)
        if (strcmp(name, SAFETENSORS[row].name) == 0)
            return SAFETENSORS[row].dtype;
    return MPL_DTYPE_COUNT;
}

mpl_dtype mpl_dtype_from_name(const char *name)
{
    static const char PREFIX[] = "torch.";
    if (strncmp(name, PREFIX, sizeof PREFIX - 1) == 0)
        name += sizeof PREFIX - 1;
    for (uint32_t row = 0; row < MPL_DTYPE_COUNT; row++)
        if (strcasecmp(name, ROWS[row].name) == 0)
            return (mpl_dtype)row;
    for (size_t row = 0; row < sizeof TORCH / sizeof *TORCH; row++)
        if (strcmp(name, TORCH[row].name) == 0)
            return TORCH[row].dtype;
    return mpl_dtype_from_safetensors(name);
}

mpl_dtype mpl_dtype_from_ggml(uint32_t id)
{
    return id < sizeof BY_GGML_ID / sizeof *BY_GGML_ID ? BY_GGML_ID[id]
                                                       : MPL_DTYPE_COUNT;
}

bool mpl_dtype_is_float(uint32_t dtype)
{
    return dtype == MPL_DTYPE_FP64 || dtype == MPL_DTYPE_FP32 ||
           dtype == MPL_DTYPE_FP16 || dtype == MPL_DTYPE_BF16;
}

bool mpl_dtype_bytes(uint64_t *out, uint32_t dtype, uint64_t elements)
{
    const dtype_row *const row = &ROWS[dtype];
    if (row->block_elements == 1) /* most are: no division */
        return mpl_mul(out, elements, row->block_bytes);
    return elements % row->block_elements == 0 &&
           mpl_mul(out, elements / row->block_elements, row->block_bytes);
}
