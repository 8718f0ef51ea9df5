/* SPDX-License-Identifier: MIT */
/*
 * The "optimal string alignment" distance D of two words, of which three rows
 * are kept:
 *
 *     D(i, j) = the least of  D(i - 1, j) + 1,  D(i, j - 1) + 1,
 *               D(i - 1, j - 1) + (a[i] != b[j]),
 *               D(i - 2, j - 2) + 1 where two neighbours are swapped
 */
#include "base/nearest.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
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

/* A distance at which a word may still have been meant: "fo" is no "ot". */
static uint32_t farthest(const char *wanted)
{
    const uint32_t length = word_length(wanted);
    return length <= 3 ? 1 : length / 3 + 1;
}

/* "mixtral" for "mixtral-8x7b": cut short, not misspelled. */
static bool is_beginning(const char *wanted, const char *word)
{
    enum { LEAST = 3 };
    uint32_t at = 0;
    while (wanted[at] != '\0' && lower(wanted[at]) == lower(word[at]))
        at++;
    return at >= LEAST && wanted[at] == '\0';
}

static void insert(mpl_nearest *nearest, const char *word, uint32_t distance)
{
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

void mpl_nearest_rank(mpl_nearest *nearest, const char *wanted,
                      const char *word)
{
    insert(nearest, word, mpl_edit_distance(wanted, word));
}

void mpl_nearest_offer(mpl_nearest *nearest, const char *wanted,
                       const char *word)
{
    const uint32_t distance = mpl_edit_distance(wanted, word);
    if (distance <= farthest(wanted) || is_beginning(wanted, word))
        insert(nearest, word, distance);
}

const char *mpl_words_join(char out[MPL_WORDS_SIZE], const char *const *words,
                           uint32_t count, const char *quote, const char *last)
{
    size_t length = 0;
    out[0] = '\0';
    for (uint32_t at = 0; at < count; at++) {
        const bool is_last = at + 1 == count;
        const int more = snprintf(
            out + length, MPL_WORDS_SIZE - length, "%s%s%s%s%s%s",
            at == 0   ? ""
            : is_last ? " "
                      : ", ",
            at > 0 && is_last ? last : "", at > 0 && is_last ? " " : "", quote,
            words[at], quote);
        if (more < 0 || (size_t)more >= MPL_WORDS_SIZE - length)
            break;
        length += (size_t)more;
    }
    return out;
}

const char *memplan_word_nearest(const char *wanted, const char *const *words,
                                 uint64_t word_count)
{
    const char *best = NULL;
    uint32_t best_distance = farthest(wanted);
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
