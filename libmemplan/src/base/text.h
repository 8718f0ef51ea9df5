/* SPDX-License-Identifier: MIT */
/*
 * A text that grows, to be handed to the caller. A refused allocation is
 * sticky: write on, and check once, in mpl_text_finish().
 */
#ifndef MPL_BASE_TEXT_H
#define MPL_BASE_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "memplan.h"

typedef struct mpl_text {
    char *data; /* terminated; NULL while empty */
    uint64_t length;
    uint64_t capacity;
    bool failed;
} mpl_text;

void mpl_text_add(mpl_text *text, const char *part);
void mpl_text_add_bytes(mpl_text *text, const char *part, uint64_t length);

/* Makes a text so much longer; the caller fills that in. NULL where it
 * failed. */
char *mpl_text_extend(mpl_text *text, uint64_t length);

void mpl_text_repeat(mpl_text *text, const char *part, uint64_t times);

void mpl_text_number(mpl_text *text, uint64_t value);

/* A number in decimal, written to the end of `buffer`: where it starts. */
enum { MPL_DIGITS_SIZE = 21 };
char *mpl_digits(char buffer[MPL_DIGITS_SIZE], uint64_t value);

/* No %f: it has a locale. */
void mpl_text_format(mpl_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* An amount as memplan_bytes_format() writes it. */
void mpl_text_bytes(mpl_text *text, uint64_t bytes);

/* Hands the text over; it is freed by memplan_text_free(). On failure the
 * text is freed and `*out` untouched. */
memplan_status mpl_text_finish(mpl_text *text, char **out,
                               memplan_error *error);

/* Gives up the text. */
void mpl_text_discard(mpl_text *text);

#endif
