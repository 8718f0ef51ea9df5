/* SPDX-License-Identifier: MIT */
/*
 * The state of a walk over counts: what is placed, what is left, and what
 * room there is. counts.c and chain.c walk.
 */
#ifndef MPL_PLAN_WALK_H
#define MPL_PLAN_WALK_H

#include "plan/space.h"

enum { MPL_MEMORY_PLACES = 4096, MPL_MEMORY_CLASSES_MAX = 24 };

/* A remainder that was seen at a level. */
typedef struct mpl_seen {
    uint64_t time_ps;
    uint32_t level; /* plus 1; 0: an empty place */
    uint32_t used_homes;
    uint32_t ends;
    uint32_t left[MPL_MEMORY_CLASSES_MAX];
} mpl_seen;

typedef struct mpl_level {
    uint32_t pool;
    bool fills_up;          /* no later pool is faster for anything */
    bool forgets;           /* nothing later depends on how it was filled */
    bool is_twin;           /* like the level before: used only if that is */
    bool *is_live;          /* pools that are still consumed from here on */
    uint64_t *least_ps;     /* by class: priced, on this pool or a later one */
    uint64_t *settled_ps;   /* the same, in settled cells */
    uint64_t *reserves;     /* what this pool may set aside for its guests: the
                               staging, or the relay, that they may need */
    uint32_t reserve_count; /* 0: it has no guests */
} mpl_level;

/*
 * The host level is the one whose pool all later ones are guests of. What its
 * remaining items leave there as guests at the least is settled when it is
 * reached: from then on its own items cost only what they take beyond that,
 * and guests what they leave beyond it. So it is filled up like any other.
 */

typedef struct mpl_walk {
    const mpl_space *space;
    const mpl_problem *problem;
    mpl_best *best;
    const mpl_cell *cells; /* the space's, or settled ones */
    mpl_cell *settled;
    uint64_t *settled_bytes; /* by class: a guest's least at the host level */
    uint32_t host_depth;     /* pool_count: there is no such level */
    uint32_t spared_class;   /* a small one that need not fill up, so that the
                                host level has something to hold */
    bool is_settled;         /* also: staging and relay rise no more */
    mpl_level *levels;
    mpl_seen *memory;
    uint32_t *order;  /* of classes: free ends first, then the densest */
    uint32_t *left;   /* items, by class */
    uint32_t *counts; /* class * pool */
    uint64_t *room;   /* by pool */
    uint64_t *budget_room;
    uint64_t *staging; /* charged so far, by home */
    uint64_t *relay;
    uint32_t *items;    /* by pool, all classes */
    uint32_t *opened;   /* by home: items that it executes */
    uint32_t end_of[2]; /* home of the first and the last unit */
    uint32_t used_homes;
    uint64_t time_ps;
    uint64_t bound_ps; /* the least of all leaves */
    uint64_t steps;
    uint64_t patience; /* steps left below which small gains do not count */
    bool is_cut;
} mpl_walk;

/* Everything is left, nothing is placed. False: no memory. */
bool mpl_walk_start(mpl_walk *out, mpl_best *best, const mpl_space *space,
                    uint64_t steps);

/* What a move took, to be given back. */
typedef struct mpl_charge {
    uint64_t own;
    uint64_t home;
    uint64_t relay;
    uint64_t staging_before;
    uint64_t relay_before;
} mpl_charge;

static inline const mpl_cell *mpl_walk_cell(const mpl_walk *at,
                                            uint32_t class_index, uint32_t pool)
{
    return &at->cells[(uint64_t)class_index * at->problem->pool_count + pool];
}

/* Takes bytes of a pool and its budget; false leaves both. */
bool mpl_walk_consume(mpl_walk *at, uint32_t pool, uint64_t bytes);
void mpl_walk_give_back(mpl_walk *at, uint32_t pool, uint64_t bytes);

/* Takes the bytes of `count` items; false leaves all as it was. Who executes
 * (at->opened) is the caller's to count. */
bool mpl_walk_take(mpl_walk *at, uint32_t class_index, uint32_t pool,
                   uint32_t count, mpl_charge *made);
void mpl_walk_undo(mpl_walk *at, uint32_t pool, const mpl_charge *made);

/* Whether a class is the first or the last unit of the chain, alone. */
bool mpl_walk_is_end(const mpl_space *space, uint32_t class_index);

/* The least time of crossings for the homes that are used so far. */
uint64_t mpl_walk_crossings(const mpl_walk *at);

/* What the room that is left is worth by the space's prices. NULL: of all
 * pools. */
uint64_t mpl_walk_worth(const mpl_walk *at, const bool *is_live);

/* A lower bound for all that this state can become, from a level on. */
uint64_t mpl_walk_bound(const mpl_walk *at, uint32_t depth);

#endif
