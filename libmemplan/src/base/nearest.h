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
 * of offering. Start from zero, and leave the count 0 where all are far. */
typedef struct mpl_nearest {
    const char *words[MPL_NEAREST_MAX];
    uint32_t distances[MPL_NEAREST_MAX];
    uint32_t count;
} mpl_nearest;

/* Takes a word that may have been meant: at most a third of the letters and
 * one more are wrong, of three or fewer one, or its end is missing. Farther
 * ones are noise. */
void mpl_nearest_offer(mpl_nearest *nearest, const char *wanted,
                       const char *word);

/* Takes a word however far it is. */
void mpl_nearest_rank(mpl_nearest *nearest, const char *wanted,
                      const char *word);

enum { MPL_WORDS_SIZE = 224 };

/* "a", "a or b", "a, b or c", where `last` is "or": into `out`, which is
 * returned; "" for none. Each word stands between `quote`s. Cut at the end. */
const char *mpl_words_join(char out[MPL_WORDS_SIZE], const char *const *words,
                           uint32_t count, const char *quote,
                           const char *last);

#endif
