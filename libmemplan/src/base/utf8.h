/* SPDX-License-Identifier: MIT */
/* UTF-8: how long the character at a place is, and how wide a text is. */
#ifndef MPL_BASE_UTF8_H
#define MPL_BASE_UTF8_H

#include <stddef.h>

/* Bytes of the well-formed character at `text`, 1 to 4; 0 if it is not
 * well-formed (overlong, a surrogate, past U+10FFFF, cut off). */
size_t mpl_utf8_step(const char *text, size_t length);

/* Characters of a terminated text; a malformed byte counts as one. */
size_t mpl_utf8_count(const char *text);

#endif
