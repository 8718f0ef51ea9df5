/* SPDX-License-Identifier: MIT */
/*
 * What is there while weights load is no sum over units, so a search does not
 * know of it. Where the fastest placement that fits would not load, there are
 * two ways on, and both are tried as long as they may lead to a faster one:
 *
 *     of the first pool that lacks something, the next search may use no more
 *     than this placement does, less what it lacks:
 *         lacks(p) = loading(p) - capacity(p), or what its budget lacks
 *         capacity(p) of the next search = used(p) - lacks(p)
 *     and of devices that hold and lack as much; or that pool gets none of what
 *     is joined
 *
 * The first way leaves out placements that load though they hold no less: of
 * units that keep more state for fewer weights. So what is found is called
 * proven only where it is as fast as the fastest that fits.
 */
#include "plan/loadable.h"

#include <string.h>

#include "base/checked.h"
#include "plan/usage.h"

enum { SEARCHES_MAX = 32 };

typedef struct state {
    mpl_arena *arena;
    const mpl_engine *engine;
    const mpl_job *job;
    const mpl_problem *given; /* with all that the pools have */
    uint64_t *loading;        /* by pool */
    uint64_t *used;
    uint64_t *budgets;
    uint64_t *scratch;
    uint32_t searches; /* that were made */
    mpl_solution best; /* of those that load */
} state;

static bool allocate(state *made)
{
    const uint64_t pools = made->given->pool_count;
    made->loading = mpl_arena_alloc(made->arena, pools, sizeof(uint64_t));
    made->used = mpl_arena_alloc(made->arena, pools, sizeof(uint64_t));
    made->budgets = mpl_arena_alloc(made->arena, made->given->budget_count,
                                    sizeof(uint64_t));
    made->scratch = mpl_arena_alloc(made->arena, mpl_usage_words(made->given),
                                    sizeof(uint64_t));
    return made->loading != NULL && made->used != NULL &&
           made->budgets != NULL && made->scratch != NULL;
}

/* Sets used, and what each budget has to hold. */
static void measure(state *at, const mpl_solution *found)
{
    const mpl_problem *const problem = at->given;
    mpl_usage sum;
    mpl_usage_start(&sum, problem, at->scratch);
    for (uint32_t unit = 0; unit < problem->unit_count; unit++)
        (void)mpl_usage_add(&sum, unit, 1, found->pool_of_unit[unit]);
    memset(at->budgets, 0, problem->budget_count * sizeof *at->budgets);
    for (uint32_t pool = 0; pool < problem->pool_count; pool++) {
        uint64_t *const budget = &at->budgets[problem->budget[pool]];
        if (!mpl_usage_of(&sum, pool, &at->used[pool]))
            at->used[pool] = UINT64_MAX;
        if (!mpl_add(budget, *budget,
                     mpl_max(at->used[pool], at->loading[pool])))
            *budget = UINT64_MAX;
    }
}

/* What a pool lacks while its weights load. */
static uint64_t lacks(const state *at, uint32_t pool)
{
    const mpl_problem *const problem = at->given;
    const uint32_t budget = problem->budget[pool];
    if (at->loading[pool] <= at->used[pool])
        return 0;
    return mpl_max(
        mpl_sub_floor(at->loading[pool], problem->capacity_bytes[pool]),
        mpl_sub_floor(at->budgets[budget], problem->budget_bytes[budget]));
}

/* Lowers the capacity of the first pool that lacks something, and of those
 * that are in its place. MPL_NO_INDEX: it loads. */
static uint32_t confine(state *at, const mpl_solution *found,
                        uint64_t *capacity)
{
    const mpl_placement placement = {.pool_of_unit = found->pool_of_unit};
    at->engine->loading(at->job, &placement, at->loading);
    measure(at, found);
    uint32_t first = 0;
    while (first < at->given->pool_count && lacks(at, first) == 0)
        first++;
    if (first == at->given->pool_count)
        return MPL_NO_INDEX;
    for (uint32_t pool = first; pool < at->given->pool_count; pool++)
        if (lacks(at, pool) == lacks(at, first) &&
            at->used[pool] == at->used[first] && at->given->home[pool] == pool)
            capacity[pool] = mpl_sub_floor(at->used[pool], lacks(at, pool));
    capacity[first] = mpl_sub_floor(at->used[first], lacks(at, first));
    return first;
}

static bool is_host(const mpl_problem *problem, uint32_t pool)
{
    for (uint32_t other = 0; other < problem->pool_count; other++)
        if (problem->relay[other] == pool ||
            (other != pool && problem->home[other] == pool))
            return true;
    return problem->home[pool] != pool;
}

/* Leaves a device room for all that is not joined, where that is too little for
 * any that is: so homes stay alike, and are searched much faster. False: that
 * does not keep joined ones away. */
static bool leave_no_room(const mpl_problem *problem, uint32_t pool,
                          uint64_t *capacity)
{
    uint64_t others = problem->open_bytes[pool];
    uint64_t least = UINT64_MAX;
    for (uint32_t unit = 0; unit < problem->unit_count; unit++) {
        const uint64_t bytes =
            problem->own_bytes[mpl_problem_cell(problem, unit, pool)];
        if (problem->is_joined[mpl_problem_row(problem, unit)])
            least = mpl_min(least, bytes);
        else if (!mpl_add(&others, others, bytes))
            return false;
    }
    uint64_t with_joined;
    if (is_host(problem, pool) ||
        (mpl_add(&with_joined, problem->open_bytes[pool], least) &&
         with_joined <= others))
        return false;
    capacity[pool] = mpl_min(capacity[pool], others);
    return true;
}

static void forbid_joined(const mpl_problem *problem, uint32_t pool,
                          uint64_t *time_ps)
{
    for (uint32_t unit = 0; unit < problem->unit_count; unit++)
        if (problem->is_joined[mpl_problem_row(problem, unit)])
            time_ps[mpl_problem_cell(problem, unit, pool)] = MPL_TIME_FORBIDDEN;
}

/* A copy of `count` numbers, or NULL: no memory. */
static uint64_t *copy_of(mpl_arena *arena, const uint64_t *from, uint64_t count)
{
    uint64_t *const made = mpl_arena_alloc(arena, count, sizeof *made);
    if (made != NULL)
        memcpy(made, from, count * sizeof *made);
    return made;
}

/* Past the last row of the tables. */
static uint64_t rows_of(const mpl_problem *problem)
{
    uint64_t last = 0;
    for (uint32_t unit = 0; unit < problem->unit_count; unit++)
        last = mpl_max(last, mpl_problem_row(problem, unit));
    return last + 1;
}

/* Goes on from a placement that fits `problem`, both ways. */
static memplan_status explore(state *at, const mpl_problem *problem,
                              const mpl_solution *found)
{
    mpl_solution next;
    if (!found->is_feasible ||
        (at->best.is_feasible && found->value_ps >= at->best.value_ps))
        return MEMPLAN_OK;
    uint64_t *const capacity =
        copy_of(at->arena, problem->capacity_bytes, problem->pool_count);
    uint64_t *const room =
        copy_of(at->arena, problem->capacity_bytes, problem->pool_count);
    uint64_t *const time_ps = copy_of(at->arena, problem->time_ps,
                                      rows_of(problem) * problem->pool_count);
    if (capacity == NULL || room == NULL || time_ps == NULL)
        return MEMPLAN_E_NO_MEMORY;
    const uint32_t pool = confine(at, found, capacity);
    if (pool == MPL_NO_INDEX) {
        at->best = *found;
        return MEMPLAN_OK;
    }
    mpl_problem less = *problem;
    mpl_problem without = *problem;
    less.capacity_bytes = capacity;
    without.time_ps = time_ps;
    without.capacity_bytes = room;
    if (!leave_no_room(problem, pool, room))
        forbid_joined(problem, pool, time_ps);
    const mpl_problem *const ways[] = {&less, &without};
    memplan_status status = MEMPLAN_OK;
    for (size_t way = 0; way < 2 && at->searches < SEARCHES_MAX; way++) {
        at->searches++;
        status = mpl_search(at->arena, ways[way], MPL_SEARCH_STEPS, &next);
        if (status == MEMPLAN_OK)
            status = explore(at, ways[way], &next);
        if (status != MEMPLAN_OK)
            return status;
    }
    return MEMPLAN_OK;
}

memplan_status mpl_search_loadable(mpl_arena *arena, const mpl_engine *engine,
                                   const mpl_job *job,
                                   const mpl_problem *problem,
                                   mpl_solution *out)
{
    memplan_status status = mpl_search(arena, problem, MPL_SEARCH_STEPS, out);
    if (status != MEMPLAN_OK || problem->is_joined == NULL || !out->is_feasible)
        return status;
    const uint64_t bound_ps = out->bound_ps;
    state at = {.arena = arena,
                .engine = engine,
                .job = job,
                .given = problem,
                .best = {.value_ps = MPL_TIME_FORBIDDEN}};
    if (!allocate(&at))
        return MEMPLAN_E_NO_MEMORY;
    status = explore(&at, problem, out);
    if (status != MEMPLAN_OK)
        return status;
    if (at.searches > 0)
        *out = at.best;
    out->bound_ps = bound_ps;
    return MEMPLAN_OK;
}
