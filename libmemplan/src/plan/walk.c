/* SPDX-License-Identifier: MIT */
#include "plan/walk.h"

#include <stddef.h>

#include "base/checked.h"
#include "model/model.h"

bool mpl_walk_is_end(const mpl_space *space, uint32_t class_index)
{
    return class_index == space->first_class ||
           class_index == space->last_class;
}

uint64_t mpl_walk_crossings(const mpl_walk *at)
{
    const bool is_ring = at->used_homes > 1 && at->end_of[0] != MPL_NO_INDEX &&
                         at->end_of[0] == at->end_of[1] &&
                         at->space->first_class != at->space->last_class;
    const bool is_tied_ring = at->used_homes > 1 &&
                              at->space->first_class != MPL_NO_INDEX &&
                              at->space->first_class == at->space->last_class &&
                              at->problem->unit_count > 1;
    const uint64_t crossings =
        at->used_homes > 1 ? at->used_homes - 1 + (is_ring || is_tied_ring) : 0;
    return crossings * at->space->least_crossing_ps;
}

uint64_t mpl_walk_worth(const mpl_walk *at, const bool *is_live)
{
    const mpl_problem *const problem = at->problem;
    mpl_u128 worth = 0;
    uint64_t live_budgets = 0;
    for (uint32_t pool = 0; pool < problem->pool_count; pool++) {
        if (is_live != NULL && !is_live[pool])
            continue;
        const uint64_t open =
            problem->home[pool] == pool && at->opened[pool] == 0
                ? problem->open_bytes[pool]
                : 0;
        worth +=
            mpl_space_worth(at->space, pool,
                            at->room[pool] == MEMPLAN_UNKNOWN
                                ? 0
                                : mpl_min(mpl_sub_floor(at->room[pool], open),
                                          at->space->rooms[pool]));
        const uint32_t budget = problem->budget[pool];
        if (budget >= 64 || (live_budgets >> budget & 1) == 0)
            worth += mpl_space_worth(at->space, problem->pool_count + budget,
                                     at->budget_room[budget]);
        if (budget < 64)
            live_budgets |= UINT64_C(1) << budget;
    }
    return worth > UINT64_MAX ? UINT64_MAX : (uint64_t)worth;
}

uint64_t mpl_walk_bound(const mpl_walk *at, uint32_t depth)
{
    const mpl_level *const from = &at->levels[depth];
    const uint64_t *const least_ps =
        at->is_settled ? from->settled_ps : from->least_ps;
    mpl_u128 sum = (mpl_u128)at->time_ps + mpl_walk_crossings(at);
    for (uint32_t index = 0; index < at->space->class_count; index++) {
        if (at->left[index] == 0)
            continue;
        if (least_ps[index] == MPL_TIME_FORBIDDEN)
            return MPL_TIME_FORBIDDEN;
        sum += (mpl_u128)least_ps[index] * at->left[index];
    }
    const uint64_t worth = mpl_walk_worth(at, from->is_live);
    return sum <= worth                        ? 0
           : sum - worth >= MPL_TIME_FORBIDDEN ? MPL_TIME_FORBIDDEN - 1
                                               : (uint64_t)(sum - worth);
}

bool mpl_walk_consume(mpl_walk *at, uint32_t pool, uint64_t bytes)
{
    uint64_t *const room = &at->room[pool];
    uint64_t *const budget = &at->budget_room[at->problem->budget[pool]];
    if (bytes > *room || bytes > *budget)
        return false;
    if (*room != MEMPLAN_UNKNOWN)
        *room -= bytes;
    if (*budget != MEMPLAN_UNKNOWN)
        *budget -= bytes;
    return true;
}

void mpl_walk_give_back(mpl_walk *at, uint32_t pool, uint64_t bytes)
{
    uint64_t *const room = &at->room[pool];
    uint64_t *const budget = &at->budget_room[at->problem->budget[pool]];
    if (*room != MEMPLAN_UNKNOWN)
        *room += bytes;
    if (*budget != MEMPLAN_UNKNOWN)
        *budget += bytes;
}

static uint64_t raise(uint64_t *current, uint64_t wanted)
{
    const uint64_t rise = mpl_sub_floor(wanted, *current);
    *current += rise;
    return rise;
}

bool mpl_walk_take(mpl_walk *at, uint32_t class_index, uint32_t pool,
                   uint32_t count, mpl_charge *made)
{
    const mpl_problem *const problem = at->problem;
    const mpl_cell *const cell = mpl_walk_cell(at, class_index, pool);
    const uint32_t home = problem->home[pool];
    const uint32_t relay = problem->relay[pool];
    if (at->is_settled &&
        (cell->staging_bytes > at->staging[home] ||
         (relay != MPL_NO_INDEX && cell->relay_bytes > at->relay[relay])))
        return false;
    *made = (mpl_charge){.staging_before = at->staging[home],
                         .relay_before =
                             relay != MPL_NO_INDEX ? at->relay[relay] : 0};
    if (!mpl_mul(&made->own, cell->own_bytes, count) ||
        !mpl_mul(&made->home, cell->home_bytes, count))
        return false;
    if (at->opened[home] == 0 &&
        !mpl_add(&made->home, made->home, problem->open_bytes[home]))
        return false;
    if (!mpl_add(&made->home, made->home,
                 mpl_sub_floor(cell->staging_bytes, at->staging[home])))
        return false;
    if (relay != MPL_NO_INDEX)
        made->relay = mpl_sub_floor(cell->relay_bytes, at->relay[relay]);
    if (!mpl_walk_consume(at, pool, made->own))
        return false;
    if (!mpl_walk_consume(at, home, made->home)) {
        mpl_walk_give_back(at, pool, made->own);
        return false;
    }
    if (relay != MPL_NO_INDEX && !mpl_walk_consume(at, relay, made->relay)) {
        mpl_walk_give_back(at, home, made->home);
        mpl_walk_give_back(at, pool, made->own);
        return false;
    }
    (void)raise(&at->staging[home], cell->staging_bytes);
    if (relay != MPL_NO_INDEX)
        (void)raise(&at->relay[relay], cell->relay_bytes);
    return true;
}

void mpl_walk_undo(mpl_walk *at, uint32_t pool, const mpl_charge *made)
{
    const uint32_t home = at->problem->home[pool];
    const uint32_t relay = at->problem->relay[pool];
    if (relay != MPL_NO_INDEX) {
        mpl_walk_give_back(at, relay, made->relay);
        at->relay[relay] = made->relay_before;
    }
    mpl_walk_give_back(at, home, made->home);
    at->staging[home] = made->staging_before;
    mpl_walk_give_back(at, pool, made->own);
}
