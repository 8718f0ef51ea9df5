/* SPDX-License-Identifier: MIT */
/*
 * Patterns of -ot: regular expressions of ECMAScript, searched anywhere in a
 * tensor's name, as std::regex_search does. Both sizes are bounded: a pattern
 * has at most 1,024 parts, and a search gives up after a fixed count of steps.
 */
#ifndef MPL_ENGINE_LLAMACPP_PATTERN_H
#define MPL_ENGINE_LLAMACPP_PATTERN_H

#include <stdbool.h>

#include "base/arena.h"
#include "memplan.h"

typedef struct mpl_llama_pattern mpl_llama_pattern;

/* MEMPLAN_OK, _ARGUMENT (the message says what is wrong), _NO_MEMORY. */
memplan_status mpl_llama_pattern_read(mpl_llama_pattern **out, mpl_arena *arena,
                                      const char *text, memplan_error *error);

/* Whether it is found in `name`. MEMPLAN_OK, or _TOO_LARGE where the search
 * takes too many steps. */
memplan_status mpl_llama_pattern_search(const mpl_llama_pattern *pattern,
                                        const char *name, bool *out_found,
                                        memplan_error *error);

/* pattern_match.c needs the parts. */
typedef enum mpl_part_kind {
    MPL_PART_CHARACTER,
    MPL_PART_CLASS, /* also "." and \d */
    MPL_PART_START,
    MPL_PART_END,
    MPL_PART_BOUNDARY,
    MPL_PART_GROUP, /* alternatives, each a chain of parts */
    MPL_PART_LOOK,  /* (?=…) and (?!…) */
    MPL_PART_SAME,  /* \1 */
    MPL_PART_REPEAT
} mpl_part_kind;

typedef struct mpl_part {
    mpl_part_kind kind;
    unsigned char character;
    bool is_negated; /* boundaries and looks */
    bool is_lazy;
    unsigned capture;             /* groups and \1; 0: none */
    unsigned least;               /* of a repeat */
    unsigned most;                /* UINT_MAX: no bound */
    unsigned char set[32];        /* of a class, a bit a byte */
    struct mpl_part *child;       /* the first alternative; what is repeated */
    struct mpl_part *alternative; /* of a group's chain: the next one */
    struct mpl_part *next;        /* in the chain */
    bool is_empty; /* a chain's place holder that matches nothing */
} mpl_part;

enum { MPL_PATTERN_PARTS = 1024, MPL_PATTERN_CAPTURES = 32 };

struct mpl_llama_pattern {
    const char *text;
    mpl_part *root; /* a group */
    unsigned part_count;
    unsigned capture_count;
};

#endif
