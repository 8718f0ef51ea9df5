/* SPDX-License-Identifier: MIT */
#include "model/packing.h"

#include "base/checked.h"
#include "model/dtype.h"

static uint64_t ceil_divide(uint64_t value, uint64_t divisor)
{
    return value / divisor + (value % divisor != 0);
}

static uint64_t blocks_of(uint64_t size, uint64_t block)
{
    return block == 0 ? 1 : ceil_divide(size, block);
}

/* `across` rows, each of `along` elements in whole words; false past 64 bits.
 */
static bool words_bytes(uint64_t *out, uint64_t across, uint64_t along,
                        uint32_t bits, uint32_t word_bits)
{
    return mpl_mul(out, along, bits) &&
           mpl_mul(out, ceil_divide(*out, word_bits), word_bits / 8) &&
           mpl_mul(out, *out, across);
}

static bool add_scales(uint64_t *sum, const mpl_packing *packing,
                       const mpl_tensor *tensor, uint64_t outputs,
                       uint64_t inputs, uint64_t least_rows)
{
    const uint64_t own_bytes = mpl_dtype_block_bytes(tensor->dtype);
    const uint64_t rows =
        mpl_max(blocks_of(outputs, packing->block_outputs), least_rows);
    const uint64_t columns = blocks_of(inputs, packing->block_inputs);
    uint64_t scales;
    uint64_t zeros = 0;
    uint64_t order;
    if (packing->zero_bits != 0 &&
        !words_bytes(&zeros, columns, rows, packing->zero_bits,
                     packing->zero_word_bits))
        return false;
    return mpl_mul(&scales, rows, columns) &&
           mpl_mul(&scales, scales,
                   packing->scale_bytes == MPL_OWN_BYTES
                       ? own_bytes
                       : packing->scale_bytes) &&
           mpl_mul(&order, inputs, packing->input_bytes) &&
           mpl_add(sum, *sum, scales) && mpl_add(sum, *sum, zeros) &&
           mpl_add(sum, *sum, order) &&
           mpl_add(sum, *sum, packing->extra_bytes) &&
           mpl_add(sum, *sum,
                   packing->shared_bytes == MPL_OWN_BYTES
                       ? own_bytes
                       : packing->shared_bytes);
}

bool mpl_packing_bytes(uint64_t *out, const mpl_packing *packing,
                       const mpl_tensor *tensor, uint64_t parts)
{
    const uint32_t last = tensor->dimension_count - 1;
    const bool is_transposed = (tensor->flags & MPL_TENSOR_TRANSPOSED) != 0;
    const uint64_t experts = last == 2 ? tensor->shape[0] : 1;
    const uint64_t inputs = tensor->shape[is_transposed ? last - 1 : last];
    const uint64_t all_outputs = tensor->shape[is_transposed ? last : last - 1];
    if (parts == 0 || all_outputs % parts != 0)
        parts = 1;
    const uint64_t least_rows = packing->is_joined ? parts : 1;
    if (packing->is_joined)
        parts = 1;
    const uint64_t outputs = all_outputs / parts;
    const uint64_t across = packing->is_along_outputs ? inputs : outputs;
    const uint64_t along = packing->is_along_outputs ? outputs : inputs;
    return words_bytes(out, across, along, packing->bits, packing->word_bits) &&
           add_scales(out, packing, tensor, outputs, inputs, least_rows) &&
           mpl_mul(out, *out, parts) && mpl_mul(out, *out, experts);
}

bool mpl_packing_dense_bytes(uint64_t *out, const mpl_packing *packing,
                             const mpl_tensor *tensor, uint64_t parts,
                             bool keeps_scales)
{
    mpl_packing scales = *packing;
    uint64_t kept = 0;
    scales.bits = 0;
    scales.scale_bytes = MPL_OWN_BYTES;
    return (!keeps_scales ||
            mpl_packing_bytes(&kept, &scales, tensor, parts)) &&
           mpl_dtype_bytes(out, tensor->dtype, tensor->element_count) &&
           mpl_add(out, *out, kept);
}
