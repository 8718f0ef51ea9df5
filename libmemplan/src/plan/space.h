/* SPDX-License-Identifier: MIT */
/*
 * A problem with its symmetries taken out. Tied units become one item; items
 * with equal rows in every table become a class; what is left to decide is how
 * many items of each class go to each pool.
 */
#ifndef MPL_PLAN_SPACE_H
#define MPL_PLAN_SPACE_H

#include "base/arena.h"
#include "engine/engine.h"

/* One class on one pool. */
typedef struct mpl_cell {
    uint64_t own_bytes;
    uint64_t home_bytes;
    uint64_t staging_bytes;
    uint64_t relay_bytes;
    uint64_t time_ps;
} mpl_cell;

typedef struct mpl_space {
    const mpl_problem *problem;
    mpl_arena *arena;
    mpl_cell *cells; /* class_count * pool_count */
    uint32_t *item_of_unit;
    uint32_t *run_end; /* by unit: past the neighbours of its row; tied ones
                          are alone */
    uint32_t *class_of_item;
    uint32_t *class_size; /* items */
    uint32_t *levels;     /* pools in the order in which they are filled */
    uint32_t item_count;
    uint32_t class_count;
    uint32_t first_class; /* of the first unit if it is alone in its class */
    uint32_t last_class;  /* of the last one likewise; else MPL_NO_INDEX */
    uint64_t least_crossing_ps; /* between two homes */
    uint64_t *multipliers; /* picoseconds for 2^20 bytes: of each pool, then
                              of each budget */
    uint64_t *rooms;   /* by pool: the most bytes that items can take of it */
    uint64_t *scratch; /* for two mpl_usage */
    uint32_t *left;    /* for mpl_arrange(): as counts */
    uint32_t *placed;  /* for mpl_arrange(): by item */
} mpl_space;

/* False: no memory. */
bool mpl_space_make(mpl_space *out, mpl_arena *arena,
                    const mpl_problem *problem);

static inline const mpl_cell *
mpl_space_cell(const mpl_space *space, uint32_t class_index, uint32_t pool)
{
    return &space->cells[(uint64_t)class_index * space->problem->pool_count +
                         pool];
}

/* Prices of bytes that make the bound below strong. `target_ps` is the time
 * of a known placement. */
void mpl_space_price_bytes(mpl_space *space, uint64_t target_ps);

/* A lower bound for all placements, by those prices; MPL_TIME_FORBIDDEN where
 * some class may go nowhere. */
uint64_t mpl_space_bound(const mpl_space *space);

/* A lower bound for all placements without prices: what must be offloaded, and
 * the homes over which the rest is spread at the least (homes.c). */
uint64_t mpl_space_bound_homes(const mpl_space *space);

/* The time of one item of a class on a pool with the bytes it takes paid for;
 * MPL_TIME_FORBIDDEN where it may not go. Rounded down. */
uint64_t mpl_space_priced(const mpl_space *space, uint32_t class_index,
                          uint32_t pool);
uint64_t mpl_space_priced_cell(const mpl_space *space, const mpl_cell *cell,
                               uint32_t pool);

/* Bytes of a pool (or, after the pools, a budget) at its price, rounded up;
 * what has no price is worth 0, however much there is. */
uint64_t mpl_space_worth(const mpl_space *space, uint32_t resource,
                         uint64_t bytes);

/* Whether two pools are the same in all but their names. */
bool mpl_space_are_alike(const mpl_space *space, uint32_t a, uint32_t b);

/* Fills space->rooms. */
void mpl_space_find_rooms(mpl_space *space);

/* The best placement and bound so far. */
typedef struct mpl_best {
    uint32_t *pool_of_unit;
    uint64_t value_ps; /* MPL_TIME_FORBIDDEN: none */
    uint32_t *trial;   /* unit_count: where candidates are made */
} mpl_best;

/* Takes the trial if it fits and is faster, or as fast with fewer changes of
 * pool. Returns its time. */
uint64_t mpl_best_offer(mpl_best *best, const mpl_space *space);

/* The same where the trial's time is known: it is no more than the best. */
void mpl_best_take(mpl_best *best, const mpl_space *space, uint64_t value_ps);

/* Candidates that need no search: all on one pool; the chain filled in order,
 * pool by pool. None that is as fast as `bound_ps` can be bettered. More of
 * them leave the rest of the chain on other pools. */
void mpl_candidates(mpl_best *best, const mpl_space *space, uint64_t bound_ps);
void mpl_more_candidates(mpl_best *best, const mpl_space *space);

/* Places counts[class * pool_count + pool] items with few crossings, offering
 * each arrangement that it tries. */
void mpl_arrange(mpl_best *best, const mpl_space *space,
                 const uint32_t *counts);

/* Where homes are alike but for their room: raises the bound, and offers a
 * placement that may well reach it (alike.c). False: no memory. */
bool mpl_alike_search(mpl_best *best, const mpl_space *space,
                      uint64_t *bound_ps);

/* Gives earlier homes the earlier units where that costs nothing. */
void mpl_exchange(mpl_best *best, const mpl_space *space);

/* Moves single units to a neighbour's pool for as long as that is faster. */
void mpl_polish(mpl_best *best, const mpl_space *space);

/*
 * Walks the counts, offering what it finds. Returns a lower bound for all
 * placements, and whether it saw all of them. False: no memory.
 */
bool mpl_count_search(mpl_best *best, const mpl_space *space, uint64_t steps,
                      uint64_t *out_bound_ps, bool *out_is_complete);

/*
 * Walks the chain unit by unit, where crossings tell apart what counts do
 * not. Parameters and results as above.
 */
bool mpl_chain_search(mpl_best *best, const mpl_space *space, uint64_t steps,
                      uint64_t *out_bound_ps, bool *out_is_complete);

#endif
