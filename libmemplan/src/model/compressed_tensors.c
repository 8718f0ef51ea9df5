/* SPDX-License-Identifier: MIT */
/*
 * compressed-tensors: groups of modules, each with what became of weights and
 * of their inputs. The format follows from these where the file names none:
 *
 *     pack      integers alone: words of 32 bits along the inputs, a shape of
 *               two int64; zero points in words along the outputs
 *     plain     integers or floats of 8 bits beside quantized inputs
 *     nvfp4     4 bits, a float8 scale for 16, a float32 scale of them all
 *     mxfp4     4 bits, a scale of powers of two for 32
 *
 * Scales have the model's dtype, unless said otherwise. Inputs with a static
 * scale add that scale, and their zero point where they are not symmetric.
 */
#include <string.h>

#include "base/failure.h"
#include "model/quantization_config.h"
#include "model/scope.h"

enum { SHAPE_BYTES = 16, GLOBAL_SCALE_BYTES = 4 };

static bool says(mpl_json_value object, const char *key, const char *value)
{
    const char *const text = mpl_json_string(mpl_json_get(object, key), NULL);
    return text != NULL && strcmp(text, value) == 0;
}

/* True where the key is absent: as the library has it. */
static bool is_symmetric(mpl_json_value args)
{
    bool is_set = true;
    (void)mpl_json_bool(mpl_json_get(args, "symmetric"), &is_set);
    return is_set;
}

/* "dynamic": true, "local", or false where nothing is said. */
static bool is_static(mpl_json_value args)
{
    bool is_set = false;
    const mpl_json_value dynamic = mpl_json_get(args, "dynamic");
    return mpl_json_type_of(args) == MPL_JSON_OBJECT &&
           mpl_json_type_of(dynamic) != MPL_JSON_STRING &&
           !(mpl_json_bool(dynamic, &is_set) && is_set);
}

/* Where no strategy is named, a group's size makes one of groups. */
static const char *strategy_of(mpl_json_value args)
{
    const char *const named =
        mpl_json_string(mpl_json_get(args, "strategy"), NULL);
    if (named != NULL)
        return named;
    int64_t group = 0;
    if (!mpl_json_i64(mpl_json_get(args, "group_size"), &group))
        return "tensor";
    return group > 0 ? "group" : "channel";
}

static memplan_status read_blocks(mpl_packing *out, mpl_json_value weights,
                                  memplan_error *error)
{
    const char *const strategy = strategy_of(weights);
    out->block_outputs = 1;
    out->block_inputs = 0;
    if (strcmp(strategy, "tensor") == 0)
        out->block_outputs = 0;
    if (strcmp(strategy, "block") == 0) {
        const mpl_json_value block = mpl_json_get(weights, "block_structure");
        const memplan_status status = mpl_quantization_size(
            &out->block_outputs, mpl_json_at(block, 0), "config_groups", error);
        return status != MEMPLAN_OK
                   ? status
                   : mpl_quantization_size(&out->block_inputs,
                                           mpl_json_at(block, 1),
                                           "config_groups", error);
    }
    if (strcmp(strategy, "group") == 0 || strcmp(strategy, "tensor_group") == 0)
        return mpl_quantization_size(&out->block_inputs,
                                     mpl_json_get(weights, "group_size"),
                                     "config_groups", error);
    return MEMPLAN_OK;
}

/* What inputs with a scale of their own add to a weight. */
static void add_inputs(mpl_packing *out, mpl_json_value inputs)
{
    const char *const strategy = strategy_of(inputs);
    if (mpl_json_type_of(inputs) != MPL_JSON_OBJECT)
        return;
    if (strcmp(strategy, "tensor_group") == 0)
        out->extra_bytes += GLOBAL_SCALE_BYTES;
    else if (is_static(inputs)) {
        out->shared_bytes = MPL_OWN_BYTES;
        out->extra_bytes += !is_symmetric(inputs);
    }
}

static void shape_floats(mpl_packing *out, mpl_json_value weights)
{
    const bool has_global = strcmp(strategy_of(weights), "tensor_group") == 0;
    out->word_bits = 8;
    if (out->bits == 4) {
        out->dtype = has_global ? MPL_DTYPE_NVFP4 : MPL_DTYPE_MXFP4;
        out->scale_bytes = 1;
        out->extra_bytes = has_global ? GLOBAL_SCALE_BYTES : 0;
        return;
    }
    out->dtype = MPL_DTYPE_FP8_E4M3;
    if (says(weights, "scale_dtype", "torch.uint8"))
        out->scale_bytes = 1;
}

static void shape_integers(mpl_packing *out, mpl_json_value weights,
                           bool is_packed)
{
    out->dtype = is_packed ? MPL_DTYPE_I32 : MPL_DTYPE_I8;
    out->word_bits = is_packed ? 32 : 8;
    out->extra_bytes = is_packed ? SHAPE_BYTES : 0;
    if (!is_packed)
        out->bits = 8;
    if (is_symmetric(weights))
        return;
    const bool has_words = is_packed && out->block_outputs == 1;
    out->zero_bits = has_words ? out->bits : 8;
    out->zero_word_bits = has_words ? 32 : 8;
}

static memplan_status read_group(mpl_packed_group *out, mpl_json_value group,
                                 const char *format, memplan_error *error)
{
    const mpl_json_value weights = mpl_json_get(group, "weights");
    const mpl_json_value inputs = mpl_json_get(group, "input_activations");
    const char *const own =
        mpl_json_string(mpl_json_get(group, "format"), NULL);
    mpl_packing *const packing = &out->packing;
    uint64_t bits;
    memplan_status status = mpl_quantization_size(
        &bits, mpl_json_get(weights, "num_bits"), "config_groups", error);
    *out = (mpl_packed_group){.targets = mpl_json_get(group, "targets")};
    if (status != MEMPLAN_OK || mpl_json_type_of(weights) != MPL_JSON_OBJECT)
        return status;
    if (bits == 0)
        bits = 8;
    if (bits > 8)
        return mpl_fail(error, MEMPLAN_E_CORRUPT, MPL_NOWHERE,
                        "\"quantization_config.config_groups\": num_bits is "
                        "%llu, more than 8",
                        (unsigned long long)bits);
    *packing =
        (mpl_packing){.bits = (uint32_t)bits, .scale_bytes = MPL_OWN_BYTES};
    if ((status = read_blocks(packing, weights, error)) != MEMPLAN_OK)
        return status;
    if (own != NULL)
        format = own;
    const bool is_plain = strcmp(format, "int-quantized") == 0 ||
                          strcmp(format, "naive-quantized") == 0 ||
                          (strcmp(format, "pack-quantized") != 0 &&
                           mpl_json_type_of(inputs) == MPL_JSON_OBJECT);
    if (says(weights, "type", "float"))
        shape_floats(packing, weights);
    else
        shape_integers(packing, weights, !is_plain);
    add_inputs(packing, inputs);
    return MEMPLAN_OK;
}

memplan_status mpl_compressed_tensors_read(mpl_quantization *out,
                                           mpl_json_value from,
                                           memplan_error *error)
{
    const char *const format =
        mpl_json_string(mpl_json_get(from, "format"), NULL);
    mpl_json_walk walk = mpl_json_begin(mpl_json_get(from, "config_groups"));
    while (mpl_json_next(&walk)) {
        if (out->group_count == MPL_PACKED_GROUPS)
            return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                            "\"quantization_config.config_groups\" has more "
                            "than %d groups",
                            MPL_PACKED_GROUPS);
        const memplan_status status =
            read_group(&out->groups[out->group_count++], walk.value,
                       format != NULL ? format : "", error);
        if (status != MEMPLAN_OK)
            return status;
    }
    return MEMPLAN_OK;
}
