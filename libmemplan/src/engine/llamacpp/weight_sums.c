/* SPDX-License-Identifier: MIT */
/*
 * Bytes of the weights in each buffer type.
 *
 *     allocated   sum of pad(bytes as the buffer type stores them)
 *     mapped      for each file, last byte - first byte, holes included
 *
 * Weights that several layers ask for have one copy a buffer type, and the
 * output has none where it shares the token embedding's buffer.
 */
#include <stddef.h>

#include "base/checked.h"
#include "base/failure.h"
#include "engine/llamacpp/weights.h"

/* A row in AMX's form holds sums beside the blocks. */
static bool amx_bytes(uint64_t *out, const mpl_llama_weight *weight)
{
    uint64_t extra = 0;
    switch (weight->dtype) {
    case MPL_DTYPE_Q8_0:
    case MPL_DTYPE_Q4_K:
    case MPL_DTYPE_Q5_K:
        extra = 4;
        break;
    case MPL_DTYPE_IQ4_XS:
        extra = 2;
        break;
    case MPL_DTYPE_FP16:
        *out = weight->bytes;
        return true;
    default:
        break;
    }
    const uint64_t blocks =
        weight->ne[0] / mpl_dtype_block_elements(weight->dtype);
    uint64_t row = 0;
    /* Only two dimensions count: llama.cpp's size of a 3-D weight is that of
     * its first matrix. */
    return mpl_mul(&row, blocks,
                   mpl_dtype_block_bytes(weight->dtype) + extra) &&
           mpl_mul(out, row, weight->ne[1]);
}

static bool is_mapped(const mpl_llama_setup *setup, uint32_t buffer)
{
    if (buffer == MPL_LLAMA_BUFFER_CPU)
        return true;
    const uint32_t device = setup->buffers[buffer].device;
    return device != MPL_LLAMA_HOST &&
           setup->devices[device].backend->maps_host_pointer;
}

static bool add_allocated(mpl_llama_weight_bytes *out,
                          const mpl_llama_setup *setup,
                          const mpl_llama_weight *weight, uint32_t buffer)
{
    uint64_t bytes = 0;
    if (buffer == MPL_LLAMA_BUFFER_AMX) {
        if (!amx_bytes(&bytes, weight) || !mpl_align_up(&bytes, bytes, 32))
            return false;
    } else if (!mpl_llama_alloc_bytes(&bytes, &setup->buffers[buffer],
                                      weight->dtype, weight->ne)) {
        return false;
    }
    return mpl_add(&out->bytes[buffer], out->bytes[buffer], bytes);
}

/* First and last byte of a buffer type in one file. */
typedef struct file_range {
    uint64_t first;
    uint64_t last;
} file_range;

typedef struct sum_adder {
    mpl_llama_weight_bytes *out;
    const mpl_llama_setup *setup;
    file_range *ranges; /* [file * MPL_LLAMA_BUFFER_MAX + buffer] */
    bool uses_mmap;
} sum_adder;

static bool add_weight(sum_adder *adder, const mpl_llama_weight *weight,
                       uint32_t buffer)
{
    if (!adder->uses_mmap || !is_mapped(adder->setup, buffer))
        return add_allocated(adder->out, adder->setup, weight, buffer);
    file_range *range =
        &adder->ranges[(uint64_t)weight->file_index * MPL_LLAMA_BUFFER_MAX +
                       buffer];
    uint64_t end = 0;
    if (!mpl_add(&end, weight->file_offset, weight->bytes))
        return false;
    range->first = mpl_min(range->first, weight->file_offset);
    range->last = mpl_max(range->last, end);
    return weight->is_copy ||
           mpl_add(&adder->out->touched[buffer], adder->out->touched[buffer],
                   weight->bytes);
}

/* Gemma 4 asks for them in layers without a window only. */
static bool asks_shared(const mpl_llama_setup *setup, uint32_t layer)
{
    const mpl_llama_hparams *hparams = setup->hparams;
    if (hparams->arch == MPL_LLAMA_ARCH_GEMMA4 ||
        hparams->arch == MPL_LLAMA_ARCH_GEMMA4_ASSISTANT)
        return !hparams->layers[layer].is_swa;
    return true;
}

/* One copy for each buffer type that a layer wants it in. */
static bool add_shared(sum_adder *adder, const mpl_llama_weight *weight)
{
    const mpl_llama_setup *setup = adder->setup;
    bool has[MPL_LLAMA_BUFFER_MAX] = {false};
    for (uint32_t i = 0; i < setup->hparams->layer_count; i++) {
        const uint32_t buffer = mpl_llama_buffer_of(setup, weight, i);
        if (has[buffer] || !asks_shared(setup, i))
            continue;
        has[buffer] = true;
        if (!add_weight(adder, weight, buffer))
            return false;
    }
    return true;
}

static bool add_all(sum_adder *adder)
{
    const mpl_llama_setup *setup = adder->setup;
    const mpl_llama_output rule = MPL_LLAMA_ARCHES[setup->hparams->arch].output;
    for (uint32_t i = 0; i < setup->weight_count; i++) {
        const mpl_llama_weight *weight = &setup->weights[i];
        const uint32_t buffer = setup->weight_buffer[i];
        if (buffer == MPL_LLAMA_BUFFER_NONE)
            continue;
        if (weight->is_copy && rule == MPL_LLAMA_OUTPUT_TIED &&
            buffer == setup->weight_buffer[setup->token_embd])
            continue;
        if (weight->is_shared ? !add_shared(adder, weight)
                              : !add_weight(adder, weight, buffer))
            return false;
    }
    return true;
}

memplan_status mpl_llama_weights_sum(mpl_llama_weight_bytes *out,
                                     const mpl_llama_setup *setup,
                                     bool uses_mmap, memplan_error *error)
{
    *out = (mpl_llama_weight_bytes){{0}, {0}, {0}};
    uint32_t files = 1;
    for (uint32_t i = 0; i < setup->weight_count; i++)
        if (setup->weights[i].file_index >= files)
            files = setup->weights[i].file_index + 1;
    const uint64_t cells = (uint64_t)files * MPL_LLAMA_BUFFER_MAX;
    file_range *ranges = mpl_arena_alloc(setup->arena, cells, sizeof *ranges);
    if (ranges == NULL)
        return mpl_fail_memory(error);
    for (uint64_t i = 0; i < cells; i++)
        ranges[i].first = UINT64_MAX;
    sum_adder adder = {out, setup, ranges, uses_mmap};
    bool fits = add_all(&adder);
    for (uint64_t i = 0; i < cells && fits; i++)
        if (ranges[i].last > ranges[i].first)
            fits = mpl_add(&out->mapped[i % MPL_LLAMA_BUFFER_MAX],
                           out->mapped[i % MPL_LLAMA_BUFFER_MAX],
                           ranges[i].last - ranges[i].first);
    return fits ? MEMPLAN_OK
                : mpl_fail(error, MEMPLAN_E_TOO_LARGE, MPL_NOWHERE,
                           "the weights pass 64 bits");
}
