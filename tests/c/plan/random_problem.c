/* SPDX-License-Identifier: MIT */
#include "random_problem.h"

#include <string.h>

#include "plan/search.h"

uint64_t random_next(uint64_t *state)
{
    uint64_t mixed = (*state += UINT64_C(0x9e3779b97f4a7c15));
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ (mixed >> 31);
}

uint64_t random_below(uint64_t *state, uint64_t limit)
{
    return random_next(state) % limit;
}

static bool one_in(uint64_t *state, uint64_t chances)
{
    return random_below(state, chances) == 0;
}

enum { KINDS_MAX = 4 };

typedef struct tables {
    uint64_t *own, *home_bytes, *staging, *relay_bytes, *time;
    uint64_t *open, *crossing, *capacity, *budget_bytes;
    uint32_t *home, *relay, *budget, *tied_to;
} tables;

static tables make_tables(mpl_arena *arena, uint32_t units, uint32_t pools)
{
    const uint64_t cells = (uint64_t)units * pools;
    return (tables){
        mpl_arena_alloc(arena, cells, 8),
        mpl_arena_alloc(arena, cells, 8),
        mpl_arena_alloc(arena, cells, 8),
        mpl_arena_alloc(arena, cells, 8),
        mpl_arena_alloc(arena, cells, 8),
        mpl_arena_alloc(arena, pools, 8),
        mpl_arena_alloc(arena, (uint64_t)pools * pools, 8),
        mpl_arena_alloc(arena, pools, 8),
        mpl_arena_alloc(arena, pools, 8),
        mpl_arena_alloc(arena, pools, 4),
        mpl_arena_alloc(arena, pools, 4),
        mpl_arena_alloc(arena, pools, 4),
        mpl_arena_alloc(arena, units, 4),
    };
}

/* Pool 0 is a home; later pools may be its guests, the last of those relayed
 * by the one before. */
static void fill_pools(const tables *made, uint64_t *state, uint32_t pools)
{
    const uint32_t guests = (uint32_t)random_below(state, pools);
    const bool shares = one_in(state, 4);
    const bool alike = one_in(state, 2);
    for (uint32_t pool = 0; pool < pools; pool++) {
        const bool is_guest = pool >= pools - guests;
        made->home[pool] = is_guest ? 0 : pool;
        made->relay[pool] = is_guest && pool + 1 == pools && guests > 1
                                ? pool - 1
                                : MPL_NO_INDEX;
        made->open[pool] = one_in(state, 2) ? random_below(state, 5) : 0;
        made->capacity[pool] = one_in(state, 8) && is_guest
                                   ? MEMPLAN_UNKNOWN
                                   : 5 + random_below(state, 40);
        if (alike && !is_guest && pool > 0)
            made->capacity[pool] = made->capacity[0];
        made->budget[pool] = shares && pool == pools - 1 ? 0 : pool;
        made->budget_bytes[pool] = made->capacity[pool];
    }
    if (shares && made->capacity[0] != MEMPLAN_UNKNOWN)
        made->budget_bytes[0] = made->capacity[0] + random_below(state, 20);
    for (uint32_t from = 0; from < pools; from++)
        for (uint32_t to = 0; to < pools; to++)
            if (made->home[from] != made->home[to])
                made->crossing[from * pools + to] =
                    alike ? 3 : random_below(state, 6);
    if (alike) /* homes that see each other alike, whoever asks */
        return;
    for (uint32_t from = 0; from < pools; from++)
        for (uint32_t to = 0; to < pools; to++)
            made->crossing[from * pools + to] =
                made->crossing[made->home[from] * pools + made->home[to]];
}

/* One kind of unit: a row of each table. */
typedef struct kind {
    uint64_t bytes, state_bytes, staging;
    uint64_t pace[MPL_PROBLEM_POOLS_MAX];
} kind;

static void fill_unit(const tables *made, uint64_t *state, const kind *of,
                      uint32_t unit, uint32_t pools)
{
    for (uint32_t pool = 0; pool < pools; pool++) {
        const uint64_t cell = (uint64_t)unit * pools + pool;
        const bool is_guest = made->home[pool] != pool;
        made->own[cell] = of->bytes + (is_guest ? 0 : of->state_bytes);
        made->home_bytes[cell] = is_guest ? of->state_bytes : 0;
        made->staging[cell] = is_guest ? of->staging : 0;
        made->relay_bytes[cell] =
            made->relay[pool] != MPL_NO_INDEX ? of->staging : 0;
        made->time[cell] = of->bytes * of->pace[pool];
        if (one_in(state, 60))
            made->time[cell] = MPL_TIME_FORBIDDEN; /* a pin */
    }
}

static mpl_problem wrap(const tables *made, uint32_t units, uint32_t pools,
                        uint32_t must_use)
{
    return (mpl_problem){
        .unit_count = units,
        .pool_count = pools,
        .budget_count = pools,
        .must_use = must_use,
        .own_bytes = made->own,
        .home_bytes = made->home_bytes,
        .staging_bytes = made->staging,
        .relay_bytes = made->relay_bytes,
        .time_ps = made->time,
        .open_bytes = made->open,
        .home = made->home,
        .relay = made->relay,
        .crossing_ps = made->crossing,
        .capacity_bytes = made->capacity,
        .budget = made->budget,
        .budget_bytes = made->budget_bytes,
        .tied_to = made->tied_to,
    };
}

mpl_problem random_problem(mpl_arena *arena, uint64_t *state,
                           uint32_t units_max, uint32_t pools_max)
{
    const uint32_t units = 1 + (uint32_t)random_below(state, units_max);
    const uint32_t pools = 1 + (uint32_t)random_below(state, pools_max);
    const tables made = make_tables(arena, units, pools);
    kind kinds[KINDS_MAX];
    const bool same_pace = one_in(state, 2);
    fill_pools(&made, state, pools);
    for (uint32_t at = 0; at < KINDS_MAX; at++) {
        kinds[at].bytes = random_below(state, 12);
        kinds[at].state_bytes = one_in(state, 2) ? random_below(state, 4) : 0;
        kinds[at].staging = random_below(state, 6);
        for (uint32_t pool = 0; pool < pools; pool++)
            kinds[at].pace[pool] = made.home[pool] != pool ? 8 + 20 * pool
                                   : same_pace             ? 2
                                               : 1 + random_below(state, 5);
    }
    for (uint32_t unit = 0; unit < units; unit++) {
        const bool is_layer = unit > 0 && unit + 1 < units;
        const uint64_t which =
            is_layer ? random_below(state, 2) : 2 + (unit > 0);
        fill_unit(&made, state, &kinds[which], unit, pools);
        made.tied_to[unit] = unit > 0 && unit + 1 == units && one_in(state, 4)
                                 ? 0
                                 : MPL_NO_INDEX;
    }
    return wrap(&made, units, pools, one_in(state, 2) ? 0 : MPL_NO_INDEX);
}

/* What else the homes of one kind have in common. */
typedef struct rig {
    uint32_t host; /* the guests' home */
    uint32_t guest;
    uint64_t crossing_ps;
} rig;

static void fill_rig(const tables *made, uint64_t *state, const rig *of,
                     uint32_t pools)
{
    const uint64_t common = 3 + random_below(state, 20);
    const bool is_even = one_in(state, 2);
    for (uint32_t pool = 0; pool < pools; pool++) {
        uint64_t *const capacity = &made->capacity[pool];
        made->home[pool] = pool == of->guest ? of->host : pool;
        made->relay[pool] = MPL_NO_INDEX;
        made->open[pool] = one_in(state, 2) ? random_below(state, 5) : 0;
        *capacity = is_even ? common : 3 + random_below(state, 20);
        if (pool == of->guest)
            *capacity = random_below(state, 40);
        if (one_in(state, 12))
            *capacity = one_in(state, 2) ? MEMPLAN_UNKNOWN : 0;
        made->budget[pool] = pool;
        made->budget_bytes[pool] =
            one_in(state, 6) ? 3 + random_below(state, 20) : MEMPLAN_UNKNOWN;
        for (uint32_t to = 0; to < pools; to++)
            if (made->home[pool] != (to == of->guest ? of->host : to))
                made->crossing[pool * pools + to] = of->crossing_ps;
    }
}

/* One kind of unit for a rig. */
typedef struct alike_kind {
    uint64_t bytes, state_bytes, staging;
    uint64_t time_ps, guest_ps; /* MPL_TIME_FORBIDDEN: never a guest */
} alike_kind;

static alike_kind make_alike_kind(uint64_t *state)
{
    alike_kind made = {
        .bytes = random_below(state, 10),
        .state_bytes = one_in(state, 2) ? random_below(state, 4) : 0,
        .staging = random_below(state, 6),
        .time_ps = random_below(state, 20),
    };
    made.guest_ps =
        made.time_ps + (one_in(state, 4) ? 0 : random_below(state, 30));
    if (one_in(state, 8))
        made.guest_ps = MPL_TIME_FORBIDDEN;
    return made;
}

static void fill_alike_unit(const tables *made, const rig *in,
                            const alike_kind *of, uint32_t unit, uint32_t pools)
{
    for (uint32_t pool = 0; pool < pools; pool++) {
        const uint64_t cell = (uint64_t)unit * pools + pool;
        const bool is_guest = pool == in->guest;
        made->own[cell] = of->bytes + (is_guest ? 0 : of->state_bytes);
        made->home_bytes[cell] = is_guest ? of->state_bytes : 0;
        made->staging[cell] = is_guest ? of->staging : 0;
        made->time[cell] = is_guest ? of->guest_ps : of->time_ps;
    }
}

/* Breaks one of the rules of rigs, so that what holds for them does not. */
static void spoil_rig(const tables *made, uint64_t *state, const rig *in,
                      uint32_t units, uint32_t pools)
{
    const uint32_t pool = (uint32_t)random_below(state, pools);
    const uint64_t cell = random_below(state, (uint64_t)units * pools);
    switch (random_below(state, 6)) {
    case 0:
        made->time[cell] += 1 + random_below(state, 9);
        break;
    case 1:
        made->time[cell] = random_below(state, 9);
        break;
    case 2: /* units that are smaller here than elsewhere */
        for (uint32_t unit = 0; unit < units; unit++)
            made->own[unit * pools + pool] /= 2;
        break;
    case 3:
        made->budget[pool] = made->budget[in->host];
        break;
    case 4:
        made->home[pool] = in->host; /* of two guests, perhaps */
        for (uint32_t to = 0; to < pools; to++) {
            const bool is_in = made->home[to] == in->host;
            made->crossing[pool * pools + to] = is_in ? 0 : in->crossing_ps;
            made->crossing[to * pools + pool] = is_in ? 0 : in->crossing_ps;
        }
        break;
    default:
        for (uint32_t to = 0; to < pools; to++)
            made->crossing[pool * pools + to] +=
                made->home[to] != made->home[pool];
        break;
    }
}

mpl_problem random_rig(mpl_arena *arena, uint64_t *state, uint32_t units,
                       uint32_t pools)
{
    const tables made = make_tables(arena, units, pools);
    const uint32_t guest = (uint32_t)random_below(state, pools);
    const rig in = {(guest + 1 + (uint32_t)random_below(state, pools - 1)) %
                        pools,
                    guest, random_below(state, 6)};
    /* One end may be a layer, or both ends of one kind. */
    const uint64_t first = one_in(state, 4) ? 0 : 2;
    const uint64_t last = one_in(state, 4) ? random_below(state, 3) : 3;
    const bool is_tied = one_in(state, 6);
    alike_kind kinds[KINDS_MAX];
    fill_rig(&made, state, &in, pools);
    const uint64_t end_bytes = one_in(state, 3) ? 6 : 0;
    for (uint32_t at = 0; at < KINDS_MAX; at++) {
        kinds[at] = make_alike_kind(state);
        kinds[at].bytes += at >= 2 ? end_bytes : 0;
    }
    for (uint32_t unit = 0; unit < units; unit++) {
        const uint64_t which = unit == 0           ? first
                               : unit + 1 == units ? last
                                                   : one_in(state, 4);
        fill_alike_unit(&made, &in, &kinds[which], unit, pools);
        made.tied_to[unit] =
            unit > 0 && unit + 1 == units && is_tied ? 0 : MPL_NO_INDEX;
    }
    if (one_in(state, 8))
        spoil_rig(&made, state, &in, units, pools);
    return wrap(&made, units, pools,
                one_in(state, 16) ? MPL_NO_INDEX : in.host);
}

static const uint64_t **table_at(mpl_problem *problem, uint32_t index)
{
    const uint64_t **const all[] = {
        &problem->own_bytes, &problem->home_bytes, &problem->staging_bytes,
        &problem->relay_bytes, (const uint64_t **)&problem->time_ps};
    return all[index];
}

enum { TABLE_COUNT = 5 };

static bool are_alike(mpl_problem *problem, uint32_t a, uint32_t b)
{
    const uint64_t pools = problem->pool_count;
    bool alike = true;
    for (uint32_t table = 0; table < TABLE_COUNT; table++)
        alike = alike && memcmp(*table_at(problem, table) + a * pools,
                                *table_at(problem, table) + b * pools,
                                pools * sizeof(uint64_t)) == 0;
    return alike;
}

mpl_problem share_rows(mpl_arena *arena, const mpl_problem *problem)
{
    mpl_problem made = *problem;
    const uint64_t pools = problem->pool_count;
    uint32_t *const rows = mpl_arena_alloc(arena, problem->unit_count, 4);
    uint32_t *const firsts = mpl_arena_alloc(arena, problem->unit_count, 4);
    uint32_t count = 0;
    for (uint32_t unit = 0; unit < problem->unit_count; unit++) {
        uint32_t row = 0;
        while (row < count && !are_alike(&made, firsts[row], unit))
            row++;
        if (row == count)
            firsts[count++] = unit;
        rows[unit] = row;
    }
    for (uint32_t table = 0; table < TABLE_COUNT; table++) {
        uint64_t *const cells = mpl_arena_alloc(arena, count * pools, 8);
        const uint64_t **const from = table_at(&made, table);
        for (uint32_t row = 0; row < count; row++)
            memcpy(cells + row * pools, *from + firsts[row] * pools,
                   pools * sizeof *cells);
        *from = cells;
    }
    made.row_of_unit = rows;
    return made;
}

uint64_t brute_force(mpl_arena *arena, const mpl_problem *problem)
{
    uint32_t *const placement =
        mpl_arena_alloc(arena, problem->unit_count, sizeof *placement);
    uint64_t *const scratch = mpl_arena_alloc(
        arena, 4 * problem->pool_count + problem->budget_count, 8);
    uint64_t least = MPL_TIME_FORBIDDEN;
    for (;;) {
        const uint64_t value = mpl_problem_value(problem, placement, scratch);
        least = value < least ? value : least;
        uint32_t unit = 0;
        while (unit < problem->unit_count &&
               ++placement[unit] == problem->pool_count)
            placement[unit++] = 0;
        if (unit == problem->unit_count)
            return least;
    }
}
