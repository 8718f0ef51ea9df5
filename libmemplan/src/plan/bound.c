/* SPDX-License-Identifier: MIT */
/*
 * A lower bound by prices: let every byte of a pool cost `multiplier`, give
 * each item the pool where time and bytes together cost least, and hand the
 * worth of all capacities back. For any prices
 *
 *     sum over items of min over pools (time + price * bytes)
 *       - sum over pools of price * capacity
 *
 * is no more than the time of any placement that fits (Lagrange). Good prices
 * level a class out over the pools; better ones are found by walking from
 * there against the overfull pools. Floating point only steers that walk, the
 * bound itself is made of whole numbers.
 */
#include <stddef.h>

#include "base/checked.h"
#include "model/model.h"
#include "plan/space.h"

enum {
    PRICE_SHIFT = 20,
    ROUNDS_MAX = 100,
    ROUND_WORK = 100000,
    CLASSES_LEVELLED = 16
};
#define PRICE_MAX UINT64_C(1000000000000000)

static uint64_t price_of(const mpl_space *space, uint32_t pool)
{
    const mpl_problem *const problem = space->problem;
    return space->multipliers[pool] +
           space->multipliers[problem->pool_count + problem->budget[pool]];
}

/* floor(bytes * price), sticking below what could pass 64 bits in a sum. */
static uint64_t charge(uint64_t bytes, uint64_t price)
{
    const mpl_u128 ps = (mpl_u128)bytes * price >> PRICE_SHIFT;
    return ps > MPL_TIME_MAX_PS ? MPL_TIME_MAX_PS : (uint64_t)ps;
}

uint64_t mpl_space_priced_cell(const mpl_space *space, const mpl_cell *cell,
                               uint32_t pool)
{
    const uint32_t home = space->problem->home[pool];
    if (cell->time_ps == MPL_TIME_FORBIDDEN)
        return MPL_TIME_FORBIDDEN;
    uint64_t ps =
        cell->time_ps + charge(cell->own_bytes, price_of(space, pool));
    if (home != pool)
        ps += charge(cell->home_bytes, price_of(space, home));
    return ps;
}

uint64_t mpl_space_priced(const mpl_space *space, uint32_t class_index,
                          uint32_t pool)
{
    return mpl_space_priced_cell(
        space, mpl_space_cell(space, class_index, pool), pool);
}

uint64_t mpl_space_worth(const mpl_space *space, uint32_t resource,
                         uint64_t bytes)
{
    const uint64_t price = space->multipliers[resource];
    const mpl_u128 ps = ((mpl_u128)bytes * price >> PRICE_SHIFT) + 1;
    if (price == 0)
        return 0;
    return ps > UINT64_MAX ? UINT64_MAX : (uint64_t)ps;
}

static uint64_t least_priced(const mpl_space *space, uint32_t class_index)
{
    uint64_t least = MPL_TIME_FORBIDDEN;
    for (uint32_t pool = 0; pool < space->problem->pool_count; pool++)
        least = mpl_min(least, mpl_space_priced(space, class_index, pool));
    return least;
}

uint64_t mpl_space_bound(const mpl_space *space)
{
    const mpl_problem *const problem = space->problem;
    mpl_u128 sum = 0;
    mpl_u128 worth = 0;
    for (uint32_t at = 0; at < space->class_count; at++) {
        const uint64_t least = least_priced(space, at);
        if (least == MPL_TIME_FORBIDDEN)
            return MPL_TIME_FORBIDDEN;
        sum += (mpl_u128)least * space->class_size[at];
    }
    for (uint32_t pool = 0; pool < problem->pool_count; pool++)
        worth += mpl_space_worth(space, pool, space->rooms[pool]);
    for (uint32_t at = 0; at < problem->budget_count; at++)
        worth += mpl_space_worth(space, problem->pool_count + at,
                                 problem->budget_bytes[at]);
    if (sum <= worth)
        return 0;
    return sum - worth >= MPL_TIME_FORBIDDEN ? MPL_TIME_FORBIDDEN - 1
                                             : (uint64_t)(sum - worth);
}

/* How much of each resource the cheapest choices of all classes take. */
static void demand(const mpl_space *space, double *used)
{
    const mpl_problem *const problem = space->problem;
    const uint32_t pools = problem->pool_count;
    for (uint32_t at = 0; at < space->class_count; at++) {
        uint64_t least = MPL_TIME_FORBIDDEN;
        uint32_t chosen = 0;
        for (uint32_t pool = 0; pool < pools; pool++) {
            const uint64_t ps = mpl_space_priced(space, at, pool);
            if (ps < least) {
                least = ps;
                chosen = pool;
            }
        }
        const mpl_cell *const cell = mpl_space_cell(space, at, chosen);
        const uint32_t home = problem->home[chosen];
        const double own =
            (double)cell->own_bytes * (double)space->class_size[at];
        const double guest =
            (double)cell->home_bytes * (double)space->class_size[at];
        used[chosen] += own;
        used[pools + problem->budget[chosen]] += own;
        if (home != chosen) {
            used[home] += guest;
            used[pools + problem->budget[home]] += guest;
        }
    }
}

static uint64_t capacity_of(const mpl_space *space, uint32_t resource)
{
    const uint32_t pools = space->problem->pool_count;
    return resource < pools ? space->rooms[resource]
                            : space->problem->budget_bytes[resource - pools];
}

/* One step against the excess of demand, in units of 2^20 bytes. Returns
 * false where no resource is out of balance. */
static bool step_prices(mpl_space *space, const double *used, double distance)
{
    const uint32_t count =
        space->problem->pool_count + space->problem->budget_count;
    double square = 0;
    for (uint32_t at = 0; at < count; at++) {
        const uint64_t capacity = capacity_of(space, at);
        const double excess = (used[at] - (double)capacity) / (1 << 20);
        if (capacity != MEMPLAN_UNKNOWN &&
            (excess > 0 || space->multipliers[at] > 0))
            square += excess * excess;
    }
    if (square <= 0 || distance <= 0)
        return false;
    for (uint32_t at = 0; at < count; at++) {
        const uint64_t capacity = capacity_of(space, at);
        if (capacity == MEMPLAN_UNKNOWN)
            continue;
        const double excess = (used[at] - (double)capacity) / (1 << 20);
        const double price =
            (double)space->multipliers[at] + distance * excess / square;
        space->multipliers[at] = price <= 0      ? 0
                                 : price >= 1e15 ? PRICE_MAX
                                                 : (uint64_t)price;
    }
    return true;
}

/* A price that makes up for `gain_ps` with `bytes`. */
static uint64_t make_up(uint64_t gain_ps, uint64_t bytes)
{
    if (bytes == 0)
        return 0;
    const mpl_u128 price = ((mpl_u128)gain_ps << PRICE_SHIFT) / bytes;
    return price > PRICE_MAX ? PRICE_MAX : (uint64_t)price;
}

/*
 * The prices at which one class is as well off anywhere as on the `marginal`
 * pool, whose bytes are free: exact where all items are of that class, and
 * near it where the others take as long for each byte.
 */
static void level_out(mpl_space *space, uint32_t class_index, uint32_t marginal)
{
    const mpl_problem *const problem = space->problem;
    const uint32_t home = problem->home[marginal];
    const mpl_cell *const row = mpl_space_cell(space, class_index, 0);
    const uint64_t guest_bytes =
        home != marginal ? row[marginal].home_bytes : 0;
    for (uint32_t at = 0; at < problem->pool_count + problem->budget_count;
         at++)
        space->multipliers[at] = 0;
    if (home != marginal && row[home].time_ps != MPL_TIME_FORBIDDEN)
        space->multipliers[home] =
            make_up(mpl_sub_floor(row[marginal].time_ps, row[home].time_ps),
                    mpl_sub_floor(row[home].own_bytes, guest_bytes));
    const uint64_t level_ps =
        row[marginal].time_ps + charge(guest_bytes, space->multipliers[home]);
    for (uint32_t pool = 0; pool < problem->pool_count; pool++) {
        if (pool == home || pool == marginal ||
            row[pool].time_ps == MPL_TIME_FORBIDDEN ||
            space->rooms[pool] == MEMPLAN_UNKNOWN)
            continue;
        const uint32_t keeper = problem->home[pool];
        uint64_t ps = row[pool].time_ps;
        if (keeper != pool)
            ps += charge(row[pool].home_bytes, space->multipliers[keeper]);
        space->multipliers[pool] =
            make_up(mpl_sub_floor(level_ps, ps), row[pool].own_bytes);
    }
}

/* The best of all such prices; their bound. */
static uint64_t start_prices(mpl_space *space, uint64_t *kept)
{
    const mpl_problem *const problem = space->problem;
    const uint32_t count = problem->pool_count + problem->budget_count;
    const uint32_t classes = space->class_count < CLASSES_LEVELLED
                                 ? space->class_count
                                 : CLASSES_LEVELLED;
    uint64_t best = mpl_space_bound(space);
    for (uint32_t index = 0; index < classes; index++)
        for (uint32_t pool = 0; pool < problem->pool_count; pool++) {
            if (mpl_space_cell(space, index, pool)->time_ps ==
                MPL_TIME_FORBIDDEN)
                continue;
            level_out(space, index, pool);
            const uint64_t bound = mpl_space_bound(space);
            if (bound <= best)
                continue;
            best = bound;
            for (uint32_t at = 0; at < count; at++)
                kept[at] = space->multipliers[at];
        }
    for (uint32_t at = 0; at < count; at++)
        space->multipliers[at] = kept[at];
    return best;
}

/* A stand-in for the time of a placement where none is known. */
static uint64_t slowest_time(const mpl_space *space)
{
    uint64_t sum = 0;
    for (uint32_t at = 0; at < space->class_count; at++) {
        uint64_t slowest = 0;
        for (uint32_t pool = 0; pool < space->problem->pool_count; pool++) {
            const uint64_t ps = mpl_space_cell(space, at, pool)->time_ps;
            if (ps != MPL_TIME_FORBIDDEN)
                slowest = mpl_max(slowest, ps);
        }
        if (!mpl_mul(&slowest, slowest, space->class_size[at]) ||
            !mpl_add(&sum, sum, slowest))
            return MPL_TIME_FORBIDDEN - 1;
    }
    return sum;
}

void mpl_space_price_bytes(mpl_space *space, uint64_t target_ps)
{
    const mpl_problem *const problem = space->problem;
    const uint32_t count = problem->pool_count + problem->budget_count;
    double *const used = mpl_arena_alloc(space->arena, count, sizeof *used);
    uint64_t *const kept = mpl_arena_alloc(space->arena, count, sizeof *kept);
    if (used == NULL || kept == NULL)
        return; /* prices of 0 make a bound too */
    const uint64_t work =
        (uint64_t)(space->class_count + 1) * (problem->pool_count + 1);
    const uint64_t rounds = mpl_min(ROUNDS_MAX, ROUND_WORK / work + 1);
    uint64_t best = start_prices(space, kept);
    const uint64_t target =
        target_ps != MPL_TIME_FORBIDDEN ? target_ps : slowest_time(space);
    double pace = 1;
    uint32_t stale = 0;
    for (uint64_t round = 0; round < rounds; round++) {
        for (uint32_t at = 0; at < count; at++)
            used[at] = 0;
        demand(space, used);
        const uint64_t now = mpl_space_bound(space);
        const double distance = target > now ? (double)(target - now) : 0;
        if (!step_prices(space, used, pace * distance))
            break;
        const uint64_t bound = mpl_space_bound(space);
        if (bound > best) {
            best = bound;
            stale = 0;
            for (uint32_t at = 0; at < count; at++)
                kept[at] = space->multipliers[at];
        } else if (++stale >= 6) {
            stale = 0;
            pace /= 2;
        }
    }
    for (uint32_t at = 0; at < count; at++)
        space->multipliers[at] = kept[at];
}
