/* SPDX-License-Identifier: MIT */
/*
 * transformers: Transformers 5 with Accelerate 1, a device_map and generate().
 *
 * A unit is a module. Units on devices execute there. Units on cpu and disk
 * execute on the main device, the lowest that the map uses: their modules are
 * copied there one leaf at a time, and their cache and buffers live there.
 * Where the map names no device, the host executes.
 */
#include <string.h>

#include "base/checked.h"
#include "base/failure.h"
#include "engine/transformers/job.h"

#define MIB (UINT64_C(1) << 20)

static bool claims(const memplan_model *model)
{
    return strcmp(model->format, "gguf") != 0;
}

/* The float dtype of most parameters: what quantizers and caches compute in.
 * Headers of quantized checkpoints alone do not say: 16 bits. */
static uint32_t main_float(const memplan_model *model)
{
    static const uint32_t FLOATS[] = {MPL_DTYPE_BF16, MPL_DTYPE_FP16,
                                      MPL_DTYPE_FP32};
    uint64_t elements[MPL_DTYPE_COUNT] = {0};
    for (uint32_t at = 0; at < model->tensor_count; at++)
        if ((model->tensors[at].flags & MPL_TENSOR_BUFFER) == 0)
            elements[model->tensors[at].dtype] +=
                model->tensors[at].element_count;
    uint32_t best = MPL_DTYPE_BF16;
    for (uint32_t at = 0; at < sizeof FLOATS / sizeof *FLOATS; at++)
        if (elements[FLOATS[at]] > elements[best])
            best = FLOATS[at];
    return best;
}

/* "auto, fp32, ..., or hqq-int4": every row of the table. */
static memplan_status unknown_dtype(const char *name, memplan_error *error)
{
    char names[200] = "";
    size_t length = 0;
    for (uint32_t at = 0; at < MPL_SCHEME_COUNT; at++) {
        const char *const next = mpl_scheme_name(at);
        const size_t more = strlen(next);
        if (length + more + 3 > sizeof names)
            break;
        if (length > 0) {
            memcpy(names + length, ", ", 2);
            length += 2;
        }
        memcpy(names + length, next, more + 1);
        length += more;
    }
    return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                    "dtype \"%.20s\": transformers loads int8, int4, %s", name,
                    names);
}

static memplan_status find_dtypes(mpl_job *job, memplan_error *error)
{
    const mpl_request *const request = job->request;
    job->scheme = mpl_scheme_from_name(request->dtype);
    if (job->scheme == MPL_SCHEME_COUNT)
        return unknown_dtype(request->dtype, error);
    job->loading = mpl_scheme_at(job->scheme);
    if (job->loading->bits != 0 && mpl_transformers_has_quantized(job))
        return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                        "dtype \"%.40s\": the checkpoint is quantized already; "
                        "use auto",
                        request->dtype);
    if (job->device_pool_count == 0 &&
        (job->loading->away & MPL_AWAY_ALONE) == 0)
        return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                        "dtype \"%.40s\": its kernels need a device, and "
                        "there is none",
                        request->dtype);
    if (job->scheme == MPL_SCHEME_TORCHAO_INT4 &&
        mpl_transformers_lacks_tiles(job))
        return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                        "dtype \"%.40s\": torchao packs 4 bits for CUDA "
                        "devices of compute capability 8.0 or later alone, "
                        "which the first device is not; nf4 and int8 do "
                        "without, and llama.cpp with a GGUF",
                        request->dtype);
    job->compute_dtype = job->loading->dtype != MPL_DTYPE_COUNT
                             ? job->loading->dtype
                             : main_float(job->model);
    return MEMPLAN_OK;
}

static void find_pools(mpl_job *job)
{
    job->host_pool = MPL_NO_INDEX;
    job->disk_pool = MPL_NO_INDEX;
    for (uint32_t at = 0; at < job->machine->pool_count; at++) {
        const mpl_pool_kind kind = job->machine->pools[at].kind;
        if (kind == MPL_POOL_HOST)
            job->host_pool = at;
        else if (kind == MPL_POOL_DISK)
            job->disk_pool = at;
        else
            job->device_pool_count++;
    }
}

static memplan_status open_job(mpl_job **out, mpl_arena *arena,
                               const memplan_model *model,
                               const memplan_machine *machine,
                               const mpl_request *request, memplan_error *error)
{
    if (!claims(model))
        return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                        "%.80s: transformers places modules, and a GGUF has "
                        "none; plan it for llama.cpp",
                        model->source);
    mpl_job *const job = mpl_arena_alloc(arena, 1, sizeof *job);
    if (job == NULL)
        return mpl_fail_memory(error);
    *job = (mpl_job){
        .arena = arena, .model = model, .machine = machine, .request = request};
    if (!mpl_transformers_rows(job))
        return mpl_fail_memory(error);
    job->prompt_tokens = request->prompt_tokens != 0 ? request->prompt_tokens
                                                     : request->context_tokens;
    if (job->prompt_tokens > request->context_tokens)
        return mpl_fail(error, MEMPLAN_E_ARGUMENT, MPL_NOWHERE,
                        "a prompt of %llu tokens is longer than the context "
                        "of %llu",
                        (unsigned long long)job->prompt_tokens,
                        (unsigned long long)request->context_tokens);
    find_pools(job);
    memplan_status status = find_dtypes(job, error);
    if (status == MEMPLAN_OK)
        status = mpl_transformers_settings(job, error);
    if (status == MEMPLAN_OK)
        status = mpl_transformers_cache(job, error);
    if (status == MEMPLAN_OK)
        status = mpl_transformers_packed(job, error);
    if (status == MEMPLAN_OK)
        status = mpl_transformers_weights(job, error);
    if (status == MEMPLAN_OK)
        status = mpl_transformers_state(job, error);
    if (status == MEMPLAN_OK)
        status = mpl_transformers_activations(job, error);
    if (status == MEMPLAN_OK)
        *out = job;
    return status;
}

/* The dtype of most parameter bytes as they are loaded. */
static const char *loaded_dtype(const mpl_job *job)
{
    const memplan_model *const model = job->model;
    uint64_t bytes[MPL_DTYPE_COUNT] = {0};
    uint32_t best = 0;
    for (uint32_t at = 0; at < model->tensor_count; at++) {
        const mpl_tensor *const tensor = &model->tensors[at];
        const bool is_unpacked = job->packed.loading == MPL_LOADING_DENSE &&
                                 (tensor->flags & MPL_TENSOR_PACKED) != 0;
        const uint32_t dtype =
            is_unpacked ? tensor->dense_dtype : tensor->dtype;
        bytes[dtype] += is_unpacked ? tensor->dense_bytes : tensor->bytes;
        if (bytes[dtype] > bytes[best])
            best = dtype;
    }
    return mpl_model_dtype_name(model, best);
}

/* Whether the request leaves open which cache generate() makes. */
static bool has_free_choice(const mpl_job *job)
{
    return job->request->cache == NULL && !job->cache_kind->is_quantized &&
           !job->has_own_cache && job->device_pool_count != 0 &&
           job->host_pool != MPL_NO_INDEX;
}

static void terms(const mpl_job *job, mpl_terms *out)
{
    static const char *const SMALLER_KV[] = {"int8", "int4", "int2"};
    enum { SMALLER_KV_COUNT = sizeof SMALLER_KV / sizeof *SMALLER_KV };
    bool has_cache = false;
    bool has_state = false;
    for (uint32_t row = 0; row < job->row_count; row++) {
        const mpl_unit_cost *const cost = &job->costs[row];
        has_cache = has_cache || cost->cache_bytes != 0 ||
                    cost->cross_bytes != 0 || cost->away_bytes != 0;
        has_state = has_state || cost->state_bytes != 0;
    }
    uint32_t first = 0;
    while (job->kv_loading != NULL && first < SMALLER_KV_COUNT &&
           mpl_kv_loading_find(SMALLER_KV[first])->bits >=
               job->kv_loading->bits)
        first++;
    if (!has_cache || (first < SMALLER_KV_COUNT &&
                       !mpl_transformers_may_quantize(job, SMALLER_KV[first])))
        first = SMALLER_KV_COUNT;
    *out = (mpl_terms){
        .dtype = job->scheme != MPL_SCHEME_AUTO ? job->loading->name
                                                : loaded_dtype(job),
        .kv_dtype = !has_cache ? "none"
                    : job->kv_loading != NULL
                        ? job->kv_loading->name
                        : mpl_dtype_name(job->compute_dtype),
        .cache =
            has_cache && !job->has_own_cache ? job->cache_kind->name : NULL,
        .keeps_nothing = !has_cache && !has_state,
        .settings = job->settings,
        .packages = job->packed.packages,
        .packages_pip = job->packed.packages_pip,
        .more_bytes = mpl_sub_floor(job->packed.dense_bytes,
                                    job->packed.packed_bytes),
        .away_cache = has_cache && has_free_choice(job) ? "offloaded" : NULL,
        .context_tokens = job->request->context_tokens,
        .prompt_tokens = has_cache ? job->prompt_tokens : 0,
        .smaller_kv_dtypes = SMALLER_KV + first,
        .smaller_kv_dtype_count = SMALLER_KV_COUNT - first,
    };
    out->smaller_dtypes =
        mpl_transformers_smaller(job, &out->smaller_dtype_count);
}

/* The driver's context, kernels and cuBLAS's workspace: between 300 and 700
 * MiB on the cards and drivers of 2018 to 2025. */
uint64_t mpl_transformers_device_runtime(const mpl_job *job, uint32_t pool)
{
    (void)pool;
    return job->request->reserve_bytes != MEMPLAN_UNKNOWN
               ? job->request->reserve_bytes
               : MPL_DEVICE_RUNTIME_BYTES;
}

/* A Python process with torch and transformers: 400 MiB measured with the
 * CPU build, near twice that with the libraries of a device. */
uint64_t mpl_transformers_host_runtime(const mpl_job *job)
{
    return job->device_pool_count != 0 ? 1024 * MIB : 512 * MIB;
}

uint64_t mpl_transformers_host_gone(const mpl_job *job)
{
    uint64_t gone;
    return mpl_add(&gone, mpl_transformers_host_runtime(job), job->away_bytes)
               ? gone
               : UINT64_MAX;
}

uint32_t mpl_transformers_home(const mpl_job *job, uint32_t pool, uint32_t main)
{
    return job->machine->pools[pool].kind == MPL_POOL_DEVICE ? pool : main;
}

uint32_t mpl_transformers_main(const mpl_job *job,
                               const mpl_placement *placement)
{
    uint32_t main = job->host_pool;
    uint32_t last = MPL_NO_INDEX;
    for (uint32_t at = 0; at < job->model->unit_count; at++) {
        const uint32_t pool = placement->pool_of_unit[at];
        if (pool == last)
            continue;
        last = pool;
        if (job->machine->pools[pool].kind == MPL_POOL_DEVICE &&
            (main == job->host_pool || pool < main))
            main = pool;
    }
    return main;
}

extern const mpl_engine mpl_engine_transformers;

const mpl_engine mpl_engine_transformers = {
    .name = "transformers",
    .profile = "transformers-5",
    .runs = "Transformers 5 with Accelerate 1: safetensors, a config.json or "
            "a name",
    .claims = claims,
    .open = open_job,
    .terms = terms,
    .rank = mpl_transformers_rank,
    .problem = mpl_transformers_problem,
    .loading = mpl_transformers_loading,
    .stand_ins = mpl_transformers_stand_ins,
    .price_list = mpl_transformers_price_list,
    .price = mpl_transformers_price,
    .read = mpl_transformers_read,
    .entry = mpl_transformers_entry,
};
