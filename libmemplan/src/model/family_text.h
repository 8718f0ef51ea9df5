/* SPDX-License-Identifier: MIT */
/* The text of families, line by line and word by word. */
#ifndef MPL_MODEL_FAMILY_TEXT_H
#define MPL_MODEL_FAMILY_TEXT_H

#include <stdbool.h>
#include <stdint.h>

/* A piece of the text, which it does not end with a NUL. */
typedef struct mpl_line {
    const char *text;
    uint64_t length;
    uint32_t indent;
} mpl_line;

/* The next line that is neither empty nor a comment. */
bool mpl_line_next(mpl_line *line, const char **at, const char *end);

/* Takes the first word off a line. */
bool mpl_line_word(mpl_line *line, mpl_line *word);

bool mpl_line_is(const mpl_line *word, const char *text);

#endif
