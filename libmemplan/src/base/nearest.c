/* SPDX-License-Identifier: MIT */
#include "base/nearest.h"

#include <stddef.h>
#include <string.h>

#include "memplan.h"

enum { MAX_WORD = 63 };

static char lower(char letter)
{
    return letter >= 'A' && letter <= 'Z' ? (char)(letter - 'A' + 'a') : letter;
}

static uint32_t min_u32(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t word_length(const char *word)
{
    return (uint32_t)strnlen(word, MAX_WORD);
}

/* The "optimal string alignment" distance, three rows at a time. */
uint32_t mpl_edit_distance(const char *a, const char *b)
{
    const uint32_t a_length = word_length(a);
    const uint32_t b_length = word_length(b);
    uint32_t rows[3][MAX_WORD + 1] = {{0}};
    for (uint32_t j = 0; j <= b_length; j++)
        rows[0][j] = j;
    for (uint32_t i = 1; i <= a_length; i++) {
        uint32_t *const row = rows[i % 3];
        const uint32_t *const above = rows[(i + 2) % 3];
        const uint32_t *const over = rows[(i + 1) % 3];
        row[0] = i;
        for (uint32_t j = 1; j <= b_length; j++) {
            const char x = lower(a[i - 1]);
            const char y = lower(b[j - 1]);
            row[j] = min_u32(above[j - 1] + (x != y),
                             min_u32(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && x == lower(b[j - 2]) && y == lower(a[i - 2]))
                row[j] = min_u32(row[j], over[j - 2] + 1);
        }
    }
    return rows[a_length % 3][b_length];
}

void mpl_nearest_offer(mpl_nearest *nearest, const char *wanted,
                       const char *word)
{
    const uint32_t distance = mpl_edit_distance(wanted, word);
    uint32_t place = nearest->count;
    while (place > 0 && nearest->distances[place - 1] > distance)
        place--;
    if (place == MPL_NEAREST_MAX)
        return;
    if (nearest->count < MPL_NEAREST_MAX)
        nearest->count++;
    for (uint32_t at = nearest->count - 1; at > place; at--) {
        nearest->words[at] = nearest->words[at - 1];
        nearest->distances[at] = nearest->distances[at - 1];
    }
    nearest->words[place] = word;
    nearest->distances[place] = distance;
}

const char *memplan_word_nearest(const char *wanted, const char *const *words,
                                 uint64_t word_count)
{
    const char *best = NULL;
    uint32_t best_distance = word_length(wanted) / 3 + 1;
    for (uint64_t at = 0; at < word_count; at++) {
        const uint32_t distance = mpl_edit_distance(wanted, words[at]);
        if (distance <= best_distance &&
            (best == NULL || distance < best_distance)) {
            best = words[at];
            best_distance = distance;
        }
    }
    return best;
}
