/* SPDX-License-Identifier: MIT */
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/failure.h"

/* Room for `more` bytes and the terminator. */
static bool make_room(mpl_text *text, uint64_t more)
{
    uint64_t need = 0;
    if (text->failed || !mpl_add(&need, text->length, more) ||
        !mpl_add(&need, need, 1)) {
        text->failed = true;
        return false;
    }
    if (need <= text->capacity)
        return true;
    const uint64_t wider = mpl_max(need, mpl_max(256, text->capacity * 2));
    char *const moved =
        wider <= SIZE_MAX ? realloc(text->data, (size_t)wider) : NULL;
    if (moved == NULL) {
        text->failed = true;
        return false;
    }
    text->data = moved;
    text->capacity = wider;
    return true;
}

char *mpl_text_extend(mpl_text *text, uint64_t length)
{
    if (!make_room(text, length))
        return NULL;
    char *const place = text->data + text->length;
    place[length] = '\0';
    text->length += length;
    return place;
}

void mpl_text_add_bytes(mpl_text *text, const char *part, uint64_t length)
{
    char *const place = mpl_text_extend(text, length);
    if (place != NULL)
        memcpy(place, part, (size_t)length);
}

void mpl_text_add(mpl_text *text, const char *part)
{
    mpl_text_add_bytes(text, part, strlen(part));
}

void mpl_text_repeat(mpl_text *text, const char *part, uint64_t times)
{
    for (uint64_t at = 0; at < times && !text->failed; at++)
        mpl_text_add(text, part);
}

char *mpl_digits(char buffer[MPL_DIGITS_SIZE], uint64_t value)
{
    char *at = buffer + MPL_DIGITS_SIZE - 1;
    *at = '\0';
    do
        *--at = (char)('0' + value % 10);
    while ((value /= 10) != 0);
    return at;
}

void mpl_text_number(mpl_text *text, uint64_t value)
{
    char digits[MPL_DIGITS_SIZE];
    const char *const start = mpl_digits(digits, value);
    mpl_text_add_bytes(text, start,
                       (uint64_t)(digits + MPL_DIGITS_SIZE - 1 - start));
}

void mpl_text_format(mpl_text *text, const char *format, ...)
{
    va_list args;
    if (!make_room(text, 0))
        return;
    const uint64_t room = text->capacity - text->length;
    va_start(args, format);
    const int length =
        vsnprintf(text->data + text->length, (size_t)room, format, args);
    va_end(args);
    if (length >= 0 && (uint64_t)length < room) {
        text->length += (uint64_t)length;
        return;
    }
    if (length < 0 || !make_room(text, (uint64_t)length)) {
        text->failed = true;
        return;
    }
    va_start(args, format);
    (void)vsnprintf(text->data + text->length, (size_t)length + 1, format,
                    args);
    va_end(args);
    text->length += (uint64_t)length;
}

void mpl_text_bytes(mpl_text *text, uint64_t bytes)
{
    char amount[32];
    (void)memplan_bytes_format(amount, sizeof amount, bytes);
    mpl_text_add(text, amount);
}

memplan_status mpl_text_finish(mpl_text *text, char **out, memplan_error *error)
{
    if (!make_room(text, 0)) {
        mpl_text_discard(text);
        return mpl_fail_memory(error);
    }
    text->data[text->length] = '\0';
    *out = text->data;
    *text = (mpl_text){0};
    return MEMPLAN_OK;
}

void mpl_text_discard(mpl_text *text)
{
    free(text->data);
    *text = (mpl_text){0};
}

void memplan_text_free(char *text)
{
    free(text);
}
