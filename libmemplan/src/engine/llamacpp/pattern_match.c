/* SPDX-License-Identifier: MIT */
/*
 * Searches a pattern: backtracking, with what remains to be matched as a chain
 * of "rests" on the stack. Steps and depth are counted, so a pattern that
 * would run for ever ends in an error.
 */
#include "engine/llamacpp/pattern.h"

#include <limits.h>
#include <stddef.h>

#include "base/failure.h"

enum { STEPS_MAX = 200000, DEPTH_MAX = 2000 };

typedef enum rest_kind { REST_CHAIN, REST_REPEAT, REST_CAPTURE } rest_kind;

/* What follows once the present chain has matched. */
typedef struct pattern_rest {
    rest_kind kind;
    const mpl_part *part; /* the next of a chain; the repeat; the group */
    const struct pattern_rest *up;
    const char *start; /* of this turn of the repeat, or of the group */
    unsigned count;    /* turns of the repeat so far */
} pattern_rest;

typedef struct pattern_search {
    const char *name;
    const char *capture_start[MPL_PATTERN_CAPTURES];
    const char *capture_end[MPL_PATTERN_CAPTURES];
    unsigned steps;
    unsigned depth;
} pattern_search;

static bool match(pattern_search *search, const mpl_part *part, const char *at,
                  const pattern_rest *rest);

static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z') || c == '_';
}

/* Another turn of a repeat, or what follows it. */
static bool repeat(pattern_search *search, const mpl_part *part, unsigned count,
                   const char *at, const pattern_rest *up)
{
    const pattern_rest turn = {REST_REPEAT, part, up, at, count + 1};
    const bool may_stop = count >= part->least;
    const bool may_turn = count < part->most;
    if (may_stop && part->is_lazy && match(search, part->next, at, up))
        return true;
    if (may_turn && match(search, part->child, at, &turn))
        return true;
    return may_stop && !part->is_lazy && match(search, part->next, at, up);
}

static bool follow(pattern_search *search, const char *at,
                   const pattern_rest *rest)
{
    if (rest == NULL)
        return true;
    if (rest->kind == REST_CHAIN)
        return match(search, rest->part, at, rest->up);
    if (rest->kind == REST_REPEAT) {
        /* A turn that took nothing never helps. */
        if (at == rest->start && rest->count > rest->part->least)
            return false;
        return repeat(search, rest->part, rest->count, at, rest->up);
    }
    const unsigned capture = rest->part->capture;
    const char *old_start = search->capture_start[capture];
    const char *old_end = search->capture_end[capture];
    search->capture_start[capture] = rest->start;
    search->capture_end[capture] = at;
    if (match(search, rest->part->next, at, rest->up))
        return true;
    search->capture_start[capture] = old_start;
    search->capture_end[capture] = old_end;
    return false;
}

static bool match_group(pattern_search *search, const mpl_part *part,
                        const char *at, const pattern_rest *up)
{
    const pattern_rest after = {part->capture > 0 ? REST_CAPTURE : REST_CHAIN,
                                part->capture > 0 ? part : part->next, up, at,
                                0};
    for (const mpl_part *one = part->child; one != NULL; one = one->alternative)
        if (match(search, one, at, &after))
            return true;
    return false;
}

static bool looks(pattern_search *search, const mpl_part *part, const char *at)
{
    bool is_there = false;
    for (const mpl_part *one = part->child; one != NULL && !is_there;
         one = one->alternative)
        is_there = match(search, one, at, NULL);
    return is_there != part->is_negated;
}

/* Length of what a simple part takes at a place, or -1: no match. */
static int take(pattern_search *search, const mpl_part *part, const char *at)
{
    const unsigned char c = (unsigned char)*at;
    const char *other = NULL;
    int length = 0;
    switch (part->kind) {
    case MPL_PART_CHARACTER:
        if (part->is_empty)
            return 0;
        return c != 0 && c == part->character ? 1 : -1;
    case MPL_PART_CLASS:
        return c != 0 && (part->set[c / 8] >> (c % 8) & 1) != 0 ? 1 : -1;
    case MPL_PART_START:
        return at == search->name ? 0 : -1;
    case MPL_PART_END:
        return c == 0 ? 0 : -1;
    case MPL_PART_BOUNDARY:
        return ((at > search->name && is_word(at[-1])) != is_word(*at)) !=
                       part->is_negated
                   ? 0
                   : -1;
    case MPL_PART_LOOK:
        return looks(search, part, at) ? 0 : -1;
    case MPL_PART_SAME:
        other = search->capture_start[part->capture];
        for (; other != NULL && other < search->capture_end[part->capture];
             other++, length++)
            if (at[length] != *other)
                return -1;
        return length;
    case MPL_PART_GROUP:
    case MPL_PART_REPEAT:
        return -1;
    }
    return -1;
}

static bool match(pattern_search *search, const mpl_part *part, const char *at,
                  const pattern_rest *rest)
{
    if (++search->steps > STEPS_MAX || search->depth >= DEPTH_MAX) {
        search->steps = STEPS_MAX + 1;
        return false;
    }
    search->depth++;
    bool is_match = false;
    if (part == NULL)
        is_match = follow(search, at, rest);
    else if (part->kind == MPL_PART_GROUP)
        is_match = match_group(search, part, at, rest);
    else if (part->kind == MPL_PART_REPEAT)
        is_match = repeat(search, part, 0, at, rest);
    else {
        const int length = take(search, part, at);
        is_match = length >= 0 && match(search, part->next, at + length, rest);
    }
    search->depth--;
    return is_match;
}

memplan_status mpl_llama_pattern_search(const mpl_llama_pattern *pattern,
                                        const char *name, bool *out_found,
                                        memplan_error *error)
{
    pattern_search search = {.name = name};
    *out_found = false;
    for (const char *at = name;; at++) {
        *out_found = match(&search, pattern->root, at, NULL);
        if (search.steps > STEPS_MAX)
            return mpl_fail(error, MEMPLAN_E_TOO_LARGE, MPL_NOWHERE,
                            "pattern \"%s\": searching \"%s\" takes too many "
                            "steps",
                            pattern->text, name);
        if (*out_found || *at == '\0')
            return MEMPLAN_OK;
    }
}
