/* SPDX-License-Identifier: MIT */
/* max_memory: budgets with which the map that device_map="auto" makes holds. */
#ifndef MPL_DIALECT_MAX_MEMORY_H
#define MPL_DIALECT_MAX_MEMORY_H

#include "plan/plan.h"

/* What weights may take of a pool: the capacity less all rows but weights and
 * staging, for which "auto" keeps room by itself. */
uint64_t mpl_max_memory_bytes(const mpl_plan_pool *pool);

typedef enum mpl_max_memory {
    MPL_MAX_MEMORY_HOLDS,
    MPL_MAX_MEMORY_NONE,  /* no budgets were found with which it does */
    MPL_MAX_MEMORY_FAILED /* no memory */
} mpl_max_memory;

/*
 * `*out_budgets`, by pool, in the arena: MEMPLAN_UNKNOWN has no key, so it has
 * no limit where it is no device, and is not used where it is one. Those of a
 * plan that does not fit are what its own placement leaves to weights, and hold
 * nothing.
 */
mpl_max_memory mpl_max_memory_find(const uint64_t **out_budgets,
                                   mpl_arena *arena, const memplan_plan *plan);

#endif
