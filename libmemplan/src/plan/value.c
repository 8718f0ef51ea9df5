/* SPDX-License-Identifier: MIT */
/* The definition of a problem's feasibility and time, word for word; but units
 * that are alike are added up together. */
#include <string.h>

#include "base/checked.h"
#include "model/model.h"
#include "plan/search.h"

typedef struct usage {
    uint64_t *used;
    uint64_t *staging;
    uint64_t *relay;
    uint64_t *executes;
    uint64_t *budgets;
} usage;

/* `count` neighbours of one row, on one pool. */
static bool add_run(const mpl_problem *problem, usage *sum, uint64_t cell,
                    uint32_t pool, uint32_t count)
{
    const uint32_t home = problem->home[pool];
    const uint32_t relay = problem->relay[pool];
    uint64_t bytes;
    if (problem->time_ps[cell] == MPL_TIME_FORBIDDEN)
        return false;
    sum->executes[home] = 1;
    if (!mpl_mul(&bytes, problem->own_bytes[cell], count) ||
        !mpl_add(&sum->used[pool], sum->used[pool], bytes) ||
        sum->used[pool] > problem->capacity_bytes[pool])
        return false;
    if (relay != MPL_NO_INDEX)
        sum->relay[relay] =
            mpl_max(sum->relay[relay], problem->relay_bytes[cell]);
    if (home == pool)
        return true;
    sum->staging[home] =
        mpl_max(sum->staging[home], problem->staging_bytes[cell]);
    return mpl_mul(&bytes, problem->home_bytes[cell], count) &&
           mpl_add(&sum->used[home], sum->used[home], bytes);
}

/* Past the last unit that continues the run from `first` on: of its row, on
 * its pool, and tied to none. */
static uint32_t run_end(const mpl_problem *problem,
                        const uint32_t *pool_of_unit, uint32_t first)
{
    const uint32_t pool = pool_of_unit[first];
    const uint32_t row = mpl_problem_row(problem, first);
    uint32_t end = first + 1;
    if (problem->row_of_unit == NULL)
        return end;
    while (end < problem->unit_count && pool_of_unit[end] == pool &&
           problem->row_of_unit[end] == row &&
           problem->tied_to[end] == MPL_NO_INDEX)
        end++;
    return end;
}

static bool fits(const mpl_problem *problem, usage *sum)
{
    for (uint32_t pool = 0; pool < problem->pool_count; pool++) {
        uint64_t used = sum->used[pool];
        if ((sum->executes[pool] != 0 &&
             !mpl_add(&used, used, problem->open_bytes[pool])) ||
            !mpl_add(&used, used, sum->staging[pool]) ||
            !mpl_add(&used, used, sum->relay[pool]) ||
            used > problem->capacity_bytes[pool])
            return false;
        uint64_t *const budget = &sum->budgets[problem->budget[pool]];
        if (!mpl_add(budget, *budget, used) ||
            *budget > problem->budget_bytes[problem->budget[pool]])
            return false;
    }
    return true;
}

uint64_t mpl_problem_value(const mpl_problem *problem,
                           const uint32_t *pool_of_unit, uint64_t *scratch)
{
    const uint64_t pools = problem->pool_count;
    usage sum = {scratch, scratch + pools, scratch + 2 * pools,
                 scratch + 3 * pools, scratch + 4 * pools};
    memset(scratch, 0,
           (size_t)(4 * pools + problem->budget_count) * sizeof *scratch);
    uint64_t ps = 0;
    bool is_used = problem->must_use == MPL_NO_INDEX;
    bool has_guests = false;
    for (uint32_t unit = 0; unit < problem->unit_count;) {
        const uint32_t end = run_end(problem, pool_of_unit, unit);
        const uint32_t pool = pool_of_unit[unit];
        const uint32_t tied = problem->tied_to[unit];
        const uint64_t cell = mpl_problem_cell(problem, unit, pool);
        if ((tied != MPL_NO_INDEX && pool_of_unit[tied] != pool) ||
            !add_run(problem, &sum, cell, pool, end - unit))
            return MPL_TIME_FORBIDDEN;
        ps += problem->time_ps[cell] * (end - unit);
        if (unit > 0)
            ps += problem->crossing_ps[pool_of_unit[unit - 1] * pools + pool];
        is_used = is_used || pool == problem->must_use;
        has_guests = has_guests || (problem->home[pool] == problem->must_use &&
                                    pool != problem->must_use);
        unit = end;
    }
    return (is_used || !has_guests) && fits(problem, &sum) ? ps
                                                           : MPL_TIME_FORBIDDEN;
}
