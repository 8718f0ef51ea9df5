/* SPDX-License-Identifier: MIT */
/*
 * Families, found in the data: each begins with a line "family NAME", and
 * ends where the next begins. Lines "alias OTHER NAME" and "remote NAME" come
 * before the first.
 */
#include <stddef.h>
#include <string.h>

#include "base/failure.h"
#include "data/families.h"
#include "model/family.h"
#include "model/family_text.h"

bool mpl_line_next(mpl_line *line, const char **at, const char *end)
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
        *line = (mpl_line){text, (uint64_t)(stop - text),
                           (uint32_t)(text - start)};
        return true;
    }
    return false;
}

bool mpl_line_word(mpl_line *line, mpl_line *word)
{
    uint64_t length = 0;
    while (line->length > 0 && *line->text == ' ') {
        line->text++;
        line->length--;
    }
    while (length < line->length && line->text[length] != ' ')
        length++;
    *word = (mpl_line){line->text, length, 0};
    line->text += length;
    line->length -= length;
    return length > 0;
}

bool mpl_line_is(const mpl_line *word, const char *text)
{
    return strlen(text) == word->length &&
           memcmp(word->text, text, word->length) == 0;
}

/* The line after the first that is PREFIX and then NAME. */
static const char *find_line(const char *prefix, const char *name)
{
    const size_t prefix_length = strlen(prefix);
    const size_t name_length = strlen(name);
    const char *at = mpl_families_begin;
    while (at < mpl_families_end) {
        const size_t left = (size_t)(mpl_families_end - at);
        if (left > prefix_length + name_length &&
            memcmp(at, prefix, prefix_length) == 0 &&
            memcmp(at + prefix_length, name, name_length) == 0 &&
            (at[prefix_length + name_length] == '\n' ||
             at[prefix_length + name_length] == ' '))
            return at;
        const char *const stop = memchr(at, '\n', left);
        at = stop != NULL ? stop + 1 : mpl_families_end;
    }
    return NULL;
}

bool mpl_family_is_remote(const char *model_type)
{
    return find_line("remote ", model_type) != NULL;
}

void mpl_families_offer(mpl_nearest *nearest, mpl_arena *arena,
                        const char *wanted)
{
    const char *at = mpl_families_begin;
    mpl_line line;
    mpl_line word;
    while (mpl_line_next(&line, &at, mpl_families_end)) {
        if (line.indent > 0 || !mpl_line_word(&line, &word) ||
            !mpl_line_is(&word, "family") || !mpl_line_word(&line, &word))
            continue;
        const char *const name =
            mpl_arena_copy(arena, word.text, word.length);
        if (name != NULL)
            mpl_nearest_offer(nearest, wanted, name);
    }
}

static memplan_status unknown_family(const char *model_type, const char *path,
                                     mpl_arena *arena, memplan_error *error)
{
    mpl_nearest nearest = {0};
    if (mpl_family_is_remote(model_type))
        return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                        "\"%smodel_type\" is \"%s\", which only the code "
                        "beside its weights can build",
                        path, model_type);
    mpl_families_offer(&nearest, arena, model_type);
    return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                    "\"%smodel_type\" is \"%s\", a family that is not known"
                    "%s%s%s",
                    path, model_type,
                    nearest.count > 0 ? "; the nearest is \"" : "",
                    nearest.count > 0 ? nearest.words[0] : "",
                    nearest.count > 0 ? "\"" : "");
}

memplan_status mpl_family_require(const mpl_family **out, mpl_arena *arena,
                                  const char *model_type, const char *path,
                                  memplan_error *error)
{
    const memplan_status status =
        mpl_family_open(out, arena, model_type, error);
    if (status != MEMPLAN_OK)
        return status;
    return *out != NULL ? MEMPLAN_OK
                        : unknown_family(model_type, path, arena, error);
}
