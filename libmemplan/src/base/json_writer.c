/* SPDX-License-Identifier: MIT */
#include "base/json_writer.h"

#include <string.h>

#include "base/utf8.h"

/* A byte in each byte of a word. */
#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/*
 * Whether eight bytes stand as they are: none is below 0x20, above 0x7e, or
 * one of the two that are escaped. A byte less a larger one borrows, and with
 * it a bit comes up that it had not; what that does to the next byte no longer
 * matters.
 */
static bool are_plain(const char *value)
{
    uint64_t word;
    memcpy(&word, value, sizeof word);
    const uint64_t quote = word ^ EACH('"');
    const uint64_t slash = word ^ EACH('\\');
    const uint64_t escaped = ((word - EACH(0x20)) & ~word) |
                             ((quote - EACH(1)) & ~quote) |
                             ((slash - EACH(1)) & ~slash);
    return ((word | (word + EACH(1)) | escaped) & EACH(0x80)) == 0;
}

/* How many bytes stand as they are. */
static uint64_t plain_length(const char *value, uint64_t length)
{
    uint64_t plain = 0;
    while (length - plain >= sizeof(uint64_t) && are_plain(value + plain))
        plain += sizeof(uint64_t);
    while (plain < length) {
        const unsigned char next = (unsigned char)value[plain];
        if (next < 0x20 || next > 0x7e || next == '"' || next == '\\')
            break;
        plain++;
    }
    return plain;
}

/* One character that does not stand as it is. Returns its bytes. */
static uint64_t escape(mpl_text *text, const char *value, uint64_t left)
{
    const uint64_t step = mpl_utf8_step(value, left);
    const unsigned char first = (unsigned char)*value;
    if (step == 0)
        mpl_text_add(text, "\xef\xbf\xbd"); /* U+FFFD for a bad byte */
    else if (first == '"' || first == '\\')
        mpl_text_format(text, "\\%c", first);
    else if (first < 0x20)
        mpl_text_format(text, "\\u%04x", first);
    else
        mpl_text_add_bytes(text, value, step);
    return step > 0 ? step : 1;
}

static void quote_plain(mpl_text *text, const char *value, uint64_t length)
{
    char *const place = mpl_text_extend(text, length + 2);
    if (place == NULL)
        return;
    place[0] = '"';
    memcpy(place + 1, value, (size_t)length);
    place[length + 1] = '"';
}

static void quote(mpl_text *text, const char *value, uint64_t length)
{
    if (plain_length(value, length) == length) {
        quote_plain(text, value, length);
        return;
    }
    mpl_text_add_bytes(text, "\"", 1);
    while (length > 0) {
        const uint64_t plain = plain_length(value, length);
        mpl_text_add_bytes(text, value, plain);
        value += plain;
        length -= plain;
        if (length == 0)
            break;
        const uint64_t step = escape(text, value, length);
        value += step;
        length -= step;
    }
    mpl_text_add_bytes(text, "\"", 1);
}

void mpl_json_quote(mpl_text *text, const char *value)
{
    quote(text, value, strlen(value));
}

/* A new line at a depth, after a comma where there is one. */
static void break_line(mpl_text *text, uint32_t depth, bool has_comma)
{
    static const char LINE[2 + 2 * MPL_JSON_MAX_DEPTH + 1] =
        ",\n                                "
        "                                ";
    const uint64_t skipped = has_comma ? 0 : 1;
    mpl_text_add_bytes(text, LINE + skipped, 2 - skipped + 2 * depth);
}

/* Comma, line break, indentation: all that stands before an item. */
static void begin_item(mpl_json_writer *out)
{
    const bool has_items = out->has_items[out->depth];
    if (out->depth == 0)
        return;
    out->has_items[out->depth] = true;
    if (!out->is_flat[out->depth])
        break_line(out->text, out->depth, has_items);
    else if (has_items)
        mpl_text_add_bytes(out->text, ", ", 2);
}

void mpl_json_key(mpl_json_writer *out, const char *key, uint64_t length)
{
    begin_item(out);
    quote(out->text, key, length);
    mpl_text_add_bytes(out->text, ": ", 2);
    out->has_key = true;
}

static void begin_value(mpl_json_writer *out, const char *key)
{
    if (key != NULL)
        mpl_json_key(out, key, strlen(key));
    else if (!out->has_key)
        begin_item(out);
    out->has_key = false;
}

static void open_container(mpl_json_writer *out, const char *key, bool is_array)
{
    begin_value(out, key);
    mpl_text_add(out->text, is_array ? "[" : "{");
    if (out->depth + 1 >= MPL_JSON_MAX_DEPTH) {
        out->text->failed = true; /* our own nesting is far below this */
        return;
    }
    const bool is_flat = out->is_inline || out->is_flat[out->depth];
    out->depth++;
    out->is_flat[out->depth] = is_flat;
    out->is_array[out->depth] = is_array;
    out->has_items[out->depth] = false;
}

void mpl_json_open_object(mpl_json_writer *out, const char *key)
{
    open_container(out, key, false);
}

void mpl_json_open_array(mpl_json_writer *out, const char *key)
{
    open_container(out, key, true);
}

void mpl_json_close(mpl_json_writer *out)
{
    if (out->depth == 0)
        return;
    const bool had_items = out->has_items[out->depth];
    const bool is_array = out->is_array[out->depth];
    const bool is_flat = out->is_flat[out->depth];
    out->depth--;
    if (had_items && !is_flat)
        break_line(out->text, out->depth, false);
    mpl_text_add(out->text, is_array ? "]" : "}");
}

void mpl_json_number(mpl_json_writer *out, const char *key, uint64_t value)
{
    if (value == MEMPLAN_UNKNOWN) {
        mpl_json_null(out, key);
        return;
    }
    begin_value(out, key);
    mpl_text_number(out->text, value);
}

void mpl_json_text(mpl_json_writer *out, const char *key, const char *value)
{
    if (value == NULL) {
        mpl_json_null(out, key);
        return;
    }
    begin_value(out, key);
    mpl_json_quote(out->text, value);
}

void mpl_json_flag(mpl_json_writer *out, const char *key, bool value)
{
    begin_value(out, key);
    mpl_text_add(out->text, value ? "true" : "false");
}

void mpl_json_null(mpl_json_writer *out, const char *key)
{
    begin_value(out, key);
    mpl_text_add(out->text, "null");
}

void mpl_json_decimal(mpl_json_writer *out, const char *key, uint64_t value,
                      uint32_t decimals)
{
    uint64_t scale = 1;
    for (uint32_t at = 0; at < decimals; at++)
        scale *= 10;
    if (value == MEMPLAN_UNKNOWN) {
        mpl_json_null(out, key);
        return;
    }
    begin_value(out, key);
    mpl_text_number(out->text, value / scale);
    if (decimals > 0)
        mpl_text_format(out->text, ".%0*llu", (int)decimals,
                        (unsigned long long)(value % scale));
}
