/* SPDX-License-Identifier: MIT */
/*
 * llama.cpp's choices in its own order: sizes of a context, types of the cache,
 * layers by device, buffers, instances of what crosses devices; then what
 * it would refuse.
 */
#include "engine/llamacpp/resolve.h"

#include <string.h>

#include "base/checked.h"
#include "base/failure.h"
#include "engine/llamacpp/context.h"

static bool is_quantized(uint32_t dtype)
{
    return mpl_dtype_block_elements(dtype) > 1;
}

static memplan_status refuse(memplan_error *error, const char *what)
{
    return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                    "llama.cpp refuses it: %s", what);
}

/* ---- Context ----------------------------------------------------------- */

static uint64_t pad(uint64_t value, uint64_t multiple)
{
    return (value + multiple - 1) / multiple * multiple;
}

static bool has_encoder(const mpl_llama_hparams *hparams)
{
    return hparams->arch == MPL_LLAMA_ARCH_T5 ||
           hparams->arch == MPL_LLAMA_ARCH_T5ENCODER;
}

static uint32_t outputs_max(const mpl_llama_setup *out,
                            const mpl_llama_params *params)
{
    if (has_encoder(out->hparams))
        return out->n_batch;
    if (params->n_outputs_max != 0)
        return params->n_outputs_max;
    const uint64_t drafted =
        params->draft != NULL || params->mtp ? params->draft_max : 0;
    return params->frontend == MPL_FRONTEND_TOOL
               ? out->n_batch
               : (uint32_t)mpl_min(out->n_batch, out->n_seq * (1 + drafted));
}

/* States that a draft by MTP may have to be taken back to. */
static uint32_t snapshots(const mpl_llama_setup *out,
                          const mpl_llama_params *params)
{
    static const mpl_llama_arch KEEPERS[] = {
        MPL_LLAMA_ARCH_KIMI_K3,    MPL_LLAMA_ARCH_QWEN35,
        MPL_LLAMA_ARCH_QWEN35MOE,  MPL_LLAMA_ARCH_QWEN4EXP,
        MPL_LLAMA_ARCH_DEEPSEEK4,  MPL_LLAMA_ARCH_GLM5_NEXT,
        MPL_LLAMA_ARCH_NEMOTRON_H, MPL_LLAMA_ARCH_NEMOTRON_H_MOE,
        MPL_LLAMA_ARCH_LFM2,       MPL_LLAMA_ARCH_LFM2MOE,
        MPL_LLAMA_ARCH_BAILINGMOE3};
    for (size_t i = 0; i < sizeof KEEPERS / sizeof *KEEPERS; i++)
        if (params->mtp && out->hparams->arch == KEEPERS[i])
            return params->draft_max;
    return 0;
}

static memplan_status set_sizes(mpl_llama_setup *out,
                                const mpl_llama_params *params,
                                memplan_error *error)
{
    const mpl_llama_hparams *hparams = out->hparams;
    out->n_seq = params->n_seq > 0 ? params->n_seq : 1;
    if (out->n_seq > MPL_LLAMA_MAX_SEQUENCES)
        return refuse(error, "n_seq_max must be <= 256");
    if (params->n_batch == 0 && params->n_ubatch == 0)
        return refuse(error, "n_batch and n_ubatch cannot both be zero");
    uint64_t n_ctx =
        params->n_ctx != 0 ? params->n_ctx : hparams->context_train;
    if (n_ctx == 0)
        return refuse(error,
                      "n_ctx and model->hparams.n_ctx_train cannot both be "
                      "zero");
    out->n_batch = hparams->is_causal
                       ? (uint32_t)mpl_min(n_ctx, params->n_batch)
                       : params->n_batch;
    out->n_ubatch = (uint32_t)mpl_min(out->n_batch, params->n_ubatch == 0
                                                        ? params->n_batch
                                                        : params->n_ubatch);
    out->n_outputs_max = outputs_max(out, params);
    out->n_rs_seq = snapshots(out, params);
    n_ctx = pad(n_ctx, 256);
    uint64_t per_sequence = n_ctx;
    if (!params->kv_unified) {
        per_sequence = pad(n_ctx / out->n_seq, 256);
        n_ctx = per_sequence * out->n_seq;
    }
    if (n_ctx > UINT32_MAX)
        return refuse(error, "a context of more than 2^32 - 1 tokens");
    if (per_sequence == 0)
        return refuse(error, "n_ctx_seq == 0");
    out->n_ctx = (uint32_t)n_ctx;
    out->n_ctx_seq = (uint32_t)per_sequence;
    out->n_stream = params->kv_unified ? 1 : out->n_seq;
    if (out->n_outputs_max < out->n_seq)
        return refuse(error, "GGML_ASSERT(n_outputs_max <= "
                             "cparams.n_outputs_max) failed: fewer outputs "
                             "than sequences");
    return MEMPLAN_OK;
}

/* ---- Cache types ------------------------------------------------------- */

static memplan_status check_block(const mpl_llama_setup *out, uint32_t dtype,
                                  bool is_key, memplan_error *error)
{
    const uint64_t block = mpl_dtype_block_elements(dtype);
    for (uint32_t i = 0; i < out->hparams->layer_count; i++) {
        const mpl_llama_layer *layer = &out->hparams->layers[i];
        const uint32_t width = is_key ? layer->key_width : layer->value_width;
        if (width % block != 0)
            return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                            "llama.cpp refuses it: %s cache type %s with "
                            "block size %llu does not divide n_embd_head_%s=%u",
                            is_key ? "K" : "V", mpl_dtype_name(dtype),
                            (unsigned long long)block, is_key ? "k" : "v",
                            width);
    }
    return MEMPLAN_OK;
}

static memplan_status set_cache_types(mpl_llama_setup *out,
                                      const mpl_llama_params *params,
                                      memplan_error *error)
{
    const mpl_llama_arch arch = out->hparams->arch;
    out->type_k = params->type_k;
    out->type_v = params->type_v;
    mpl_llama_flash flash = params->flash;
    if (arch == MPL_LLAMA_ARCH_GROK)
        flash = MPL_FA_OFF;
    if ((out->hparams->is_mla || arch == MPL_LLAMA_ARCH_DEEPSEEK4) &&
        out->type_k != out->type_v)
        return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                        "llama.cpp refuses it: model does not support "
                        "different K (%s) and V (%s) cache types",
                        mpl_dtype_name(out->type_k),
                        mpl_dtype_name(out->type_v));
    if (is_quantized(out->type_v) && flash == MPL_FA_OFF)
        return refuse(error,
                      "quantized V cache requires flash_attn to be enabled");
    if (is_quantized(out->type_v))
        flash = MPL_FA_ON;
    out->flash_attn = flash != MPL_FA_OFF;
    out->is_flash_auto = flash == MPL_FA_AUTO;
    memplan_status status = MEMPLAN_OK;
    if (out->flash_attn && is_quantized(out->type_k))
        status = check_block(out, out->type_k, true, error);
    if (status == MEMPLAN_OK && out->flash_attn && is_quantized(out->type_v))
        status = check_block(out, out->type_v, false, error);
    return status;
}

/* ---- Layers ------------------------------------------------------------ */

/*
 * The shares of the devices, summed up and divided by their sum, all in
 * float32 as llama.cpp does: the layer at place i of n goes to the first
 * device whose sum is above i / n.
 */
static uint32_t device_at(const float *sums, uint32_t count, uint32_t place,
                          uint32_t places)
{
    const float at = (float)(int32_t)place / (float)(int32_t)places;
    for (uint32_t i = 0; i < count; i++)
        if (sums[i] > at)
            return i;
    return count;
}

static void set_sums(float *sums, const mpl_llama_devices *devices,
                     const mpl_llama_params *params, uint64_t host_bytes)
{
    bool has_shares = false;
    for (uint32_t i = 0; i < params->split_count && i < devices->count; i++)
        has_shares = has_shares || params->splits[i] != 0.0F;
    float sum = 0.0F;
    for (uint32_t i = 0; i < devices->count; i++) {
        const mpl_llama_device *device = &devices->items[i];
        const bool is_mute =
            device->free_bytes == 0 && device->total_bytes == 0;
        const uint64_t bytes = is_mute ? host_bytes : device->free_bytes;
        const float share = !has_shares               ? (float)bytes
                            : i < params->split_count ? params->splits[i]
                                                      : 0.0F;
        sum += share;
        sums[i] = sum;
    }
    for (uint32_t i = 0; i < devices->count; i++)
        sums[i] /= sum;
}

static memplan_status set_layers(mpl_llama_setup *out,
                                 const mpl_llama_devices *devices,
                                 const mpl_llama_params *params,
                                 memplan_error *error)
{
    const uint32_t places = out->hparams->layer_count_all + 1;
    const uint32_t asked = params->ngl < 0 ? places : (uint32_t)params->ngl;
    const uint32_t active =
        devices->count == 0 ? 0 : (uint32_t)mpl_min(asked, places);
    const uint32_t first = (uint32_t)mpl_sub_floor(places, asked);
    float sums[MPL_LLAMA_MAX_DEVICES] = {0.0F};
    uint32_t *layers = mpl_arena_alloc(out->arena, places, sizeof *layers);
    if (layers == NULL)
        return mpl_fail_memory(error);
    set_sums(sums, devices, params, 0);
    out->gpu_layers = active;
    for (uint32_t i = 0; i < places; i++) {
        layers[i] = MPL_LLAMA_HOST;
        if (i < first || i - first >= active)
            continue;
        layers[i] = device_at(sums, devices->count, i - first, active);
        if (layers[i] == devices->count)
            return mpl_fail(error, MEMPLAN_E_ARGUMENT, MPL_NOWHERE,
                            "setting \"ts\": no device takes layer %u", i);
    }
    out->layer_device = layers;
    return MEMPLAN_OK;
}

/* ---- Buffer types ------------------------------------------------------ */

static memplan_status set_buffers(mpl_llama_setup *out, memplan_error *error)
{
    mpl_llama_buffer_type *types = mpl_arena_alloc(
        out->arena, MPL_LLAMA_BUFFER_DEVICE + (uint64_t)out->device_count,
        sizeof *types);
    if (types == NULL)
        return mpl_fail_memory(error);
    static const char *const names[] = {"CPU", "CPU_REPACK", "AMX", ""};
    for (uint32_t i = 0; i < MPL_LLAMA_BUFFER_DEVICE; i++)
        types[i] = (mpl_llama_buffer_type){
            names[i],
            MPL_LLAMA_HOST,
            MPL_LLAMA_BACKENDS[MPL_LLAMA_CPU].alignment_bytes,
            0,
            i == MPL_LLAMA_BUFFER_CPU || i == MPL_LLAMA_BUFFER_PINNED,
            UINT64_MAX};
    for (uint32_t i = 0; i < out->device_count; i++) {
        const mpl_llama_backend *backend = out->devices[i].backend;
        types[MPL_LLAMA_BUFFER_DEVICE + i] = (mpl_llama_buffer_type){
            out->devices[i].name,  i,     backend->alignment_bytes,
            backend->row_elements, false, backend->buffer_max_bytes};
        if (backend->has_pinned_host && i == 0)
            out->has_pinned = true;
        if (backend->has_pinned_host && !out->has_pinned_weights) {
            out->has_pinned_weights = true;
            types[MPL_LLAMA_BUFFER_PINNED].name = backend->host_name;
        }
    }
    out->buffers = types;
    out->buffer_count = MPL_LLAMA_BUFFER_DEVICE + out->device_count;
    return MEMPLAN_OK;
}

/* Four instances of what crosses devices, so that batches overlap. */
static uint32_t copies(const mpl_llama_setup *out,
                       const mpl_llama_params *params)
{
    const uint32_t asked = params->ngl < 0 ? out->hparams->layer_count_all + 1
                                           : (uint32_t)params->ngl;
    bool can = out->device_count > 1 && asked > out->hparams->layer_count_all &&
               params->split == MPL_SPLIT_LAYER && out->kv_offload &&
               params->override_count == 0;
    for (uint32_t i = 0; i < out->device_count; i++)
        can = can && out->devices[i].backend->has_async;
    return can ? 4 : 1;
}

bool mpl_llama_uses_mmap(const mpl_llama_devices *devices,
                         const mpl_llama_params *params)
{
    bool lacks = false;
    for (uint32_t i = 0; i < devices->count; i++)
        lacks = lacks || devices->items[i].lacks_mmap;
    switch (params->load) {
    case MPL_LOAD_AUTO:
        return !lacks;
    case MPL_LOAD_MMAP:
    case MPL_LOAD_MMAP_MLOCK:
        return true;
    case MPL_LOAD_NONE:
    case MPL_LOAD_MLOCK:
    case MPL_LOAD_DIO:
        return false;
    }
    return false;
}

/* The scheduler serves the devices and the CPU. */
static memplan_status check_backends(const mpl_llama_devices *devices,
                                     memplan_error *error)
{
    enum { SCHED_BACKENDS_MAX = 16 };
    if (devices->count + 1 <= SCHED_BACKENDS_MAX)
        return MEMPLAN_OK;
    return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                    "llama.cpp refuses it: GGML_ASSERT(n_backends <= "
                    "GGML_SCHED_MAX_BACKENDS) failed: %u devices and the CPU, "
                    "at most %d backends",
                    devices->count, SCHED_BACKENDS_MAX);
}

/* Drafts that read another model's embeddings have no context of their own. */
static memplan_status check_other(const mpl_llama_setup *setup,
                                  memplan_error *error)
{
    const mpl_llama_arch arch = setup->hparams->arch;
    const bool may_borrow =
        arch == MPL_LLAMA_ARCH_EAGLE3 || arch == MPL_LLAMA_ARCH_DFLASH;
    const bool borrows = arch == MPL_LLAMA_ARCH_GEMMA4_ASSISTANT ||
                         (may_borrow && setup->token_embd == MPL_NO_INDEX);
    return borrows ? mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                              "llama.cpp refuses it: %s requires ctx_other to "
                              "be set: it is a draft for another model",
                              setup->hparams->arch_name)
                   : MEMPLAN_OK;
}

static memplan_status check_split(const mpl_llama_params *params,
                                  const mpl_llama_devices *devices,
                                  memplan_error *error)
{
    if (params->split == MPL_SPLIT_TENSOR)
        return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                        "setting \"sm\": tensor is not described yet");
    if (params->split != MPL_SPLIT_ROW)
        return MEMPLAN_OK;
    for (uint32_t i = 0; i < devices->count; i++)
        if (devices->items[i].kind != MPL_LLAMA_SYCL)
            return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                            "llama.cpp refuses it: device %s does not support "
                            "split buffers",
                            devices->items[i].name);
    return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                    "setting \"sm\": row is not described yet");
}

memplan_status mpl_llama_resolve(mpl_llama_setup *out, mpl_arena *arena,
                                 const mpl_llama_hparams *hparams,
                                 const mpl_llama_weights *weights,
                                 const mpl_llama_devices *devices,
                                 const mpl_llama_params *params,
                                 memplan_error *error)
{
    *out = (mpl_llama_setup){.hparams = hparams,
                             .arena = arena,
                             .kv_unified = params->kv_unified,
                             .kv_offload = !params->no_kv_offload,
                             .op_offload = !params->no_op_offload,
                             .swa_full = params->swa_full,
                             .loads_mtp = params->mtp,
                             .has_overrides = params->override_count > 0,
                             .is_split_layer = params->split == MPL_SPLIT_LAYER,
                             .devices = devices->items,
                             .device_count = devices->count};
    memplan_status status = check_backends(devices, error);
    if (status == MEMPLAN_OK)
        status = check_split(params, devices, error);
    if (status == MEMPLAN_OK)
        status = set_layers(out, devices, params, error);
    if (status == MEMPLAN_OK)
        status = set_buffers(out, error);
    const mpl_llama_placing placing = {params, devices->cpu,
                                       params->measure == MPL_MEASURE_LOAD &&
                                           mpl_llama_uses_mmap(devices, params),
                                       devices->all, devices->all_count};
    if (status == MEMPLAN_OK)
        status = mpl_llama_weights_place(out, weights, &placing, error);
    if (status == MEMPLAN_OK)
        status = check_other(out, error);
    if (status == MEMPLAN_OK)
        status = set_cache_types(out, params, error);
    if (status == MEMPLAN_OK)
        status = set_sizes(out, params, error);
    out->copy_count = copies(out, params);
    return status == MEMPLAN_OK ? mpl_llama_context_make(out, error) : status;
}
