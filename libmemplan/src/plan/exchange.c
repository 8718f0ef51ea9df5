/* SPDX-License-Identifier: MIT */
/*
 * Of placements that are equally fast, the one that reads best: where two homes
 * can be exchanged, the earlier one gets the earlier units. Whether they can is
 * for the value of the whole to say; no property of theirs is trusted.
 */
#include <string.h>

#include "model/model.h"
#include "plan/search.h"
#include "plan/space.h"

static void find_firsts(const mpl_problem *problem,
                        const uint32_t *pool_of_unit, uint32_t *firsts)
{
    for (uint32_t pool = 0; pool < problem->pool_count; pool++)
        firsts[pool] = MPL_NO_INDEX;
    for (uint32_t unit = problem->unit_count; unit-- > 0;)
        firsts[pool_of_unit[unit]] = unit;
}

/* Exchanges two pools where that costs nothing. */
static bool try_exchange(mpl_best *best, const mpl_space *space, uint32_t low,
                         uint32_t high)
{
    const mpl_problem *const problem = space->problem;
    for (uint32_t unit = 0; unit < problem->unit_count; unit++) {
        const uint32_t pool = best->pool_of_unit[unit];
        best->trial[unit] = pool == low ? high : pool == high ? low : pool;
    }
    if (mpl_problem_value(problem, best->trial, space->scratch) !=
        best->value_ps)
        return false;
    memcpy(best->pool_of_unit, best->trial,
           problem->unit_count * sizeof *best->trial);
    return true;
}

void mpl_exchange(mpl_best *best, const mpl_space *space)
{
    const mpl_problem *const problem = space->problem;
    uint32_t firsts[MPL_PROBLEM_POOLS_MAX];
    find_firsts(problem, best->pool_of_unit, firsts);
    for (uint32_t low = 0; low < problem->pool_count; low++)
        for (uint32_t high = low + 1; high < problem->pool_count; high++) {
            if (firsts[high] >= firsts[low] || problem->home[low] != low ||
                problem->home[high] != high ||
                !try_exchange(best, space, low, high))
                continue;
            const uint32_t first = firsts[low];
            firsts[low] = firsts[high];
            firsts[high] = first;
        }
}
