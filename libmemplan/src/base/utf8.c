/* SPDX-License-Identifier: MIT */
/*
 * The well-formed sequences are those of the Unicode Standard, table 3-7: the
 * first byte gives the length and bounds the second; the others are 80..BF.
 */
#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

typedef struct lead {
    uint8_t first, last; /* of the first byte */
    uint8_t second_min, second_max;
    uint8_t length;
} lead;

static const lead LEADS[] = {
    {0x00, 0x7f, 0x00, 0x00, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2},
    {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
    {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
    {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4},
    {0xf4, 0xf4, 0x80, 0x8f, 4},
};

size_t mpl_utf8_step(const char *text, size_t length)
{
    const unsigned char *const bytes = (const unsigned char *)text;
    if (length == 0)
        return 0;
    for (size_t row = 0; row < sizeof LEADS / sizeof *LEADS; row++) {
        const lead *const kind = &LEADS[row];
        if (bytes[0] < kind->first || bytes[0] > kind->last)
            continue;
        if (kind->length > length)
            return 0;
        if (kind->length > 1 &&
            (bytes[1] < kind->second_min || bytes[1] > kind->second_max))
            return 0;
        for (size_t at = 2; at < kind->length; at++)
            if ((bytes[at] & 0xc0) != 0x80)
                return 0;
        return kind->length;
    }
    return 0;
}

size_t mpl_utf8_count(const char *text)
{
    size_t count = 0;
    for (size_t length = strlen(text); length > 0; count++) {
        const size_t step = mpl_utf8_step(text, length);
        text += step > 0 ? step : 1;
        length -= step > 0 ? step : 1;
    }
    return count;
}
