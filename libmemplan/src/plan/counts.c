/* SPDX-License-Identifier: MIT */
/*
 * The exact part of the search: how many items of each class go to each pool.
 *
 * Pools are filled one after the other, each with every combination of counts
 * that it has room for. What keeps this small:
 *
 *   bound     a branch is left when its time so far, the priced time of what
 *             remains and the least crossings cannot beat the best placement
 *   memory    after pools that nothing later depends on, only what remains
 *             matters: a remainder that was reached faster before is left
 *   filling   where no later pool is faster for anything, a pool that is used
 *             is filled up: another item on it never makes a plan slower
 *
 * The first and the last unit of the chain are not filled up, since they
 * decide about crossings: homes that hold both ends are entered twice.
 */
#include <string.h>

#include "base/checked.h"
#include "model/model.h"
#include "plan/search.h"
#include "plan/walk.h"

enum { MEMORY_PROBES = 8 };

/* The most items of a class that a pool still takes. */
static uint32_t find_most(mpl_walk *at, uint32_t class_index, uint32_t pool)
{
    uint32_t low = 0;
    uint32_t high = at->left[class_index];
    if (mpl_space_cell(at->space, class_index, pool)->time_ps ==
        MPL_TIME_FORBIDDEN)
        return 0;
    while (low < high) {
        const uint32_t middle = low + (high - low + 1) / 2;
        mpl_charge made;
        if (mpl_walk_take(at, class_index, pool, middle, &made)) {
            mpl_walk_undo(at, pool, &made);
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    return low;
}

static bool can_beat(const mpl_walk *at, uint64_t bound)
{
    return bound != MPL_TIME_FORBIDDEN &&
           (at->best->value_ps == MPL_TIME_FORBIDDEN ||
            !mpl_is_proven(at->best->value_ps, bound));
}

/* True where this remainder was reached before, no slower. */
static bool was_seen(mpl_walk *at, uint32_t depth)
{
    const uint32_t classes = at->space->class_count;
    if (at->memory == NULL || !at->levels[depth].forgets)
        return false;
    const uint32_t ends =
        (at->end_of[0] != MPL_NO_INDEX ? at->end_of[0] + 1 : 0) * 128 +
        (at->end_of[1] != MPL_NO_INDEX ? at->end_of[1] + 1 : 0);
    uint64_t hash = UINT64_C(14695981039346656037) ^ depth;
    for (uint32_t index = 0; index < classes; index++)
        hash = (hash ^ at->left[index]) * UINT64_C(1099511628211);
    hash = (hash ^ ends) * UINT64_C(1099511628211);
    hash ^= hash >> 29;
    for (uint32_t probe = 0; probe < MEMORY_PROBES; probe++) {
        mpl_seen *const place = &at->memory[(hash + probe) % MPL_MEMORY_PLACES];
        if (place->level == 0) {
            *place = (mpl_seen){at->time_ps, depth + 1, at->used_homes, ends, {0}};
            memcpy(place->left, at->left, classes * sizeof *at->left);
            return false;
        }
        if (place->level != depth + 1 || place->ends != ends ||
            place->used_homes != at->used_homes ||
            memcmp(place->left, at->left, classes * sizeof *at->left) != 0)
            continue;
        if (place->time_ps <= at->time_ps)
            return true;
        place->time_ps = at->time_ps;
        return false;
    }
    return false;
}

static void leaf(mpl_walk *at)
{
    const uint64_t bound = at->time_ps + mpl_walk_crossings(at);
    if (can_beat(at, bound))
        mpl_arrange(at->best, at->space, at->counts);
    at->bound_ps = mpl_min(at->bound_ps, bound);
}

static void next_pool(mpl_walk *at, uint32_t depth);

/* A used pool that could take one more item is not filled up. */
static bool is_full(mpl_walk *at, uint32_t pool)
{
    if (at->items[pool] == 0)
        return true;
    for (uint32_t index = 0; index < at->space->class_count; index++) {
        mpl_charge made;
        if (at->left[index] == 0 || mpl_walk_is_end(at->space, index) ||
            mpl_space_cell(at->space, index, pool)->time_ps ==
                MPL_TIME_FORBIDDEN)
            continue;
        if (mpl_walk_take(at, index, pool, 1, &made)) {
            mpl_walk_undo(at, pool, &made);
            return false;
        }
    }
    return true;
}

static void fill(mpl_walk *at, uint32_t depth, uint32_t place);

static void try_count(mpl_walk *at, uint32_t depth, uint32_t place, uint32_t count)
{
    const uint32_t index = at->order[place];
    const uint32_t pool = at->levels[depth].pool;
    const uint32_t home = at->problem->home[pool];
    mpl_charge made;
    if (at->steps == 0) {
        at->is_cut = true;
        return;
    }
    at->steps--;
    if (count == 0) {
        fill(at, depth, place + 1);
        return;
    }
    if (!mpl_walk_take(at, index, pool, count, &made))
        return;
    const uint64_t time_ps =
        mpl_space_cell(at->space, index, pool)->time_ps * count;
    const uint32_t ends[2] = {at->end_of[0], at->end_of[1]};
    if (index == at->space->first_class)
        at->end_of[0] = home;
    if (index == at->space->last_class)
        at->end_of[1] = home;
    at->used_homes += at->opened[home] == 0;
    at->opened[home] += count;
    at->items[pool] += count;
    at->left[index] -= count;
    at->counts[(uint64_t)index * at->problem->pool_count + pool] = count;
    at->time_ps += time_ps;
    fill(at, depth, place + 1);
    at->time_ps -= time_ps;
    at->counts[(uint64_t)index * at->problem->pool_count + pool] = 0;
    at->left[index] += count;
    at->items[pool] -= count;
    at->opened[home] -= count;
    at->used_homes -= at->opened[home] == 0;
    at->end_of[0] = ends[0];
    at->end_of[1] = ends[1];
    mpl_walk_undo(at, pool, &made);
}

/* Chooses a count for the class at `place` of the order, and goes on. */
static void fill(mpl_walk *at, uint32_t depth, uint32_t place)
{
    const uint32_t classes = at->space->class_count;
    const mpl_level *const here = &at->levels[depth];
    const bool is_last = depth + 1 == at->problem->pool_count;
    if (at->is_cut)
        return;
    if (place == classes) {
        if (!here->fills_up || is_full(at, here->pool))
            next_pool(at, depth + 1);
        return;
    }
    const uint32_t index = at->order[place];
    const uint32_t most = find_most(at, index, here->pool);
    if (is_last) {
        if (most == at->left[index])
            try_count(at, depth, place, most);
        return;
    }
    const bool only_most = here->fills_up && place + 1 == classes &&
                           !mpl_walk_is_end(at->space, index);
    try_count(at, depth, place, most);
    if (only_most && most > 0 && at->items[here->pool] == 0)
        try_count(at, depth, place, 0);
    if (only_most)
        return;
    for (uint32_t count = most; count > 0 && !at->is_cut; count--)
        try_count(at, depth, place, count - 1);
}

static void next_pool(mpl_walk *at, uint32_t depth)
{
    if (depth == at->problem->pool_count) {
        leaf(at);
        return;
    }
    if (can_beat(at, mpl_walk_bound(at, depth)) && !was_seen(at, depth))
        fill(at, depth, 0);
}

bool mpl_count_search(mpl_best *best, const mpl_space *space, uint64_t steps,
                      uint64_t *out_bound_ps, bool *out_is_complete)
{
    mpl_walk at;
    if (!mpl_walk_start(&at, best, space, steps))
        return false;
    const uint64_t root = mpl_walk_bound(&at, 0);
    next_pool(&at, 0);
    *out_is_complete = !at.is_cut;
    *out_bound_ps = mpl_min(at.is_cut ? root : at.bound_ps, best->value_ps);
    return true;
}
