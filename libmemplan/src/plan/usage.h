/* SPDX-License-Identifier: MIT */
/*
 * What the start of a placement takes, in the definition of engine.h: units
 * are added from the first to the last, neighbours that are alike together.
 *
 *     mpl_usage_start(&sum, problem, scratch);
 *     ... mpl_usage_add(&sum, first, count, pool) ...
 *     value = mpl_usage_value(&sum);
 */
#ifndef MPL_PLAN_USAGE_H
#define MPL_PLAN_USAGE_H

#include "engine/engine.h"

typedef struct mpl_usage {
    const mpl_problem *problem;
    uint64_t *used;    /* by pool */
    uint64_t *staging; /* by home */
    uint64_t *relay;
    uint64_t *budgets;
    uint64_t executes; /* a bit for each pool: it does */
    uint64_t ps;
    uint32_t last;   /* the pool of the unit before, or MPL_NO_INDEX */
    bool is_used;    /* the home that must hold a unit does, or there is none */
    bool has_guests; /* and it has guests */
} mpl_usage;

/* Entries of scratch that a usage of a problem takes. */
static inline uint64_t mpl_usage_words(const mpl_problem *problem)
{
    return UINT64_C(3) * problem->pool_count + problem->budget_count;
}

/* Nothing is placed. */
void mpl_usage_start(mpl_usage *out, const mpl_problem *problem,
                     uint64_t *scratch);

/* Makes `out`, which was started, a copy. */
void mpl_usage_copy(mpl_usage *out, const mpl_usage *from);

/* `count` neighbours from `first` on, of one row and tied to none but before
 * them, on one pool. False: that fits nowhere, and the sum is broken. */
bool mpl_usage_add(mpl_usage *sum, uint32_t first, uint32_t count,
                   uint32_t pool);

/* What a pool holds of all that was added. False: past 64 bits. */
bool mpl_usage_of(const mpl_usage *sum, uint32_t pool, uint64_t *out);

/* The time of all that was added, or MPL_TIME_FORBIDDEN where it does not
 * fit. */
uint64_t mpl_usage_value(const mpl_usage *sum);

#endif
