/* SPDX-License-Identifier: MIT */
/*
 * Packings by method; what a configuration says replaces the columns marked
 * with *. B: bytes.
 *
 *                outputs  inputs  bits  scale  zero  more
 *     fp8        all      all*    8     4 B*   -     4 B where activations are
 *                                                    scaled statically
 *     fp4 of fp8 1        32      4     4 B*   -     experts alone
 *     fbgemm     1        all     8     4 B    -
 *     mxfp4      1        32      4     1 B    -
 *     nvfp4      1        16      4     1 B    -     4 B, and 4 B for inputs
 *     gptq       1        128*    4*    2 B    4*    4 B an input
 *     awq        1        128*    4*    2 B    4*    in words along outputs
 *     bitnet     all      all     2     own    -     in bytes along outputs
 *     eetq       1        all     8     2 B    -
 */
#include "model/quantization_config.h"

#include <stddef.h>
#include <string.h>

#include "base/failure.h"
#include "model/scope.h"

static const mpl_quantizer QUANTIZERS[] = {
#define QUANTIZER(id, name, patterns, head, parts, device, least, below, host) \
    {name,                                                                     \
     MPL_PATTERN_##patterns,                                                   \
     MPL_HEAD_##head,                                                          \
     MPL_PARTS_##parts,                                                        \
     MPL_LOADING_##device,                                                     \
     least,                                                                    \
     MPL_LOADING_##below,                                                      \
     MPL_LOADING_##host},
#include "model/quantizers.def"
#undef QUANTIZER
};

#define WORDS_OF(width) .word_bits = (width), .zero_word_bits = (width)

static const mpl_packing FP8 = {.dtype = MPL_DTYPE_FP8_E4M3,
                                .bits = 8,
                                .scale_bytes = 4,
                                .is_joined = true,
                                WORDS_OF(8)};
static const mpl_packing FBGEMM = {.dtype = MPL_DTYPE_FP8_E4M3,
                                   .bits = 8,
                                   .block_outputs = 1,
                                   .scale_bytes = 4,
                                   WORDS_OF(8)};
static const mpl_packing MXFP4 = {.dtype = MPL_DTYPE_MXFP4,
                                  .bits = 4,
                                  .block_outputs = 1,
                                  .block_inputs = 32,
                                  .scale_bytes = 1,
                                  WORDS_OF(8)};
static const mpl_packing NVFP4 = {.dtype = MPL_DTYPE_NVFP4,
                                  .bits = 4,
                                  .block_outputs = 1,
                                  .block_inputs = 16,
                                  .scale_bytes = 1,
                                  .extra_bytes = 8,
                                  WORDS_OF(8)};
static const mpl_packing GPTQ = {.dtype = MPL_DTYPE_I32,
                                 .bits = 4,
                                 .block_outputs = 1,
                                 .block_inputs = 128,
                                 .scale_bytes = 2,
                                 .zero_bits = 4,
                                 .input_bytes = 4,
                                 WORDS_OF(32)};
static const mpl_packing AWQ = {.dtype = MPL_DTYPE_I32,
                                .bits = 4,
                                .is_along_outputs = true,
                                .block_outputs = 1,
                                .block_inputs = 128,
                                .scale_bytes = 2,
                                .zero_bits = 4,
                                WORDS_OF(32)};
static const mpl_packing BITNET = {.dtype = MPL_DTYPE_U8,
                                   .bits = 2,
                                   .is_along_outputs = true,
                                   .scale_bytes = MPL_OWN_BYTES,
                                   WORDS_OF(8)};
static const mpl_packing EETQ = {.dtype = MPL_DTYPE_I8,
                                 .bits = 8,
                                 .block_outputs = 1,
                                 .scale_bytes = 2,
                                 WORDS_OF(8)};

static const char *text_of(mpl_json_value object, const char *key)
{
    const char *const text = mpl_json_string(mpl_json_get(object, key), NULL);
    return text != NULL ? text : "";
}

static bool says(mpl_json_value object, const char *key, const char *value)
{
    return strcmp(text_of(object, key), value) == 0;
}

static bool flag(mpl_json_value object, const char *key)
{
    bool is_set = false;
    return mpl_json_bool(mpl_json_get(object, key), &is_set) && is_set;
}

memplan_status mpl_quantization_size(uint64_t *out, mpl_json_value value,
                                     const char *name, memplan_error *error)
{
    int64_t whole = 0;
    const mpl_json_type type = mpl_json_type_of(value);
    *out = 0;
    if (type == MPL_JSON_NONE || type == MPL_JSON_NULL)
        return MEMPLAN_OK;
    if (!mpl_json_i64(value, &whole) || whole < -1 || whole == 0 ||
        whole > (1 << 20))
        return mpl_fail(error, MEMPLAN_E_CORRUPT, MPL_NOWHERE,
                        "\"quantization_config.%s\" is not a size from 1 to "
                        "1048576, or -1",
                        name);
    *out = whole > 0 ? (uint64_t)whole : 0;
    return MEMPLAN_OK;
}

/* Blocks of 128 by 128 where the key is absent; the whole where it is null. */
static memplan_status read_fp8(mpl_quantization *out, mpl_json_value from,
                               const char *expert_dtype, memplan_error *error)
{
    const mpl_json_value own_experts = mpl_json_get(from, "expert_dtype");
    const mpl_json_value block = mpl_json_get(from, "weight_block_size");
    mpl_packing *const packing = &out->groups[0].packing;
    *packing = FP8;
    if (says(from, "scale_fmt", "ue8m0"))
        packing->scale_bytes = 1;
    if (says(from, "activation_scheme", "static"))
        packing->extra_bytes = 4;
    if (mpl_json_type_of(own_experts) != MPL_JSON_NONE)
        expert_dtype = mpl_json_string(own_experts, NULL);
    if (expert_dtype != NULL && strcmp(expert_dtype, "fp4") == 0) {
        out->group_count = 2;
        out->groups[0].flags = MPL_TENSOR_LINEAR;
        out->groups[1] =
            (mpl_packed_group){MXFP4, MPL_JSON_ABSENT, MPL_TENSOR_EXPERT};
        out->groups[1].packing.scale_bytes = packing->scale_bytes;
    }
    if (mpl_json_type_of(block) == MPL_JSON_NONE) {
        packing->block_outputs = 128;
        packing->block_inputs = 128;
        return MEMPLAN_OK;
    }
    const memplan_status status =
        mpl_quantization_size(&packing->block_outputs, mpl_json_at(block, 0),
                              "weight_block_size", error);
    return status != MEMPLAN_OK
               ? status
               : mpl_quantization_size(&packing->block_inputs,
                                       mpl_json_at(block, 1),
                                       "weight_block_size", error);
}

/* GPTQ and AWQ, in words of 32 bits. */
static memplan_status read_words(mpl_quantization *out,
                                 const mpl_packing *packing,
                                 mpl_json_value from, memplan_error *error)
{
    uint64_t value;
    mpl_packing *const made = &out->groups[0].packing;
    *made = *packing;
    memplan_status status = mpl_quantization_size(
        &value, mpl_json_get(from, "bits"), "bits", error);
    if (status != MEMPLAN_OK)
        return status;
    if (value > 8)
        return mpl_fail(error, MEMPLAN_E_CORRUPT, MPL_NOWHERE,
                        "\"quantization_config.bits\" is %llu, more than 8",
                        (unsigned long long)value);
    if (value > 0)
        made->bits = made->zero_bits = (uint32_t)value;
    const mpl_json_value group = mpl_json_get(from, "group_size");
    status = mpl_quantization_size(&value, group, "group_size", error);
    if (mpl_json_type_of(group) == MPL_JSON_INTEGER)
        made->block_inputs = value;
    return status;
}

static void read_bitsandbytes(mpl_quantization *out, mpl_json_value from)
{
    const bool is_double = flag(from, "bnb_4bit_use_double_quant");
    out->scheme = MPL_SCHEME_INT8;
    if (flag(from, "load_in_4bit") || flag(from, "_load_in_4bit"))
        out->scheme = is_double ? MPL_SCHEME_NF4_DOUBLE : MPL_SCHEME_NF4;
}

/* Schemes of loaders that save what they made. */
static void read_scheme(mpl_quantization *out, mpl_json_value from)
{
    static const struct {
        const char *method;
        const char *path;
        const char *value;
        mpl_scheme scheme;
    } ROWS[] = {
        {"quanto", "weights", "int8", MPL_SCHEME_QUANTO_INT8},
        {"quanto", "weights", "float8", MPL_SCHEME_QUANTO_FP8},
        {"quanto", "weights", "int4", MPL_SCHEME_QUANTO_INT4},
        {"quanto", "weights", "int2", MPL_SCHEME_QUANTO_INT2},
        {"torchao", "quant_type.default._type", "Int8WeightOnlyConfig",
         MPL_SCHEME_TORCHAO_INT8},
        {"torchao", "quant_type", "int8_weight_only", MPL_SCHEME_TORCHAO_INT8},
    };
    for (size_t at = 0; at < sizeof ROWS / sizeof *ROWS; at++) {
        const char *const value =
            mpl_json_string(mpl_config_path(from, ROWS[at].path), NULL);
        if (strcmp(out->method, ROWS[at].method) == 0 && value != NULL &&
            strcmp(value, ROWS[at].value) == 0)
            out->scheme = ROWS[at].scheme;
    }
}

bool mpl_packing_of_algorithm(mpl_packing *out, const char *algorithm)
{
    /* modelopt adds a scale of inputs, 4 bytes, unless only weights are
     * quantized. */
    static const struct {
        const char *name;
        const mpl_packing *packing;
        uint32_t extra_bytes;
        uint32_t block;
    } ROWS[] = {
        {"FP8", &FP8, 4, 0},           {"NVFP4", &NVFP4, 8, 0},
        {"W4A16_NVFP4", &NVFP4, 4, 0}, {"FP8_PB_WO", &FP8, 0, 128},
        {"FP8_PB_REAL", &FP8, 0, 128}, {"MXFP4", &MXFP4, 0, 0},
    };
    for (size_t at = 0; at < sizeof ROWS / sizeof *ROWS; at++)
        if (strcmp(algorithm, ROWS[at].name) == 0) {
            *out = *ROWS[at].packing;
            out->extra_bytes = ROWS[at].extra_bytes;
            out->is_joined = false;
            if (ROWS[at].block != 0)
                out->block_outputs = out->block_inputs = ROWS[at].block;
            return true;
        }
    return false;
}

/* One algorithm for all, or one a layer. */
static void read_modelopt(mpl_quantization *out, mpl_json_value from)
{
    out->quantizer = &QUANTIZERS[MPL_QUANTIZER_MODELOPT];
    out->method = "modelopt";
    if (says(from, "quant_algo", "MIXED_PRECISION"))
        out->layers = mpl_json_get(from, "quantized_layers");
    else if (mpl_packing_of_algorithm(&out->groups[0].packing,
                                      text_of(from, "quant_algo")))
        out->group_count = 1;
}

static mpl_json_value skip_list(mpl_json_value from)
{
    static const char *const KEYS[] = {
        "modules_to_not_convert", "ignore",
        "ignored_layers",         "exclude_modules",
        "llm_int8_skip_modules",  "skip_modules"};
    for (size_t at = 0; at < sizeof KEYS / sizeof *KEYS; at++) {
        const mpl_json_value list = mpl_json_get(from, KEYS[at]);
        if (mpl_json_type_of(list) == MPL_JSON_ARRAY)
            return list;
    }
    return MPL_JSON_ABSENT;
}

static memplan_status read_method(mpl_quantization *out, mpl_json_value from,
                                  const char *expert_dtype,
                                  memplan_error *error)
{
    mpl_packing *const packing = &out->groups[0].packing;
    out->group_count = 1;
    switch (out->quantizer - QUANTIZERS) {
    case MPL_QUANTIZER_FP8:
    case MPL_QUANTIZER_MXFP8:
        return read_fp8(out, from, expert_dtype, error);
    case MPL_QUANTIZER_GPTQ:
    case MPL_QUANTIZER_AUTO_ROUND:
        return read_words(out, &GPTQ, from, error);
    case MPL_QUANTIZER_AWQ:
        return read_words(out, &AWQ, from, error);
    case MPL_QUANTIZER_COMPRESSED:
        out->group_count = 0;
        return mpl_compressed_tensors_read(out, from, error);
    case MPL_QUANTIZER_FBGEMM:
        *packing = FBGEMM;
        return MEMPLAN_OK;
    case MPL_QUANTIZER_MXFP4:
        *packing = MXFP4;
        return MEMPLAN_OK;
    case MPL_QUANTIZER_BITNET:
        *packing = BITNET;
        return MEMPLAN_OK;
    case MPL_QUANTIZER_EETQ:
        *packing = EETQ;
        return MEMPLAN_OK;
    case MPL_QUANTIZER_BNB:
        read_bitsandbytes(out, from);
        return MEMPLAN_OK;
    default:
        read_scheme(out, from);
        out->group_count = out->scheme != MPL_SCHEME_COUNT;
        return MEMPLAN_OK;
    }
}

memplan_status mpl_quantization_read(mpl_quantization *out, mpl_json_value from,
                                     const char *expert_dtype,
                                     memplan_error *error)
{
    *out = (mpl_quantization){.scheme = MPL_SCHEME_COUNT,
                              .method = text_of(from, "quant_method"),
                              .skipped = skip_list(from)};
    if (flag(from, "load_in_4bit") || flag(from, "load_in_8bit"))
        out->method = "bitsandbytes";
    for (size_t at = 0; at < MPL_QUANTIZER_COUNT; at++)
        if (strcmp(out->method, QUANTIZERS[at].name) == 0)
            out->quantizer = &QUANTIZERS[at];
    /* A method that Transformers has goes before modelopt's own words. */
    if (text_of(from, "quant_algo")[0] != '\0' &&
        (out->quantizer == NULL ||
         out->quantizer == &QUANTIZERS[MPL_QUANTIZER_MODELOPT])) {
        read_modelopt(out, from);
        return MEMPLAN_OK;
    }
    return out->quantizer != NULL ? read_method(out, from, expert_dtype, error)
                                  : MEMPLAN_OK;
}
