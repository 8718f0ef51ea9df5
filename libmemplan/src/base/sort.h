/* SPDX-License-Identifier: MIT */
/*
 * A stable radix sort by 64-bit keys: linear in the items, whatever a hostile
 * file has made of them.
 */
#ifndef MPL_BASE_SORT_H
#define MPL_BASE_SORT_H

#include <stdint.h>

typedef struct mpl_sort_item {
    uint64_t key;
    uint64_t value; /* travels with its key: a position, mostly */
} mpl_sort_item;

/* Smallest key first; equal keys keep their order. `scratch` has room for
 * `count` items. */
void mpl_sort(mpl_sort_item *items, mpl_sort_item *scratch, uint64_t count);

#endif
