/* SPDX-License-Identifier: MIT */
/* Small random problems, and their exact solution by trying everything. */
#ifndef MEMPLAN_TESTS_RANDOM_PROBLEM_H
#define MEMPLAN_TESTS_RANDOM_PROBLEM_H

#include "base/arena.h"
#include "engine/engine.h"

/* splitmix64: the same numbers on every machine. */
uint64_t random_next(uint64_t *state);

/* A whole number from 0 to `limit` - 1. */
uint64_t random_below(uint64_t *state, uint64_t limit);

/* `limits`: few kinds of units, so that classes form; homes with guests,
 * staging, relays, shared budgets, ties, pins and crossings come and go. */
mpl_problem random_problem(mpl_arena *arena, uint64_t *state,
                           uint32_t units_max, uint32_t pools_max);

/* Homes that are alike but for their room, one of which has a pool of guests
 * and must be used; one problem in eight breaks one of these rules. At least
 * two pools. */
mpl_problem random_rig(mpl_arena *arena, uint64_t *state, uint32_t units,
                       uint32_t pools);

/* The same problem, in which units that are alike share a row. */
mpl_problem share_rows(mpl_arena *arena, const mpl_problem *problem);

/* The least time of all placements, or MPL_TIME_FORBIDDEN. */
uint64_t brute_force(mpl_arena *arena, const mpl_problem *problem);

#endif
