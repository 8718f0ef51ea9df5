/* SPDX-License-Identifier: MIT */
#include "plan/space.h"

#include <string.h>

#include "base/checked.h"
#include "plan/usage.h"

/* In an item's slot: several units are tied in it. */
#define JOINT (UINT32_C(1) << 31)

/* Items that are alike share a slot, and with it a row of cells. */
typedef struct slots {
    mpl_cell *rows;
    uint32_t *of_item;
    uint32_t *of_row; /* of a problem's row; 0: none yet, else plus 1 */
    uint32_t *classes;
    uint32_t count;
} slots;

/* Items are numbered by their first unit, and slots by their first item. */
static void number_items(mpl_space *space, slots *made)
{
    const mpl_problem *const problem = space->problem;
    for (uint32_t unit = 0; unit < problem->unit_count; unit++) {
        const uint32_t tied = problem->tied_to[unit];
        space->item_of_unit[unit] = tied != MPL_NO_INDEX
                                        ? space->item_of_unit[tied]
                                        : space->item_count++;
        if (tied != MPL_NO_INDEX)
            made->of_item[space->item_of_unit[unit]] = JOINT;
    }
    uint32_t item = 0;
    for (uint32_t unit = 0; unit < problem->unit_count; unit++) {
        if (problem->tied_to[unit] != MPL_NO_INDEX)
            continue;
        uint32_t *const of_row =
            &made->of_row[mpl_problem_row(problem, unit)];
        if (made->of_item[item] == JOINT)
            made->of_item[item++] = made->count++ | JOINT;
        else
            made->of_item[item++] =
                (*of_row == 0 ? (*of_row = ++made->count) : *of_row) - 1;
    }
}

static void find_runs(mpl_space *space)
{
    const mpl_problem *const problem = space->problem;
    for (uint32_t unit = problem->unit_count; unit-- > 0;) {
        const bool is_alone =
            unit + 1 == problem->unit_count ||
            mpl_problem_row(problem, unit + 1) !=
                mpl_problem_row(problem, unit) ||
            problem->tied_to[unit] != MPL_NO_INDEX ||
            problem->tied_to[unit + 1] != MPL_NO_INDEX;
        space->run_end[unit] = is_alone ? unit + 1 : space->run_end[unit + 1];
    }
}

/* Sums stick at the largest number, which fits nowhere. */
static uint64_t sum_up(uint64_t a, uint64_t b)
{
    uint64_t sum;
    return mpl_add(&sum, a, b) ? sum : UINT64_MAX;
}

static void add_unit(mpl_cell *into, const mpl_problem *problem, uint32_t unit,
                     uint32_t pool)
{
    const uint64_t at = mpl_problem_cell(problem, unit, pool);
    const uint64_t time_ps = problem->time_ps[at];
    into->own_bytes = sum_up(into->own_bytes, problem->own_bytes[at]);
    if (problem->relay[pool] != MPL_NO_INDEX)
        into->relay_bytes =
            mpl_max(into->relay_bytes, problem->relay_bytes[at]);
    if (problem->home[pool] != pool) {
        into->home_bytes = sum_up(into->home_bytes, problem->home_bytes[at]);
        into->staging_bytes =
            mpl_max(into->staging_bytes, problem->staging_bytes[at]);
    }
    into->time_ps = time_ps == MPL_TIME_FORBIDDEN
                        ? MPL_TIME_FORBIDDEN
                        : sum_up(into->time_ps, time_ps);
}

static bool fill_rows(slots *made, const mpl_space *space, mpl_arena *arena)
{
    const mpl_problem *const problem = space->problem;
    const uint32_t pools = problem->pool_count;
    uint32_t filled = 0;
    made->rows = mpl_arena_alloc(arena, (uint64_t)made->count * pools,
                                 sizeof *made->rows);
    if (made->rows == NULL)
        return false;
    for (uint32_t unit = 0; unit < problem->unit_count; unit++) {
        const uint32_t slot = made->of_item[space->item_of_unit[unit]];
        const uint32_t index = slot & ~JOINT;
        if (index < filled && (slot & JOINT) == 0)
            continue;
        for (uint32_t pool = 0; pool < pools; pool++)
            add_unit(&made->rows[(uint64_t)index * pools + pool], problem, unit,
                     pool);
        filled = index < filled ? filled : index + 1;
    }
    return true;
}

/* The products of a cell do not wait for each other. */
static uint64_t hash_row(const mpl_cell *row, uint32_t count)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (const mpl_cell *at = row; at < row + count; at++) {
        hash ^= at->own_bytes * UINT64_C(0x9e3779b97f4a7c15) +
                at->home_bytes * UINT64_C(0xbf58476d1ce4e5b9) +
                at->staging_bytes * UINT64_C(0x94d049bb133111eb) +
                at->relay_bytes * UINT64_C(0xd6e8feb86659fd93) +
                at->time_ps * UINT64_C(0xff51afd7ed558ccd);
        hash *= UINT64_C(1099511628211);
        hash ^= hash >> 29;
    }
    return hash;
}

/* Sorts equal rows into classes through a table whose size is a power of two,
 * at least twice their number; empty places are 0. */
static void find_classes(mpl_space *space, const slots *made, uint32_t *table,
                         uint64_t table_size)
{
    const uint32_t pools = space->problem->pool_count;
    const size_t row_bytes = pools * sizeof *made->rows;
    for (uint32_t slot = 0; slot < made->count; slot++) {
        const mpl_cell *const row = &made->rows[(uint64_t)slot * pools];
        uint64_t at = hash_row(row, pools) & (table_size - 1);
        while (table[at] != 0 && memcmp(mpl_space_cell(space, table[at] - 1, 0),
                                        row, row_bytes) != 0)
            at = (at + 1) & (table_size - 1);
        if (table[at] == 0) {
            table[at] = ++space->class_count;
            memcpy(&space->cells[(uint64_t)(space->class_count - 1) * pools],
                   row, row_bytes);
        }
        made->classes[slot] = table[at] - 1;
    }
    for (uint32_t item = 0; item < space->item_count; item++) {
        const uint32_t slot = made->of_item[item] & ~JOINT;
        space->class_of_item[item] = made->classes[slot];
        space->class_size[made->classes[slot]]++;
    }
}

static uint64_t pool_time(const mpl_space *space, uint32_t pool)
{
    uint64_t sum = 0;
    for (uint32_t at = 0; at < space->class_count; at++) {
        const uint64_t time_ps = mpl_space_cell(space, at, pool)->time_ps;
        if (time_ps != MPL_TIME_FORBIDDEN)
            sum = sum_up(sum, time_ps);
    }
    return sum;
}

/* What passes through a pool must find it set out before. */
static void put_relays_first(const mpl_problem *problem, uint64_t *keys)
{
    for (uint32_t pool = 0; pool < problem->pool_count; pool++) {
        const uint32_t relay = problem->relay[pool];
        if (relay != MPL_NO_INDEX && relay != pool)
            keys[pool] = mpl_max(keys[pool], sum_up(keys[relay], 1));
    }
}

/* Pools without guests first, the fastest first; then each home, its guests
 * behind it. Ties keep the lower index first. */
static void order_levels(mpl_space *space)
{
    const mpl_problem *const problem = space->problem;
    const uint32_t pools = problem->pool_count;
    uint64_t keys[MPL_PROBLEM_POOLS_MAX];
    uint32_t ranks[MPL_PROBLEM_POOLS_MAX] = {0};
    for (uint32_t pool = 0; pool < pools; pool++) {
        keys[pool] = pool_time(space, pool);
        if (problem->home[pool] != pool) {
            ranks[pool] = 2 * problem->home[pool] + 2;
            ranks[problem->home[pool]] = 2 * problem->home[pool] + 1;
        }
    }
    put_relays_first(problem, keys);
    for (uint32_t at = 0; at < pools; at++) {
        uint32_t place = at;
        for (; place > 0; place--) {
            const uint32_t before = space->levels[place - 1];
            if (ranks[before] < ranks[at] ||
                (ranks[before] == ranks[at] && keys[before] <= keys[at]))
                break;
            space->levels[place] = before;
        }
        space->levels[place] = at;
    }
}

static void find_ends(mpl_space *space)
{
    const mpl_problem *const problem = space->problem;
    space->first_class = MPL_NO_INDEX;
    space->last_class = MPL_NO_INDEX;
    if (problem->unit_count == 0)
        return;
    const uint32_t ends[] = {
        space->class_of_item[space->item_of_unit[0]],
        space->class_of_item[space->item_of_unit[problem->unit_count - 1]]};
    if (space->class_size[ends[0]] == 1)
        space->first_class = ends[0];
    if (space->class_size[ends[1]] == 1)
        space->last_class = ends[1];
}

static void find_crossing(mpl_space *space)
{
    const mpl_problem *const problem = space->problem;
    space->least_crossing_ps = MPL_TIME_MAX_PS;
    for (uint32_t from = 0; from < problem->pool_count; from++)
        for (uint32_t to = 0; to < problem->pool_count; to++)
            if (problem->home[from] != problem->home[to])
                space->least_crossing_ps = mpl_min(
                    space->least_crossing_ps,
                    problem->crossing_ps[from * problem->pool_count + to]);
}

static bool make_classes(mpl_space *made, mpl_arena *arena)
{
    const uint64_t units = made->problem->unit_count;
    const uint64_t pools = made->problem->pool_count;
    slots found = {.count = 0};
    found.of_item = mpl_arena_alloc(arena, units, sizeof *found.of_item);
    found.of_row = mpl_arena_alloc(arena, units, sizeof *found.of_row);
    made->item_of_unit =
        mpl_arena_alloc(arena, units, sizeof *made->item_of_unit);
    made->class_of_item =
        mpl_arena_alloc(arena, units, sizeof *made->class_of_item);
    made->run_end = mpl_arena_take(arena, units, sizeof *made->run_end);
    if (found.of_item == NULL || found.of_row == NULL ||
        made->item_of_unit == NULL || made->class_of_item == NULL ||
        made->run_end == NULL)
        return false;
    find_runs(made);
    number_items(made, &found);
    uint64_t table_size = 16;
    while (table_size < 2 * (uint64_t)found.count)
        table_size *= 2;
    uint32_t *const table = mpl_arena_alloc(arena, table_size, sizeof *table);
    found.classes = mpl_arena_alloc(arena, found.count, sizeof *found.classes);
    made->class_size =
        mpl_arena_alloc(arena, found.count, sizeof *made->class_size);
    made->cells =
        mpl_arena_alloc(arena, found.count * pools, sizeof *made->cells);
    made->left =
        mpl_arena_alloc(arena, found.count * pools, sizeof *made->left);
    if (table == NULL || found.classes == NULL || made->class_size == NULL ||
        made->cells == NULL || made->left == NULL ||
        !fill_rows(&found, made, arena))
        return false;
    find_classes(made, &found, table, table_size);
    return true;
}

bool mpl_space_make(mpl_space *out, mpl_arena *arena,
                    const mpl_problem *problem)
{
    const uint64_t pools = problem->pool_count;
    mpl_space made = {.problem = problem, .arena = arena};
    made.levels = mpl_arena_alloc(arena, pools, sizeof *made.levels);
    made.multipliers = mpl_arena_alloc(arena, pools + problem->budget_count,
                                       sizeof *made.multipliers);
    made.scratch = mpl_arena_alloc(arena, 2 * mpl_usage_words(problem),
                                   sizeof *made.scratch);
    made.rooms = mpl_arena_alloc(arena, pools, sizeof *made.rooms);
    made.placed =
        mpl_arena_alloc(arena, problem->unit_count, sizeof *made.placed);
    if (made.rooms == NULL || made.placed == NULL || made.levels == NULL ||
        made.multipliers == NULL || made.scratch == NULL ||
        !make_classes(&made, arena))
        return false;
    order_levels(&made);
    find_ends(&made);
    find_crossing(&made);
    mpl_space_find_rooms(&made);
    *out = made;
    return true;
}
