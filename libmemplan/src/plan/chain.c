/* SPDX-License-Identifier: MIT */
/*
 * The chain, unit by unit: for the few problems whose crossings decide more
 * than counts can tell. A branch is left when
 *
 *     time so far + cheapest way to the end by priced bytes and crossings
 *       - worth of the room that is left
 *
 * cannot beat the best placement. The cheapest ways are a table made from the
 * chain's end.
 */
#include <stddef.h>

#include "base/checked.h"
#include "model/model.h"
#include "plan/search.h"
#include "plan/walk.h"

typedef struct chain {
    mpl_walk walk;
    const mpl_problem *problem;
    uint64_t *ahead_ps;     /* [unit * pools + pool of the one before] */
    uint32_t *pool_of_item; /* MPL_NO_INDEX: not placed yet */
} chain;

static uint64_t crossing(const mpl_problem *problem, uint32_t from, uint32_t to)
{
    return problem->crossing_ps[(uint64_t)from * problem->pool_count + to];
}

/* An item pays at its first unit. */
static bool is_first(const mpl_space *space, uint32_t unit)
{
    return space->problem->tied_to[unit] == MPL_NO_INDEX;
}

static void fill_ahead(chain *at)
{
    const mpl_space *const space = at->walk.space;
    const uint32_t pools = at->problem->pool_count;
    for (uint32_t unit = at->problem->unit_count; unit-- > 0;)
        for (uint32_t before = 0; before < pools; before++) {
            uint64_t least = MPL_TIME_FORBIDDEN;
            for (uint32_t pool = 0; pool < pools; pool++) {
                const uint32_t item = space->item_of_unit[unit];
                uint64_t ps = is_first(space, unit)
                                  ? mpl_space_priced(
                                        space, space->class_of_item[item], pool)
                                  : 0;
                if (ps == MPL_TIME_FORBIDDEN ||
                    !mpl_add(&ps, ps,
                             unit > 0 ? crossing(at->problem, before, pool)
                                      : 0) ||
                    !mpl_add(&ps, ps,
                             at->ahead_ps[(uint64_t)(unit + 1) * pools + pool]))
                    continue;
                least = mpl_min(least, ps);
            }
            at->ahead_ps[(uint64_t)unit * pools + before] = least;
        }
}

static bool can_beat(const chain *at, uint32_t unit, uint32_t before)
{
    const uint64_t ahead =
        at->ahead_ps[(uint64_t)unit * at->problem->pool_count + before];
    const uint64_t worth = mpl_walk_worth(&at->walk, NULL);
    uint64_t bound;
    if (ahead == MPL_TIME_FORBIDDEN)
        return false;
    if (!mpl_add(&bound, ahead, at->walk.time_ps))
        return false;
    return at->walk.best->value_ps == MPL_TIME_FORBIDDEN ||
           !mpl_is_proven(at->walk.best->value_ps, mpl_sub_floor(bound, worth));
}

static void place_unit(chain *at, uint32_t unit, uint32_t before);

static void try_pool(chain *at, uint32_t unit, uint32_t before, uint32_t pool)
{
    mpl_walk *const walk = &at->walk;
    const uint32_t item = walk->space->item_of_unit[unit];
    const uint32_t class_index = walk->space->class_of_item[item];
    const uint32_t home = at->problem->home[pool];
    const bool pays = at->pool_of_item[item] == MPL_NO_INDEX;
    const uint64_t time_before = walk->time_ps;
    const uint64_t item_ps =
        mpl_space_cell(walk->space, class_index, pool)->time_ps;
    mpl_charge made;
    if (pays && (item_ps == MPL_TIME_FORBIDDEN ||
                 !mpl_walk_take(walk, class_index, pool, 1, &made)))
        return;
    if (pays) {
        walk->opened[home]++;
        walk->time_ps += item_ps;
        at->pool_of_item[item] = pool;
    }
    if (unit > 0)
        walk->time_ps += crossing(at->problem, before, pool);
    walk->best->trial[unit] = pool;
    place_unit(at, unit + 1, pool);
    walk->time_ps = time_before;
    if (pays) {
        at->pool_of_item[item] = MPL_NO_INDEX;
        walk->opened[home]--;
        mpl_walk_undo(walk, pool, &made);
    }
}

static void place_unit(chain *at, uint32_t unit, uint32_t before)
{
    mpl_walk *const walk = &at->walk;
    if (walk->is_cut || walk->steps == 0) {
        walk->is_cut = true;
        return;
    }
    walk->steps--;
    if (unit == at->problem->unit_count) {
        (void)mpl_best_offer(walk->best, walk->space);
        return;
    }
    if (!can_beat(at, unit, before))
        return;
    const uint32_t fixed = at->pool_of_item[walk->space->item_of_unit[unit]];
    if (fixed != MPL_NO_INDEX) {
        try_pool(at, unit, before, fixed);
        return;
    }
    if (unit > 0) /* staying is the likeliest */
        try_pool(at, unit, before, before);
    for (uint32_t pool = 0; pool < at->problem->pool_count; pool++)
        if (unit == 0 || pool != before)
            try_pool(at, unit, before, pool);
}

bool mpl_chain_search(mpl_best *best, const mpl_space *space, uint64_t steps,
                      uint64_t *out_bound_ps, bool *out_is_complete)
{
    const mpl_problem *const problem = space->problem;
    const uint64_t pools = problem->pool_count;
    chain at = {.problem = problem};
    at.ahead_ps = mpl_arena_alloc(space->arena,
                                  (problem->unit_count + UINT64_C(1)) * pools,
                                  sizeof *at.ahead_ps);
    at.pool_of_item = mpl_arena_alloc(space->arena, space->item_count,
                                      sizeof *at.pool_of_item);
    if (at.ahead_ps == NULL || at.pool_of_item == NULL ||
        !mpl_walk_start(&at.walk, best, space, steps))
        return false;
    for (uint32_t item = 0; item < space->item_count; item++)
        at.pool_of_item[item] = MPL_NO_INDEX;
    fill_ahead(&at);
    place_unit(&at, 0, 0);
    *out_is_complete = !at.walk.is_cut;
    *out_bound_ps = at.walk.is_cut ? 0 : best->value_ps;
    return true;
}
