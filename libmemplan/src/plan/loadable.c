/* SPDX-License-Identifier: MIT */
/*
 * What is there while weights load is no sum over units, so a search does not
 * know of it. From the fastest placement that fits, where it would not load,
 * there are two ways on, and both are taken as long as they may lead to a
 * faster one that loads:
 *
 *     pools that lack something may hold no more than they do, less what they
 *     lack, and pools in their place no more than they:
 *         lacks(p) = loading(p) - capacity(p), or what its budget lacks
 *         capacity(p) of the next search = used(p) - lacks(p)
 *     or they get none of what is joined, and may be filled with the rest
 *
 * If pools in their place had more, the next placement would be the same with
 * the pools exchanged. The first way leaves out placements that load though
 * they hold no less: of units that keep more state for fewer weights. So what
 * is found is called proven only where it is as fast as the fastest that fits.
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

/* A pool that executes for itself alone. */
static bool has_no_guests(const mpl_problem *problem, uint32_t pool)
{
    for (uint32_t other = 0; other < problem->pool_count; other++)
        if ((problem->home[other] == pool) != (other == pool))
            return false;
    return true;
}

/* Past the last row of the tables. */
static uint64_t rows_of(const mpl_problem *problem)
{
    uint64_t last = 0;
    for (uint32_t unit = 0; unit < problem->unit_count; unit++)
        last = mpl_max(last, mpl_problem_row(problem, unit));
    return last + 1;
}

/* Whether units take the same in both, and the placement stays as good where
 * the pools are exchanged. */
static bool is_in_place_of(const mpl_problem *problem, uint32_t pool,
                           uint32_t other)
{
    const uint64_t rows = rows_of(problem);
    if (!has_no_guests(problem, pool) || !has_no_guests(problem, other) ||
        problem->open_bytes[pool] != problem->open_bytes[other] ||
        problem->capacity_bytes[pool] != problem->capacity_bytes[other])
        return false;
    for (uint64_t row = 0; row < rows; row++) {
        const uint64_t a = row * problem->pool_count + pool;
        const uint64_t b = row * problem->pool_count + other;
        if (problem->own_bytes[a] != problem->own_bytes[b] ||
            problem->time_ps[a] != problem->time_ps[b])
            return false;
    }
    return true;
}

/* The most that a pool may hold in the next search; its capacity, where it
 * lacks nothing, nor any pool that it is in the place of. */
static uint64_t next_capacity(const state *at, const mpl_problem *problem,
                              uint32_t pool)
{
    const uint64_t capacity = problem->capacity_bytes[pool];
    uint64_t most = 0;
    if (lacks(at, pool) > 0)
        return mpl_sub_floor(at->used[pool], lacks(at, pool));
    for (uint32_t other = 0; other < problem->pool_count; other++)
        if (lacks(at, other) > 0 && is_in_place_of(problem, pool, other))
            most =
                mpl_max(most, mpl_sub_floor(at->used[other], lacks(at, other)));
    return most > 0 ? mpl_min(most, capacity) : capacity;
}

/* Lowers what the next search may use; false: what was found loads. */
static bool confine(state *at, const mpl_problem *problem,
                    const mpl_solution *found, uint64_t *capacity)
{
    const mpl_placement placement = {.pool_of_unit = found->pool_of_unit};
    bool is_lower = false;
    at->engine->loading(at->job, &placement, at->loading);
    measure(at, found);
    for (uint32_t pool = 0; pool < problem->pool_count; pool++) {
        capacity[pool] = next_capacity(at, problem, pool);
        is_lower = is_lower || lacks(at, pool) > 0;
    }
    return is_lower;
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

/* Goes on from a placement that fits `problem`, both ways. */
static memplan_status explore(state *at, const mpl_problem *problem,
                              const mpl_solution *found)
{
    mpl_solution next;
    if (!found->is_feasible)
        return MEMPLAN_OK;
    uint64_t *const capacity =
        copy_of(at->arena, problem->capacity_bytes, problem->pool_count);
    uint64_t *const time_ps = copy_of(at->arena, problem->time_ps,
                                      rows_of(problem) * problem->pool_count);
    if (capacity == NULL || time_ps == NULL)
        return MEMPLAN_E_NO_MEMORY;
    if (!confine(at, problem, found, capacity)) {
        at->best = *found;
        return MEMPLAN_OK;
    }
    mpl_problem less = *problem;
    mpl_problem without = *problem;
    less.capacity_bytes = capacity;
    without.time_ps = time_ps;
    uint32_t first = 0;
    while (lacks(at, first) == 0)
        first++;
    for (uint32_t pool = first; pool < problem->pool_count; pool++)
        if (pool == first ||
            (lacks(at, pool) > 0 && is_in_place_of(problem, pool, first)))
            forbid_joined(problem, pool, time_ps);
    const mpl_problem *const ways[] = {&less, &without};
    memplan_status status = MEMPLAN_OK;
    for (size_t way = 0; way < 2 && at->searches < SEARCHES_MAX; way++) {
        at->searches++;
        status = mpl_search_below(at->arena, ways[way], MPL_SEARCH_STEPS,
                                  at->best.value_ps, &next);
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
