/* SPDX-License-Identifier: MIT */
/*
 * device_map="auto" fills devices in their order, then the host, then a disk,
 * with modules in the order of their definition, and takes apart what does not
 * fit. Of several devices each but the last gets at most
 *
 *     share = all weights / devices + 5/4 of the largest module kept whole
 *
 * and the first device and the host keep room for the largest module that is
 * still to come.
 *
 * Source: integrations/accelerate.py of Transformers 5.23, get_balanced_memory
 * and infer_auto_device_map.
 */
#include "engine/transformers/automatic.h"

#include <string.h>

#include "base/checked.h"
#include "model/model.h"

bool mpl_automatic_open(mpl_automatic *out, mpl_arena *arena,
                        uint32_t unit_count, uint32_t pool_count)
{
    const uint64_t units = (uint64_t)unit_count + 1;
    *out = (mpl_automatic){
        .counted_before = mpl_arena_take(arena, units, sizeof(uint64_t)),
        .largest_from = mpl_arena_take(arena, units, sizeof(uint64_t)),
        .pool_of_unit = mpl_arena_take(arena, units, sizeof(uint32_t)),
        .limits = mpl_arena_take(arena, pool_count, sizeof(uint64_t)),
        .counted = mpl_arena_take(arena, pool_count, sizeof(uint64_t)),
        .order = mpl_arena_take(arena, pool_count, sizeof(uint32_t)),
        .unit_count = unit_count,
        .pool_count = pool_count,
    };
    return !mpl_arena_has_failed(arena);
}

static const mpl_price_row *row_of(const mpl_automatic *at, uint32_t unit)
{
    return &at->prices->rows[at->prices->row_of_unit[unit]];
}

/* A tied unit goes where its owner goes, and counts there. */
static bool is_tied(const mpl_automatic *at, uint32_t unit)
{
    return at->prices->tied_to[unit] != MPL_NO_INDEX;
}

bool mpl_automatic_start(mpl_automatic *at)
{
    const uint32_t units = at->unit_count;
    at->host = MPL_NO_INDEX;
    at->disk = MPL_NO_INDEX;
    for (uint32_t pool = 0; pool < at->pool_count; pool++) {
        if (at->kinds[pool] == MPL_POOL_HOST)
            at->host = pool;
        if (at->kinds[pool] == MPL_POOL_DISK)
            at->disk = pool;
    }
    at->counted_before[0] = 0;
    at->largest_from[units] = 0;
    for (uint32_t unit = 0; unit < units; unit++)
        if (!mpl_add(&at->counted_before[unit + 1], at->counted_before[unit],
                     row_of(at, unit)->counted_bytes))
            return false;
    for (uint32_t unit = units; unit-- > 0;)
        at->largest_from[unit] =
            mpl_max(at->largest_from[unit + 1],
                    is_tied(at, unit) ? 0 : row_of(at, unit)->largest_bytes);
    return true;
}

static uint64_t tenths(uint64_t bytes, uint64_t of_ten)
{
    return bytes / 10 * of_ten + bytes % 10 * of_ten / 10;
}

/* Each device but the last gets its share at most; a quantizer then leaves a
 * tenth of each budget. */
static void set_limits(mpl_automatic *at)
{
    const uint64_t all = at->counted_before[at->unit_count];
    const uint64_t largest = at->largest_from[0];
    uint64_t devices = 0;
    at->order_count = 0;
    for (uint32_t pool = 0; pool < at->pool_count; pool++)
        if (at->budgets[pool] != MEMPLAN_UNKNOWN && pool != at->disk) {
            at->order[at->order_count++] = pool;
            devices += mpl_automatic_is_device(at, pool);
        }
    for (uint32_t step = 0; step < at->order_count; step++) {
        const uint32_t pool = at->order[step];
        uint64_t limit = at->budgets[pool];
        if (step + 1 < devices)
            limit = mpl_min(limit, all / devices + largest + largest / 4);
        at->limits[pool] = tenths(limit, at->prices->filled_tenths);
    }
}

/* How many parts two names have in common, from the first on. */
static uint32_t common_parts(const char *a, const char *b)
{
    uint32_t parts = 0;
    for (; *a == *b && *a != '\0'; a++, b++)
        parts += *a == '.';
    const bool is_end = (*a == '\0' || *a == '.') && (*b == '\0' || *b == '.');
    return parts + is_end;
}

static uint32_t count_parts(const char *name)
{
    return common_parts(name, name);
}

/* The units from `first` on that share so many parts of their names: what is
 * below one module. */
static uint32_t group_end(const mpl_automatic *at, uint32_t first,
                          uint32_t parts)
{
    const char *const *const names = at->names;
    uint32_t end = first + 1;
    while (end < at->unit_count &&
           common_parts(names[first], names[end]) >= parts)
        end++;
    return end;
}

/* Room that the pool at `step` keeps while modules from `unit` on wait. */
static uint64_t reserve(const mpl_automatic *at, uint32_t step, uint32_t unit)
{
    const bool is_main = step == 0 || at->order[step] == at->host;
    return is_main ? at->largest_from[unit] : 0;
}

static uint64_t room(const mpl_automatic *at, uint32_t step, uint32_t unit)
{
    const uint32_t pool = at->order[step];
    return mpl_sub_floor(mpl_sub_floor(at->limits[pool], at->counted[pool]),
                         reserve(at, step, unit));
}

static bool fits(const mpl_automatic *at, uint32_t step, uint32_t first,
                 uint32_t end)
{
    const uint32_t pool = at->order[step];
    uint64_t sum = 0;
    return mpl_add(&sum, at->counted[pool],
                   at->counted_before[end] - at->counted_before[first]) &&
           mpl_add(&sum, sum, reserve(at, step, end)) &&
           sum <= at->limits[pool];
}

static void put(mpl_automatic *at, uint32_t step, uint32_t first, uint32_t end)
{
    const bool is_disk = step == at->order_count;
    const uint32_t pool = is_disk ? at->disk : at->order[step];
    for (uint32_t unit = first; unit < end; unit++)
        at->pool_of_unit[unit] = pool;
    if (!is_disk)
        at->counted[pool] +=
            at->counted_before[end] - at->counted_before[first];
}

/* A unit that would be taken apart to fill this pool up: nobody here knows its
 * parts. */
static bool would_split(const mpl_automatic *at, uint32_t step, uint32_t unit)
{
    const mpl_price_row *const row = row_of(at, unit);
    return row->largest_bytes < row->counted_bytes &&
           room(at, step, unit + 1) > 0;
}

/* Leaves no room for any of its parts. */
static uint32_t close(mpl_automatic *at, uint32_t step, uint32_t unit)
{
    const uint32_t pool = at->order[step];
    at->limits[pool] = at->counted[pool] + reserve(at, step, unit + 1);
    return pool;
}

void mpl_automatic_map(mpl_automatic *at, uint32_t *out_split)
{
    const char *const *const names = at->names;
    uint32_t step = 0;
    uint32_t parts = 1;
    *out_split = MPL_NO_INDEX;
    memset(at->counted, 0, at->pool_count * sizeof *at->counted);
    set_limits(at);
    for (uint32_t unit = 0; unit < at->unit_count;) {
        const uint32_t end = group_end(at, unit, parts);
        if (step == at->order_count || fits(at, step, unit, end)) {
            put(at, step, unit, end);
            if (end < at->unit_count)
                parts = common_parts(names[end - 1], names[end]) + 1;
            unit = end;
        } else if (end > unit + 1 || parts < count_parts(names[unit])) {
            parts++; /* a module: its parts one by one */
        } else {
            if (*out_split == MPL_NO_INDEX && would_split(at, step, unit))
                *out_split = close(at, step, unit);
            step++;
        }
    }
    for (uint32_t unit = 0; unit < at->unit_count; unit++)
        if (is_tied(at, unit))
            at->pool_of_unit[unit] =
                at->pool_of_unit[at->prices->tied_to[unit]];
}
