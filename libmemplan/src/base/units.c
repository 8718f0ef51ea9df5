/* SPDX-License-Identifier: MIT */
/*
 * Amounts of memory as people write them. One table holds every spelling:
 * those that mean one thing, and those that people read in two ways, which
 * are refused with both readings.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/failure.h"
#include "memplan.h"

typedef struct spelling {
    const char *decimal;    /* "GB" */
    const char *binary;     /* "GiB" */
    uint32_t decimal_power; /* of 10 */
    uint32_t binary_power;  /* of 2 */
    uint64_t decimal_bytes;
} spelling;

static const spelling SPELLINGS[] = {
    {"KB", "KiB", 3, 10, UINT64_C(1000)},
    {"MB", "MiB", 6, 20, UINT64_C(1000000)},
    {"GB", "GiB", 9, 30, UINT64_C(1000000000)},
    {"TB", "TiB", 12, 40, UINT64_C(1000000000000)},
    {"PB", "PiB", 15, 50, UINT64_C(1000000000000000)},
};
enum { SPELLING_COUNT = sizeof SPELLINGS / sizeof *SPELLINGS };

static bool is_space(char letter)
{
    return letter == ' ' || letter == '\t';
}

static bool is_digit(char letter)
{
    return letter >= '0' && letter <= '9';
}

/* A number as whole + part / scale; at most 18 decimals count. */
typedef struct number {
    uint64_t whole;
    uint64_t part;
    uint64_t scale;
    bool is_too_large;
} number;

/* Reads digits, at most one point, digits. Returns the place after it, or
 * `text` itself where no number stands. */
static const char *read_number(const char *text, number *out)
{
    number made = {.scale = 1};
    const char *at = text;
    for (; is_digit(*at); at++) {
        const uint64_t digit = (uint64_t)(*at - '0');
        if (!mpl_mul(&made.whole, made.whole, 10) ||
            !mpl_add(&made.whole, made.whole, digit))
            made.is_too_large = true;
    }
    if (at == text)
        return text;
    if (*at == '.' && is_digit(at[1])) {
        for (at++; is_digit(*at); at++) {
            if (made.scale >= UINT64_C(1000000000000000000))
                continue;
            made.part = made.part * 10 + (uint64_t)(*at - '0');
            made.scale *= 10;
        }
    }
    *out = made;
    return at;
}

/* floor(value * unit); part * unit is split so that it cannot overflow. */
static bool multiply(uint64_t *out, number value, uint64_t unit)
{
    uint64_t whole;
    if (value.is_too_large || !mpl_mul(&whole, value.whole, unit))
        return false;
    const mpl_u128 part = (mpl_u128)value.part * unit / value.scale;
    return mpl_add(out, whole, (uint64_t)part);
}

static bool same_letters(const char *a, uint64_t length, const char *b)
{
    if (strlen(b) != length)
        return false;
    for (uint64_t at = 0; at < length; at++)
        if ((a[at] | 0x20) != (b[at] | 0x20))
            return false;
    return true;
}

/* "24G", "20gb", "8Gib": the row that it looks like, or NULL. */
static const spelling *find_resembling(const char *unit, uint64_t length)
{
    for (uint64_t row = 0; row < SPELLING_COUNT; row++) {
        const spelling *const known = &SPELLINGS[row];
        if (same_letters(unit, length, known->decimal) ||
            same_letters(unit, length, known->binary) ||
            (length == 1 && (unit[0] | 0x20) == (known->decimal[0] | 0x20)) ||
            (length == 2 && unit[1] == 'i' &&
             (unit[0] | 0x20) == (known->decimal[0] | 0x20)))
            return known;
    }
    return NULL;
}

static memplan_status fail_unit(memplan_error *error, const char *text,
                                const char *digits, uint64_t digit_count,
                                const char *unit, uint64_t length)
{
    const spelling *const like = find_resembling(unit, length);
    const uint64_t at = (uint64_t)(unit - text);
    if (like == NULL)
        return mpl_fail(error, MEMPLAN_E_ARGUMENT, at,
                        "\"%.40s\": unit \"%.*s\" is not known; write GB "
                        "(10^9), GiB (2^30), MB, MiB, ... or bare bytes",
                        text, (int)mpl_min(length, 20), unit);
    const int shown = (int)mpl_min(digit_count, 24);
    return mpl_fail(error, MEMPLAN_E_ARGUMENT, at,
                    "\"%.40s\" is read in two ways: write %.*s%s (10^%u bytes "
                    "a unit) or %.*s%s (2^%u bytes a unit)",
                    text, shown, digits, like->decimal, like->decimal_power,
                    shown, digits, like->binary, like->binary_power);
}

/* Bytes in one unit: 0 where the unit is not one of the exact spellings. */
static uint64_t unit_bytes(const char *unit, uint64_t length)
{
    if (length == 0 || (length == 1 && unit[0] == 'B'))
        return 1;
    for (uint64_t row = 0; row < SPELLING_COUNT; row++) {
        const spelling *const known = &SPELLINGS[row];
        if (strlen(known->decimal) == length &&
            memcmp(unit, known->decimal, length) == 0)
            return known->decimal_bytes;
        if (strlen(known->binary) == length &&
            memcmp(unit, known->binary, length) == 0)
            return UINT64_C(1) << known->binary_power;
    }
    return 0;
}

memplan_status memplan_bytes_parse(uint64_t *out_bytes, const char *text,
                                   memplan_error *error)
{
    const char *start = text;
    while (is_space(*start))
        start++;
    if (*start == '-')
        return mpl_fail(error, MEMPLAN_E_ARGUMENT, (uint64_t)(start - text),
                        "\"%.40s\": an amount of memory is not negative", text);
    number value = {0};
    const char *const digits_end = read_number(start, &value);
    if (digits_end == start)
        return mpl_fail(error, MEMPLAN_E_ARGUMENT, (uint64_t)(start - text),
                        "\"%.40s\": no number; write 20GB, 60GiB, 1.5 GiB or "
                        "bare bytes",
                        text);
    const char *unit = digits_end;
    while (is_space(*unit))
        unit++;
    uint64_t length = strlen(unit);
    while (length > 0 && is_space(unit[length - 1]))
        length--;

    const uint64_t each = unit_bytes(unit, length);
    if (each == 0)
        return fail_unit(error, text, start, (uint64_t)(digits_end - start),
                         unit, length);
    if (each == 1 && value.part != 0)
        return mpl_fail(error, MEMPLAN_E_ARGUMENT, (uint64_t)(start - text),
                        "\"%.40s\": a fraction of a byte", text);
    uint64_t bytes;
    if (!multiply(&bytes, value, each) || bytes == MEMPLAN_UNKNOWN)
        return mpl_fail(error, MEMPLAN_E_TOO_LARGE, (uint64_t)(start - text),
                        "\"%.40s\": more than 64 bits hold (16 EiB)", text);
    *out_bytes = bytes;
    return MEMPLAN_OK;
}

uint64_t memplan_bytes_format(char *out_text, uint64_t text_size,
                              uint64_t bytes)
{
    static const char *const NAMES[] = {"B",   "KiB", "MiB", "GiB",
                                        "TiB", "PiB", "EiB"};
    char text[32] = "unknown";
    if (bytes != MEMPLAN_UNKNOWN) {
        uint32_t power = 0;
        while (power < 6 && bytes >> (10 * (power + 1)) != 0)
            power++;
        uint64_t tenths = 0;
        for (;;) {
            const mpl_u128 scaled = (mpl_u128)bytes * 10;
            const mpl_u128 half =
                power > 0 ? (mpl_u128)1 << (10 * power - 1) : 0;
            tenths = (uint64_t)((scaled + half) >> (10 * power));
            if (tenths < 10240 || power == 6)
                break;
            power++; /* 1023.97 KiB rounds to the next unit */
        }
        const unsigned long long whole = tenths / 10;
        const unsigned long long tenth = tenths % 10;
        if (tenth == 0)
            (void)snprintf(text, sizeof text, "%llu %s", whole, NAMES[power]);
        else
            (void)snprintf(text, sizeof text, "%llu.%llu %s", whole, tenth,
                           NAMES[power]);
    }
    const uint64_t length = strlen(text);
    if (text_size > 0) {
        const uint64_t kept = mpl_min(length, text_size - 1);
        memcpy(out_text, text, (size_t)kept);
        out_text[kept] = '\0';
    }
    return length;
}
