/* SPDX-License-Identifier: MIT */
#include "plan/fixes.h"

#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/failure.h"

#define GIB (UINT64_C(1) << 30)

enum {
    CONTEXT_STEP = 256, /* contexts are proposed in whole steps */
    PROMPT_STEP_MIN = 128,
    PROMPT_STEP_MAX = 2048,
    GIB_MAX = 1 << 16,  /* no more memory than this is proposed */
    FIXES_MAX = 8
};

typedef struct finder {
    memplan_plan *plan;
    const memplan_model *model;
    const memplan_machine *machine;
    const mpl_request *request;
    uint64_t lacked_bytes;  /* by the plan, in all pools */
    bool *is_out_of_memory; /* set by a trial that was refused some */
} finder;

static uint64_t sum_of(const uint64_t *bytes, uint32_t count)
{
    uint64_t sum = 0;
    for (uint32_t index = 0; index < count; index++)
        if (!mpl_add(&sum, sum, bytes[index]))
            return UINT64_MAX;
    return sum;
}

/* Bytes that a changed request or machine lacks in all pools, 0 where it
 * fits. A failure lacks everything. */
static uint64_t lacking(const finder *at, const memplan_machine *machine,
                        const mpl_request *request)
{
    mpl_arena *const arena = mpl_arena_create();
    if (arena == NULL) {
        *at->is_out_of_memory = true;
        return UINT64_MAX;
    }
    mpl_outcome found = {.ledger = {.arena = arena}};
    const memplan_status status =
        mpl_place(&found, arena, at->model, machine, request, true, NULL, NULL);
    const uint64_t lacks = status == MEMPLAN_OK
                               ? sum_of(found.short_bytes, machine->pool_count)
                               : UINT64_MAX;
    if (status == MEMPLAN_E_NO_MEMORY)
        *at->is_out_of_memory = true;
    mpl_arena_free(arena);
    return lacks;
}

static bool would_fit(const finder *at, const memplan_machine *machine,
                      const mpl_request *request)
{
    return lacking(at, machine, request) == 0;
}

static memplan_status add_fix(const finder *at, const char *kind,
                              const char *text, const char *value,
                              uint64_t bytes)
{
    memplan_plan *const plan = at->plan;
    char *const kept_value = mpl_arena_strdup(plan->arena, value);
    if (text == NULL || kept_value == NULL || plan->fix_count == FIXES_MAX)
        return MEMPLAN_E_NO_MEMORY;
    plan->fixes[plan->fix_count++] =
        (mpl_plan_fix){kind, text, kept_value, bytes};
    return MEMPLAN_OK;
}

/* A fix that is one value: before + value + after. */
typedef struct option_fix {
    const char *kind;
    const char *before;
    const char *after;
} option_fix;

static const option_fix PROMPT = {"prompt", "read the prompt in steps of ",
                                  " tokens"};
static const option_fix CONTEXT = {"context", "use a context of ", " tokens"};
static const option_fix KV_DTYPE = {"kv_dtype", "keep the cache in ", ""};
static const option_fix CACHE = {"cache", "let the cache rest in host memory: ",
                                 ""};
static const option_fix DTYPE = {"dtype", "load the weights in ", ""};

static memplan_status add_option(const finder *at, const option_fix *fix,
                                 const char *value)
{
    return add_fix(at, fix->kind,
                   mpl_arena_join(at->plan->arena, fix->before, value,
                                  fix->after, NULL),
                   value, 0);
}

static memplan_status add_count(const finder *at, const option_fix *fix,
                                uint64_t count)
{
    char value[24];
    (void)snprintf(value, sizeof value, "%llu", (unsigned long long)count);
    return add_option(at, fix, value);
}

/* The first of ever shorter steps, each a power of two, that fits. Longer ones
 * than the first read a prompt hardly faster. */
static memplan_status try_prompt(const finder *at, const mpl_terms *terms)
{
    mpl_request tried = *at->request;
    for (uint64_t step = PROMPT_STEP_MAX; step >= PROMPT_STEP_MIN; step /= 2) {
        tried.prompt_tokens = step;
        if (step < terms->prompt_tokens && would_fit(at, at->machine, &tried))
            return add_count(at, &PROMPT, step);
    }
    return MEMPLAN_OK;
}

static bool context_fits(const finder *at, uint64_t tokens)
{
    mpl_request tried = *at->request;
    tried.context_tokens = tokens;
    tried.prompt_tokens = mpl_min(tried.prompt_tokens, tokens);
    return would_fit(at, at->machine, &tried);
}

/* The longest context, in whole steps, that fits; 0: none. */
static uint64_t find_context(const finder *at)
{
    uint64_t low = 1;
    uint64_t high = (at->request->context_tokens - 1) / CONTEXT_STEP;
    if (high == 0 || !context_fits(at, CONTEXT_STEP))
        return 0;
    while (low < high) {
        const uint64_t middle = low + (high - low + 1) / 2;
        if (context_fits(at, middle * CONTEXT_STEP))
            low = middle;
        else
            high = middle - 1;
    }
    return low * CONTEXT_STEP;
}

/* The first of the smaller types, the largest first, that fits. */
static memplan_status try_kv_dtypes(const finder *at, const mpl_terms *terms)
{
    mpl_request tried = *at->request;
    for (uint32_t index = 0; index < terms->smaller_kv_dtype_count; index++) {
        tried.kv_dtype = terms->smaller_kv_dtypes[index];
        if (would_fit(at, at->machine, &tried))
            return add_option(at, &KV_DTYPE, tried.kv_dtype);
    }
    return MEMPLAN_OK;
}

static memplan_status try_cache(const finder *at, const mpl_terms *terms)
{
    mpl_request tried = *at->request;
    tried.cache = terms->away_cache;
    return tried.cache != NULL && would_fit(at, at->machine, &tried)
               ? add_option(at, &CACHE, tried.cache)
               : MEMPLAN_OK;
}

static memplan_status try_dtypes(const finder *at, const mpl_terms *terms)
{
    mpl_request tried = *at->request;
    for (uint32_t index = 0; index < terms->smaller_dtype_count; index++) {
        tried.dtype = terms->smaller_dtypes[index];
        if (would_fit(at, at->machine, &tried))
            return add_option(at, &DTYPE, tried.dtype);
    }
    return MEMPLAN_OK;
}

/* A machine with more in one pool, or with a disk that it lacked. */
typedef struct richer {
    memplan_machine machine;
    uint32_t pool; /* pool_count of the poorer one: a new disk */
} richer;

static bool copy_machine(richer *out, mpl_arena *arena,
                         const memplan_machine *machine, uint32_t pool)
{
    out->machine = *machine;
    out->pool = pool;
    out->machine.pools = mpl_arena_alloc(arena, machine->pool_count + 1,
                                         sizeof *out->machine.pools);
    out->machine.budget_bytes = mpl_arena_alloc(
        arena, machine->budget_count + 1, sizeof *out->machine.budget_bytes);
    if (out->machine.pools == NULL || out->machine.budget_bytes == NULL)
        return false;
    memcpy(out->machine.pools, machine->pools,
           machine->pool_count * sizeof *machine->pools);
    memcpy(out->machine.budget_bytes, machine->budget_bytes,
           machine->budget_count * sizeof *machine->budget_bytes);
    if (pool == machine->pool_count) {
        out->machine.pools[pool] = (mpl_pool){
            .key = "disk",
            .name = "disk",
            .kind = MPL_POOL_DISK,
            .device = UINT32_MAX,
            .budget = machine->budget_count,
            .bandwidth_bytes_per_second = MEMPLAN_UNKNOWN,
            .link_bytes_per_second = MEMPLAN_UNKNOWN,
        };
        out->machine.budget_bytes[machine->budget_count] = 0;
        out->machine.pool_count++;
        out->machine.budget_count++;
    }
    return true;
}

/* What is lacking with that much more. */
static uint64_t lacking_with(const finder *at, richer *trial, uint64_t gib)
{
    mpl_pool *const pool = &trial->machine.pools[trial->pool];
    uint64_t *const budget = &trial->machine.budget_bytes[pool->budget];
    const uint64_t capacity = pool->capacity_bytes;
    const uint64_t shared = *budget;
    uint64_t lacks = UINT64_MAX;
    if (capacity == MEMPLAN_UNKNOWN || shared == MEMPLAN_UNKNOWN)
        return lacks;
    if (mpl_add(&pool->capacity_bytes, capacity, gib * GIB) &&
        mpl_add(budget, shared, gib * GIB))
        lacks = lacking(at, &trial->machine, at->request);
    pool->capacity_bytes = capacity;
    *budget = shared;
    return lacks;
}

/* Goes up by what was lacking each time; *low is the last that did not fit.
 * Memory that does not help at all is recognised by the most of it. */
static uint64_t find_enough(const finder *at, richer *trial, uint64_t *low)
{
    uint64_t lacked = at->lacked_bytes;
    uint64_t step = 1; /* the least that it goes up by */
    bool is_possible = false;
    for (uint64_t gib = 0; gib < GIB_MAX; *low = gib, step *= 2) {
        const uint64_t more = lacked / GIB + (lacked % GIB != 0);
        gib = mpl_min(GIB_MAX, gib + mpl_max(step, more));
        const uint64_t lacks = lacking_with(at, trial, gib);
        if (lacks == 0)
            return gib;
        if (lacks >= lacked && !is_possible)
            is_possible = lacking_with(at, trial, GIB_MAX) == 0;
        if (lacks >= lacked && !is_possible)
            return 0;
        lacked = lacks;
    }
    return 0;
}

/* The fewest whole GiB more that make it fit, or 0 where none do. */
static uint64_t find_gib(const finder *at, richer *trial)
{
    uint64_t low = 0;
    uint64_t high = find_enough(at, trial, &low);
    for (uint64_t step = 1; low + 1 < high; step *= 2) {
        const uint64_t tried =
            high - low > 2 * step ? high - step : low + (high - low) / 2;
        if (lacking_with(at, trial, tried) == 0)
            high = tried;
        else
            low = tried;
    }
    return high;
}

static memplan_status try_pool(const finder *at, mpl_arena *arena,
                               uint32_t pool)
{
    richer trial;
    if (!copy_machine(&trial, arena, at->machine, pool))
        return MEMPLAN_E_NO_MEMORY;
    const uint64_t gib = find_gib(at, &trial);
    if (gib == 0)
        return MEMPLAN_OK;
    const char *const key = trial.machine.pools[pool].key;
    const bool is_new = pool == at->machine->pool_count;
    return add_fix(
        at, "memory",
        is_new
            ? mpl_arena_format(at->plan->arena,
                               "let %llu GiB of disk hold what does not "
                               "fit, much slower",
                               (unsigned long long)gib)
            : mpl_arena_format(at->plan->arena, "%llu GiB more for \"%s\"",
                               (unsigned long long)gib, key),
        key, gib * GIB);
}

/* Of all that may grow: the host, the first device, a disk where the engine
 * places units. */
static memplan_status try_memory(const finder *at, mpl_arena *arena)
{
    const memplan_machine *const machine = at->machine;
    const bool uses_disk = at->request->engine->problem != NULL;
    uint32_t first[MPL_POOL_DISK + 1];
    memplan_status status = MEMPLAN_OK;
    for (uint32_t kind = 0; kind <= MPL_POOL_DISK; kind++)
        first[kind] = MPL_NO_INDEX;
    for (uint32_t pool = machine->pool_count; pool-- > 0;)
        first[machine->pools[pool].kind] = pool;
    const uint32_t order[] = {first[MPL_POOL_HOST], first[MPL_POOL_DEVICE],
                              !uses_disk ? MPL_NO_INDEX
                              : first[MPL_POOL_DISK] != MPL_NO_INDEX
                                  ? first[MPL_POOL_DISK]
                                  : machine->pool_count};
    for (uint32_t index = 0; index < sizeof order / sizeof *order; index++)
        if (status == MEMPLAN_OK && order[index] != MPL_NO_INDEX &&
            machine->pool_count < MPL_PROBLEM_POOLS_MAX)
            status = try_pool(at, arena, order[index]);
    return status;
}

/* Whether less than the weights could be what does not fit: what fits in the
 * end has weights + rest <= all capacities, so a change of the rest alone can
 * mend at most that and what is free now. */
static bool is_rest_enough(const finder *at)
{
    uint64_t most = 0;
    for (uint32_t index = 0; index < at->plan->pool_count; index++) {
        const mpl_plan_pool *const pool = &at->plan->pools[index];
        if (!mpl_add(&most, most,
                     mpl_sub_floor(pool->capacity_bytes, pool->used_bytes)))
            return true;
        for (uint64_t row = 0; row < pool->row_count; row++)
            if (pool->rows[row].category != MPL_ROW_WEIGHTS &&
                pool->rows[row].category != MPL_ROW_MAPPED &&
                !mpl_add(&most, most, pool->rows[row].bytes))
                return true;
    }
    return at->lacked_bytes <= most;
}

memplan_status mpl_fixes_find(memplan_plan *plan, const memplan_model *model,
                              const memplan_machine *machine,
                              const mpl_request *request,
                              const mpl_terms *terms, memplan_error *error)
{
    bool is_refused = false;
    finder at = {plan, model, machine, request, 0, &is_refused};
    mpl_arena *const arena = mpl_arena_create();
    for (uint32_t pool = 0; pool < plan->pool_count; pool++)
        if (!mpl_add(&at.lacked_bytes, at.lacked_bytes,
                     plan->pools[pool].short_bytes))
            at.lacked_bytes = UINT64_MAX;
    plan->fixes = mpl_arena_alloc(plan->arena, FIXES_MAX, sizeof *plan->fixes);
    memplan_status status =
        arena != NULL && plan->fixes != NULL ? MEMPLAN_OK : MEMPLAN_E_NO_MEMORY;
    const bool tries_rest = is_rest_enough(&at);
    /* Less than half of what was asked for is dearer than other weights. */
    const uint64_t tokens =
        status == MEMPLAN_OK && tries_rest ? find_context(&at) : 0;
    const bool is_cheap = tokens >= request->context_tokens / 2;
    if (status == MEMPLAN_OK && tries_rest)
        status = try_prompt(&at, terms);
    if (status == MEMPLAN_OK && tokens > 0 && is_cheap)
        status = add_count(&at, &CONTEXT, tokens);
    if (status == MEMPLAN_OK && tries_rest)
        status = try_kv_dtypes(&at, terms);
    if (status == MEMPLAN_OK && tries_rest)
        status = try_cache(&at, terms);
    if (status == MEMPLAN_OK)
        status = try_dtypes(&at, terms);
    if (status == MEMPLAN_OK && tokens > 0 && !is_cheap)
        status = add_count(&at, &CONTEXT, tokens);
    if (status == MEMPLAN_OK)
        status = try_memory(&at, arena);
    mpl_arena_free(arena);
    return status == MEMPLAN_OK && !is_refused ? MEMPLAN_OK
                                               : mpl_fail_memory(error);
}
