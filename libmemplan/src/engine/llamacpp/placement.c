/* SPDX-License-Identifier: MIT */
/*
 * Where weights go. A weight's class names a device: the host for inputs, the
 * output layer's, or its layer's. A device takes all that is meant for it; the
 * host tries, in this order,
 *
 *     pinned memory of the first device (plain memory where files are mapped)
 *     AMX tiles, repacked rows, plain memory
 *
 * An override comes first; one to plain memory tries the host's list.
 */
#include <string.h>

#include "base/checked.h"
#include "base/failure.h"
#include "engine/llamacpp/pattern.h"
#include "engine/llamacpp/weights.h"

void mpl_llama_cpu_add(mpl_llama_cpu *cpu, const char *word, uint64_t length)
{
    static const struct {
        const char *word;
        uint32_t bit;
    } words[] = {{"avx2", 0}, {"avx512f", 1}, {"avx512", 1},  {"amx_int8", 2},
                 {"amx", 2},  {"asimddp", 3}, {"dotprod", 3}, {"i8mm", 4}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strlen(words[i].word) != length ||
            memcmp(words[i].word, word, length) != 0)
            continue;
        bool *const bits[] = {&cpu->has_avx2, &cpu->has_avx512, &cpu->has_amx,
                              &cpu->has_neon_dot, &cpu->has_neon_i8mm};
        *bits[words[i].bit] = true;
    }
}

/* ---- Packed forms ------------------------------------------------------ */

/* AMX multiplies tiles of 32 rows; the row length fits the type's block. */
static bool fits_amx(const mpl_llama_weight *weight)
{
    uint64_t multiple = 0;
    switch (weight->dtype) {
    case MPL_DTYPE_Q4_0:
    case MPL_DTYPE_Q4_1:
    case MPL_DTYPE_Q8_0:
        multiple = 32;
        break;
    case MPL_DTYPE_Q4_K:
    case MPL_DTYPE_Q5_K:
    case MPL_DTYPE_Q6_K:
    case MPL_DTYPE_IQ4_XS:
        multiple = 256;
        break;
    case MPL_DTYPE_FP16:
        multiple = 16;
        break;
    default:
        return false;
    }
    return weight->use == MPL_LLAMA_USE_MATMUL && weight->ne[1] % 32 == 0 &&
           weight->ne[0] % multiple == 0;
}

/* Types that a processor has kernels for on interleaved rows. */
static const struct {
    uint32_t dtype;
    uint32_t avx2_rows; /* 0: none */
    uint32_t avx512_rows;
    uint32_t i8mm_rows;
    uint32_t dot_rows;
} REPACKED[] = {{MPL_DTYPE_Q4_0, 8, 8, 4, 4},  {MPL_DTYPE_Q4_K, 8, 8, 8, 8},
                {MPL_DTYPE_Q2_K, 0, 8, 0, 0},  {MPL_DTYPE_Q5_K, 0, 0, 8, 8},
                {MPL_DTYPE_Q6_K, 0, 0, 8, 8},  {MPL_DTYPE_IQ4_NL, 8, 8, 4, 4},
                {MPL_DTYPE_MXFP4, 8, 8, 4, 4}, {MPL_DTYPE_Q8_0, 0, 0, 4, 4},
                {MPL_DTYPE_Q1_0, 0, 0, 4, 4}};

static bool fits_repack(const mpl_llama_weight *weight,
                        const mpl_llama_cpu *cpu)
{
    const bool is_matrix =
        weight->use == MPL_LLAMA_USE_MATMUL && weight->dimension_count == 2;
    const bool is_experts =
        weight->use == MPL_LLAMA_USE_EXPERTS && weight->dimension_count == 3;
    if (!is_matrix && !is_experts)
        return false;
    for (size_t i = 0; i < sizeof REPACKED / sizeof REPACKED[0]; i++) {
        if (REPACKED[i].dtype != weight->dtype)
            continue;
        const uint32_t rows = cpu->has_avx512      ? REPACKED[i].avx512_rows
                              : cpu->has_avx2      ? REPACKED[i].avx2_rows
                              : cpu->has_neon_i8mm ? REPACKED[i].i8mm_rows
                              : cpu->has_neon_dot  ? REPACKED[i].dot_rows
                                                   : 0;
        return rows != 0 && weight->ne[1] % rows == 0;
    }
    return false;
}

/* ---- Choice ------------------------------------------------------------ */

static uint32_t choose_host(const mpl_llama_setup *setup,
                            const mpl_llama_weight *weight,
                            const mpl_llama_placing *placing)
{
    const mpl_llama_params *params = placing->params;
    if (setup->has_pinned_weights && !params->no_host)
        return placing->uses_mmap ? MPL_LLAMA_BUFFER_CPU
                                  : MPL_LLAMA_BUFFER_PINNED;
    if (params->no_repack)
        return MPL_LLAMA_BUFFER_CPU;
    if (placing->cpu.has_amx && fits_amx(weight))
        return MPL_LLAMA_BUFFER_AMX;
    return fits_repack(weight, &placing->cpu) ? MPL_LLAMA_BUFFER_REPACK
                                              : MPL_LLAMA_BUFFER_CPU;
}

/* The device a weight is meant for, without overrides. */
static uint32_t device_of(const mpl_llama_setup *setup,
                          const mpl_llama_weight *weight, uint32_t layer)
{
    const uint32_t last = setup->hparams->layer_count_all;
    switch (weight->class_) {
    case MPL_LLAMA_CLASS_INPUT:
        return MPL_LLAMA_HOST;
    case MPL_LLAMA_CLASS_OUTPUT:
        return setup->layer_device[last];
    case MPL_LLAMA_CLASS_LAYER:
        break;
    }
    const uint32_t own = weight->layer != MPL_NO_INDEX ? weight->layer : layer;
    return setup->layer_device[own < last ? own : 0];
}

/* An override with its pattern read and its target known. */
typedef struct override {
    const mpl_llama_override *asked;
    mpl_llama_pattern *pattern;
    uint32_t buffer;
} override;

static bool is_meant(const override *one, const mpl_llama_weight *weight,
                     bool *out_found, memplan_status *status,
                     memplan_error *error)
{
    const bool is_below = weight->layer < one->asked->layer_count;
    *out_found = false;
    switch (one->asked->kind) {
    case MPL_OVERRIDE_PATTERN:
        *status = mpl_llama_pattern_search(one->pattern, weight->name,
                                           out_found, error);
        break;
    case MPL_OVERRIDE_EXPERTS:
        *out_found = weight->is_expert_ffn;
        break;
    case MPL_OVERRIDE_LAYER_EXPERTS:
        *out_found = weight->is_expert_ffn && is_below;
        break;
    case MPL_OVERRIDE_LAYER_FFN:
        *out_found = weight->is_dense_ffn && is_below;
        break;
    case MPL_OVERRIDE_LAYER_PARTS:
        *out_found = weight->layer == one->asked->layer_count &&
                     (weight->expert_part & one->asked->parts) != 0;
        break;
    }
    return *status == MEMPLAN_OK;
}

static memplan_status read_override(override *out,
                                    const mpl_llama_override *asked,
                                    const mpl_llama_setup *setup,
                                    const mpl_llama_placing *placing,
                                    memplan_error *error)
{
    *out = (override){asked, NULL, MPL_LLAMA_BUFFER_NONE};
    if (strcmp(asked->buffer, "CPU") == 0)
        out->buffer = MPL_LLAMA_BUFFER_CPU;
    for (uint32_t i = 0; i < setup->device_count; i++)
        if (strcmp(setup->devices[i].name, asked->buffer) == 0)
            out->buffer = MPL_LLAMA_BUFFER_DEVICE + i;
    bool is_left_out = false;
    for (uint32_t i = 0; i < placing->all_device_count; i++)
        if (strcmp(placing->all_devices[i].name, asked->buffer) == 0)
            is_left_out = true;
    if (out->buffer == MPL_LLAMA_BUFFER_NONE && !is_left_out)
        return mpl_fail(error, MEMPLAN_E_ARGUMENT, MPL_NOWHERE,
                        "setting \"ot\": \"%s\": unknown buffer type",
                        asked->buffer);
    if (asked->kind != MPL_OVERRIDE_PATTERN)
        return MEMPLAN_OK;
    return mpl_llama_pattern_read(&out->pattern, setup->arena, asked->pattern,
                                  error);
}

static memplan_status refuse_unused(const override *one,
                                    const mpl_llama_weight *weight,
                                    memplan_error *error)
{
    return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                    "llama.cpp refuses it: pre-allocated tensor (%s) in a "
                    "buffer (%s) that cannot run the operation (NONE)",
                    weight->name, one->asked->buffer);
}

static memplan_status place(uint32_t *out, const mpl_llama_setup *setup,
                            const mpl_llama_weight *weight, uint32_t layer,
                            const override *overrides,
                            const mpl_llama_placing *placing,
                            memplan_error *error)
{
    memplan_status status = MEMPLAN_OK;
    for (uint64_t i = 0; i < placing->params->override_count; i++) {
        bool is_found = false;
        if (!is_meant(&overrides[i], weight, &is_found, &status, error))
            return status;
        if (!is_found)
            continue;
        if (overrides[i].buffer == MPL_LLAMA_BUFFER_NONE)
            return refuse_unused(&overrides[i], weight, error);
        *out = overrides[i].buffer == MPL_LLAMA_BUFFER_CPU
                   ? choose_host(setup, weight, placing)
                   : overrides[i].buffer;
        return MEMPLAN_OK;
    }
    const uint32_t device = device_of(setup, weight, layer);
    *out = device == MPL_LLAMA_HOST ? choose_host(setup, weight, placing)
                                    : MPL_LLAMA_BUFFER_DEVICE + device;
    return MEMPLAN_OK;
}

/* MTP layers are skipped, unless their context is asked for. DeepSeek 3.2's
 * loader forgets to skip one norm. */
static bool is_loaded(const mpl_llama_setup *setup,
                      const mpl_llama_weight *weight)
{
    const mpl_llama_hparams *hparams = setup->hparams;
    if (weight->use == MPL_LLAMA_USE_UNUSED)
        return false;
    if (hparams->arch == MPL_LLAMA_ARCH_DEEPSEEK32 &&
        strncmp(weight->part, "indexer.k_norm.", 15) == 0)
        return true;
    return weight->layer == MPL_NO_INDEX ||
           weight->layer < hparams->layer_count || hparams->has_router_layer ||
           weight->layer >= hparams->layer_count_all || setup->loads_mtp;
}

memplan_status mpl_llama_weights_place(mpl_llama_setup *setup,
                                       const mpl_llama_weights *weights,
                                       const mpl_llama_placing *placing,
                                       memplan_error *error)
{
    const mpl_llama_params *params = placing->params;
    override *overrides = mpl_arena_alloc(setup->arena, params->override_count,
                                          sizeof *overrides);
    uint16_t *buffers =
        mpl_arena_alloc(setup->arena, weights->count, sizeof *buffers);
    if (overrides == NULL || buffers == NULL)
        return mpl_fail_memory(error);
    memplan_status status = MEMPLAN_OK;
    for (uint64_t i = 0; i < params->override_count; i++) {
        status = read_override(&overrides[i], &params->overrides[i], setup,
                               placing, error);
        if (status != MEMPLAN_OK)
            return status;
    }
    for (uint32_t i = 0; i < weights->count; i++) {
        uint32_t buffer = MPL_LLAMA_BUFFER_NONE;
        if (is_loaded(setup, &weights->items[i]))
            status = place(&buffer, setup, &weights->items[i], 0, overrides,
                           placing, error);
        if (status != MEMPLAN_OK)
            return status;
        buffers[i] = (uint16_t)buffer;
    }
    setup->weights = weights->items;
    setup->weight_count = weights->count;
    setup->token_embd = weights->token_embd;
    setup->weight_buffer = buffers;
    setup->index = weights->index;
    setup->host_other =
        setup->has_pinned_weights && !params->no_host && !placing->uses_mmap
            ? MPL_LLAMA_BUFFER_PINNED
            : MPL_LLAMA_BUFFER_CPU;
    return MEMPLAN_OK;
}

uint32_t mpl_llama_buffer_of(const mpl_llama_setup *setup,
                             const mpl_llama_weight *weight, uint32_t layer)
{
    if (!weight->is_shared || layer == MPL_NO_INDEX)
        return setup->weight_buffer[weight - setup->weights];
    const uint32_t device = device_of(setup, weight, layer);
    return device == MPL_LLAMA_HOST ? setup->host_other
                                    : MPL_LLAMA_BUFFER_DEVICE + device;
}

bool mpl_llama_alloc_bytes(uint64_t *out, const mpl_llama_buffer_type *buffer,
                           uint32_t dtype, const uint64_t ne[4])
{
    const uint64_t block = mpl_dtype_block_elements(dtype);
    uint64_t row = 0;
    uint64_t bytes = 0;
    if (!mpl_dtype_bytes(&row, dtype, ne[0]) || !mpl_mul(&bytes, row, ne[1]) ||
        !mpl_mul(&bytes, bytes, ne[2]) || !mpl_mul(&bytes, bytes, ne[3]))
        return false;
    const uint64_t rows = buffer->row_elements;
    if (block > 1 && rows != 0 && ne[0] % rows != 0) {
        uint64_t tail = 0;
        if (!mpl_dtype_bytes(&tail, dtype, rows - ne[0] % rows) ||
            !mpl_add(&bytes, bytes, tail))
            return false;
    }
    return mpl_align_up(out, bytes, buffer->alignment_bytes);
}
