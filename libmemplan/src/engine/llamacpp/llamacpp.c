/* SPDX-License-Identifier: MIT */
/*
 * llama.cpp 0.5.0: layers and caches go to devices by -ngl and -ts, single
 * tensors by -ot; what is left runs on the host. A placement is a text of
 * settings (params.h); what it costs follows from the header of a GGUF.
 */
#include <string.h>

#include "base/checked.h"
#include "base/failure.h"
#include "engine/llamacpp/job.h"
#include "engine/llamacpp/settings.h"

enum { DEFAULT_STEP_TOKENS = 512, DEFAULT_BATCH_TOKENS = 2048 };

static bool claims(const memplan_model *model)
{
    return model->gguf != NULL;
}

static uint32_t find_host(const memplan_machine *machine)
{
    for (uint32_t i = 0; i < machine->pool_count; i++)
        if (machine->pools[i].kind == MPL_POOL_HOST)
            return i;
    return MPL_NO_INDEX;
}

static memplan_status read_model(mpl_job *job, memplan_error *error)
{
    memplan_status status =
        mpl_llama_hparams_read(&job->hparams, job->arena, job->model, error);
    if (status == MEMPLAN_OK)
        status = mpl_llama_weights_read(&job->weights, job->arena,
                                        &job->hparams, job->model->gguf, error);
    if (status != MEMPLAN_OK)
        mpl_fail_in(error, job->model->source);
    return status;
}

static memplan_status open_job(mpl_job **out, mpl_arena *arena,
                               const memplan_model *model,
                               const memplan_machine *machine,
                               const mpl_request *request, memplan_error *error)
{
    if (model->gguf == NULL)
        return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                        "%.80s: llama.cpp runs GGUF files, this is \"%s\"; "
                        "each quantization has sizes of its own, so give the "
                        "path of a .gguf",
                        model->source, model->format);
    if (request->dtype != NULL)
        return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                        "dtype \"%.40s\": llama.cpp runs a GGUF in the types "
                        "of its file",
                        request->dtype);
    if (request->pins != NULL)
        return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                        "pins: llama.cpp places by its own settings; pin "
                        "those instead, such as ngl=20 or ot=PATTERN=BUFFER");
    mpl_job *job = mpl_arena_alloc(arena, 1, sizeof *job);
    if (job == NULL)
        return mpl_fail_memory(error);
    *job = (mpl_job){.arena = arena,
                     .model = model,
                     .machine = machine,
                     .request = request,
                     .host_pool = find_host(machine),
                     .context_tokens =
                         (uint32_t)mpl_min(request->context_tokens, UINT32_MAX),
                     .type_k = MPL_DTYPE_FP16,
                     .type_v = MPL_DTYPE_FP16};
    if (job->host_pool == MPL_NO_INDEX)
        return mpl_fail(error, MEMPLAN_E_ARGUMENT, MPL_NOWHERE,
                        "%s: llama.cpp needs host memory, and the machine has "
                        "no pool \"cpu\": say how much, as cpu=16GB or 64GiB "
                        "ram",
                        machine->name);
    memplan_status status = read_model(job, error);
    if (status == MEMPLAN_OK)
        status = mpl_llama_beside_open(job, error);
    if (status == MEMPLAN_OK)
        *out = job;
    return status;
}

static uint32_t main_dtype(const mpl_job *job)
{
    uint64_t bytes[MPL_DTYPE_COUNT] = {0};
    uint32_t best = MPL_DTYPE_FP32;
    for (uint32_t i = 0; i < job->weights.count; i++)
        if (job->weights.items[i].dtype < MPL_DTYPE_COUNT)
            bytes[job->weights.items[i].dtype] += job->weights.items[i].bytes;
    for (uint32_t i = 0; i < MPL_DTYPE_COUNT; i++)
        if (bytes[i] > bytes[best])
            best = i;
    return best;
}

/* Cache types that save memory, the largest first. One that llama.cpp refuses
 * for a model is dropped when the fix is planned again. */
static const char *const CACHES[] = {"f16", "q8_0", "q4_0"};
static const mpl_dtype CACHE_DTYPES[] = {MPL_DTYPE_FP16, MPL_DTYPE_Q8_0,
                                         MPL_DTYPE_Q4_0};
enum { CACHE_COUNT = sizeof CACHES / sizeof *CACHES };

/* Bytes of 256 elements: every block divides them. */
static uint64_t cache_size(uint32_t dtype)
{
    return 256 / mpl_dtype_block_elements(dtype) * mpl_dtype_block_bytes(dtype);
}

static void terms(const mpl_job *job, mpl_terms *out)
{
    uint32_t first = 0;
    while (first < CACHE_COUNT &&
           cache_size(CACHE_DTYPES[first]) >= cache_size(job->type_k))
        first++;
    const bool has_cache =
        MPL_LLAMA_ARCHES[job->hparams.arch].memory != MPL_LLAMA_MEMORY_NONE;
    *out = (mpl_terms){
        .dtype = mpl_dtype_name(main_dtype(job)),
        .kv_dtype = has_cache ? mpl_dtype_name(job->type_k) : "none",
        .value_dtype = has_cache ? mpl_dtype_name(job->type_v) : NULL,
        .keeps_nothing = !has_cache,
        .context_tokens = job->context_tokens,
        .smaller_kv_dtypes = CACHES + first,
        .smaller_kv_dtype_count = has_cache ? CACHE_COUNT - first : 0};
}

const char *mpl_llama_settings_asked(const mpl_job *job)
{
    const mpl_request *request = job->request;
    const char *text = "";
    const uint64_t step = mpl_min(request->prompt_tokens, INT32_MAX);
    if (step > DEFAULT_BATCH_TOKENS)
        text =
            mpl_arena_format(job->arena, "b=%llu\n", (unsigned long long)step);
    if (step != 0 && step != DEFAULT_STEP_TOKENS && text != NULL)
        text = mpl_arena_format(job->arena, "%sub=%llu\n", text,
                                (unsigned long long)step);
    return text != NULL
               ? mpl_llama_settings_join(job->arena, text, request->settings)
               : NULL;
}

static memplan_status read(mpl_job *job, const char *text, mpl_placement *out,
                           memplan_error *error)
{
    out->settings = mpl_llama_settings_join(
        job->arena, mpl_llama_settings_asked(job), text);
    return out->settings != NULL ? MEMPLAN_OK : mpl_fail_memory(error);
}

static memplan_status propose(mpl_job *job, mpl_placement *out,
                              mpl_proof *proof, memplan_error *error)
{
    return mpl_llama_fit(&out->settings, proof, job, error);
}

/* ---- Units ------------------------------------------------------------- */

static uint32_t pool_of(const mpl_job *job, const mpl_llama_setup *setup,
                        uint32_t buffer)
{
    const uint32_t device = setup->buffers[buffer].device;
    return device == MPL_LLAMA_HOST ? job->host_pool
                                    : setup->devices[device].pool;
}

/* A unit whose weights are in several pools has none. */
static void place_units(const mpl_job *job, const mpl_llama_setup *setup,
                        mpl_placement *placement)
{
    const memplan_model *model = job->model;
    for (uint32_t i = 0; i < model->unit_count; i++) {
        placement->pool_of_unit[i] = UINT32_MAX - 1; /* not seen yet */
        placement->unit_bytes[i] = 0;
    }
    for (uint32_t i = 0; i < setup->weight_count; i++) {
        const mpl_llama_weight *weight = &setup->weights[i];
        const uint32_t buffer = setup->weight_buffer[i];
        if (buffer == MPL_LLAMA_BUFFER_NONE || weight->is_copy)
            continue;
        const uint32_t tensor = model->gguf->tensors[i].model_index;
        const uint32_t unit = model->tensors[tensor].unit_index;
        const uint32_t pool = pool_of(job, setup, buffer);
        uint32_t *at = &placement->pool_of_unit[unit];
        *at = *at == UINT32_MAX - 1 || *at == pool ? pool : MPL_NO_INDEX;
        placement->unit_bytes[unit] += weight->bytes;
    }
    for (uint32_t i = 0; i < model->unit_count; i++)
        if (placement->pool_of_unit[i] == UINT32_MAX - 1)
            placement->pool_of_unit[i] = job->host_pool;
}

/* ---- Price ------------------------------------------------------------- */

/* Mapped weights that memory cannot hold do not keep llama.cpp from starting.
 */
static memplan_status note_mapped(mpl_ledger *ledger, const mpl_job *job,
                                  const mpl_llama_price *price)
{
    const uint64_t capacity =
        job->machine->pools[job->host_pool].capacity_bytes;
    uint64_t used = 0;
    uint64_t mapped = 0;
    for (uint32_t i = 0; i < price->setup.buffer_count; i++)
        if (price->setup.buffers[i].device == MPL_LLAMA_HOST)
            mapped += price->weights.touched[i];
    if (!mpl_ledger_used(ledger, job->host_pool, &used) || used <= capacity ||
        used - mpl_min(used, mapped) > capacity)
        return MEMPLAN_OK;
    return mpl_ledger_note(
        ledger, "llama.cpp would start all the same: the host's weights are "
                "mapped, and what memory cannot hold of them is read from the "
                "disk again when a token needs it, which is slow");
}

static memplan_status note_layers(mpl_ledger *ledger, const mpl_job *job,
                                  const mpl_llama_price *price)
{
    const mpl_llama_hparams *hparams = &job->hparams;
    if (price->params.mtp || hparams->has_router_layer ||
        hparams->layer_count == hparams->layer_count_all)
        return MEMPLAN_OK;
    const char *note = mpl_arena_format(
        ledger->arena,
        "blk.%u and after, which predict tokens ahead, are not loaded and take "
        "nothing: the setting mtp loads them",
        hparams->layer_count);
    return note != NULL ? mpl_ledger_note(ledger, note) : MEMPLAN_E_NO_MEMORY;
}

/* What drives the compute buffers. */
static memplan_status note_peaks(mpl_ledger *ledger,
                                 const mpl_llama_price *price)
{
    const mpl_llama_mode mode = price->params.measure == MPL_MEASURE_LOAD
                                    ? MPL_LLAMA_REAL
                                    : MPL_LLAMA_DRY;
    for (uint32_t i = 0; i < price->setup.buffer_count; i++) {
        const uint64_t bytes = price->compute.bytes[i];
        const char *const peak =
            bytes == 0 ? NULL
                       : mpl_llama_explain_compute(&price->setup, mode, i,
                                                   bytes);
        const char *const note =
            peak == NULL ? NULL : mpl_arena_format(ledger->arena, "%s", peak);
        if (peak == NULL)
            continue;
        if (note == NULL || mpl_ledger_note(ledger, note) != MEMPLAN_OK)
            return MEMPLAN_E_NO_MEMORY;
    }
    return MEMPLAN_OK;
}

static memplan_status add_notes(mpl_ledger *ledger, const mpl_job *job,
                                const mpl_llama_price *price)
{
    memplan_status status =
        price->params.explain ? note_peaks(ledger, price) : MEMPLAN_OK;
    if (status == MEMPLAN_OK)
        status = note_mapped(ledger, job, price);
    if (status == MEMPLAN_OK)
        status = note_layers(ledger, job, price);
    if (status == MEMPLAN_OK && !job->model->gguf->is_complete)
        status = mpl_ledger_note(
            ledger, "the file ends before its tensors do: llama.cpp would "
                    "refuse to load it");
    if (status == MEMPLAN_OK && price->params.measure == MPL_MEASURE_FIT)
        status = mpl_ledger_note(
            ledger, "as llama.cpp's fit measures: nothing is mapped, and "
                    "compute is that of the first reservation");
    if (status == MEMPLAN_OK && price->params.mmproj != NULL)
        status = mpl_ledger_note(
            ledger, "unknown: what the projector (mmproj) computes in, which "
                    "is not in the sum; a large image takes some hundred "
                    "MiB to a few GiB beside its weights");
    return status;
}

static memplan_status price_into(mpl_job *job, mpl_arena *scratch,
                                 mpl_placement *placement, mpl_ledger *ledger,
                                 mpl_timing *timing, memplan_error *error)
{
    mpl_llama_price *price = mpl_arena_alloc(scratch, 1, sizeof *price);
    if (price == NULL)
        return mpl_fail_memory(error);
    memplan_status status =
        mpl_llama_price_make(price, scratch, job, placement->settings, error);
    if (status == MEMPLAN_OK)
        status = mpl_llama_rows_add(ledger, job, price, error);
    if (status != MEMPLAN_OK)
        return status;
    place_units(job, &price->setup, placement);
    mpl_llama_time(timing, job, price);
    job->context_tokens = price->setup.n_ctx_seq;
    job->type_k = price->setup.type_k;
    job->type_v = price->setup.type_v;
    return add_notes(ledger, job, price) == MEMPLAN_OK ? MEMPLAN_OK
                                                       : mpl_fail_memory(error);
}

static memplan_status price(mpl_job *job, mpl_placement *placement,
                            mpl_ledger *ledger, mpl_timing *timing,
                            memplan_error *error)
{
    mpl_arena *scratch = mpl_arena_create();
    if (scratch == NULL)
        return mpl_fail_memory(error);
    const memplan_status status =
        price_into(job, scratch, placement, ledger, timing, error);
    mpl_arena_free(scratch);
    return status;
}

extern const mpl_engine mpl_engine_llamacpp;

const mpl_engine mpl_engine_llamacpp = {.name = "llama.cpp",
                                        .profile = "llama.cpp-0.5.0",
                                        .runs = "llama.cpp 0.5.0: GGUF files",
                                        .claims = claims,
                                        .open = open_job,
                                        .terms = terms,
                                        .propose = propose,
                                        .price = price,
                                        .read = read,
                                        .entry = mpl_llama_entry};
