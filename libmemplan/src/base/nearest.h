/* SPDX-License-Identifier: MIT */
/* The known words nearest to one that is not known: for messages. */
#ifndef MPL_BASE_NEAREST_H
#define MPL_BASE_NEAREST_H

#include <stdint.h>

/* Edits (insert, delete, replace, swap of neighbours) between two words,
 * letters without case; words over 63 bytes are cut. */
uint32_t mpl_edit_distance(const char *a, const char *b);

enum { MPL_NEAREST_MAX = 3 };

/* The best of the words offered so far, nearest first; ties keep the order
 * of offering. Start from zero. */
typedef struct mpl_nearest {
    const char *words[MPL_NEAREST_MAX];
    uint32_t distances[MPL_NEAREST_MAX];
    uint32_t count;
} mpl_nearest;

void mpl_nearest_offer(mpl_nearest *nearest, const char *wanted,
                       const char *word);

#endif
