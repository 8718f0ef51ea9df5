/* SPDX-License-Identifier: MIT */
/*
 * How much of a pool items can take at all. Once it holds anything it has paid
 * for opening; and where nothing but whole items goes in, what no combination
 * of them reaches stays empty:
 *
 *     room = max { sum of count * own bytes <= capacity - opening }
 *
 * found by trying the combinations, the largest items first. It makes bounds
 * strong where a pool holds a dozen layers and the half that remains is lost.
 */
#include "base/checked.h"
#include "model/model.h"
#include "plan/space.h"

enum { TRIES_MAX = 3000, SIZES_MAX = 16 };

typedef struct packing {
    uint64_t bytes[SIZES_MAX]; /* descending */
    uint32_t counts[SIZES_MAX];
    uint64_t rest[SIZES_MAX + 1]; /* of all items of this size and less */
    uint32_t size_count;
    uint64_t limit;
    uint64_t best;
    uint32_t tries;
} packing;

static void pack(packing *at, uint32_t size, uint64_t taken)
{
    at->best = mpl_max(at->best, taken);
    if (size == at->size_count || at->best == at->limit || at->tries == 0 ||
        at->rest[size] <= at->best - taken)
        return;
    at->tries--;
    uint64_t count =
        mpl_min((at->limit - taken) / at->bytes[size], at->counts[size]);
    for (;; count--) {
        pack(at, size + 1, taken + count * at->bytes[size]);
        if (count == 0)
            return;
    }
}

/* False: too many sizes to try. */
static bool collect_sizes(packing *out, const mpl_space *space, uint32_t pool)
{
    for (uint32_t index = 0; index < space->class_count; index++) {
        const mpl_cell *const cell = mpl_space_cell(space, index, pool);
        if (cell->time_ps == MPL_TIME_FORBIDDEN || cell->own_bytes == 0)
            continue;
        if (out->size_count == SIZES_MAX)
            return false;
        uint32_t place = out->size_count++;
        for (; place > 0 && out->bytes[place - 1] < cell->own_bytes; place--) {
            out->bytes[place] = out->bytes[place - 1];
            out->counts[place] = out->counts[place - 1];
        }
        out->bytes[place] = cell->own_bytes;
        out->counts[place] = space->class_size[index];
    }
    return true;
}

/* False: the items pass 64 bits. */
static bool sum_rests(packing *at)
{
    for (uint32_t size = at->size_count; size-- > 0;) {
        uint64_t bytes;
        if (!mpl_mul(&bytes, at->bytes[size], at->counts[size]) ||
            !mpl_add(&at->rest[size], at->rest[size + 1], bytes))
            return false;
    }
    return true;
}

/* Homes of guests and relays: a bit for each pool. */
static uint64_t find_hosts(const mpl_problem *problem)
{
    uint64_t hosts = 0;
    for (uint32_t pool = 0; pool < problem->pool_count; pool++) {
        const uint32_t relay = problem->relay[pool];
        if (problem->home[pool] != pool)
            hosts |= UINT64_C(1) << problem->home[pool];
        if (relay != MPL_NO_INDEX && relay != pool)
            hosts |= UINT64_C(1) << relay;
    }
    return hosts;
}

static uint64_t find_room(const mpl_space *space, uint32_t pool, bool is_host)
{
    const mpl_problem *const problem = space->problem;
    const uint64_t capacity = problem->capacity_bytes[pool];
    if (capacity == MEMPLAN_UNKNOWN)
        return capacity;
    packing at = {.limit =
                      problem->home[pool] == pool
                          ? mpl_sub_floor(capacity, problem->open_bytes[pool])
                          : capacity,
                  .tries = TRIES_MAX};
    if (is_host || !collect_sizes(&at, space, pool) || !sum_rests(&at))
        return at.limit;
    pack(&at, 0, 0);
    return at.tries > 0 ? at.best : at.limit;
}

bool mpl_space_are_alike(const mpl_space *space, uint32_t a, uint32_t b)
{
    const mpl_problem *const problem = space->problem;
    const uint32_t pools = problem->pool_count;
    if (problem->capacity_bytes[a] != problem->capacity_bytes[b] ||
        problem->budget_bytes[problem->budget[a]] !=
            problem->budget_bytes[problem->budget[b]] ||
        problem->open_bytes[a] != problem->open_bytes[b] ||
        problem->home[a] != a || problem->home[b] != b ||
        problem->relay[a] != problem->relay[b])
        return false;
    for (uint32_t other = 0; other < pools; other++) {
        const bool is_pair = other == a || other == b;
        if (!is_pair && (problem->crossing_ps[a * pools + other] !=
                             problem->crossing_ps[b * pools + other] ||
                         problem->crossing_ps[other * pools + a] !=
                             problem->crossing_ps[other * pools + b]))
            return false;
    }
    for (uint32_t index = 0; index < space->class_count; index++) {
        const mpl_cell *const one = mpl_space_cell(space, index, a);
        const mpl_cell *const two = mpl_space_cell(space, index, b);
        if (one->own_bytes != two->own_bytes || one->time_ps != two->time_ps)
            return false;
    }
    return true;
}

void mpl_space_find_rooms(mpl_space *space)
{
    const uint64_t hosts = find_hosts(space->problem);
    for (uint32_t pool = 0; pool < space->problem->pool_count; pool++) {
        const bool is_host = (hosts >> pool & 1) != 0;
        uint32_t twin = is_host ? pool : 0;
        while (twin < pool && ((hosts >> twin & 1) != 0 ||
                               !mpl_space_are_alike(space, twin, pool)))
            twin++;
        space->rooms[pool] =
            twin < pool ? space->rooms[twin] : find_room(space, pool, is_host);
    }
}
