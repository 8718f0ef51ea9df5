/* SPDX-License-Identifier: MIT */
/* Homes that are alike: what alike.c, which says what this is about, shares
 * with alike_sets.c and alike_homes.c. */
#ifndef MPL_PLAN_ALIKE_H
#define MPL_PLAN_ALIKE_H

#include "plan/space.h"

enum { MPL_FEW_MAX = 7, MPL_SETS_MAX = 128 };

/* A way to hold layers: 256 for each, less the runs that it makes of what
 * stands before and after them in the chain. Of ways that hold as many, the
 * one of fewest runs is the likeliest to need no more crossings. */
enum { MPL_NO_WAY = -(1 << 30), MPL_HELD = 256 };

/* Some of the few items, as digits of a number whose place values are the
 * products of (items + 1) before them: a part taken from a set is subtracted.
 */
typedef struct mpl_set {
    uint64_t digits;     /* eight bits a class */
    uint64_t bytes;      /* at home */
    uint64_t home_bytes; /* as guests */
    uint64_t staging_bytes;
    uint64_t rest_bytes; /* on the guests' pool */
    uint64_t guest_ps;   /* beyond the time at home; MPL_TIME_FORBIDDEN */
    uint32_t ends;       /* of the chain: its first unit, its last one */
    uint32_t sides;      /* 1: items before the layers; 2: items after them */
} mpl_set;

typedef struct mpl_alike {
    const mpl_space *space;
    const mpl_problem *problem;
    uint32_t few[MPL_FEW_MAX]; /* classes */
    uint32_t few_count;
    uint32_t many; /* the class of most items */
    uint32_t many_count;
    uint32_t host;                         /* the guests' home */
    uint32_t guest;                        /* their pool */
    uint32_t homes[MPL_PROBLEM_POOLS_MAX]; /* the others, the roomiest first */
    uint32_t home_count;
    uint64_t room[MPL_PROBLEM_POOLS_MAX]; /* by pool, once it is open */
    uint32_t held_most[MPL_PROBLEM_POOLS_MAX + 1]; /* layers, by homes: no way
                                                       holds more */
    uint64_t least_ps;                             /* of all items at home */
    mpl_set *sets;
    uint8_t *parts;       /* of each set in turn, the smallest first */
    uint32_t *first_part; /* by set, and past the last */
    uint32_t set_count;   /* the last one is all */
    uint32_t part_count;
    int32_t *most;   /* [home][set][ring]: a way, or MPL_NO_WAY */
    uint32_t *taken; /* likewise: twice the set, plus the ring before */
} mpl_alike;

static inline const mpl_cell *
mpl_alike_cell(const mpl_alike *at, uint32_t class_index, uint32_t pool)
{
    return mpl_space_cell(at->space, class_index, pool);
}

/* Where a way is kept: of so many homes, which leave a set. */
static inline uint64_t mpl_way_place(const mpl_alike *at, uint32_t home,
                                     uint32_t index, uint32_t ring)
{
    return ((uint64_t)home * at->set_count + index) * 2 + ring;
}

/* The layers of a way. */
static inline int32_t mpl_way_held(int32_t way)
{
    return (way + MPL_HELD - 1) / MPL_HELD;
}

/* The runs that a set makes of what stands before and after the layers. */
static inline int32_t mpl_set_runs(const mpl_set *of)
{
    return (int32_t)((of->sides & 1) + (of->sides >> 1));
}

/* Makes the sets, and lists the parts of each. False: no memory. */
bool mpl_alike_make_sets(mpl_alike *at, mpl_arena *arena);

/* Fills `most` and `taken`, home by home. False: no memory. */
bool mpl_alike_fill_homes(mpl_alike *at, mpl_arena *arena);

#endif
