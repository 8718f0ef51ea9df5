/* SPDX-License-Identifier: MIT */
/*
 * The search: the fastest placement of a problem, with its proof.
 *
 *     bound_ps <= the time of every placement that fits
 *     value_ps  = the time of the one that was found
 *
 * "Proven" allows for one part in 2^30: far less than any speed is known to.
 */
#ifndef MPL_PLAN_SEARCH_H
#define MPL_PLAN_SEARCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "engine/engine.h"

typedef struct mpl_solution {
    uint32_t *pool_of_unit;
    uint64_t value_ps;
    uint64_t bound_ps;
    bool is_feasible;
    bool is_complete; /* false: the search was cut short, and where it found
                         nothing there may still be something */
} mpl_solution;

/* How many steps a search may take: some milliseconds. */
enum { MPL_SEARCH_STEPS = 200000 };

/* `out->pool_of_unit` is allocated in `arena`, which takes all scratch too.
 * MEMPLAN_OK or _NO_MEMORY. */
memplan_status mpl_search(mpl_arena *arena, const mpl_problem *problem,
                          uint64_t steps, mpl_solution *out);

/* The same for placements that take less than `limit_ps` alone: it stops where
 * there can be none, and finds nothing then. */
memplan_status mpl_search_below(mpl_arena *arena, const mpl_problem *problem,
                                uint64_t steps, uint64_t limit_ps,
                                mpl_solution *out);

/* The time of one placement, or MPL_TIME_FORBIDDEN where it does not fit:
 * the definition in engine.h, straight. `scratch` has pool_count * 3 +
 * budget_count entries. */
uint64_t mpl_problem_value(const mpl_problem *problem,
                           const uint32_t *pool_of_unit, uint64_t *scratch);

/* Whether `value` is proven by `bound`. */
static inline bool mpl_is_proven(uint64_t value, uint64_t bound)
{
    return value <= bound || value - bound <= value >> 30;
}

#endif
