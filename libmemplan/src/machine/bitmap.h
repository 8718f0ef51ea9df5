/* SPDX-License-Identifier: MIT */
/* Sets of processors and nodes as hwloc and the kernel write them. */
#ifndef MPL_MACHINE_BITMAP_H
#define MPL_MACHINE_BITMAP_H

#include <stdbool.h>
#include <stdint.h>

enum {
    MPL_BITMAP_BITS = 8192,
    MPL_BITMAP_TEXT_BYTES = MPL_BITMAP_BITS / 32 * 11 + 8
};

typedef struct mpl_bitmap {
    uint32_t words[MPL_BITMAP_BITS / 32]; /* least significant first */
} mpl_bitmap;

/* "0x000000ff,0xff000000,,0x0000ffff": 32-bit words, the highest first, an
 * empty one is 0. False: not of that form, or more bits than are kept. */
bool mpl_bitmap_read(mpl_bitmap *out, const char *text);

/* "0-3,8,10-11": the kernel's lists. */
bool mpl_bitmap_read_list(mpl_bitmap *out, const char *text);

bool mpl_bitmap_has(const mpl_bitmap *bitmap, uint32_t bit);
uint32_t mpl_bitmap_count(const mpl_bitmap *bitmap);

#endif
