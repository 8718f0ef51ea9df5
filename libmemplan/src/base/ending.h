/* SPDX-License-Identifier: MIT */
/* The end of a name, by which classes and tensors tell what they are. */
#ifndef MPL_BASE_ENDING_H
#define MPL_BASE_ENDING_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static inline bool mpl_ends_with(const char *text, const char *ending)
{
    const size_t length = strlen(text);
    const size_t tail = strlen(ending);
    return length >= tail && strcmp(text + length - tail, ending) == 0;
}

#endif
