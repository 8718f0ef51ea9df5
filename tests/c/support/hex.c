/* SPDX-License-Identifier: MIT */
#include "support/hex.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

uint8_t *hex_bytes(mpl_json_value lines, size_t *out_size)
{
    size_t capacity = 1;
    for (mpl_json_walk walk = mpl_json_begin(lines); mpl_json_next(&walk);)
        capacity += strlen(mpl_json_string(walk.value, NULL));
    uint8_t *const bytes = malloc(capacity);
    size_t size = 0;
    cr_assert_not_null(bytes);
    for (mpl_json_walk walk = mpl_json_begin(lines); mpl_json_next(&walk);) {
        const char *at = mpl_json_string(walk.value, NULL);
        for (; *at != '\0' && *at != '#'; at++) {
            if (*at == ' ')
                continue;
            cr_assert(isxdigit((unsigned char)at[0]) &&
                          isxdigit((unsigned char)at[1]),
                      "no hexadecimal: %s", at);
            const char pair[3] = {at[0], at[1], '\0'};
            bytes[size++] = (uint8_t)strtoul(pair, NULL, 16);
            at++;
        }
    }
    *out_size = size;
    return bytes;
}
