/* SPDX-License-Identifier: MIT */
/*
 * Quantization while loading: what a linear layer's weight becomes.
 *
 *     elements outputs * inputs, both padded to the scheme's multiples
 *     packed   elements * bits / 8
 *     scales   groups * (scale + zero), groups = elements / group
 *     extra    codes and offsets, once a weight
 *     second   4 bytes each `second` scales, where scales are quantized too
 *
 * Only weights of linear layers change. The output projection stays, and so
 * do the last parameter's module and whatever shares its bytes with another:
 * those are what Transformers keeps out. Experts that are one parameter of
 * three dimensions are no linear layers, and stay too.
 */
#include "model/quantization.h"

#include <stddef.h>
#include <string.h>

#include "base/checked.h"

#define OWN   UINT32_MAX
#define WHOLE UINT32_MAX

static const mpl_scheme_row ROWS[] = {
#define SCHEME(id, ...) {__VA_ARGS__},
#include "model/schemes.def"
#undef SCHEME
};

enum { FP32_BYTES = 4, GROUP_STEP = 32 };

static const struct short_name {
    const char *name;
    mpl_scheme scheme;
} SHORT_NAMES[] = {
    {"int8", MPL_SCHEME_TORCHAO_INT8},
    {"int4", MPL_SCHEME_TORCHAO_INT4},
};

const mpl_scheme_row *mpl_scheme_at(mpl_scheme scheme)
{
    return &ROWS[scheme];
}

const char *mpl_scheme_name(uint32_t scheme)
{
    return scheme < MPL_SCHEME_COUNT ? ROWS[scheme].name : NULL;
}

mpl_scheme mpl_scheme_from_name(const char *name)
{
    if (name == NULL)
        return MPL_SCHEME_AUTO;
    for (size_t at = 0; at < sizeof SHORT_NAMES / sizeof *SHORT_NAMES; at++)
        if (strcmp(name, SHORT_NAMES[at].name) == 0)
            return SHORT_NAMES[at].scheme;
    for (uint32_t row = 0; row < MPL_SCHEME_COUNT; row++)
        if (strcmp(name, ROWS[row].name) == 0)
            return (mpl_scheme)row;
    return MPL_SCHEME_COUNT;
}

bool mpl_scheme_entry(uint32_t index, const char **out_name,
                      const char **out_rule)
{
    enum { SHORT_COUNT = sizeof SHORT_NAMES / sizeof *SHORT_NAMES };
    if (index >= MPL_SCHEME_COUNT + SHORT_COUNT)
        return false;
    const bool is_short = index >= MPL_SCHEME_COUNT;
    const uint32_t row =
        is_short ? SHORT_NAMES[index - MPL_SCHEME_COUNT].scheme : index;
    *out_name = is_short ? SHORT_NAMES[index - MPL_SCHEME_COUNT].name
                         : ROWS[row].name;
    *out_rule = ROWS[row].rule;
    return true;
}

static uint64_t ceil_divide(uint64_t value, uint64_t divisor)
{
    return value / divisor + (value % divisor != 0);
}

/* Parameters follow the dtype that is asked for; buffers that the model makes
 * by itself, in fp32 or in integers, do not. */
static bool plain_bytes(uint64_t *out, const mpl_tensor *tensor, uint32_t dtype)
{
    const bool follows = dtype != MPL_DTYPE_COUNT &&
                         (tensor->flags & MPL_TENSOR_PACKED) == 0 &&
                         mpl_dtype_is_float(tensor->dtype) &&
                         (tensor->flags & MPL_TENSOR_TRANSIENT) == 0;
    if (!follows) {
        *out = tensor->bytes;
        return true;
    }
    return mpl_dtype_bytes(out, dtype, tensor->element_count);
}

/* The last parameter in the model's order, tied ones aside. */
static bool is_last(const memplan_model *model, const mpl_tensor *tensor)
{
    const mpl_tensor *const end = model->tensors + model->tensor_count;
    for (const mpl_tensor *next = tensor + 1; next < end; next++)
        if ((next->flags & MPL_TENSOR_BUFFER) == 0 &&
            next->tied_to == MPL_NO_INDEX)
            return false;
    return true;
}

bool mpl_is_quantized(const memplan_model *model, uint32_t index)
{
    const mpl_tensor *const tensor = &model->tensors[index];
    return (tensor->flags & MPL_TENSOR_LINEAR) != 0 &&
           tensor->dimension_count == 2 && tensor->tied_to == MPL_NO_INDEX &&
           mpl_dtype_is_float(tensor->dtype) &&
           model->units[tensor->unit_index].kind != MPL_UNIT_HEAD &&
           !is_last(model, tensor);
}

uint32_t mpl_experts_left_percent(const memplan_model *model)
{
    uint64_t left = 0;
    uint64_t percent = 0;
    for (uint32_t at = 0; at < model->tensor_count; at++) {
        const mpl_tensor *const tensor = &model->tensors[at];
        if ((tensor->flags & MPL_TENSOR_EXPERT) != 0 &&
            (tensor->flags & MPL_TENSOR_PACKED) == 0 &&
            tensor->dimension_count > 2 && tensor->tied_to == MPL_NO_INDEX &&
            mpl_dtype_is_float(tensor->dtype))
            left += tensor->element_count;
    }
    if (model->parameter_count == 0 ||
        !mpl_mul_div(&percent, left, 100, model->parameter_count))
        return 0;
    return (uint32_t)percent;
}

/* Elements that share a scale, by what divides the input features. */
static uint64_t group_elements(const mpl_scheme_row *row, uint64_t inputs)
{
    uint64_t group = row->group_elements;
    if (group == 0)
        return inputs;
    if (row->least_group == 0 || row->least_group == WHOLE)
        return group;
    if (inputs <= group)
        return inputs;
    while (inputs % group != 0 && group > row->least_group)
        group -= GROUP_STEP;
    return inputs % group == 0 ? group : inputs;
}

static uint64_t width_of(uint32_t bytes, const mpl_tensor *tensor)
{
    return bytes == OWN ? mpl_dtype_block_bytes(tensor->dtype) : bytes;
}

/* `value` up to the next multiple; false past 64 bits. */
static bool pad(uint64_t *out, uint64_t value, uint32_t multiple)
{
    return mpl_mul(out, ceil_divide(value, multiple), multiple);
}

static bool packed_bytes(uint64_t *out, const mpl_tensor *tensor,
                         const mpl_scheme_row *row, uint64_t inputs)
{
    uint64_t elements;
    uint64_t outputs = tensor->element_count / inputs;
    if (!pad(&inputs, inputs, row->input_multiple) ||
        !pad(&outputs, outputs, row->output_multiple) ||
        !mpl_mul(&elements, inputs, outputs))
        return false;
    const uint64_t groups = ceil_divide(elements, group_elements(row, inputs));
    const uint64_t second =
        row->second_scales == 0
            ? 0
            : ceil_divide(groups, row->second_scales) * FP32_BYTES;
    uint64_t bits;
    uint64_t scales;
    return mpl_mul(&bits, elements, row->bits) &&
           mpl_mul(&scales, groups,
                   width_of(row->scale_bytes, tensor) +
                       width_of(row->zero_bytes, tensor)) &&
           mpl_add(&scales, scales, second) &&
           mpl_add(&scales, scales, row->extra_bytes) &&
           mpl_add(out, ceil_divide(bits, 8), scales);
}

bool mpl_quantized_bytes(uint64_t *out, const memplan_model *model,
                         uint32_t index, mpl_scheme scheme)
{
    const mpl_scheme_row *const row = &ROWS[scheme];
    const mpl_tensor *const tensor = &model->tensors[index];
    if (row->bits == 0 || !mpl_is_quantized(model, index))
        return plain_bytes(out, tensor, row->dtype);
    const bool is_transposed = (tensor->flags & MPL_TENSOR_TRANSPOSED) != 0;
    const uint64_t inputs = tensor->shape[is_transposed ? 0 : 1];
    if (inputs == 0 ||
        (row->least_group == WHOLE && inputs % row->group_elements != 0))
        return plain_bytes(out, tensor, row->dtype);
    return packed_bytes(out, tensor, row, inputs);
}

bool mpl_dense_bytes(uint64_t *out, const memplan_model *model, uint32_t index,
                     mpl_scheme scheme)
{
    const mpl_tensor *const tensor = &model->tensors[index];
    const uint32_t dtype = ROWS[scheme].dtype;
    uint64_t own_bytes;
    if ((tensor->flags & MPL_TENSOR_PACKED) == 0)
        return mpl_quantized_bytes(out, model, index, scheme);
    *out = tensor->dense_bytes;
    if (dtype == MPL_DTYPE_COUNT)
        return true;
    return mpl_dtype_bytes(&own_bytes, tensor->dense_dtype,
                           tensor->element_count) &&
           mpl_dtype_bytes(out, dtype, tensor->element_count) &&
           mpl_add(out, *out, mpl_sub_floor(tensor->dense_bytes, own_bytes));
}
