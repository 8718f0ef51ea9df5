/* SPDX-License-Identifier: MIT */
/* How a walk starts: which levels there are, and what is known of them. */
#include <string.h>

#include "base/checked.h"
#include "model/model.h"
#include "plan/walk.h"

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
        if (other != pool &&
            (problem->home[other] == pool || problem->relay[other] == pool))
            return true;
    return false;
}

static bool is_alone(const mpl_problem *problem, uint32_t pool)
{
    return problem->home[pool] == pool &&
           problem->relay[pool] == MPL_NO_INDEX &&
           !shares_budget(problem, pool) && !has_guests(problem, pool);
}

/* Whether an item that may go here is never better off later: it takes no more
 * time, and what it frees there is what it needs here or is of no use. */
static bool is_best_here(const mpl_walk *at, uint32_t depth)
{
    const mpl_problem *const problem = at->problem;
    const uint32_t pool = at->levels[depth].pool;
    for (uint32_t index = 0; index < at->space->class_count; index++) {
        const mpl_cell *const here =
            &at->settled[(uint64_t)index * problem->pool_count + pool];
        for (uint32_t later = depth + 1;
             here->time_ps != MPL_TIME_FORBIDDEN && later < problem->pool_count;
             later++) {
            const uint32_t other = at->levels[later].pool;
            const mpl_cell *const there =
                &at->settled[(uint64_t)index * problem->pool_count + other];
            if (there->time_ps < here->time_ps)
                return false;
            if (depth < at->host_depth || there->time_ps == MPL_TIME_FORBIDDEN)
                continue;
            /* Guests that leave more than is settled need the host's room. */
            if (depth == at->host_depth && there->home_bytes > 0)
                return false;
            if (problem->budget[other] == problem->budget[pool] &&
                here->own_bytes > there->own_bytes)
                return false;
            if (depth > at->host_depth &&
                (here->home_bytes > there->home_bytes ||
                 here->staging_bytes > there->staging_bytes ||
                 problem->relay[pool] != MPL_NO_INDEX))
                return false;
        }
    }
    return true;
}

/* The last level that executes, if all later pools are its guests. */
static void find_host(mpl_walk *at)
{
    const uint32_t pools = at->problem->pool_count;
    const uint32_t *const home = at->problem->home;
    uint32_t depth = pools;
    while (depth > 0 &&
           home[at->levels[depth - 1].pool] != at->levels[depth - 1].pool)
        depth--;
    at->host_depth = pools;
    if (depth == 0 || depth == pools)
        return;
    for (uint32_t later = depth; later < pools; later++)
        if (home[at->levels[later].pool] != at->levels[depth - 1].pool)
            return;
    at->host_depth = depth - 1;
}

static void settle_cells(mpl_walk *at)
{
    const uint32_t pools = at->problem->pool_count;
    memcpy(at->settled, at->space->cells,
           (uint64_t)at->space->class_count * pools * sizeof *at->settled);
    if (at->host_depth == pools)
        return;
    const uint32_t host = at->levels[at->host_depth].pool;
    for (uint32_t index = 0; index < at->space->class_count; index++) {
        mpl_cell *const row = &at->settled[(uint64_t)index * pools];
        uint64_t least = UINT64_MAX;
        for (uint32_t later = at->host_depth + 1; later < pools; later++) {
            const mpl_cell *const guest = &row[at->levels[later].pool];
            if (guest->time_ps != MPL_TIME_FORBIDDEN)
                least = mpl_min(least, guest->home_bytes);
        }
        if (least == UINT64_MAX)
            least = 0;
        if (row[host].time_ps != MPL_TIME_FORBIDDEN)
            least = mpl_min(least, row[host].own_bytes);
        at->settled_bytes[index] = least;
        row[host].own_bytes = mpl_sub_floor(row[host].own_bytes, least);
        for (uint32_t later = at->host_depth + 1; later < pools; later++) {
            mpl_cell *const guest = &row[at->levels[later].pool];
            guest->home_bytes = mpl_sub_floor(guest->home_bytes, least);
        }
    }
}

/* The distinct amounts of `pick` over later guests, and 0, ascending. */
static bool find_reserves(const mpl_walk *at, mpl_arena *arena, uint32_t depth)
{
    const mpl_problem *const problem = at->problem;
    mpl_level *const made = &at->levels[depth];
    const uint32_t classes = at->space->class_count;
    const uint32_t later_count = problem->pool_count - depth - 1;
    made->reserves = mpl_arena_alloc(arena, (uint64_t)classes * later_count + 1,
                                     sizeof *made->reserves);
    if (made->reserves == NULL)
        return false;
    made->reserves[0] = 0;
    made->reserve_count = 1;
    for (uint32_t cell = 0; cell < classes * later_count; cell++) {
        const uint32_t pool = at->levels[depth + 1 + cell % later_count].pool;
        const mpl_cell *const guest =
            mpl_space_cell(at->space, cell / later_count, pool);
        const uint64_t wanted = depth == at->host_depth ? guest->staging_bytes
                                : problem->relay[pool] == made->pool
                                    ? guest->relay_bytes
                                    : 0;
        uint32_t place = made->reserve_count;
        while (place > 0 && made->reserves[place - 1] > wanted)
            place--;
        if (guest->time_ps == MPL_TIME_FORBIDDEN ||
            (place > 0 && made->reserves[place - 1] == wanted))
            continue;
        memmove(&made->reserves[place + 1], &made->reserves[place],
                (made->reserve_count - place) * sizeof *made->reserves);
        made->reserves[place] = wanted;
        made->reserve_count++;
    }
    return true;
}

static void fill_least(mpl_walk *at)
{
    const uint32_t pools = at->problem->pool_count;
    for (uint32_t depth = pools; depth-- > 0;)
        for (uint32_t index = 0; index < at->space->class_count; index++) {
            mpl_level *const made = &at->levels[depth];
            const uint32_t pool = made->pool;
            const bool is_last = depth + 1 == pools;
            made->least_ps[index] =
                mpl_min(mpl_space_priced(at->space, index, pool),
                        is_last ? MPL_TIME_FORBIDDEN
                                : at->levels[depth + 1].least_ps[index]);
            made->settled_ps[index] =
                mpl_min(mpl_space_priced_cell(
                            at->space,
                            &at->settled[(uint64_t)index * pools + pool], pool),
                        is_last ? MPL_TIME_FORBIDDEN
                                : at->levels[depth + 1].settled_ps[index]);
        }
}

static bool make_levels(mpl_walk *at, mpl_arena *arena)
{
    const uint32_t pools = at->problem->pool_count;
    const uint32_t classes = at->space->class_count;
    for (uint32_t depth = 0; depth < pools; depth++)
        at->levels[depth].pool = at->space->levels[depth];
    find_host(at);
    settle_cells(at);
    bool forgets = true;
    for (uint32_t depth = 0; depth < pools; depth++) {
        mpl_level *const made = &at->levels[depth];
        made->is_live = mpl_arena_alloc(arena, pools, sizeof *made->is_live);
        made->least_ps =
            mpl_arena_alloc(arena, classes, sizeof *made->least_ps);
        made->settled_ps =
            mpl_arena_alloc(arena, classes, sizeof *made->settled_ps);
        if (made->is_live == NULL || made->least_ps == NULL ||
            made->settled_ps == NULL ||
            (depth >= at->host_depth && depth + 1 < pools &&
             !find_reserves(at, arena, depth)))
            return false;
        for (uint32_t pool = 0; pool < pools; pool++)
            made->is_live[pool] = is_used_later(at, depth, pool);
        made->forgets = forgets && depth > 0;
        forgets = forgets && is_alone(at->problem, made->pool);
        made->is_twin = depth > 0 && is_alone(at->problem, made->pool) &&
                        is_alone(at->problem, at->levels[depth - 1].pool) &&
                        mpl_space_are_alike(at->space, made->pool,
                                            at->levels[depth - 1].pool);
        made->fills_up =
            (depth >= at->host_depth || is_alone(at->problem, made->pool)) &&
            is_best_here(at, depth);
    }
    fill_least(at);
    return true;
}

/* The class that takes least of the home that must hold something. */
static void find_spared(mpl_walk *at)
{
    const uint32_t pool = at->problem->must_use;
    at->spared_class = MPL_NO_INDEX;
    for (uint32_t index = 0;
         pool != MPL_NO_INDEX && index < at->space->class_count; index++) {
        const mpl_cell *const cell = mpl_space_cell(at->space, index, pool);
        if (cell->time_ps != MPL_TIME_FORBIDDEN &&
            (at->spared_class == MPL_NO_INDEX ||
             cell->own_bytes <
                 mpl_space_cell(at->space, at->spared_class, pool)->own_bytes))
            at->spared_class = index;
    }
}

/* Ends first, then classes of few items: the most numerous comes last, where
 * filling up leaves one count to try. */
static void order_classes(mpl_walk *at)
{
    for (uint32_t index = 0; index < at->space->class_count; index++) {
        const uint64_t key = mpl_walk_is_end(at->space, index)
                                 ? 0
                                 : at->space->class_size[index];
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
    at->settled = mpl_arena_alloc(arena, classes * pools, sizeof *at->settled);
    at->settled_bytes =
        mpl_arena_alloc(arena, classes, sizeof *at->settled_bytes);
    at->left = mpl_arena_alloc(arena, classes, sizeof *at->left);
    at->counts = mpl_arena_alloc(arena, classes * pools, sizeof *at->counts);
    at->room = mpl_arena_alloc(arena, pools, sizeof *at->room);
    at->budget_room =
        mpl_arena_alloc(arena, problem->budget_count, sizeof *at->budget_room);
    at->staging = mpl_arena_alloc(arena, pools, sizeof *at->staging);
    at->relay = mpl_arena_alloc(arena, pools, sizeof *at->relay);
    at->items = mpl_arena_alloc(arena, pools, sizeof *at->items);
    at->opened = mpl_arena_alloc(arena, pools, sizeof *at->opened);
    if (at->settled == NULL || at->settled_bytes == NULL ||
        at->levels == NULL || at->order == NULL || at->left == NULL ||
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
    find_spared(at);
    return make_levels(at, arena);
}

bool mpl_walk_start(mpl_walk *out, mpl_best *best, const mpl_space *space,
                    uint64_t steps)
{
    mpl_walk made = {.space = space,
                     .problem = space->problem,
                     .best = best,
                     .cells = space->cells,
                     .end_of = {MPL_NO_INDEX, MPL_NO_INDEX},
                     .bound_ps = MPL_TIME_FORBIDDEN,
                     .steps = steps};
    if (!make_walk(&made, space->arena))
        return false;
    *out = made;
    return true;
}
