/* SPDX-License-Identifier: MIT */
#include "engine/ledger.h"

#include <string.h>

#include "base/checked.h"

const char *mpl_category_name(mpl_category category)
{
    static const char *const NAMES[] = {
#define CATEGORY(id, name) name,
#include "engine/categories.def"
#undef CATEGORY
    };
    return NAMES[category];
}

const char *mpl_certainty_name(mpl_certainty certainty)
{
    static const char *const NAMES[] = {"exact", "bound", "estimate"};
    return NAMES[certainty];
}

memplan_status mpl_ledger_add(mpl_ledger *ledger, uint32_t pool,
                              mpl_category category, mpl_certainty certainty,
                              uint64_t bytes, const char *rule)
{
    if (rule == NULL)
        return MEMPLAN_E_NO_MEMORY;
    if (bytes == 0)
        return MEMPLAN_OK;
    mpl_row *const rows =
        mpl_arena_grow(ledger->arena, ledger->rows, ledger->row_count,
                       &ledger->row_capacity, sizeof *rows);
    if (rows == NULL)
        return MEMPLAN_E_NO_MEMORY;
    rows[ledger->row_count++] = (mpl_row){
        .pool = pool,
        .category = category,
        .certainty = certainty,
        .bytes = bytes,
        .rule = rule,
    };
    ledger->rows = rows;
    return MEMPLAN_OK;
}

memplan_status mpl_ledger_note(mpl_ledger *ledger, const char *note)
{
    if (note == NULL)
        return MEMPLAN_E_NO_MEMORY;
    for (uint64_t at = 0; at < ledger->note_count; at++)
        if (strcmp(ledger->notes[at], note) == 0)
            return MEMPLAN_OK;
    const char **const notes =
        mpl_arena_grow(ledger->arena, ledger->notes, ledger->note_count,
                       &ledger->note_capacity, sizeof *notes);
    if (notes == NULL)
        return MEMPLAN_E_NO_MEMORY;
    notes[ledger->note_count++] = note;
    ledger->notes = notes;
    return MEMPLAN_OK;
}

bool mpl_ledger_used(const mpl_ledger *ledger, uint32_t pool, uint64_t *out)
{
    uint64_t used = 0;
    for (uint64_t at = 0; at < ledger->row_count; at++)
        if (ledger->rows[at].pool == pool &&
            ledger->rows[at].category != MPL_ROW_MAPPED &&
            !mpl_add(&used, used, ledger->rows[at].bytes))
            return false;
    *out = used;
    return true;
}
