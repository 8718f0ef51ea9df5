/* SPDX-License-Identifier: MIT */
/*
 * A picture for a page: rows of a label, a bar and an amount. It follows the
 * page's light or dark scheme, needs no script and no font of its own, and may
 * stand in a page many times.
 */
#ifndef MPL_DIALECT_SVG_H
#define MPL_DIALECT_SVG_H

#include "base/text.h"
#include "dialect/paint.h"

enum {
    MPL_SVG_WIDTH = 720,
    MPL_SVG_MARGIN = 16,
    MPL_SVG_LABEL_WIDTH = 104, /* room for a row's label, unless told */
    MPL_SVG_AMOUNT_WIDTH = 176,
    MPL_SVG_ROW_HEIGHT = 30,
    MPL_SVG_BAR_HEIGHT = 18
};

typedef enum mpl_svg_anchor {
    MPL_SVG_START,
    MPL_SVG_MIDDLE,
    MPL_SVG_END
} mpl_svg_anchor;

typedef struct mpl_svg {
    mpl_text *text;
    uint64_t y; /* the top of what comes next */
} mpl_svg;

/* `title` is for those who do not see the picture. */
mpl_svg mpl_svg_open(mpl_text *text, uint64_t height, const char *title);
void mpl_svg_close(mpl_svg *svg);

/* A text whose base line is at y. Bold where `is_strong`. */
void mpl_svg_text(mpl_svg *svg, uint64_t x, uint64_t y, mpl_svg_anchor anchor,
                  mpl_ink ink, bool is_strong, const char *text);

/* One part of a bar and what to say of it when pointed at. */
typedef struct mpl_svg_slice {
    mpl_ink ink;
    uint64_t bytes;
    const char *label;
} mpl_svg_slice;

/* A row: a label, a bar of `whole` bytes and an amount. Where the bar goes past
 * `limit_bytes`, the rest is drawn as over. */
typedef struct mpl_svg_bar {
    const char *label;
    const char *amount;
    const mpl_svg_slice *slices;
    uint32_t slice_count;
    uint32_t label_width;
    uint32_t label_indent;
    uint64_t whole;
    uint64_t limit_bytes;
} mpl_svg_bar;

/* The next row. */
void mpl_svg_row(mpl_svg *svg, const mpl_svg_bar *bar);

/* One line of squares and their names. */
void mpl_svg_legend(mpl_svg *svg, uint64_t x, const mpl_ink *inks,
                    const char *const *labels, uint32_t count);

#endif
