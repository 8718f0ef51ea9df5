/* SPDX-License-Identifier: MIT */
/* The text of families, line by line and word by word. */
#ifndef MEMPLAN_FAMILY_COMPILER_LINE_H
#define MEMPLAN_FAMILY_COMPILER_LINE_H

#include <stdbool.h>
#include <stdint.h>

/* A piece of the text, which it does not end with a NUL. */
typedef struct line {
    const char *text;
    uint64_t length;
    uint32_t indent;
} line;

/* The next line that is neither empty nor a comment. */
bool line_next(line *out, const char **at, const char *end);

/* Takes the first word off a line. */
bool line_word(line *from, line *word);

bool line_is(const line *word, const char *text);

#endif
