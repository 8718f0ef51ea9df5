/* SPDX-License-Identifier: MIT */
/*
 * One weight [out, in], stored in blocks:
 *
 *     packed    out * in * bits / 8
 *     scales    ceil(out / rows) * ceil(in / columns) * scale bytes
 *     zeros     as many zero points of `zero_bits`
 *     inputs    bytes for each input feature (GPTQ's g_idx)
 *     extra     bytes once a weight (a global scale, a scale of activations)
 *
 *                rows  columns  bits  scale  zero  inputs  extra
 *     fp8        128   128      8     4      -     -       -    as it says
 *     nvfp4      1     16       4     1      -     -       8
 *     mxfp4      1     32       4     1      -     -       -    experts alone
 *     gptq       1     128      4     2      4     4       -    as it says
 *     awq        1     128      4     2      4     -       -    as it says
 */
#include "model/stored_weights.h"

#include <fnmatch.h>
#include <regex.h>
#include <stddef.h>
#include <string.h>

#include "base/checked.h"
#include "base/failure.h"
#include "model/quantization.h"
#include "model/scope.h"

/* Names against patterns: a second's work at the very most. */
enum { MAX_COMPARISONS = 1 << 26 };

typedef struct layout {
    uint64_t bits;
    uint64_t rows;    /* 0: all of them */
    uint64_t columns; /* 0: all of them */
    uint64_t scale_bytes;
    uint64_t zero_bits;
    uint64_t input_bytes;
    uint64_t extra_bytes;
    uint32_t dtype;
    bool has_linear;
    bool has_experts;
    mpl_scheme scheme; /* of a quantizer that loads too, or _COUNT */
} layout;

static const layout NVFP4 = {.bits = 4,
                             .rows = 1,
                             .columns = 16,
                             .scale_bytes = 1,
                             .extra_bytes = 8,
                             .dtype = MPL_DTYPE_NVFP4,
                             .has_linear = true,
                             .has_experts = true,
                             .scheme = MPL_SCHEME_COUNT};
static const layout MXFP4 = {.bits = 4,
                             .rows = 1,
                             .columns = 32,
                             .scale_bytes = 1,
                             .dtype = MPL_DTYPE_MXFP4,
                             .has_experts = true,
                             .scheme = MPL_SCHEME_COUNT};
static const layout FP8 = {.bits = 8,
                           .scale_bytes = 4,
                           .dtype = MPL_DTYPE_FP8_E4M3,
                           .has_linear = true,
                           .has_experts = true,
                           .scheme = MPL_SCHEME_COUNT};
static const layout PACKED = {.bits = 4,
                              .rows = 1,
                              .columns = 128,
                              .scale_bytes = 2,
                              .zero_bits = 4,
                              .dtype = MPL_DTYPE_I32,
                              .has_linear = true,
                              .scheme = MPL_SCHEME_COUNT};

static bool says(mpl_json_value object, const char *key, const char *value)
{
    const char *const text = mpl_json_string(mpl_json_get(object, key), NULL);
    return text != NULL && strcmp(text, value) == 0;
}

static bool flag(mpl_json_value object, const char *key)
{
    bool is_set = false;
    return mpl_json_bool(mpl_json_get(object, key), &is_set) && is_set;
}

/* A size from 1 to 2^20; 0 where the key is absent, null or -1. */
static memplan_status read_size(uint64_t *out, mpl_json_value value,
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

static memplan_status read_fp8(layout *out, mpl_json_value from,
                               memplan_error *error)
{
    const mpl_json_value block = mpl_json_get(from, "weight_block_size");
    *out = FP8;
    if (says(from, "scale_fmt", "ue8m0"))
        out->scale_bytes = 1;
    const memplan_status status = read_size(&out->rows, mpl_json_at(block, 0),
                                            "weight_block_size", error);
    return status != MEMPLAN_OK
               ? status
               : read_size(&out->columns, mpl_json_at(block, 1),
                           "weight_block_size", error);
}

static memplan_status read_packed(layout *out, mpl_json_value from,
                                  bool has_input_groups, memplan_error *error)
{
    uint64_t bits;
    *out = PACKED;
    out->input_bytes = has_input_groups ? 4 : 0;
    memplan_status status =
        read_size(&bits, mpl_json_get(from, "bits"), "bits", error);
    if (status != MEMPLAN_OK)
        return status;
    if (bits > 8)
        return mpl_fail(error, MEMPLAN_E_CORRUPT, MPL_NOWHERE,
                        "\"quantization_config.bits\" is %llu, more than 8",
                        (unsigned long long)bits);
    out->bits = bits > 0 ? bits : out->bits;
    out->zero_bits = out->bits;
    status =
        read_size(&bits, mpl_json_get(from, "group_size"), "group_size", error);
    if (mpl_json_type_of(mpl_json_get(from, "group_size")) == MPL_JSON_INTEGER)
        out->columns = bits;
    return status;
}

/* The weights of the first group: others are the same in what is published. */
static memplan_status read_compressed(layout *out, mpl_json_value from,
                                      memplan_error *error)
{
    const mpl_json_value weights =
        mpl_config_path(from, "config_groups.group_0.weights");
    uint64_t bits;
    memplan_status status =
        read_size(&bits, mpl_json_get(weights, "num_bits"), "num_bits", error);
    if (status != MEMPLAN_OK || bits == 0 || bits > 8)
        return status;
    if (bits == 4 && says(weights, "type", "float")) {
        *out = NVFP4;
        return MEMPLAN_OK;
    }
    *out = bits == 8 ? FP8 : PACKED;
    out->bits = bits;
    out->scale_bytes = 2;
    out->zero_bits =
        mpl_json_type_of(mpl_json_get(weights, "symmetric")) == MPL_JSON_BOOL &&
                !flag(weights, "symmetric")
            ? bits
            : 0;
    out->rows = says(weights, "strategy", "tensor") ? 0 : 1;
    return read_size(&out->columns, mpl_json_get(weights, "group_size"),
                     "group_size", error);
}

static void read_bitsandbytes(layout *out, mpl_json_value from)
{
    const bool is_double = flag(from, "bnb_4bit_use_double_quant");
    *out = (layout){.bits = 8,
                    .dtype = MPL_DTYPE_I8,
                    .has_linear = true,
                    .scheme = MPL_SCHEME_INT8};
    if (!flag(from, "load_in_4bit") && !flag(from, "_load_in_4bit"))
        return;
    out->dtype = MPL_DTYPE_U8;
    out->scheme = is_double ? MPL_SCHEME_NF4_DOUBLE : MPL_SCHEME_NF4;
}

/* bits stay 0 where the method is not known. */
static memplan_status read_layout(layout *out, mpl_json_value from,
                                  memplan_error *error)
{
    *out = (layout){.scheme = MPL_SCHEME_COUNT};
    if (says(from, "quant_algo", "MIXED_PRECISION"))
        return MEMPLAN_OK;
    if (says(from, "quant_algo", "NVFP4") ||
        says(from, "quant_method", "nvfp4"))
        *out = NVFP4;
    else if (says(from, "quant_algo", "FP8"))
        *out = FP8;
    else if (says(from, "quant_method", "mxfp4"))
        *out = MXFP4;
    else if (says(from, "quant_method", "fp8"))
        return read_fp8(out, from, error);
    else if (says(from, "quant_method", "gptq"))
        return read_packed(out, from, true, error);
    else if (says(from, "quant_method", "awq"))
        return read_packed(out, from, false, error);
    else if (says(from, "quant_method", "compressed-tensors"))
        return read_compressed(out, from, error);
    else if (says(from, "quant_method", "bitsandbytes"))
        read_bitsandbytes(out, from);
    return MEMPLAN_OK;
}

/* A name of a module, its beginning or its end, a glob, or "re:" and a regular
 * expression. */
static bool matches(const char *pattern, const char *module)
{
    const size_t length = strlen(pattern);
    const size_t module_length = strlen(module);
    if (strncmp(pattern, "re:", 3) == 0) {
        regex_t compiled;
        if (length > 256 ||
            regcomp(&compiled, pattern + 3, REG_EXTENDED | REG_NOSUB) != 0)
            return false;
        const bool found = regexec(&compiled, module, 0, NULL, 0) == 0;
        regfree(&compiled);
        return found;
    }
    if (strchr(pattern, '*') != NULL)
        return length <= 256 && fnmatch(pattern, module, 0) == 0;
    if (strncmp(module, pattern, length) == 0 &&
        (module[length] == '\0' || module[length] == '.'))
        return true;
    return length <= module_length &&
           strcmp(module + module_length - length, pattern) == 0;
}

static mpl_json_value skip_list(mpl_json_value from)
{
    static const char *const KEYS[] = {"modules_to_not_convert", "ignore",
                                       "ignored_layers", "exclude_modules",
                                       "llm_int8_skip_modules"};
    for (size_t at = 0; at < sizeof KEYS / sizeof *KEYS; at++) {
        const mpl_json_value list = mpl_json_get(from, KEYS[at]);
        if (mpl_json_type_of(list) == MPL_JSON_ARRAY)
            return list;
    }
    return MPL_JSON_ABSENT;
}

/* The module is the tensor's name less ".weight". */
static bool is_skipped(mpl_json_value list, const char *tensor)
{
    char module[512];
    size_t length = strlen(tensor);
    static const char END[] = ".weight";
    if (length >= sizeof module)
        return false;
    if (length >= sizeof END &&
        strcmp(tensor + length - (sizeof END - 1), END) == 0)
        length -= sizeof END - 1;
    memcpy(module, tensor, length);
    module[length] = '\0';
    mpl_json_walk walk = mpl_json_begin(list);
    while (mpl_json_next(&walk)) {
        const char *const pattern = mpl_json_string(walk.value, NULL);
        if (pattern != NULL && matches(pattern, module))
            return true;
    }
    return false;
}

static bool is_stored(const memplan_model *model, uint32_t index,
                      const layout *as)
{
    const mpl_tensor *const tensor = &model->tensors[index];
    if ((tensor->flags & MPL_TENSOR_KEPT) != 0)
        return false;
    if (as->has_experts && (tensor->flags & MPL_TENSOR_EXPERT) != 0 &&
        tensor->dimension_count == 3)
        return true;
    return as->has_linear && mpl_is_quantized(model, index);
}

static uint64_t blocks_of(uint64_t size, uint64_t block)
{
    return block == 0 ? 1 : size / block + (size % block != 0);
}

static bool stored_bytes(uint64_t *out, const mpl_tensor *tensor,
                         const layout *as)
{
    const uint32_t last = tensor->dimension_count - 1;
    const uint64_t inputs = tensor->shape[last];
    const uint64_t batch = last == 2 ? tensor->shape[0] : 1;
    uint64_t groups;
    uint64_t bits;
    uint64_t zeros;
    uint64_t rest;
    if (!mpl_mul(&groups, blocks_of(tensor->shape[last - 1], as->rows),
                 blocks_of(inputs, as->columns)) ||
        !mpl_mul(&groups, groups, batch) ||
        !mpl_mul(&bits, tensor->element_count, as->bits) ||
        !mpl_mul(&zeros, groups, as->zero_bits) ||
        !mpl_mul(&groups, groups, as->scale_bytes) ||
        !mpl_mul(&rest, batch, as->extra_bytes) ||
        !mpl_add(&rest, rest, inputs * as->input_bytes))
        return false;
    return mpl_add(out, bits / 8 + (bits % 8 != 0), groups) &&
           mpl_add(out, *out, zeros / 8 + (zeros % 8 != 0)) &&
           mpl_add(out, *out, rest);
}

memplan_status mpl_stored_weights_apply(memplan_model *model,
                                        mpl_json_value quantization,
                                        memplan_error *error)
{
    layout as;
    if (mpl_json_type_of(quantization) != MPL_JSON_OBJECT)
        return MEMPLAN_OK;
    const memplan_status status = read_layout(&as, quantization, error);
    if (status != MEMPLAN_OK || as.bits == 0)
        return status;
    const mpl_json_value skipped = skip_list(quantization);
    if (mpl_json_count(skipped) > MAX_COMPARISONS / (model->tensor_count + 1))
        return mpl_fail(error, MEMPLAN_E_TOO_LARGE, MPL_NOWHERE,
                        "\"quantization_config\" names %llu modules to skip, "
                        "more than any model has",
                        (unsigned long long)mpl_json_count(skipped));
    for (uint32_t at = 0; at < model->tensor_count; at++) {
        mpl_tensor *const tensor = &model->tensors[at];
        uint64_t bytes;
        if (!is_stored(model, at, &as) || is_skipped(skipped, tensor->name))
            continue;
        const bool is_counted =
            as.scheme != MPL_SCHEME_COUNT
                ? mpl_quantized_bytes(&bytes, model, at, as.scheme)
                : stored_bytes(&bytes, tensor, &as);
        if (!is_counted)
            return mpl_fail(error, MEMPLAN_E_TOO_LARGE, MPL_NOWHERE,
                            "\"%s\" has more bytes than 64 bits can say",
                            tensor->name);
        tensor->bytes = bytes;
        tensor->dtype = as.dtype;
    }
    return MEMPLAN_OK;
}
