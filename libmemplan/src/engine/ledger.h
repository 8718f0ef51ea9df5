/* SPDX-License-Identifier: MIT */
/*
 * The ledger: every byte that a plan spends, row by row, pool by pool.
 *
 *     used(pool) = sum of the bytes of its rows, mapped ones left out: those
 *                  are address space, and what of it is resident has a row of
 *                  its own
 *
 * It lives below the engines, which write it, and plan/, which reads it.
 */
#ifndef MPL_ENGINE_LEDGER_H
#define MPL_ENGINE_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "memplan.h"

typedef enum mpl_category {
#define CATEGORY(id, name) MPL_ROW_##id,
#include "engine/categories.def"
#undef CATEGORY
    MPL_CATEGORY_COUNT
} mpl_category;

const char *mpl_category_name(mpl_category category);

typedef enum mpl_certainty {
    MPL_EXACT,   /* these bytes, no more, no fewer */
    MPL_BOUND,   /* never more than these */
    MPL_ESTIMATE /* may be off either way; the rule says by how much */
} mpl_certainty;

const char *mpl_certainty_name(mpl_certainty certainty);

typedef struct mpl_row {
    uint32_t pool;
    mpl_category category;
    mpl_certainty certainty;
    uint32_t padding;
    uint64_t bytes;
    const char *rule; /* a sentence: whose rule, with its numbers */
} mpl_row;

typedef struct mpl_ledger {
    mpl_arena *arena; /* not owned */
    mpl_row *rows;
    const char **notes; /* what the engine wants to tell, in plain words */
    uint64_t row_count;
    uint64_t row_capacity;
    uint64_t note_count;
    uint64_t note_capacity;
} mpl_ledger;

/* Adds a row; one of 0 bytes is left out. `rule` is not copied: it is static
 * or in the ledger's arena. A NULL rule is a format that found no memory.
 * MEMPLAN_OK or _NO_MEMORY. */
memplan_status mpl_ledger_add(mpl_ledger *ledger, uint32_t pool,
                              mpl_category category, mpl_certainty certainty,
                              uint64_t bytes, const char *rule);

/* Adds a note, unless it is there; `note` as `rule` above. */
memplan_status mpl_ledger_note(mpl_ledger *ledger, const char *note);

/* A pool's used bytes; false when it passes 64 bits. */
bool mpl_ledger_used(const mpl_ledger *ledger, uint32_t pool, uint64_t *out);

#endif
