/* SPDX-License-Identifier: MIT */
/*
 * Writes JSON into a text, two spaces a level. Keys in the order written;
 * MEMPLAN_UNKNOWN and a NULL string become null.
 *
 *     mpl_json_writer out = {.text = &text};
 *     mpl_json_open_object(&out, NULL);
 *     mpl_json_number(&out, "total_bytes", bytes);
 *     mpl_json_close(&out);
 */
#ifndef MPL_BASE_JSON_WRITER_H
#define MPL_BASE_JSON_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

enum { MPL_JSON_MAX_DEPTH = 32 };

typedef struct mpl_json_writer {
    mpl_text *text;
    uint32_t depth;
    bool is_array[MPL_JSON_MAX_DEPTH];
    bool has_items[MPL_JSON_MAX_DEPTH];
    bool is_flat[MPL_JSON_MAX_DEPTH];
    bool has_key;   /* the next value's is written */
    bool is_inline; /* set it: containers opened now stay on one line */
} mpl_json_writer;

/* `key` is NULL inside an array and at the root. */
void mpl_json_open_object(mpl_json_writer *out, const char *key);
void mpl_json_open_array(mpl_json_writer *out, const char *key);
void mpl_json_close(mpl_json_writer *out);

/* A key by itself, of a part of a text; the value that follows has none. */
void mpl_json_key(mpl_json_writer *out, const char *key, uint64_t length);

void mpl_json_number(mpl_json_writer *out, const char *key, uint64_t value);
void mpl_json_text(mpl_json_writer *out, const char *key, const char *value);
void mpl_json_flag(mpl_json_writer *out, const char *key, bool value);
void mpl_json_null(mpl_json_writer *out, const char *key);

/* value / 10^decimals with that many decimals at most: 1234, 2 is 12.34. */
void mpl_json_decimal(mpl_json_writer *out, const char *key, uint64_t value,
                      uint32_t decimals);

/* A string with its quotes and escapes, by itself. */
void mpl_json_quote(mpl_text *text, const char *value);

#endif
