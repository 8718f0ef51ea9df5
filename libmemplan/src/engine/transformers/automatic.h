/* SPDX-License-Identifier: MIT */
/*
 * The map that Transformers 5 makes of max_memory where device_map="auto".
 */
#ifndef MPL_ENGINE_TRANSFORMERS_AUTOMATIC_H
#define MPL_ENGINE_TRANSFORMERS_AUTOMATIC_H

#include "base/arena.h"
#include "engine/price_list.h"

/* Of a plan, or of a job. All by pool, but for the first tables. */
typedef struct mpl_automatic {
    const mpl_price_list *prices;
    const char *const *names; /* of units */
    uint64_t *counted_before; /* by unit, and one: the sum of those before */
    uint64_t *largest_from;   /* by unit, and one: of it and those after */
    uint32_t *pool_of_unit;   /* the map */
    const mpl_pool_kind *kinds;
    uint64_t *budgets; /* MEMPLAN_UNKNOWN has no key */
    uint64_t *limits;  /* what of a budget is filled */
    uint64_t *counted; /* what of it was */
    uint32_t *order;   /* of the pools that have a key, but a disk */
    uint32_t order_count;
    uint32_t unit_count;
    uint32_t pool_count;
    uint32_t host; /* MPL_NO_INDEX: none */
    uint32_t disk;
} mpl_automatic;

/* With room for all tables; names, kinds, prices and budgets are the caller's
 * to fill in. False: no memory. */
bool mpl_automatic_open(mpl_automatic *out, mpl_arena *arena,
                        uint32_t unit_count, uint32_t pool_count);

/* Once these are known. False: sums pass 64 bits. */
bool mpl_automatic_start(mpl_automatic *at);

/*
 * Makes the map of the budgets. What fits nowhere is on disk: MPL_NO_INDEX
 * where there is none. A unit is moved on whole where its parts would fill a
 * pool up: `*out_split` is then the first such pool, and else MPL_NO_INDEX;
 * `limits` is for it what nothing of that unit would go to.
 */
void mpl_automatic_map(mpl_automatic *at, uint32_t *out_split);

static inline bool mpl_automatic_is_device(const mpl_automatic *at,
                                           uint32_t pool)
{
    return at->kinds[pool] == MPL_POOL_DEVICE;
}

#endif
