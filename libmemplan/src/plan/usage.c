/* SPDX-License-Identifier: MIT */
#include "plan/usage.h"

#include <string.h>

#include "base/checked.h"
#include "model/model.h"

void mpl_usage_start(mpl_usage *out, const mpl_problem *problem,
                     uint64_t *scratch)
{
    const uint64_t pools = problem->pool_count;
    *out = (mpl_usage){.problem = problem,
                       .used = scratch,
                       .staging = scratch + pools,
                       .relay = scratch + 2 * pools,
                       .budgets = scratch + 3 * pools,
                       .last = MPL_NO_INDEX,
                       .is_used = problem->must_use == MPL_NO_INDEX};
    memset(scratch, 0, (size_t)(3 * pools) * sizeof *scratch);
}

void mpl_usage_copy(mpl_usage *out, const mpl_usage *from)
{
    const mpl_usage own = *out;
    *out = *from;
    out->used = own.used;
    out->staging = own.staging;
    out->relay = own.relay;
    out->budgets = own.budgets;
    memcpy(out->used, from->used,
           (size_t)(3 * from->problem->pool_count) * sizeof *out->used);
}

/* What those that rest on a pool leave where they execute, and what of them
 * passes through others. */
static bool add_guests(mpl_usage *sum, uint64_t cell, uint32_t pool,
                       uint32_t count)
{
    const mpl_problem *const problem = sum->problem;
    const uint32_t home = problem->home[pool];
    sum->staging[home] =
        mpl_max(sum->staging[home], problem->staging_bytes[cell]);
    sum->has_guests = sum->has_guests || home == problem->must_use;
    return mpl_mul_add(&sum->used[home], sum->used[home],
                       problem->home_bytes[cell], count);
}

bool mpl_usage_add(mpl_usage *sum, uint32_t first, uint32_t count,
                   uint32_t pool)
{
    const mpl_problem *const problem = sum->problem;
    const uint64_t cell = mpl_problem_cell(problem, first, pool);
    const uint32_t home = problem->home[pool];
    const uint32_t relay = problem->relay[pool];
    if (problem->time_ps[cell] == MPL_TIME_FORBIDDEN ||
        !mpl_mul_add(&sum->used[pool], sum->used[pool],
                     problem->own_bytes[cell], count) ||
        sum->used[pool] > problem->capacity_bytes[pool])
        return false;
    sum->executes |= UINT64_C(1) << home;
    sum->is_used = sum->is_used || pool == problem->must_use;
    sum->ps += problem->time_ps[cell] * count;
    if (sum->last != MPL_NO_INDEX)
        sum->ps +=
            problem
                ->crossing_ps[(uint64_t)sum->last * problem->pool_count + pool];
    sum->last = pool;
    if (relay != MPL_NO_INDEX)
        sum->relay[relay] =
            mpl_max(sum->relay[relay], problem->relay_bytes[cell]);
    return home == pool || add_guests(sum, cell, pool, count);
}

bool mpl_usage_of(const mpl_usage *sum, uint32_t pool, uint64_t *out)
{
    const bool executes = (sum->executes >> pool & 1) != 0;
    *out = sum->used[pool];
    return (!executes ||
            mpl_add(out, *out, sum->problem->open_bytes[pool])) &&
           mpl_add(out, *out, sum->staging[pool]) &&
           mpl_add(out, *out, sum->relay[pool]);
}

static bool fits(const mpl_usage *sum)
{
    const mpl_problem *const problem = sum->problem;
    memset(sum->budgets, 0, problem->budget_count * sizeof *sum->budgets);
    for (uint32_t pool = 0; pool < problem->pool_count; pool++) {
        uint64_t used;
        if (!mpl_usage_of(sum, pool, &used) ||
            used > problem->capacity_bytes[pool])
            return false;
        uint64_t *const budget = &sum->budgets[problem->budget[pool]];
        if (!mpl_add(budget, *budget, used) ||
            *budget > problem->budget_bytes[problem->budget[pool]])
            return false;
    }
    return true;
}

uint64_t mpl_usage_value(const mpl_usage *sum)
{
    return (sum->is_used || !sum->has_guests) && fits(sum) ? sum->ps
                                                           : MPL_TIME_FORBIDDEN;
}
