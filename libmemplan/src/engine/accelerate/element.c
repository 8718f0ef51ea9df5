/* SPDX-License-Identifier: MIT */
/*
 * What one element takes, by the name of its dtype, as Accelerate reckons: a
 * few names by themselves, else the number that the name ends in is bits, and
 * whole bytes of them count. So "float4_e2m1fn_x2" ends in 2 and takes 0.
 */
#include <string.h>

#include "engine/accelerate/sizes.h"

typedef struct named_element {
    const char *name;
    mpl_element element;
} named_element;

static const named_element NAMED[] = {
    {"bool", {1, true, true}},
    {"CustomDtype.INT2", {2, true, false}},
    {"CustomDtype.INT4", {4, true, false}},
    {"CustomDtype.FP8", {8, false, false}},
    {"float8_e4m3fn", {8, false, false}},
    {"float8_e5m2", {8, false, false}},
    {"float8_e4m3fnuz", {8, false, false}},
    {"float8_e5m2fnuz", {8, false, false}},
    {"float8_e8m0fnu", {8, false, false}},
};

enum { MAX_DIGITS = 6 }; /* no dtype is wider */

static bool is_digit(char letter)
{
    return letter >= '0' && letter <= '9';
}

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool mpl_element_find(const char *dtype, mpl_element *out)
{
    for (size_t at = 0; at < sizeof NAMED / sizeof *NAMED; at++) {
        if (strcmp(dtype, NAMED[at].name) == 0) {
            *out = NAMED[at].element;
            return true;
        }
    }
    const size_t length = strlen(dtype);
    size_t from = length;
    while (from > 0 && is_digit(dtype[from - 1]))
        from--;
    if (from == length || from == 0 || length - from > MAX_DIGITS)
        return false;
    uint64_t bits = 0;
    for (size_t at = from; at < length; at++)
        bits = bits * 10 + (uint64_t)(dtype[at] - '0');
    *out = (mpl_element){
        .bits = bits / 8 * 8,
        .is_fixed = starts_with(dtype, "uint") || starts_with(dtype, "int"),
    };
    return true;
}
