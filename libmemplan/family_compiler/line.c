/* SPDX-License-Identifier: MIT */
#include "line.h"

#include <stddef.h>
#include <string.h>

bool line_next(line *out, const char **at, const char *end)
{
    while (*at < end) {
        const char *const start = *at;
        const char *stop = memchr(start, '\n', (size_t)(end - start));
        if (stop == NULL)
            stop = end;
        *at = stop < end ? stop + 1 : end;
        const char *text = start;
        while (text < stop && *text == ' ')
            text++;
        if (text == stop || *text == '#')
            continue;
        *out = (line){text, (uint64_t)(stop - text), (uint32_t)(text - start)};
        return true;
    }
    return false;
}

bool line_word(line *from, line *word)
{
    uint64_t length = 0;
    while (from->length > 0 && *from->text == ' ') {
        from->text++;
        from->length--;
    }
    while (length < from->length && from->text[length] != ' ')
        length++;
    *word = (line){from->text, length, 0};
    from->text += length;
    from->length -= length;
    return length > 0;
}

bool line_is(const line *word, const char *text)
{
    return strlen(text) == word->length &&
           memcmp(word->text, text, word->length) == 0;
}
