/* SPDX-License-Identifier: MIT */
/*
 * Candidates, then homes that are alike, then a bound by prices, then counts,
 * then the chain; each is skipped where what came before is already proven,
 * the chain also where it could gain no more than a part in 2^20.
 */
#include "plan/search.h"

#include <stddef.h>

#include "base/checked.h"
#include "plan/space.h"

/* A search over more classes or units than this would only be cut short. */
enum { CLASSES_MAX = 256, UNITS_MAX = 2048 };

/* Of the steps, what the chain gets: its steps take longer. */
enum { CHAIN_SHARE = 4 };

memplan_status mpl_search(mpl_arena *arena, const mpl_problem *problem,
                          uint64_t steps, mpl_solution *out)
{
    return mpl_search_below(arena, problem, steps, MPL_TIME_FORBIDDEN, out);
}

/* Whether there is nothing more to look for. */
static bool is_settled(const mpl_best *best, uint64_t bound_ps,
                       uint64_t limit_ps)
{
    return bound_ps >= limit_ps || mpl_is_proven(best->value_ps, bound_ps);
}

memplan_status mpl_search_below(mpl_arena *arena, const mpl_problem *problem,
                                uint64_t steps, uint64_t limit_ps,
                                mpl_solution *out)
{
    const uint64_t units = problem->unit_count;
    mpl_best best = {.value_ps = MPL_TIME_FORBIDDEN};
    mpl_space space;
    best.pool_of_unit = mpl_arena_alloc(arena, units, sizeof *best.trial);
    best.trial = mpl_arena_alloc(arena, units, sizeof *best.trial);
    if (best.pool_of_unit == NULL || best.trial == NULL ||
        !mpl_space_make(&space, arena, problem))
        return MEMPLAN_E_NO_MEMORY;
    uint64_t bound_ps = mpl_space_bound_homes(&space);
    mpl_candidates(&best, &space, bound_ps);
    bool is_complete = bound_ps >= limit_ps;
    if (!is_settled(&best, bound_ps, limit_ps) &&
        !mpl_alike_search(&best, &space, &bound_ps))
        return MEMPLAN_E_NO_MEMORY;
    if (!is_settled(&best, bound_ps, limit_ps)) {
        mpl_more_candidates(&best, &space);
        mpl_space_price_bytes(&space, best.value_ps);
        bound_ps = mpl_max(bound_ps, mpl_space_bound(&space));
    }
    if (!is_settled(&best, bound_ps, limit_ps) &&
        space.class_count <= CLASSES_MAX) {
        uint64_t counted_ps;
        if (!mpl_count_search(&best, &space, steps, &counted_ps, &is_complete))
            return MEMPLAN_E_NO_MEMORY;
        bound_ps = mpl_max(bound_ps, counted_ps);
    }
    if (bound_ps < limit_ps &&
        (best.value_ps == MPL_TIME_FORBIDDEN ||
         best.value_ps - bound_ps > best.value_ps >> 20) &&
        units <= UNITS_MAX) {
        uint64_t chained_ps;
        if (!mpl_chain_search(&best, &space, steps / CHAIN_SHARE, &chained_ps,
                              &is_complete))
            return MEMPLAN_E_NO_MEMORY;
        bound_ps = mpl_max(bound_ps, chained_ps);
    }
    if (best.value_ps < limit_ps)
        mpl_exchange(&best, &space);
    *out = (mpl_solution){
        .pool_of_unit = best.pool_of_unit,
        .value_ps = best.value_ps,
        .bound_ps = mpl_min(bound_ps, best.value_ps),
        .is_feasible = best.value_ps < limit_ps,
        .is_complete = is_complete,
    };
    return MEMPLAN_OK;
}
