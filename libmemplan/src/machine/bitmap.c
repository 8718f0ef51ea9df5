/* SPDX-License-Identifier: MIT */
/*
 * hwloc writes words of 32 bits, the highest first: "0xf,0x00000001". The
 * kernel writes lists of ranges: "0-3,8".
 */
#include "machine/bitmap.h"

#include <string.h>

enum { WORD_COUNT = MPL_BITMAP_BITS / 32 };

static bool read_word(uint32_t *out, const char *text, size_t length)
{
    uint32_t value = 0;
    size_t at = length >= 2 && text[0] == '0' && text[1] == 'x' ? 2 : 0;
    if (length - at > 8 || (length > 0 && length == at))
        return false;
    for (; at < length; at++) {
        static const char DIGITS[] = "0123456789abcdef";
        const char *const found = memchr(DIGITS, text[at] | 0x20, 16);
        if (found == NULL)
            return false;
        value = value << 4 | (uint32_t)(found - DIGITS);
    }
    *out = value;
    return true;
}

bool mpl_bitmap_read(mpl_bitmap *out, const char *text)
{
    mpl_bitmap made = {{0}};
    size_t count = 1;
    for (const char *at = text; *at != '\0'; at++)
        count += *at == ',';
    if (count > WORD_COUNT || text[0] == '\0')
        return false;
    for (const char *at = text; count-- > 0;) {
        const size_t length = strcspn(at, ",");
        if (!read_word(&made.words[count], at, length))
            return false;
        at += length + 1;
    }
    *out = made;
    return true;
}

/* A number of a bit, and past it. */
static bool read_bit(uint32_t *out, const char **at)
{
    const char *const digits = *at;
    for (*out = 0; **at >= '0' && **at <= '9'; (*at)++) {
        *out = *out * 10 + (uint32_t)(**at - '0');
        if (*out >= MPL_BITMAP_BITS)
            return false;
    }
    return *at != digits;
}

bool mpl_bitmap_read_list(mpl_bitmap *out, const char *text)
{
    mpl_bitmap made = {{0}};
    for (const char *at = text; *at != '\0';) {
        uint32_t first = 0;
        if (!read_bit(&first, &at))
            return false;
        uint32_t last = first;
        if (*at == '-') {
            at++;
            if (!read_bit(&last, &at))
                return false;
        }
        for (uint32_t bit = first; bit <= last; bit++)
            made.words[bit / 32] |= UINT32_C(1) << (bit % 32);
        if (*at != ',' && *at != '\0' && *at != '\n')
            return false;
        at += *at != '\0';
    }
    *out = made;
    return true;
}

bool mpl_bitmap_has(const mpl_bitmap *bitmap, uint32_t bit)
{
    return bit < MPL_BITMAP_BITS &&
           (bitmap->words[bit / 32] >> (bit % 32) & 1) != 0;
}

uint32_t mpl_bitmap_count(const mpl_bitmap *bitmap)
{
    uint32_t count = 0;
    for (uint32_t word = 0; word < WORD_COUNT; word++)
        for (uint32_t rest = bitmap->words[word]; rest != 0; rest &= rest - 1)
            count++;
    return count;
}
