/* SPDX-License-Identifier: MIT */
/*
 * Texts are cut in place: each separator becomes a terminator, so that an
 * entry is a text of its own.
 */
#include "engine/llamacpp/settings.h"

#include <string.h>

#include "base/failure.h"

char *mpl_llama_entry_cut(char *text, bool has_lines)
{
    if (has_lines)
        return mpl_llama_item_cut(text, "\n");
    char *to = text;
    for (char *from = text; *from != '\0'; from++) {
        if (*from == ',') {
            *to = '\0';
            return from + 1;
        }
        if (from[0] == '\\' && from[1] == ',')
            from++;
        *to++ = *from;
    }
    *to = '\0';
    return NULL;
}

/* `text` with each entry on a line of its own, each line ended. */
static const char *as_lines(mpl_arena *arena, const char *text)
{
    char *next = mpl_arena_strdup(arena, text != NULL ? text : "");
    const char *lines = "";
    const bool has_lines = next != NULL && strchr(next, '\n') != NULL;
    if (has_lines)
        return mpl_arena_format(arena, "%s\n", text);
    while (next != NULL && lines != NULL) {
        char *entry = next;
        next = mpl_llama_entry_cut(entry, false);
        if (*entry != '\0')
            lines = mpl_arena_format(arena, "%s%s\n", lines, entry);
    }
    return lines;
}

const char *mpl_llama_settings_join(mpl_arena *arena, const char *first,
                                    const char *second)
{
    const char *one = as_lines(arena, first);
    const char *two = as_lines(arena, second);
    if (one == NULL || two == NULL)
        return NULL;
    return mpl_arena_format(arena, "%s%s", one, two);
}

char *mpl_llama_item_cut(char *text, const char *separators)
{
    char *end = text + strcspn(text, separators);
    if (*end == '\0')
        return NULL;
    *end = '\0';
    return end + 1;
}

/* A decimal number without a sign or an exponent; never the locale's. */
static bool read_share(const char *text, const char **end, float *out)
{
    double value = 0.0;
    double scale = 1.0;
    bool has_digit = false;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++, has_digit = true)
        value = value * 10.0 + (*at - '0');
    if (*at == '.')
        for (at++; *at >= '0' && *at <= '9'; at++, has_digit = true) {
            value = value * 10.0 + (*at - '0');
            scale *= 10.0;
        }
    *end = at;
    *out = (float)(value / scale);
    return has_digit && value < 1e30;
}

memplan_status mpl_llama_splits_read(mpl_llama_params *out, const char *text,
                                     memplan_error *error)
{
    const char *at = text != NULL ? text : "";
    out->split_count = 0;
    for (;;) {
        float share = 0.0F;
        const char *end = at;
        if (out->split_count == MPL_LLAMA_MAX_DEVICES ||
            !read_share(at, &end, &share) ||
            (*end != '\0' && strchr("/,;", *end) == NULL))
            return mpl_fail(error, MEMPLAN_E_ARGUMENT, MPL_NOWHERE,
                            "setting \"ts\": \"%s\" is not a list of at most "
                            "%d shares, such as 3/1",
                            text != NULL ? text : "", MPL_LLAMA_MAX_DEVICES);
        out->splits[out->split_count++] = share;
        if (*end == '\0')
            return MEMPLAN_OK;
        at = end + 1;
    }
}

memplan_status mpl_llama_override_add(mpl_llama_params *out, mpl_arena *arena,
                                      const mpl_llama_override *override,
                                      memplan_error *error)
{
    if (out->override_count == MPL_LLAMA_MAX_OVERRIDES)
        return mpl_fail(error, MEMPLAN_E_ARGUMENT, MPL_NOWHERE,
                        "setting \"ot\": more than %d overrides",
                        MPL_LLAMA_MAX_OVERRIDES);
    mpl_llama_override *all =
        mpl_arena_grow(arena, out->overrides, out->override_count,
                       &out->override_capacity, sizeof *all);
    if (all == NULL)
        return mpl_fail_memory(error);
    all[out->override_count++] = *override;
    out->overrides = all;
    return MEMPLAN_OK;
}

memplan_status mpl_llama_overrides_add(mpl_llama_params *out, mpl_arena *arena,
                                       const char *text, memplan_error *error)
{
    char *next = mpl_arena_strdup(arena, text != NULL ? text : "");
    if (next == NULL)
        return mpl_fail_memory(error);
    while (next != NULL) {
        char *pattern = next;
        next = mpl_llama_item_cut(pattern, ",");
        char *equals = strchr(pattern, '=');
        if (equals == NULL || equals[1] == '\0')
            return mpl_fail(error, MEMPLAN_E_ARGUMENT, MPL_NOWHERE,
                            "setting \"ot\": \"%s\" is not PATTERN=BUFFER",
                            pattern);
        *equals = '\0';
        const mpl_llama_override override = {MPL_OVERRIDE_PATTERN, 0, 0,
                                             pattern, equals + 1};
        const memplan_status status =
            mpl_llama_override_add(out, arena, &override, error);
        if (status != MEMPLAN_OK)
            return status;
    }
    return MEMPLAN_OK;
}
