/* SPDX-License-Identifier: MIT */
/* The definition of a problem's feasibility and time, word for word; but units
 * that are alike are added up together. */
#include "model/model.h"
#include "plan/search.h"
#include "plan/usage.h"

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

uint64_t mpl_problem_value(const mpl_problem *problem,
                           const uint32_t *pool_of_unit, uint64_t *scratch)
{
    mpl_usage sum;
    mpl_usage_start(&sum, problem, scratch);
    for (uint32_t unit = 0; unit < problem->unit_count;) {
        const uint32_t end = run_end(problem, pool_of_unit, unit);
        const uint32_t pool = pool_of_unit[unit];
        const uint32_t tied = problem->tied_to[unit];
        if ((tied != MPL_NO_INDEX && pool_of_unit[tied] != pool) ||
            !mpl_usage_add(&sum, unit, end - unit, pool))
            return MPL_TIME_FORBIDDEN;
        unit = end;
    }
    return mpl_usage_value(&sum);
}
