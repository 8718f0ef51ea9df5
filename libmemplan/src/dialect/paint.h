/* SPDX-License-Identifier: MIT */
/*
 * Text for a person: cells, wrapped sentences and bars, in colour or not, in
 * Unicode or ASCII. Control characters of names never reach the terminal.
 */
#ifndef MPL_DIALECT_PAINT_H
#define MPL_DIALECT_PAINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "memplan.h"

typedef struct mpl_paint {
    mpl_text *text;
    uint64_t width; /* columns */
    bool use_colour;
    bool use_unicode;
    bool without_bars;
} mpl_paint;

/* What a piece of text or bar means; the rows are in inks.def. */
typedef enum mpl_ink {
#define INK(id, label, colour, block, letter, light, dark) MPL_INK_##id,
#include "dialect/inks.def"
#undef INK
    MPL_INK_COUNT
} mpl_ink;

/* One part of a bar. */
typedef struct mpl_slice {
    mpl_ink ink;
    uint64_t bytes;
} mpl_slice;

/* What the ink stands for in a legend: "weights", "KV cache". */
const char *mpl_ink_label(mpl_ink ink);

/* The ink on a light and on a dark page, as "#rrggbb". */
const char *mpl_ink_light(mpl_ink ink);
const char *mpl_ink_dark(mpl_ink ink);

/* The next character of a text: its bytes, or "?" for one that a terminal
 * might obey (C0, DEL, and C1 in its two-byte form) or that is malformed.
 * Returns how far to go on. */
size_t mpl_clean_step(const char *at, size_t left, const char **out,
                      size_t *out_length);

/* Text as it is. */
void mpl_paint_text(mpl_paint *paint, mpl_ink ink, const char *text);

/* Its first `length` bytes. */
void mpl_paint_piece(mpl_paint *paint, mpl_ink ink, const char *text,
                     uint64_t length);

/* printf, then mpl_paint_text(); cut at 255 bytes. No %f: it has a locale. */
void mpl_paint_format(mpl_paint *paint, mpl_ink ink, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A cell of that many columns, flush left or right; a longer text is cut in
 * its middle, where names differ least. */
void mpl_paint_left(mpl_paint *paint, mpl_ink ink, uint64_t columns,
                    const char *text);
void mpl_paint_right(mpl_paint *paint, mpl_ink ink, uint64_t columns,
                     const char *text);
void mpl_paint_right_bytes(mpl_paint *paint, mpl_ink ink, uint64_t columns,
                           uint64_t bytes);

/* A count with commas, flush right: "68,976,648,192". */
void mpl_paint_right_count(mpl_paint *paint, mpl_ink ink, uint64_t columns,
                           uint64_t count);

/* A count with commas into `out`, 32 bytes always suffice. */
enum { MPL_COUNT_SIZE = 32 };
const char *mpl_count_text(char out[MPL_COUNT_SIZE], uint64_t count);

/* part / whole in percent: "99.2 %", "< 0.1 %". */
const char *mpl_share_text(char out[MPL_COUNT_SIZE], uint64_t part,
                           uint64_t whole);

/* Blanks. */
void mpl_paint_gap(mpl_paint *paint, uint64_t columns);

/* A sentence that starts at column `indent` and goes on there. */
void mpl_paint_wrap(mpl_paint *paint, mpl_ink ink, uint64_t indent,
                    const char *text);

/* The same for a sentence made as a text, which is given up. */
void mpl_paint_made(mpl_paint *paint, mpl_ink ink, uint64_t indent,
                    mpl_text *made);

/* Ends the line and drops the blanks before it. */
void mpl_paint_end(mpl_paint *paint);

/*
 * A bar of `columns` for `whole` bytes: a cell or more for each slice above
 * zero, the rest as free. What lies past `limit_bytes` is drawn as over.
 */
void mpl_paint_bar(mpl_paint *paint, uint64_t columns, const mpl_slice *slices,
                   uint32_t slice_count, uint64_t whole, uint64_t limit_bytes);

/* The glyph that a bar shows for an ink, for legends. */
void mpl_paint_glyph(mpl_paint *paint, mpl_ink ink);

/* How many of `columns` each slice gets; sums to `columns` or less. */
void mpl_apportion(uint64_t *out_columns, uint64_t columns,
                   const mpl_slice *slices, uint32_t slice_count,
                   uint64_t whole);

#endif
