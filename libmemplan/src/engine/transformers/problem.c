/* SPDX-License-Identifier: MIT */
/*
 * The space of device maps, as one problem for each choice of the main
 * device: the lowest that holds a unit. A device that no lower one beats in
 * room or speed need not be tried. Last, the host executes everything: beside
 * the others where all speeds are known, else only where no device can be the
 * main one.
 */
#include <stddef.h>

#include "base/checked.h"
#include "base/failure.h"
#include "engine/transformers/job.h"

bool mpl_transformers_resident(uint64_t *out, const mpl_unit_cost *cost)
{
    return mpl_add(out, cost->buffer_bytes, cost->cache_bytes) &&
           mpl_add(out, *out, cost->cross_bytes) &&
           mpl_add(out, *out, cost->state_bytes) &&
           mpl_add(out, *out, cost->window_bytes);
}

uint64_t mpl_transformers_staging(const mpl_job *job, const mpl_unit_cost *cost,
                                  uint32_t pool)
{
    uint64_t bytes = cost->leaf_bytes;
    const bool is_cast = job->loading->dtype != MPL_DTYPE_COUNT;
    if (job->machine->pools[pool].kind == MPL_POOL_DISK && is_cast &&
        !mpl_add(&bytes, bytes, cost->stored_leaf_bytes))
        bytes = UINT64_MAX;
    return bytes;
}

bool mpl_transformers_may_rest(const mpl_job *job, uint32_t pool, uint32_t main)
{
    const uint32_t away = job->loading->away;
    const mpl_pool_kind kind = job->machine->pools[pool].kind;
    if (kind == MPL_POOL_DEVICE)
        return true;
    if (main != job->host_pool)
        return (away &
                (kind == MPL_POOL_HOST ? MPL_AWAY_HOST : MPL_AWAY_DISK)) != 0;
    if (kind == MPL_POOL_HOST)
        return (away & MPL_AWAY_ALONE) != 0;
    /* Quantizers take host and disk together for an offload from a device. */
    return job->loading->bits == 0;
}

/* A lower device that has no less of anything is the better main one. */
static bool is_dominated(const mpl_job *job, uint32_t pool)
{
    const mpl_pool *const pools = job->machine->pools;
    for (uint32_t at = 0; at < pool; at++) {
        bool is_known = true;
        if (pools[at].kind == MPL_POOL_DEVICE &&
            pools[at].budget != pools[pool].budget &&
            pools[at].capacity_bytes >= pools[pool].capacity_bytes &&
            mpl_transformers_read_speed(job, at, &is_known) >=
                mpl_transformers_read_speed(job, pool, &is_known) &&
            mpl_transformers_link_speed(job, at, &is_known) >=
                mpl_transformers_link_speed(job, pool, &is_known))
            return true;
    }
    return false;
}

/* Pins may name any device, so then each is tried. */
static uint32_t main_at(const mpl_job *job, uint32_t index, uint32_t *out_count)
{
    uint32_t found = job->host_pool;
    uint32_t count = 0;
    for (uint32_t at = 0; at < job->machine->pool_count; at++) {
        if (job->machine->pools[at].kind != MPL_POOL_DEVICE ||
            (job->request->pins == NULL && is_dominated(job, at)))
            continue;
        if (count++ == index)
            found = at;
    }
    *out_count = count + (job->host_pool != MPL_NO_INDEX &&
                          !job->cache_kind->is_offloaded);
    return found;
}

typedef struct tables {
    uint64_t *own;
    uint64_t *home_bytes;
    uint64_t *staging;
    uint64_t *relay_bytes;
    uint64_t *time;
    uint64_t *open;
    uint64_t *crossing;
    uint64_t *capacity;
    uint64_t *budget_bytes;
    uint32_t *budget;
    uint32_t *home;
    uint32_t *relay;
} tables;

static bool allocate(tables *made, mpl_job *job)
{
    const uint64_t pools = job->machine->pool_count;
    const uint64_t cells = job->row_count * pools;
    uint64_t **const wide[] = {&made->own, &made->home_bytes, &made->staging,
                               &made->relay_bytes, &made->time};
    uint64_t **const narrow[] = {&made->open, &made->capacity};
    uint32_t **const indices[] = {&made->budget, &made->home, &made->relay};
    bool is_whole = true;
    for (uint32_t at = 0; at < sizeof wide / sizeof *wide; at++) {
        *wide[at] = mpl_arena_alloc(job->arena, cells, sizeof **wide[at]);
        is_whole = is_whole && *wide[at] != NULL;
    }
    for (uint32_t at = 0; at < sizeof narrow / sizeof *narrow; at++) {
        *narrow[at] = mpl_arena_alloc(job->arena, pools, sizeof **narrow[at]);
        is_whole = is_whole && *narrow[at] != NULL;
    }
    for (uint32_t at = 0; at < sizeof indices / sizeof *indices; at++) {
        *indices[at] = mpl_arena_alloc(job->arena, pools, sizeof **indices[at]);
        is_whole = is_whole && *indices[at] != NULL;
    }
    made->crossing =
        mpl_arena_alloc(job->arena, pools * pools, sizeof *made->crossing);
    made->budget_bytes = mpl_arena_alloc(job->arena, job->machine->budget_count,
                                         sizeof *made->budget_bytes);
    return is_whole && made->crossing != NULL && made->budget_bytes != NULL;
}

/* Whether a device takes what the one before it takes, as fast. */
static bool is_twin(const mpl_job *job, uint32_t pool)
{
    return pool > 0 && mpl_transformers_are_alike(job, pool - 1, pool);
}

static bool fill_cell(const tables *made, mpl_job *job, uint32_t row,
                      uint32_t pool, uint32_t main)
{
    const mpl_unit_cost *const cost = &job->costs[row];
    const mpl_pool_kind kind = job->machine->pools[pool].kind;
    const uint32_t home = made->home[pool];
    const uint64_t cell = (uint64_t)row * job->machine->pool_count + pool;
    uint64_t resident;
    bool is_known = true;
    made->time[cell] = MPL_TIME_FORBIDDEN;
    if (main == MPL_NO_INDEX ||
        (kind == MPL_POOL_DEVICE && (pool < main || main == job->host_pool)) ||
        !mpl_transformers_may_rest(job, pool, main))
        return true;
    if (pool > main && is_twin(job, pool)) {
        made->time[cell] = made->time[cell - 1];
        made->own[cell] = made->own[cell - 1];
        return true;
    }
    if (!mpl_transformers_resident(&resident, cost))
        return false;
    made->time[cell] =
        mpl_transformers_unit_ps(job, cost, pool, main, &is_known);
    if (home == pool)
        return mpl_add(&made->own[cell], cost->device_bytes, resident);
    made->own[cell] = cost->offloaded_bytes;
    made->home_bytes[cell] = resident;
    made->staging[cell] = mpl_transformers_staging(job, cost, pool);
    if (made->relay[pool] != MPL_NO_INDEX)
        made->relay_bytes[cell] = cost->stored_leaf_bytes;
    return true;
}

/* Crossings are between homes; where nothing executes each pool is its own,
 * and there are none. */
static void fill_crossings(const tables *made, const mpl_job *job,
                           uint32_t main)
{
    const uint32_t pools = job->machine->pool_count;
    uint64_t hand_ps[MPL_PROBLEM_POOLS_MAX];
    bool is_known = true;
    if (main == MPL_NO_INDEX)
        return;
    for (uint32_t pool = 0; pool < pools; pool++)
        hand_ps[pool] = is_twin(job, pool)
                            ? hand_ps[pool - 1]
                            : mpl_transformers_hand_ps(job, pool, &is_known);
    for (uint32_t from = 0; from < pools; from++)
        for (uint32_t to = 0; to < pools; to++)
            if (made->home[from] != made->home[to])
                made->crossing[from * pools + to] =
                    mpl_transformers_crossing_ps(hand_ps[made->home[from]],
                                                 hand_ps[made->home[to]]);
}

uint64_t mpl_transformers_open(const mpl_job *job, uint32_t pool)
{
    const mpl_pool_kind kind = job->machine->pools[pool].kind;
    uint64_t bytes = kind != MPL_POOL_DISK ? job->activations.bytes[kind] : 0;
    if (kind == MPL_POOL_DEVICE &&
        (!mpl_add(&bytes, bytes, mpl_transformers_device_runtime(job, pool)) ||
         !mpl_add(&bytes, bytes, job->at_work_bytes)))
        bytes = UINT64_MAX;
    return bytes;
}

/* What the process takes on the host, whoever executes, is gone before, and
 * so is what an offloaded cache rests in. */
static void fill_pools(const tables *made, mpl_job *job, uint32_t main)
{
    const memplan_machine *const machine = job->machine;
    for (uint32_t at = 0; at < machine->budget_count; at++)
        made->budget_bytes[at] = machine->budget_bytes[at];
    for (uint32_t at = 0; at < machine->pool_count; at++) {
        const mpl_pool *const pool = &machine->pools[at];
        made->budget[at] = pool->budget;
        made->capacity[at] = pool->capacity_bytes;
        made->home[at] = main != MPL_NO_INDEX
                             ? mpl_transformers_home(job, at, main)
                             : at; /* nothing executes, nothing may go there */
        made->relay[at] = pool->kind == MPL_POOL_DISK && main != job->host_pool
                              ? job->host_pool
                              : MPL_NO_INDEX;
        made->open[at] = mpl_transformers_open(job, at);
    }
    fill_crossings(made, job, main);
    if (job->host_pool == MPL_NO_INDEX)
        return;
    const uint64_t gone = mpl_transformers_host_gone(job);
    uint64_t *const capacity = &made->capacity[job->host_pool];
    uint64_t *const budget = &made->budget_bytes[made->budget[job->host_pool]];
    if (*capacity != MEMPLAN_UNKNOWN)
        *capacity = mpl_sub_floor(*capacity, gone);
    if (*budget != MEMPLAN_UNKNOWN)
        *budget = mpl_sub_floor(*budget, gone);
}

/* Whether a time on the host can be compared with one on a device. */
static bool knows_all_speeds(const mpl_job *job)
{
    bool is_known = true;
    for (uint32_t at = 0; at < job->machine->pool_count; at++) {
        const mpl_pool_kind kind = job->machine->pools[at].kind;
        if (kind != MPL_POOL_DISK)
            (void)mpl_transformers_read_speed(job, at, &is_known);
        if (kind != MPL_POOL_HOST)
            (void)mpl_transformers_link_speed(job, at, &is_known);
    }
    return is_known;
}

uint32_t mpl_transformers_rank(const mpl_job *job, uint32_t index,
                               mpl_problem_rank *out)
{
    uint32_t count;
    const uint32_t main = main_at(job, index, &count);
    *out = main != job->host_pool  ? MPL_PROBLEM_FIRST
           : knows_all_speeds(job) ? MPL_PROBLEM_RIVAL
                                   : MPL_PROBLEM_FALLBACK;
    return count;
}

memplan_status mpl_transformers_problem(mpl_job *job, uint32_t index,
                                        mpl_problem *out, memplan_error *error)
{
    const memplan_machine *const machine = job->machine;
    uint32_t count;
    const uint32_t main = main_at(job, index, &count);
    tables made = {0};
    if (!allocate(&made, job))
        return mpl_fail_memory(error);
    fill_pools(&made, job, main);
    for (uint32_t row = 0; row < job->row_count; row++)
        for (uint32_t pool = 0; pool < machine->pool_count; pool++)
            if (!fill_cell(&made, job, row, pool, main))
                return mpl_fail(error, MEMPLAN_E_TOO_LARGE, MPL_NOWHERE,
                                "unit \"%s\": its bytes pass 64 bits",
                                mpl_transformers_unit(job, row)->name);
    *out = (mpl_problem){
        .unit_count = job->model->unit_count,
        .pool_count = machine->pool_count,
        .budget_count = machine->budget_count,
        .must_use = main == job->host_pool ? MPL_NO_INDEX : main,
        .row_of_unit = job->row_of_unit,
        .own_bytes = made.own,
        .home_bytes = made.home_bytes,
        .staging_bytes = made.staging,
        .relay_bytes = made.relay_bytes,
        .time_ps = made.time,
        .open_bytes = made.open,
        .home = made.home,
        .relay = made.relay,
        .crossing_ps = made.crossing,
        .capacity_bytes = made.capacity,
        .budget = made.budget,
        .budget_bytes = made.budget_bytes,
        .tied_to = job->tied_to,
        .is_joined = job->is_joined,
    };
    return MEMPLAN_OK;
}
