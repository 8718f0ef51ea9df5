/* SPDX-License-Identifier: MIT */
#include "base/json_writer.h"

#include <string.h>

#include "base/utf8.h"

/* How many bytes stand as they are. */
static size_t plain_length(const char *value)
{
    size_t length = 0;
    for (;; length++) {
        const unsigned char next = (unsigned char)value[length];
        if (next < 0x20 || next > 0x7e || next == '"' || next == '\\')
            return length;
    }
}

void mpl_json_quote(mpl_text *text, const char *value)
{
    mpl_text_add_bytes(text, "\"", 1);
    for (size_t left = strlen(value); left > 0;) {
        const size_t plain = plain_length(value);
        if (plain > 0) {
            mpl_text_add_bytes(text, value, plain);
            value += plain;
            left -= plain;
            continue;
        }
        const size_t step = mpl_utf8_step(value, left);
        const unsigned char first = (unsigned char)*value;
        if (step == 0)
            mpl_text_add(text, "\xef\xbf\xbd"); /* U+FFFD for a bad byte */
        else if (first == '"' || first == '\\')
            mpl_text_format(text, "\\%c", first);
        else if (first < 0x20)
            mpl_text_format(text, "\\u%04x", first);
        else
            mpl_text_add_bytes(text, value, step);
        value += step > 0 ? step : 1;
        left -= step > 0 ? step : 1;
    }
    mpl_text_add_bytes(text, "\"", 1);
}

/* Comma, line break, indentation and key: all that stands before a value. */
static void begin_value(mpl_json_writer *out, const char *key)
{
    const bool is_flat = out->is_flat[out->depth];
    if (out->depth > 0) {
        if (out->has_items[out->depth])
            mpl_text_add(out->text, is_flat ? ", " : ",");
        out->has_items[out->depth] = true;
        if (!is_flat) {
            mpl_text_add(out->text, "\n");
            mpl_text_repeat(out->text, "  ", out->depth);
        }
    }
    if (key != NULL) {
        mpl_json_quote(out->text, key);
        mpl_text_add(out->text, ": ");
    }
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
    if (had_items && !is_flat) {
        mpl_text_add(out->text, "\n");
        mpl_text_repeat(out->text, "  ", out->depth);
    }
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
