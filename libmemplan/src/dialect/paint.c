/* SPDX-License-Identifier: MIT */
#include "dialect/paint.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/utf8.h"

typedef struct ink_look {
    const char *label, *colour, *block, *letter, *light, *dark;
} ink_look;

static const ink_look LOOKS[] = {
#define INK(id, label, colour, block, letter, light, dark)                     \
    {label, colour, block, letter, light, dark},
#include "dialect/inks.def"
#undef INK
};

enum { MAX_SLICES = 16, MAX_COLUMNS = 512 };

const char *mpl_ink_label(mpl_ink ink)
{
    return LOOKS[ink].label;
}

const char *mpl_ink_light(mpl_ink ink)
{
    return LOOKS[ink].light;
}

const char *mpl_ink_dark(mpl_ink ink)
{
    return LOOKS[ink].dark;
}

static void open_ink(mpl_paint *paint, mpl_ink ink)
{
    if (paint->use_colour && LOOKS[ink].colour[0] != '\0')
        mpl_text_format(paint->text, "\x1b[%sm", LOOKS[ink].colour);
}

static void close_ink(mpl_paint *paint, mpl_ink ink)
{
    if (paint->use_colour && LOOKS[ink].colour[0] != '\0')
        mpl_text_add(paint->text, "\x1b[0m");
}

size_t mpl_clean_step(const char *at, size_t left, const char **out,
                      size_t *out_length)
{
    const size_t step = mpl_utf8_step(at, left);
    const unsigned char first = (unsigned char)*at;
    const bool is_c1 =
        step == 2 && first == 0xc2 && (unsigned char)at[1] < 0xa0;
    const bool is_bad = step == 0 || first < 0x20 || first == 0x7f || is_c1;
    *out = is_bad ? "?" : at;
    *out_length = is_bad ? 1 : step;
    return step > 0 ? step : 1;
}

static void add_clean(mpl_text *text, const char *at, size_t left)
{
    while (left > 0) {
        const char *shown;
        size_t length;
        const size_t step = mpl_clean_step(at, left, &shown, &length);
        mpl_text_add_bytes(text, shown, length);
        at += step;
        left -= step;
    }
}

/* The place `count` characters after `at`. */
static const char *skip(const char *at, uint64_t count)
{
    for (; count > 0 && *at != '\0'; count--) {
        const size_t step = mpl_utf8_step(at, strlen(at));
        at += step > 0 ? step : 1;
    }
    return at;
}

void mpl_paint_piece(mpl_paint *paint, mpl_ink ink, const char *text,
                     uint64_t length)
{
    open_ink(paint, ink);
    add_clean(paint->text, text, (size_t)length);
    close_ink(paint, ink);
}

void mpl_paint_text(mpl_paint *paint, mpl_ink ink, const char *text)
{
    mpl_paint_piece(paint, ink, text, strlen(text));
}

void mpl_paint_format(mpl_paint *paint, mpl_ink ink, const char *format, ...)
{
    char line[256];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args);
    va_end(args);
    mpl_paint_text(paint, ink, line);
}

void mpl_paint_gap(mpl_paint *paint, uint64_t columns)
{
    mpl_text_repeat(paint->text, " ", mpl_min(columns, MAX_COLUMNS));
}

/* A text of at most `columns` characters: head, dots, tail. */
static void paint_cut(mpl_paint *paint, mpl_ink ink, uint64_t columns,
                      const char *text, uint64_t length)
{
    const char *const dots = paint->use_unicode ? "…" : "..";
    const uint64_t dots_columns = paint->use_unicode ? 1 : 2;
    if (columns <= dots_columns) {
        mpl_text_repeat(paint->text, ".", columns);
        return;
    }
    const uint64_t kept = columns - dots_columns;
    const uint64_t head = kept / 2;
    const char *const head_end = skip(text, head);
    const char *const tail = skip(text, length - (kept - head));
    open_ink(paint, ink);
    add_clean(paint->text, text, (size_t)(head_end - text));
    mpl_text_add(paint->text, dots);
    add_clean(paint->text, tail, strlen(tail));
    close_ink(paint, ink);
}

static void paint_cell(mpl_paint *paint, mpl_ink ink, uint64_t columns,
                       const char *text, bool is_right)
{
    const uint64_t length = mpl_utf8_count(text);
    const uint64_t blanks = mpl_sub_floor(columns, length);
    if (is_right)
        mpl_paint_gap(paint, blanks);
    if (length > columns)
        paint_cut(paint, ink, columns, text, length);
    else
        mpl_paint_text(paint, ink, text);
    if (!is_right)
        mpl_paint_gap(paint, blanks);
}

void mpl_paint_left(mpl_paint *paint, mpl_ink ink, uint64_t columns,
                    const char *text)
{
    paint_cell(paint, ink, columns, text, false);
}

void mpl_paint_right(mpl_paint *paint, mpl_ink ink, uint64_t columns,
                     const char *text)
{
    paint_cell(paint, ink, columns, text, true);
}

void mpl_paint_right_bytes(mpl_paint *paint, mpl_ink ink, uint64_t columns,
                           uint64_t bytes)
{
    char amount[32];
    (void)memplan_bytes_format(amount, sizeof amount, bytes);
    mpl_paint_right(paint, ink, columns, amount);
}

const char *mpl_count_text(char out[MPL_COUNT_SIZE], uint64_t count)
{
    char digits[MPL_COUNT_SIZE];
    if (count == MEMPLAN_UNKNOWN) {
        (void)snprintf(out, MPL_COUNT_SIZE, "unknown");
        return out;
    }
    const int length =
        snprintf(digits, sizeof digits, "%llu", (unsigned long long)count);
    char *to = out;
    for (int at = 0; at < length; at++) {
        if (at > 0 && (length - at) % 3 == 0)
            *to++ = ',';
        *to++ = digits[at];
    }
    *to = '\0';
    return out;
}

void mpl_paint_right_count(mpl_paint *paint, mpl_ink ink, uint64_t columns,
                           uint64_t count)
{
    char text[MPL_COUNT_SIZE];
    mpl_paint_right(paint, ink, columns, mpl_count_text(text, count));
}

const char *mpl_share_text(char out[MPL_COUNT_SIZE], uint64_t part,
                           uint64_t whole)
{
    const mpl_u128 doubled = (mpl_u128)part * 2000 + whole;
    const uint64_t tenths =
        whole == 0 ? 0 : (uint64_t)(doubled / ((mpl_u128)whole * 2));
    if (tenths == 0 && part > 0)
        (void)snprintf(out, MPL_COUNT_SIZE, "< 0.1 %%");
    else
        (void)snprintf(out, MPL_COUNT_SIZE, "%llu.%llu %%",
                       (unsigned long long)(tenths / 10),
                       (unsigned long long)(tenths % 10));
    return out;
}

void mpl_paint_end(mpl_paint *paint)
{
    mpl_text *const text = paint->text;
    while (text->length > 0 && text->data[text->length - 1] == ' ')
        text->length--;
    mpl_text_add(text, "\n");
}

/* Characters of the first `length` bytes. */
static uint64_t count_columns(const char *text, size_t length)
{
    const char *const end = text + length;
    uint64_t columns = 0;
    for (; text < end; columns++)
        text = skip(text, 1);
    return columns;
}

void mpl_paint_wrap(mpl_paint *paint, mpl_ink ink, uint64_t indent,
                    const char *text)
{
    uint64_t column = indent;
    open_ink(paint, ink);
    while (*text != '\0') {
        const size_t blanks = strspn(text, " ");
        const size_t length = strcspn(text + blanks, " ");
        const uint64_t columns = count_columns(text + blanks, length);
        if (column > indent && column + blanks + columns > paint->width) {
            close_ink(paint, ink);
            mpl_paint_end(paint);
            mpl_paint_gap(paint, indent);
            open_ink(paint, ink);
            column = indent;
        } else if (column > indent) {
            mpl_paint_gap(paint, blanks);
            column += blanks;
        }
        add_clean(paint->text, text + blanks, length);
        column += columns;
        text += blanks + length;
    }
    close_ink(paint, ink);
    mpl_paint_end(paint);
}

void mpl_paint_made(mpl_paint *paint, mpl_ink ink, uint64_t indent,
                    mpl_text *made)
{
    if (made->failed)
        paint->text->failed = true;
    else
        mpl_paint_wrap(paint, ink, indent,
                       made->data != NULL ? made->data : "");
    mpl_text_discard(made);
}

void mpl_paint_glyph(mpl_paint *paint, mpl_ink ink)
{
    const ink_look *const look = &LOOKS[ink];
    /* Where colours tell the parts apart, solid blocks look calmer. */
    const bool is_solid = paint->use_colour && paint->use_unicode &&
                          ink != MPL_INK_FREE && ink != MPL_INK_OVER;
    open_ink(paint, ink);
    mpl_text_add(paint->text, is_solid             ? "█"
                              : paint->use_unicode ? look->block
                                                   : look->letter);
    close_ink(paint, ink);
}

void mpl_apportion(uint64_t *out_columns, uint64_t columns,
                   const mpl_slice *slices, uint32_t slice_count,
                   uint64_t whole)
{
    mpl_u128 sum = 0;
    uint64_t edge = 0;
    uint32_t widest = 0;
    for (uint32_t at = 0; at < slice_count; at++) {
        sum += slices[at].bytes;
        const uint64_t next = whole == 0
                                  ? 0
                                  : (uint64_t)((sum * columns * 2 + whole) /
                                               ((mpl_u128)whole * 2));
        out_columns[at] = mpl_min(next, columns) - edge;
        edge = mpl_min(next, columns);
        if (out_columns[at] > out_columns[widest])
            widest = at;
    }
    for (uint32_t at = 0; at < slice_count; at++) {
        if (slices[at].bytes == 0 || out_columns[at] > 0)
            continue;
        if (edge < columns)
            edge++;
        else if (out_columns[widest] > 1)
            out_columns[widest]--;
        else
            continue;
        out_columns[at] = 1;
    }
}

/* `count` cells of one ink; the escapes once, not a cell. */
static void paint_run(mpl_paint *paint, mpl_ink ink, uint64_t count)
{
    if (count == 0)
        return;
    mpl_paint plain = *paint;
    plain.use_colour = false;
    const bool is_solid = paint->use_colour && paint->use_unicode &&
                          ink != MPL_INK_FREE && ink != MPL_INK_OVER;
    open_ink(paint, ink);
    if (is_solid)
        mpl_text_repeat(paint->text, "█", count);
    else
        for (uint64_t at = 0; at < count; at++)
            mpl_paint_glyph(&plain, ink);
    close_ink(paint, ink);
}

void mpl_paint_bar(mpl_paint *paint, uint64_t columns, const mpl_slice *slices,
                   uint32_t slice_count, uint64_t whole, uint64_t limit_bytes)
{
    uint64_t widths[MAX_SLICES] = {0};
    const uint64_t cells = mpl_min(columns, MAX_COLUMNS);
    const uint32_t count = (uint32_t)mpl_min(slice_count, MAX_SLICES);
    mpl_apportion(widths, cells, slices, count, whole);

    const mpl_slice within = {MPL_INK_FREE, mpl_min(limit_bytes, whole)};
    uint64_t limit = 0;
    mpl_apportion(&limit, cells, &within, 1, whole);
    if (limit_bytes < whole && limit == cells && cells > 0)
        limit--; /* a shortage is seen, however small */

    uint64_t place = 0;
    for (uint32_t at = 0; at < count; at++) {
        const uint64_t inside =
            mpl_min(widths[at], mpl_sub_floor(limit, place));
        paint_run(paint, slices[at].ink, inside);
        paint_run(paint, MPL_INK_OVER, widths[at] - inside);
        place += widths[at];
    }
    paint_run(paint, MPL_INK_FREE, mpl_sub_floor(cells, place));
}
