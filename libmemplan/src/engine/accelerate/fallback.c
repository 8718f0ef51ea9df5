/* SPDX-License-Identifier: MIT */
/*
 * Fallback: nothing fits on an empty device in the order of the list, so look
 * for anything that does, depth first, taking modules apart on the way.
 */
#include "base/failure.h"
#include "engine/accelerate/mapping.h"

/* The list with the modules around `node` taken apart, outermost first, then
 * `node` taken out. */
static void take_out(mpl_mapping *map, uint32_t node)
{
    for (;;) {
        const uint32_t around = map->list.holds[node]
                                    ? MPL_NO_NODE
                                    : mpl_worklist_around(&map->list, node);
        if (around == MPL_NO_NODE)
            break;
        mpl_worklist_split(&map->list, around);
    }
    if (map->list.holds[node])
        mpl_worklist_remove(&map->list, node);
}

memplan_status mpl_mapping_fall_back(mpl_mapping *map, mpl_amount limit,
                                     uint32_t *out, memplan_error *error)
{
    *out = MPL_NO_NODE;
    /* Accelerate reads the limit as it reads a text: a float has no .upper(),
     * a negative number is refused and nothing is found. */
    if (limit.is_real)
        return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                        "fallback: the room left is no whole number");
    if (limit.half_bits < 0)
        return MEMPLAN_OK;
    mpl_worklist_copy(&map->search, &map->list);
    uint32_t node;
    while ((node = mpl_worklist_first(&map->search)) != MPL_NO_NODE) {
        mpl_worklist_remove(&map->search, node);
        mpl_mapping_tie(map, node);
        mpl_amount with_ties;
        const memplan_status status =
            mpl_mapping_tied_size(map, &map->search, node, &with_ties, error);
        if (status != MEMPLAN_OK)
            return status;
        if (with_ties.half_bits <= limit.half_bits) {
            take_out(map, node);
            *out = node;
            return MEMPLAN_OK;
        }
        if (mpl_module_splits(map->tree, node, &map->whole)) {
            mpl_worklist_push(&map->search, node);
            mpl_worklist_split(&map->search, node);
        }
    }
    return MEMPLAN_OK;
}
