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

enum { MEMORY_PROBES = 8, PATIENT_STEPS = 4000 };

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

/*
 * Whether a branch may still lead to something faster. After many steps less
 * than a part in 2^20 is not worth the rest: the bound then says what was
 * left.
 */
static bool can_beat(mpl_walk *at, uint64_t bound)
{
    const uint64_t best = at->best->value_ps;
    if (bound == MPL_TIME_FORBIDDEN)
        return false;
    if (best == MPL_TIME_FORBIDDEN)
        return true;
    if (mpl_is_proven(best, bound))
        return false;
    if (at->steps >= at->patience || best - bound > best >> 20)
        return true;
    at->bound_ps = mpl_min(at->bound_ps, bound);
    return false;
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
            *place =
                (mpl_seen){at->time_ps, depth + 1, at->used_homes, ends, {0}};
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
    if (can_beat(at, bound)) {
        mpl_arrange(at->best, at->space, at->counts);
        mpl_polish(at->best, at->space);
    }
    at->bound_ps = mpl_min(at->bound_ps, bound);
}

typedef enum level_kind { LEVEL_PLAIN, LEVEL_HOST, LEVEL_GUEST } level_kind;

/* The last guest sets nothing aside. */
static level_kind kind_of(const mpl_walk *at, uint32_t depth)
{
    return depth == at->host_depth                ? LEVEL_HOST
           : at->levels[depth].reserve_count != 0 ? LEVEL_GUEST
                                                  : LEVEL_PLAIN;
}

/* Guests need a home that holds something itself. */
static bool is_homeless(const mpl_walk *at)
{
    const uint32_t host = at->levels[at->host_depth].pool;
    bool has_rest = false;
    for (uint32_t index = 0; index < at->space->class_count; index++)
        has_rest = has_rest || at->left[index] > 0;
    return at->problem->must_use == host && at->items[host] == 0 && has_rest;
}

static bool takes_any(mpl_walk *at, uint32_t pool)
{
    for (uint32_t index = 0; index < at->space->class_count; index++) {
        mpl_charge made;
        if (at->left[index] == 0 ||
            mpl_walk_cell(at, index, pool)->time_ps == MPL_TIME_FORBIDDEN ||
            !mpl_walk_take(at, index, pool, 1, &made))
            continue;
        mpl_walk_undo(at, pool, &made);
        return true;
    }
    return false;
}

/* Classes that are not filled up. */
static bool is_free(const mpl_walk *at, uint32_t depth, uint32_t class_index)
{
    return mpl_walk_is_end(at->space, class_index) ||
           (class_index == at->spared_class && depth < at->host_depth);
}

static void next_pool(mpl_walk *at, uint32_t depth);

/* A used pool that could take one more item is not filled up. */
static bool is_full(mpl_walk *at, uint32_t depth)
{
    const uint32_t pool = at->levels[depth].pool;
    if (at->items[pool] == 0)
        return true;
    for (uint32_t index = 0; index < at->space->class_count; index++) {
        mpl_charge made;
        if (at->left[index] == 0 || is_free(at, depth, index) ||
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

static void try_count(mpl_walk *at, uint32_t depth, uint32_t place,
                      uint32_t count)
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
        if (!here->fills_up || is_full(at, depth))
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
    const bool only_most =
        here->fills_up && place + 1 == classes && !is_free(at, depth, index);
    try_count(at, depth, place, most);
    if (only_most && most > 0 && at->items[here->pool] == 0)
        try_count(at, depth, place, 0);
    if (only_most)
        return;
    for (uint32_t count = most; count > 0 && !at->is_cut; count--)
        try_count(at, depth, place, count - 1);
}

/* Whether those that a reserve does not let be guests fit on `pool`. */
static bool is_reserve_enough(const mpl_walk *at, uint32_t depth,
                              uint64_t reserve)
{
    const level_kind kind = kind_of(at, depth);
    const uint32_t pool = at->levels[depth].pool;
    mpl_u128 bytes = 0;
    for (uint32_t index = 0; index < at->space->class_count; index++) {
        bool may_leave = at->left[index] == 0;
        for (uint32_t later = depth + 1; later < at->problem->pool_count;
             later++) {
            const uint32_t other = at->levels[later].pool;
            const mpl_cell *const cell = mpl_walk_cell(at, index, other);
            const uint64_t wanted = kind == LEVEL_HOST ? cell->staging_bytes
                                    : at->problem->relay[other] == pool
                                        ? cell->relay_bytes
                                        : 0;
            may_leave = may_leave || (cell->time_ps != MPL_TIME_FORBIDDEN &&
                                      wanted <= reserve);
        }
        if (!may_leave)
            bytes += (mpl_u128)mpl_walk_cell(at, index, pool)->own_bytes *
                     at->left[index];
    }
    return bytes <= at->room[pool];
}

/* Sets each amount aside in turn that the guests may need, and fills. */
static void try_reserves(mpl_walk *at, uint32_t depth)
{
    const mpl_level *const here = &at->levels[depth];
    uint64_t *const held = kind_of(at, depth) == LEVEL_HOST
                               ? &at->staging[here->pool]
                               : &at->relay[here->pool];
    for (uint32_t index = here->reserve_count; index-- > 0;) {
        const uint64_t reserve = here->reserves[index];
        const uint64_t before = *held;
        if (at->is_cut || reserve < before)
            return;
        if (!mpl_walk_consume(at, here->pool, reserve - before))
            continue;
        *held = reserve;
        if (is_reserve_enough(at, depth, reserve) &&
            can_beat(at, mpl_walk_bound(at, depth)))
            fill(at, depth, 0);
        *held = before;
        mpl_walk_give_back(at, here->pool, reserve - before);
    }
}

/* Charges what guests leave at the least, and goes on in settled cells. */
static void settle(mpl_walk *at, uint32_t depth)
{
    const uint32_t pool = at->levels[depth].pool;
    mpl_u128 bytes = 0;
    for (uint32_t index = 0; index < at->space->class_count; index++)
        bytes += (mpl_u128)at->settled_bytes[index] * at->left[index];
    if (bytes > UINT64_MAX || !mpl_walk_consume(at, pool, (uint64_t)bytes))
        return;
    at->cells = at->settled;
    at->is_settled = true;
    try_reserves(at, depth);
    at->is_settled = false;
    at->cells = at->space->cells;
    mpl_walk_give_back(at, pool, (uint64_t)bytes);
}

static void next_pool(mpl_walk *at, uint32_t depth)
{
    if (depth == at->problem->pool_count) {
        leaf(at);
        return;
    }
    const uint64_t bound = mpl_walk_bound(at, depth);
    if (!can_beat(at, bound) || was_seen(at, depth))
        return;
    if (depth == at->host_depth + 1 && is_homeless(at)) {
        /* No placement is like this. Where filling up left nothing that the
         * host level could hold, one that was passed over may be. */
        if (!takes_any(at, at->levels[at->host_depth].pool))
            at->bound_ps = mpl_min(at->bound_ps, bound);
        return;
    }
    switch (kind_of(at, depth)) {
    case LEVEL_HOST:
        settle(at, depth);
        break;
    case LEVEL_GUEST:
        try_reserves(at, depth);
        break;
    case LEVEL_PLAIN:
        if (at->levels[depth].is_twin &&
            at->items[at->levels[depth - 1].pool] == 0)
            next_pool(at, depth + 1);
        else
            fill(at, depth, 0);
        break;
    }
}

bool mpl_count_search(mpl_best *best, const mpl_space *space, uint64_t steps,
                      uint64_t *out_bound_ps, bool *out_is_complete)
{
    mpl_walk at;
    if (!mpl_walk_start(&at, best, space, steps))
        return false;
    at.patience = mpl_sub_floor(steps, PATIENT_STEPS);
    const uint64_t root = mpl_walk_bound(&at, 0);
    next_pool(&at, 0);
    *out_is_complete = !at.is_cut;
    *out_bound_ps = mpl_min(at.is_cut ? root : at.bound_ps, best->value_ps);
    return true;
}
