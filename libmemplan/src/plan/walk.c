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
    const bool is_ring = at->used_homes > 1 &&
                         at->end_of[0] != MPL_NO_INDEX &&
                         at->end_of[0] == at->end_of[1] &&
                         at->space->first_class != at->space->last_class;
    const bool is_tied_ring =
        at->used_homes > 1 && at->space->first_class != MPL_NO_INDEX &&
        at->space->first_class == at->space->last_class &&
        at->problem->unit_count > 1;
    const uint64_t crossings =
        at->used_homes > 1 ? at->used_homes - 1 + (is_ring || is_tied_ring)
                           : 0;
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
        worth += mpl_space_worth(at->space, pool,
                                 at->room[pool] == MEMPLAN_UNKNOWN
                                     ? 0
                                     : mpl_sub_floor(at->room[pool], open));
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
    mpl_u128 sum = (mpl_u128)at->time_ps + mpl_walk_crossings(at);
    for (uint32_t index = 0; index < at->space->class_count; index++) {
        if (at->left[index] == 0)
            continue;
        if (from->least_ps[index] == MPL_TIME_FORBIDDEN)
            return MPL_TIME_FORBIDDEN;
        sum += (mpl_u128)from->least_ps[index] * at->left[index];
    }
    const uint64_t worth = mpl_walk_worth(at, from->is_live);
    return sum <= worth                        ? 0
           : sum - worth >= MPL_TIME_FORBIDDEN ? MPL_TIME_FORBIDDEN - 1
                                               : (uint64_t)(sum - worth);
}

static bool consume(mpl_walk *at, uint32_t pool, uint64_t bytes)
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

static void give_back(mpl_walk *at, uint32_t pool, uint64_t bytes)
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
    const mpl_cell *const cell = mpl_space_cell(at->space, class_index, pool);
    const uint32_t home = problem->home[pool];
    const uint32_t relay = problem->relay[pool];
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
    if (!consume(at, pool, made->own))
        return false;
    if (!consume(at, home, made->home)) {
        give_back(at, pool, made->own);
        return false;
    }
    if (relay != MPL_NO_INDEX && !consume(at, relay, made->relay)) {
        give_back(at, home, made->home);
        give_back(at, pool, made->own);
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
        give_back(at, relay, made->relay);
        at->relay[relay] = made->relay_before;
    }
    give_back(at, home, made->home);
    at->staging[home] = made->staging_before;
    give_back(at, pool, made->own);
}

static bool is_used_later(const mpl_walk *at, uint32_t depth, uint32_t pool)
{
    for (uint32_t later = depth; later < at->problem->pool_count; later++) {
        const uint32_t other = at->levels[later].pool;
        if (other == pool || at->problem->home[other] == pool ||
            at->problem->relay[other] == pool)
            return true;
    }
    return false;
}

static bool shares_budget(const mpl_problem *problem, uint32_t pool)
{
    for (uint32_t other = 0; other < problem->pool_count; other++)
        if (other != pool && problem->budget[other] == problem->budget[pool])
            return true;
    return false;
}

static bool has_guests(const mpl_problem *problem, uint32_t pool)
{
    for (uint32_t other = 0; other < problem->pool_count; other++)
        if (other != pool && (problem->home[other] == pool ||
                              problem->relay[other] == pool))
            return true;
    return false;
}

static bool is_alone(const mpl_problem *problem, uint32_t pool)
{
    return problem->home[pool] == pool &&
           problem->relay[pool] == MPL_NO_INDEX &&
           !shares_budget(problem, pool) && !has_guests(problem, pool);
}

static bool is_fastest(const mpl_walk *at, uint32_t depth)
{
    const uint32_t pool = at->levels[depth].pool;
    for (uint32_t index = 0; index < at->space->class_count; index++) {
        const uint64_t here = mpl_space_cell(at->space, index, pool)->time_ps;
        for (uint32_t later = depth + 1;
             here != MPL_TIME_FORBIDDEN && later < at->problem->pool_count;
             later++)
            if (mpl_space_cell(at->space, index, at->levels[later].pool)
                    ->time_ps < here)
                return false;
    }
    return true;
}

static bool make_levels(mpl_walk *at, mpl_arena *arena)
{
    const uint32_t pools = at->problem->pool_count;
    const uint32_t classes = at->space->class_count;
    for (uint32_t depth = 0; depth < pools; depth++)
        at->levels[depth].pool = at->space->levels[depth];
    bool forgets = true;
    for (uint32_t depth = 0; depth < pools; depth++) {
        mpl_level *const made = &at->levels[depth];
        made->is_live = mpl_arena_alloc(arena, pools, sizeof *made->is_live);
        made->least_ps =
            mpl_arena_alloc(arena, classes, sizeof *made->least_ps);
        if (made->is_live == NULL || made->least_ps == NULL)
            return false;
        for (uint32_t pool = 0; pool < pools; pool++)
            made->is_live[pool] = is_used_later(at, depth, pool);
        made->forgets = forgets && depth > 0;
        forgets = forgets && is_alone(at->problem, made->pool);
        made->fills_up =
            is_alone(at->problem, made->pool) && is_fastest(at, depth);
    }
    for (uint32_t depth = pools; depth-- > 0;)
        for (uint32_t index = 0; index < classes; index++)
            at->levels[depth].least_ps[index] = mpl_min(
                mpl_space_priced(at->space, index, at->levels[depth].pool),
                depth + 1 < pools ? at->levels[depth + 1].least_ps[index]
                                  : MPL_TIME_FORBIDDEN);
    return true;
}

/* Ends first, then classes of few items: the most numerous comes last, where
 * filling up leaves one count to try. */
static void order_classes(mpl_walk *at)
{
    for (uint32_t index = 0; index < at->space->class_count; index++) {
        const uint64_t key =
            mpl_walk_is_end(at->space, index) ? 0 : at->space->class_size[index];
        uint32_t place = index;
        for (; place > 0; place--) {
            const uint32_t before = at->order[place - 1];
            if ((mpl_walk_is_end(at->space, before)
                     ? 0
                     : at->space->class_size[before]) <= key)
                break;
            at->order[place] = before;
        }
        at->order[place] = index;
    }
}

static bool make_walk(mpl_walk *at, mpl_arena *arena)
{
    const mpl_problem *const problem = at->problem;
    const uint64_t pools = problem->pool_count;
    const uint64_t classes = at->space->class_count;
    at->levels = mpl_arena_alloc(arena, pools, sizeof *at->levels);
    at->order = mpl_arena_alloc(arena, classes, sizeof *at->order);
    at->left = mpl_arena_alloc(arena, classes, sizeof *at->left);
    at->counts = mpl_arena_alloc(arena, classes * pools, sizeof *at->counts);
    at->room = mpl_arena_alloc(arena, pools, sizeof *at->room);
    at->budget_room = mpl_arena_alloc(arena, problem->budget_count,
                                      sizeof *at->budget_room);
    at->staging = mpl_arena_alloc(arena, pools, sizeof *at->staging);
    at->relay = mpl_arena_alloc(arena, pools, sizeof *at->relay);
    at->items = mpl_arena_alloc(arena, pools, sizeof *at->items);
    at->opened = mpl_arena_alloc(arena, pools, sizeof *at->opened);
    if (at->levels == NULL || at->order == NULL || at->left == NULL ||
        at->counts == NULL || at->room == NULL || at->budget_room == NULL ||
        at->staging == NULL || at->relay == NULL || at->items == NULL ||
        at->opened == NULL)
        return false;
    if (classes <= MPL_MEMORY_CLASSES_MAX) {
        at->memory =
            mpl_arena_alloc(arena, MPL_MEMORY_PLACES, sizeof *at->memory);
        if (at->memory == NULL)
            return false;
    }
    for (uint32_t pool = 0; pool < pools; pool++)
        at->room[pool] = problem->capacity_bytes[pool];
    for (uint32_t index = 0; index < problem->budget_count; index++)
        at->budget_room[index] = problem->budget_bytes[index];
    for (uint32_t index = 0; index < classes; index++)
        at->left[index] = at->space->class_size[index];
    order_classes(at);
    return make_levels(at, arena);
}

bool mpl_walk_start(mpl_walk *out, mpl_best *best, const mpl_space *space,
                    uint64_t steps)
{
    mpl_walk made = {.space = space,
                     .problem = space->problem,
                     .best = best,
                     .end_of = {MPL_NO_INDEX, MPL_NO_INDEX},
                     .bound_ps = MPL_TIME_FORBIDDEN,
                     .steps = steps};
    if (!make_walk(&made, space->arena))
        return false;
    *out = made;
    return true;
}
