/* SPDX-License-Identifier: MIT */
/*
 * Names found by binary search, and duplicates without comparing all pairs.
 *
 * Entries are sorted by hash, then by name, so that a file made of colliding
 * names costs a sort and no more.
 */
#ifndef MPL_MODEL_NAME_INDEX_H
#define MPL_MODEL_NAME_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/sort.h"

typedef struct mpl_name_index {
    const mpl_sort_item *entries; /* key: hash; value: position */
    const void *first_name;
    uint64_t stride_bytes;
    uint64_t count;
    uint64_t duplicate; /* the first position whose name stands before it, or
                           MEMPLAN_UNKNOWN */
} mpl_name_index;

/* `first_name` is the `const char *` of the first of `count` structs, which
 * lie `stride_bytes` apart and must outlive the index. False: no memory. */
bool mpl_name_index_build(mpl_name_index *out, mpl_arena *arena,
                          const void *first_name, uint64_t stride_bytes,
                          uint64_t count);

/* True when no two names are the same, at the cost of a glance at each. False
 * when two may be, or memory is short: build an index to know. */
bool mpl_names_are_distinct(mpl_arena *arena, const void *first_name,
                            uint64_t stride_bytes, uint64_t count);

/* The position of a name (the first, if it stands twice), or
 * MEMPLAN_UNKNOWN. */
uint64_t mpl_name_index_find(const mpl_name_index *index, const char *name);

#endif
