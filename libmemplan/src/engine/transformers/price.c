/* SPDX-License-Identifier: MIT */
/*
 * The ledger of one device map: what each pool holds, part by part, and the
 * time of a token.
 */
#include <stddef.h>
#include <string.h>

#include "base/checked.h"
#include "base/failure.h"
#include "base/text.h"
#include "engine/transformers/job.h"

/* One pool, summed over units. `guest` is what rests elsewhere and executes
 * here. */
typedef struct sums {
    uint64_t weights;
    uint64_t guest_buffers;
    uint64_t cache;
    uint64_t cross;
    uint64_t windows;
    uint64_t state;
    uint64_t staging;
    uint64_t relay;
    bool executes;
} sums;

/* Neighbours of one row on one pool. */
typedef struct run {
    uint32_t first;
    uint32_t count;
    uint32_t row;
    uint32_t pool;
    uint32_t home;
} run;

/* The run that starts at a unit. */
static run run_at(const mpl_job *job, const mpl_placement *placement,
                  uint32_t first, uint32_t main)
{
    const uint32_t pool = placement->pool_of_unit[first];
    const uint32_t row = job->row_of_unit[first];
    uint32_t end = first + 1;
    while (end < job->model->unit_count && job->row_of_unit[end] == row &&
           placement->pool_of_unit[end] == pool)
        end++;
    return (run){first, end - first, row, pool,
                 mpl_transformers_home(job, pool, main)};
}

/* What guests need where they execute, and on their way there. */
static bool add_guests(const mpl_job *job, sums *pools, const run *units,
                       uint32_t main)
{
    const mpl_unit_cost *const cost = &job->costs[units->row];
    sums *const there = &pools[units->home];
    there->staging = mpl_max(there->staging,
                             mpl_transformers_staging(job, cost, units->pool));
    if (job->machine->pools[units->pool].kind == MPL_POOL_DISK &&
        main != job->host_pool && job->host_pool != MPL_NO_INDEX)
        pools[job->host_pool].relay =
            mpl_max(pools[job->host_pool].relay, cost->stored_leaf_bytes);
    return mpl_mul_add(&there->guest_buffers, there->guest_buffers,
                       cost->buffer_bytes, units->count);
}

static bool add_run(const mpl_job *job, mpl_placement *placement, sums *pools,
                    const run *units, uint32_t main)
{
    const mpl_unit_cost *const cost = &job->costs[units->row];
    const bool is_guest = units->pool != units->home;
    sums *const there = &pools[units->home];
    uint64_t bytes = cost->offloaded_bytes;
    there->executes = true;
    if (is_guest ? !add_guests(job, pools, units, main)
                 : !mpl_add(&bytes, cost->device_bytes, cost->buffer_bytes))
        return false;
    for (uint32_t at = 0; at < units->count; at++)
        placement->unit_bytes[units->first + at] = bytes;
    const uint64_t count = units->count;
    sums *const here = &pools[units->pool];
    return mpl_mul_add(&here->weights, here->weights, bytes, count) &&
           mpl_mul_add(&there->cache, there->cache, cost->cache_bytes, count) &&
           mpl_mul_add(&there->cross, there->cross, cost->cross_bytes, count) &&
           mpl_mul_add(&there->windows, there->windows, cost->window_bytes,
                       count) &&
           mpl_mul_add(&there->state, there->state, cost->state_bytes, count);
}

static memplan_status runtime_row(const mpl_job *job, mpl_ledger *ledger,
                                  uint32_t pool, bool executes)
{
    if (job->machine->pools[pool].kind == MPL_POOL_HOST)
        return mpl_ledger_add(ledger, pool, MPL_ROW_RUNTIME, MPL_ESTIMATE,
                              mpl_transformers_host_runtime(job),
                              "a Python process with torch and transformers, "
                              "before a model: 0.4 to 1 GiB");
    if (!executes)
        return MEMPLAN_OK;
    if (job->request->reserve_bytes != MEMPLAN_UNKNOWN)
        return mpl_ledger_add(ledger, pool, MPL_ROW_RESERVE, MPL_EXACT,
                              job->request->reserve_bytes,
                              "kept free as the request asks");
    return mpl_ledger_add(ledger, pool, MPL_ROW_RUNTIME, MPL_ESTIMATE,
                          mpl_transformers_device_runtime(job, pool),
                          "the driver's context, kernels and workspaces: 300 "
                          "to 700 MiB");
}

static const char *write_cache_rule(const mpl_job *job, mpl_arena *arena)
{
    const mpl_kv_loading *const kv = job->kv_loading;
    char tokens[MPL_DIGITS_SIZE];
    char sequences[MPL_DIGITS_SIZE];
    return mpl_arena_join(
        arena, job->cache_kind->is_static ? "StaticCache: room for " : "",
        mpl_digits(tokens, job->request->context_tokens), " tokens in ",
        mpl_digits(sequences, job->request->sequences),
        " sequences of the layers that execute here, ",
        kv != NULL
            ? kv->rule
            : mpl_kv_loading_find(mpl_dtype_name(job->compute_dtype))->rule,
        NULL);
}

/* Rules that are the same for all pools. */
typedef struct rules {
    const char *weights; /* but of a disk */
    const char *cache;
    const char *activations;
} rules;

static rules write_rules(const mpl_job *job, mpl_arena *arena)
{
    return (rules){
        .weights = job->model->quantizer != NULL
                       ? mpl_transformers_packed_rule(job, arena)
                       : job->loading->rule,
        .cache = write_cache_rule(job, arena),
        .activations = mpl_arena_strdup(arena, job->activations.rule),
    };
}

static memplan_status weight_rows(const mpl_job *job, mpl_ledger *ledger,
                                  uint32_t pool, const sums *sum,
                                  const rules *written)
{
    const bool is_disk = job->machine->pools[pool].kind == MPL_POOL_DISK;
    const bool is_packed = job->model->quantizer != NULL;
    const mpl_certainty certainty = is_disk ? MPL_BOUND
                                    : is_packed
                                        ? mpl_transformers_packed_certainty(job)
                                        : MPL_EXACT;
    const memplan_status status = mpl_ledger_add(
        ledger, pool, MPL_ROW_WEIGHTS, certainty, sum->weights,
        is_disk ? "read from the checkpoint, or written to the offload "
                  "folder where loading changes them"
                : written->weights);
    if (status != MEMPLAN_OK)
        return status;
    return mpl_ledger_add(ledger, pool, MPL_ROW_WEIGHTS, MPL_EXACT,
                          sum->guest_buffers,
                          "buffers of offloaded modules stay where these "
                          "execute");
}

/* Of an offloaded cache: what rests in host memory, and what is on its way. */
static memplan_status away_rows(const mpl_job *job, mpl_ledger *ledger,
                                uint32_t pool, const sums *sum)
{
    if (job->away_bytes == 0)
        return MEMPLAN_OK;
    if (pool == job->host_pool)
        return mpl_ledger_add(
            ledger, pool, MPL_ROW_KV_CACHE, MPL_BOUND, job->away_bytes,
            mpl_arena_format(ledger->arena,
                             "offloaded %s: %llu tokens in %llu sequences, "
                             "but for the layers at work on a GPU",
                             job->cache_kind->class_name,
                             (unsigned long long)job->request->context_tokens,
                             (unsigned long long)job->request->sequences));
    return mpl_ledger_add(ledger, pool, MPL_ROW_KV_CACHE, MPL_BOUND,
                          sum->executes ? job->at_work_bytes : 0,
                          "offloaded cache: the layer at work and the next "
                          "one, fetched meanwhile");
}

static memplan_status state_rows(const mpl_job *job, mpl_ledger *ledger,
                                 uint32_t pool, const sums *sum,
                                 const char *cache_rule)
{
    memplan_status status = mpl_ledger_add(
        ledger, pool, MPL_ROW_KV_CACHE,
        job->cache_kind->is_quantized || job->is_cache_bound ? MPL_BOUND
                                                             : MPL_EXACT,
        sum->cache, cache_rule);
    if (status == MEMPLAN_OK && sum->cross != 0)
        status = mpl_ledger_add(
            ledger, pool, MPL_ROW_KV_CACHE, MPL_EXACT, sum->cross,
            mpl_arena_format(ledger->arena,
                             "cross attention: keys and values of %llu tokens "
                             "of the encoder in %llu sequences",
                             (unsigned long long)job->encoder_tokens,
                             (unsigned long long)job->request->sequences));
    if (status == MEMPLAN_OK)
        status = mpl_ledger_add(ledger, pool, MPL_ROW_KV_CACHE, MPL_BOUND,
                                sum->windows,
                                "layers with a window hold all that a step "
                                "over the prompt saw, until the next");
    if (status == MEMPLAN_OK)
        status = away_rows(job, ledger, pool, sum);
    if (status == MEMPLAN_OK)
        status = mpl_ledger_add(ledger, pool, MPL_ROW_STATE,
                                job->is_cache_bound ? MPL_BOUND : MPL_EXACT,
                                sum->state,
                                "recurrent and convolution states, whatever "
                                "the length");
    return status;
}

static memplan_status pool_rows(const mpl_job *job, mpl_ledger *ledger,
                                uint32_t pool, const sums *sum,
                                const rules *written)
{
    const mpl_pool_kind kind = job->machine->pools[pool].kind;
    memplan_status status = weight_rows(job, ledger, pool, sum, written);
    if (status == MEMPLAN_OK)
        status = state_rows(job, ledger, pool, sum, written->cache);
    if (status == MEMPLAN_OK && sum->executes)
        status = mpl_ledger_add(
            ledger, pool, MPL_ROW_ACTIVATIONS, job->activations.certainty,
            job->activations.bytes[kind], written->activations);
    if (status == MEMPLAN_OK)
        status = mpl_ledger_add(ledger, pool, MPL_ROW_STAGING, MPL_BOUND,
                                sum->staging,
                                "the largest offloaded module, copied here "
                                "while it executes");
    if (status == MEMPLAN_OK)
        status =
            mpl_ledger_add(ledger, pool, MPL_ROW_STAGING, MPL_BOUND, sum->relay,
                           "the largest module on disk, on its way "
                           "through host memory");
    if (status == MEMPLAN_OK)
        status = runtime_row(job, ledger, pool, sum->executes);
    return status;
}

static memplan_status encoder_note(const mpl_job *job, mpl_ledger *ledger)
{
    if (!job->is_encoder_assumed || !job->has_cross)
        return MEMPLAN_OK;
    return mpl_ledger_note(
        ledger,
        mpl_arena_format(ledger->arena,
                         "cross attention is counted as if the encoder had "
                         "read %llu tokens, a whole prompt, since the "
                         "request does not say how many it reads",
                         (unsigned long long)job->encoder_tokens));
}

/* Devices that are alike take as long as the one before: most runs are of one
 * kind of layer, and dividing is slow. */
static void find_timing(const mpl_job *job, const mpl_placement *placement,
                        uint32_t main, mpl_timing *timing)
{
    bool is_known = true;
    uint64_t ps = 0;
    uint64_t unit_ps = 0;
    uint64_t hand_ps = MPL_TIME_FORBIDDEN; /* of the last home, once needed */
    run last = {.home = MPL_NO_INDEX};
    for (uint32_t unit = 0; unit < job->model->unit_count;) {
        const run units = run_at(job, placement, unit, main);
        const bool is_alike =
            last.home != MPL_NO_INDEX &&
            mpl_transformers_are_alike(job, last.pool, units.pool);
        if (!is_alike || last.row != units.row)
            unit_ps = mpl_transformers_unit_ps(job, &job->costs[units.row],
                                               units.pool, main, &is_known);
        ps += units.count * unit_ps;
        if (last.home != MPL_NO_INDEX && last.home != units.home) {
            const uint64_t from_ps =
                hand_ps != MPL_TIME_FORBIDDEN
                    ? hand_ps
                    : mpl_transformers_hand_ps(job, last.home, &is_known);
            hand_ps =
                is_alike ? from_ps
                         : mpl_transformers_hand_ps(job, units.home, &is_known);
            ps += mpl_transformers_crossing_ps(from_ps, hand_ps);
        }
        last = units;
        unit += units.count;
    }
    timing->decode_ps_per_token = is_known ? ps : MEMPLAN_UNKNOWN;
    timing->prompt_ps_per_token = MEMPLAN_UNKNOWN;
}

/* Where more is there while weights load than later. */
static memplan_status peak_row(mpl_ledger *ledger, uint32_t pool,
                               const mpl_load_peak *peak)
{
    uint64_t used;
    char joining[16];
    if (!mpl_ledger_used(ledger, pool, &used) || peak->bytes <= used)
        return MEMPLAN_OK;
    (void)memplan_bytes_format(joining, sizeof joining, peak->joining_bytes);
    return mpl_ledger_add(
        ledger, pool, MPL_ROW_LOADING, MPL_BOUND, peak->bytes - used,
        mpl_arena_join(ledger->arena, "joining a layer's experts takes ",
                       joining,
                       " beside the weights while they load: so much more "
                       "than what comes after them",
                       NULL));
}

/* Whether gaps between what joining frees may be more than is left. */
static bool has_tight_gaps(const mpl_job *job, uint32_t pool,
                           const mpl_load_peak *peak)
{
    const mpl_pool *const at = &job->machine->pools[pool];
    return at->kind == MPL_POOL_DEVICE && peak->bytes <= at->capacity_bytes &&
           at->capacity_bytes - peak->bytes < peak->joining_bytes;
}

/* A budget's device has no vendor. */
static bool may_be_cuda(const mpl_job *job, uint32_t pool)
{
    const memplan_machine *const machine = job->machine;
    const char *const vendor =
        machine->devices[machine->pools[pool].device].vendor;
    return vendor[0] == '\0' || strcmp(vendor, "nvidia") == 0;
}

/* Loading: rows, and one note for all devices. */
static memplan_status add_peaks(const mpl_job *job,
                                const mpl_placement *placement,
                                mpl_ledger *ledger)
{
    mpl_load_peak peaks[MPL_PROBLEM_POOLS_MAX];
    uint64_t joining = 0;
    bool is_cuda = true;
    char most[16];
    if (!mpl_transformers_joins(job))
        return MEMPLAN_OK;
    mpl_transformers_load_peaks(job, placement, peaks);
    for (uint32_t pool = 0; pool < job->machine->pool_count; pool++) {
        const memplan_status status = peak_row(ledger, pool, &peaks[pool]);
        if (status != MEMPLAN_OK)
            return status;
        if (!has_tight_gaps(job, pool, &peaks[pool]))
            continue;
        joining = mpl_max(joining, peaks[pool].joining_bytes);
        is_cuda = is_cuda && may_be_cuda(job, pool);
    }
    if (joining == 0)
        return MEMPLAN_OK;
    (void)memplan_bytes_format(most, sizeof most, joining);
    return mpl_ledger_note(
        ledger,
        mpl_arena_join(ledger->arena,
                       "loading joins a layer's experts: ", most,
                       " beside the weights are counted for it, but not gaps "
                       "between what it frees",
                       is_cuda ? "; PYTORCH_CUDA_ALLOC_CONF="
                                 "expandable_segments:True closes these"
                               : "",
                       NULL));
}

static bool is_offloaded(const mpl_job *job, const mpl_placement *placement,
                         uint32_t main)
{
    for (uint32_t unit = 0; unit < job->model->unit_count; unit++) {
        const uint32_t pool = placement->pool_of_unit[unit];
        if (mpl_transformers_home(job, pool, main) != pool)
            return true;
    }
    return false;
}

/* Why a quantizer makes little of a model. */
static memplan_status note_experts(const mpl_job *job, mpl_ledger *ledger)
{
    const uint32_t percent = mpl_experts_left_percent(job->model);
    char number[MPL_DIGITS_SIZE];
    if (job->loading->bits == 0 || percent == 0)
        return MEMPLAN_OK;
    return mpl_ledger_note(
        ledger,
        mpl_arena_join(ledger->arena, job->loading->name,
                       " leaves the experts, ", mpl_digits(number, percent),
                       " % of all parameters, in ",
                       mpl_dtype_name(job->compute_dtype),
                       ": they are no Linear modules; llama.cpp with a GGUF "
                       "has them quantized too",
                       NULL));
}

/* What a quantizer does with a map, where it is not what one expects. */
static memplan_status add_notes(const mpl_job *job,
                                const mpl_placement *placement, uint32_t main,
                                mpl_ledger *ledger)
{
    memplan_status status = mpl_transformers_packed_note(job, ledger);
    if (status == MEMPLAN_OK)
        status = note_experts(job, ledger);
    if (status != MEMPLAN_OK)
        return status;
    if ((job->loading->away & MPL_AWAY_LATER) != 0)
        return mpl_ledger_note(
            ledger, "Transformers 5.23 has no loader for HQQ yet, and says so: "
                    "load on the host, and let hqq quantize onto the device");
    if (job->loading->bits == 0 || !is_offloaded(job, placement, main))
        return MEMPLAN_OK;
    return mpl_ledger_note(
        ledger, (job->loading->away & MPL_AWAY_PLAIN) != 0
                    ? "bitsandbytes refuses offloaded modules unless "
                      "llm_int8_enable_fp32_cpu_offload is set, and then "
                      "leaves them unquantized"
                    : "torchao keeps offloaded modules quantized");
}

memplan_status mpl_transformers_price(mpl_job *job, mpl_placement *placement,
                                      mpl_ledger *ledger, mpl_timing *timing,
                                      memplan_error *error)
{
    const uint32_t main = mpl_transformers_main(job, placement);
    if (main == MPL_NO_INDEX)
        return mpl_fail(error, MEMPLAN_E_ARGUMENT, MPL_NOWHERE,
                        "no device and no host memory to execute on: only "
                        "disk is given");
    if (main == job->host_pool && job->cache_kind->is_offloaded)
        return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                        "cache \"%s\": it moves layers between a GPU and "
                        "host memory, and no unit is on a GPU",
                        job->cache_kind->name);
    sums *const pools =
        mpl_arena_alloc(job->arena, job->machine->pool_count, sizeof *pools);
    if (pools == NULL)
        return mpl_fail_memory(error);
    for (uint32_t unit = 0; unit < job->model->unit_count;) {
        const run units = run_at(job, placement, unit, main);
        if (!add_run(job, placement, pools, &units, main))
            return mpl_fail(error, MEMPLAN_E_TOO_LARGE, MPL_NOWHERE,
                            "the ledger passes 64 bits from unit \"%s\" on",
                            job->model->units[unit].name);
        unit += units.count;
    }
    const rules written = write_rules(job, ledger->arena);
    for (uint32_t pool = 0; pool < job->machine->pool_count; pool++)
        if (pool_rows(job, ledger, pool, &pools[pool], &written) != MEMPLAN_OK)
            return mpl_fail_memory(error);
    if (add_notes(job, placement, main, ledger) != MEMPLAN_OK ||
        add_peaks(job, placement, ledger) != MEMPLAN_OK ||
        encoder_note(job, ledger) != MEMPLAN_OK)
        return mpl_fail_memory(error);
    find_timing(job, placement, main, timing);
    return MEMPLAN_OK;
}
