/* SPDX-License-Identifier: MIT */
/*
 * From counts to a placement.
 *
 * Which item of a class goes where decides only how often the chain changes
 * its pool. The chain is walked from the front and stays with a home for as
 * long as that has items of the class left; then the next home in the order
 * that has some goes on. The order starts and ends with the homes of the first
 * and the last unit; where counts leave these open, each home is tried.
 */
#include <string.h>

#include "base/checked.h"
#include "model/model.h"
#include "plan/search.h"
#include "plan/space.h"

static uint64_t count_changes(const mpl_problem *problem,
                              const uint32_t *pool_of_unit)
{
    uint64_t changes = 0;
    for (uint32_t unit = 1; unit < problem->unit_count; unit++)
        changes += pool_of_unit[unit] != pool_of_unit[unit - 1];
    return changes;
}

void mpl_best_take(mpl_best *best, const mpl_space *space, uint64_t value)
{
    const mpl_problem *const problem = space->problem;
    if (value == best->value_ps &&
        count_changes(problem, best->trial) >=
            count_changes(problem, best->pool_of_unit))
        return;
    best->value_ps = value;
    memcpy(best->pool_of_unit, best->trial,
           problem->unit_count * sizeof *best->trial);
}

uint64_t mpl_best_offer(mpl_best *best, const mpl_space *space)
{
    const uint64_t value =
        mpl_problem_value(space->problem, best->trial, space->scratch);
    if (value != MPL_TIME_FORBIDDEN && value <= best->value_ps)
        mpl_best_take(best, space, value);
    return value;
}

/* Takes one item of a class for a home: from itself, then from its guests in
 * the order of pools. MPL_NO_INDEX: it has none left. */
static uint32_t take(const mpl_problem *problem, uint32_t *left, uint32_t home)
{
    if (left[home] > 0) {
        left[home]--;
        return home;
    }
    for (uint32_t pool = 0; pool < problem->pool_count; pool++)
        if (problem->home[pool] == home && left[pool] > 0) {
            left[pool]--;
            return pool;
        }
    return MPL_NO_INDEX;
}

typedef struct order {
    uint32_t homes[MPL_PROBLEM_POOLS_MAX];
    uint32_t count;
} order;

/* Walks the chain; `left` is a copy of the counts, `placed` is empty. */
static void walk_chain(mpl_best *best, const mpl_space *space,
                       const order *homes)
{
    const mpl_problem *const problem = space->problem;
    uint32_t *const left = space->left;
    uint32_t *const placed = space->placed;
    uint32_t current = 0;
    for (uint32_t unit = 0; unit < problem->unit_count; unit++) {
        const uint32_t item = space->item_of_unit[unit];
        uint32_t *const counts =
            &left[(uint64_t)space->class_of_item[item] * problem->pool_count];
        for (uint32_t tries = 0;
             placed[item] == MPL_NO_INDEX && tries < homes->count; tries++) {
            const uint32_t next = current + tries;
            const uint32_t at =
                next < homes->count ? next : next - homes->count;
            placed[item] = take(problem, counts, homes->homes[at]);
            if (placed[item] != MPL_NO_INDEX)
                current = at;
        }
        if (placed[item] == MPL_NO_INDEX)
            return; /* the counts do not cover the items */
        best->trial[unit] = placed[item];
    }
    (void)mpl_best_offer(best, space);
}

static void find_homes(const mpl_space *space, const uint32_t *counts,
                       order *out)
{
    const mpl_problem *const problem = space->problem;
    bool used[MPL_PROBLEM_POOLS_MAX] = {false};
    out->count = 0;
    for (uint32_t at = 0; at < space->class_count; at++)
        for (uint32_t pool = 0; pool < problem->pool_count; pool++)
            if (counts[(uint64_t)at * problem->pool_count + pool] > 0)
                used[problem->home[pool]] = true;
    for (uint32_t pool = 0; pool < problem->pool_count; pool++)
        if (used[pool])
            out->homes[out->count++] = pool;
}

/* The same homes with one put first and one last. */
static order reorder(const order *homes, uint32_t first, uint32_t last)
{
    order made = {.count = 0};
    made.homes[made.count++] = homes->homes[first];
    for (uint32_t at = 0; at < homes->count; at++)
        if (at != first && at != last)
            made.homes[made.count++] = homes->homes[at];
    if (last != first)
        made.homes[made.count++] = homes->homes[last];
    return made;
}

/* The place among the homes of the one that holds an end of the chain; all
 * of them where its class has several items. */
static void find_end(const mpl_space *space, const uint32_t *counts,
                     const order *homes, uint32_t class_index,
                     uint32_t *out_low, uint32_t *out_high)
{
    const mpl_problem *const problem = space->problem;
    *out_low = 0;
    *out_high = homes->count;
    for (uint32_t pool = 0;
         class_index != MPL_NO_INDEX && pool < problem->pool_count; pool++)
        for (uint32_t at = 0; at < homes->count; at++)
            if (counts[(uint64_t)class_index * problem->pool_count + pool] >
                    0 &&
                homes->homes[at] == problem->home[pool]) {
                *out_low = at;
                *out_high = at + 1;
            }
}

void mpl_arrange(mpl_best *best, const mpl_space *space, const uint32_t *counts)
{
    const uint64_t cells =
        (uint64_t)space->class_count * space->problem->pool_count;
    order homes;
    find_homes(space, counts, &homes);
    uint32_t firsts[2];
    uint32_t lasts[2];
    find_end(space, counts, &homes, space->first_class, &firsts[0], &firsts[1]);
    find_end(space, counts, &homes, space->last_class, &lasts[0], &lasts[1]);
    for (uint32_t first = firsts[0]; first < firsts[1]; first++)
        for (uint32_t last = lasts[1]; last-- > lasts[0];) {
            if (first == last && homes.count > 1 && lasts[1] - lasts[0] > 1)
                continue;
            const order tried = reorder(&homes, first, last);
            memcpy(space->left, counts, cells * sizeof *counts);
            memset(space->placed, 0xff,
                   space->item_count * sizeof *space->placed);
            walk_chain(best, space, &tried);
        }
}

/* Moves the units from `first` to before `end` to a pool, on trial. */
static void offer_moved(mpl_best *best, const mpl_space *space, uint32_t first,
                        uint32_t end, uint32_t pool)
{
    const uint32_t count = space->problem->unit_count;
    memcpy(best->trial, best->pool_of_unit, count * sizeof *best->trial);
    for (uint32_t unit = first; unit < end; unit++)
        best->trial[unit] = pool;
    (void)mpl_best_offer(best, space);
}

void mpl_polish(mpl_best *best, const mpl_space *space)
{
    enum { RUN_MAX = 3 };
    const uint32_t count = space->problem->unit_count;
    const uint32_t *const pools = best->pool_of_unit;
    if (best->value_ps == MPL_TIME_FORBIDDEN)
        return;
    for (uint32_t first = 0; first < count; first++)
        for (uint32_t length = 1; length <= RUN_MAX && first + length <= count;
             length++) {
            const uint32_t end = first + length;
            if (pools[end - 1] != pools[first])
                break;
            if (first > 0 && pools[first - 1] != pools[first])
                offer_moved(best, space, first, end, pools[first - 1]);
            if (end < count && pools[end] != pools[first])
                offer_moved(best, space, first, end, pools[end]);
        }
}
