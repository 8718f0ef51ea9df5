/* SPDX-License-Identifier: MIT */
/*
 * Quantization while loading, as Transformers does it with bitsandbytes.
 *
 *     int8   one byte an element, and an fp32 maximum a row (SCB)
 *     4 bit  half a byte an element, an fp32 maximum each 64 elements (absmax)
 *            and the 16 fp32 values of the code
 *     4 bit, double quantization: the maxima themselves in one byte, an fp32
 *            maximum each 256 of them, their code of 256 fp32 and one offset
 *
 * Only the weights of linear layers change. The output projection stays, and
 * so does whatever shares its bytes with another module; experts that are one
 * parameter of three dimensions are no linear layers and stay too.
 */
#include "model/quantization.h"

#include <stddef.h>
#include <string.h>

#include "base/checked.h"

typedef enum rule { PLAIN, ROW_INT8, BLOCK_4BIT, BLOCK_4BIT_DOUBLE } rule;

typedef struct scheme_row {
    const char *name;
    rule rule;
    uint32_t dtype; /* of floats that stay; MPL_DTYPE_COUNT: the model's */
} scheme_row;

static const scheme_row ROWS[] = {
#define SCHEME(id, name, rule, dtype) {name, rule, dtype},
#include "model/schemes.def"
#undef SCHEME
};

enum {
    BLOCK_ELEMENTS = 64, /* of one absmax */
    BLOCK_MAXIMA = 256,  /* of one second absmax */
    CODE_BYTES = 16 * 4,
    SECOND_CODE_BYTES = 256 * 4,
    FP32_BYTES = 4
};

const char *mpl_scheme_name(uint32_t scheme)
{
    return scheme < MPL_SCHEME_COUNT ? ROWS[scheme].name : NULL;
}

mpl_scheme mpl_scheme_from_name(const char *name)
{
    if (name == NULL)
        return MPL_SCHEME_AUTO;
    if (strcmp(name, "int4") == 0)
        return MPL_SCHEME_NF4;
    for (uint32_t row = 0; row < MPL_SCHEME_COUNT; row++)
        if (strcmp(name, ROWS[row].name) == 0)
            return (mpl_scheme)row;
    return MPL_SCHEME_COUNT;
}

static uint64_t ceil_divide(uint64_t value, uint64_t divisor)
{
    return value / divisor + (value % divisor != 0);
}

static bool is_float(uint32_t dtype)
{
    return dtype == MPL_DTYPE_FP64 || dtype == MPL_DTYPE_FP32 ||
           dtype == MPL_DTYPE_FP16 || dtype == MPL_DTYPE_BF16;
}

/* Parameters follow the dtype that is asked for; buffers that the model makes
 * in fp32 or in integers do not. */
static bool plain_bytes(uint64_t *out, const mpl_tensor *tensor,
                        uint32_t dtype)
{
    const bool follows = dtype != MPL_DTYPE_COUNT && is_float(tensor->dtype) &&
                         (tensor->flags & MPL_TENSOR_TRANSIENT) == 0;
    if (!follows) {
        *out = tensor->bytes;
        return true;
    }
    return mpl_dtype_bytes(out, dtype, tensor->element_count);
}

static bool is_quantized(const memplan_model *model, const mpl_tensor *tensor)
{
    return (tensor->flags & MPL_TENSOR_LINEAR) != 0 &&
           tensor->dimension_count == 2 && tensor->tied_to == MPL_NO_INDEX &&
           model->units[tensor->unit_index].kind != MPL_UNIT_HEAD;
}

bool mpl_quantized_bytes(uint64_t *out, const memplan_model *model,
                         uint32_t index, mpl_scheme scheme)
{
    const scheme_row *const row = &ROWS[scheme];
    const mpl_tensor *const tensor = &model->tensors[index];
    if (row->rule == PLAIN || !is_quantized(model, tensor))
        return plain_bytes(out, tensor, row->dtype);
    const uint64_t elements = tensor->element_count;
    const uint64_t maxima = ceil_divide(elements, BLOCK_ELEMENTS);
    uint64_t extra = 0;
    switch (row->rule) {
    case PLAIN:
        return false;
    case ROW_INT8:
        return mpl_mul(&extra, tensor->shape[0], FP32_BYTES) &&
               mpl_add(out, elements, extra);
    case BLOCK_4BIT:
        return mpl_mul(&extra, maxima, FP32_BYTES) &&
               mpl_add(&extra, extra, CODE_BYTES) &&
               mpl_add(out, ceil_divide(elements, 2), extra);
    case BLOCK_4BIT_DOUBLE:
        extra = ceil_divide(maxima, BLOCK_MAXIMA) * FP32_BYTES +
                SECOND_CODE_BYTES + FP32_BYTES + CODE_BYTES;
        return mpl_add(&extra, extra, maxima) &&
               mpl_add(out, ceil_divide(elements, 2), extra);
    }
    return false;
}
