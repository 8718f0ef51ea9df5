/* SPDX-License-Identifier: MIT */
/*
 * Of placements that are equally fast, the one that reads best: where two homes
 * can be exchanged, the earlier one gets the earlier units. Whether they can is
 * for the value of the whole to say; no property of theirs is trusted.
 */
#include "model/model.h"
#include "plan/space.h"
#include "plan/usage.h"

static void find_firsts(const mpl_problem *problem,
                        const uint32_t *pool_of_unit, uint32_t *firsts)
{
    for (uint32_t pool = 0; pool < problem->pool_count; pool++)
        firsts[pool] = MPL_NO_INDEX;
    for (uint32_t unit = problem->unit_count; unit-- > 0;)
        firsts[pool_of_unit[unit]] = unit;
}

/* Lists the ends of runs in the trial: neighbours that are alike, on one pool.
 * Returns how many. */
static uint32_t list_runs(mpl_best *best, const mpl_space *space)
{
    const uint32_t *const pools = best->pool_of_unit;
    uint32_t count = 0;
    for (uint32_t unit = 0; unit < space->problem->unit_count; count++) {
        const uint32_t pool = pools[unit];
        const uint32_t end = space->run_end[unit];
        while (++unit < end && pools[unit] == pool)
            continue;
        best->trial[count] = unit;
    }
    return count;
}

static uint32_t exchanged(uint32_t pool, uint32_t low, uint32_t high)
{
    return pool == low ? high : pool == high ? low : pool;
}

/* Whether two pools can be exchanged at no cost. */
static bool is_free(const mpl_best *best, const mpl_space *space,
                    uint32_t run_count, uint32_t low, uint32_t high)
{
    mpl_usage sum;
    uint32_t first = 0;
    mpl_usage_start(&sum, space->problem, space->scratch);
    for (uint32_t run = 0; run < run_count; run++) {
        const uint32_t pool = exchanged(best->pool_of_unit[first], low, high);
        if (!mpl_usage_add(&sum, first, best->trial[run] - first, pool))
            return false;
        first = best->trial[run];
    }
    return mpl_usage_value(&sum) == best->value_ps;
}

void mpl_exchange(mpl_best *best, const mpl_space *space)
{
    const mpl_problem *const problem = space->problem;
    const uint32_t run_count = list_runs(best, space);
    uint32_t firsts[MPL_PROBLEM_POOLS_MAX];
    find_firsts(problem, best->pool_of_unit, firsts);
    for (uint32_t low = 0; low < problem->pool_count; low++)
        for (uint32_t high = low + 1; high < problem->pool_count; high++) {
            if (firsts[high] >= firsts[low] || problem->home[low] != low ||
                problem->home[high] != high ||
                !is_free(best, space, run_count, low, high))
                continue;
            const uint32_t first = firsts[low];
            firsts[low] = firsts[high];
            firsts[high] = first;
            for (uint32_t unit = 0; unit < problem->unit_count; unit++)
                best->pool_of_unit[unit] =
                    exchanged(best->pool_of_unit[unit], low, high);
        }
}
