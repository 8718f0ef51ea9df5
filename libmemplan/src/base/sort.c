/* SPDX-License-Identifier: MIT */
/* One pass a byte of the key, the lowest first; a byte that all keys share
 * needs none, so small keys cost little. */
#include "base/sort.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum { DIGITS = 8, VALUES = 256 };

static bool is_sorted(const mpl_sort_item *items, uint64_t count)
{
    for (uint64_t at = 1; at < count; at++)
        if (items[at - 1].key > items[at].key)
            return false;
    return true;
}

static unsigned digit_of(uint64_t key, unsigned digit)
{
    return (unsigned)(key >> (8 * digit)) & (VALUES - 1);
}

/* Where each value of a digit begins; false when all keys share one. */
static bool count_digit(const mpl_sort_item *items, uint64_t count,
                        unsigned digit, uint64_t starts[VALUES])
{
    memset(starts, 0, VALUES * sizeof *starts);
    for (uint64_t at = 0; at < count; at++)
        starts[digit_of(items[at].key, digit)]++;
    if (starts[digit_of(items[0].key, digit)] == count)
        return false;
    uint64_t before = 0;
    for (unsigned value = 0; value < VALUES; value++) {
        const uint64_t here = starts[value];
        starts[value] = before;
        before += here;
    }
    return true;
}

void mpl_sort(mpl_sort_item *items, mpl_sort_item *scratch, uint64_t count)
{
    if (is_sorted(items, count))
        return;
    mpl_sort_item *from = items;
    mpl_sort_item *to = scratch;
    for (unsigned digit = 0; digit < DIGITS; digit++) {
        uint64_t starts[VALUES];
        if (!count_digit(from, count, digit, starts))
            continue;
        for (uint64_t at = 0; at < count; at++)
            to[starts[digit_of(from[at].key, digit)]++] = from[at];
        mpl_sort_item *const swap = from;
        from = to;
        to = swap;
    }
    if (from != items)
        memcpy(items, from, (size_t)count * sizeof *items);
}
