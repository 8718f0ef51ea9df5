/* SPDX-License-Identifier: MIT */
/*
 * An engine: the rules by which one runtime spends memory and time.
 *
 * It says which placements it can express and prices one of them; it never
 * searches. There are two kinds of placement space, and an engine offers one:
 *
 *   units      each unit goes to a pool (mpl_problem). plan/search solves it
 *              exactly: transformers.
 *   settings   the engine's own parameters ("ngl=20,ncmoe=4"), each an ordered
 *              list of values (mpl_knob). plan/ walks them, pricing as it
 *              goes: llama.cpp.
 *
 * A job is one engine looking at one model, machine and request; it lives in
 * the arena it was opened in.
 */
#ifndef MPL_ENGINE_ENGINE_H
#define MPL_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "engine/ledger.h"
#include "engine/request.h"
#include "machine/machine.h"
#include "memplan.h"
#include "model/model.h"

/* Where everything goes. `settings` is empty for engines that place units. */
typedef struct mpl_placement {
    uint32_t *pool_of_unit;  /* unit_count entries */
    uint64_t *unit_bytes;    /* weights as placed; unit_count entries */
    const char *settings;    /* in the engine's words, or "" */
} mpl_placement;

/* What a placement costs in time; MEMPLAN_UNKNOWN where a speed is unknown. */
typedef struct mpl_timing {
    uint64_t decode_ps_per_token; /* picoseconds: whole numbers compare alike
                                     on every machine */
    uint64_t prompt_ps_per_token;
} mpl_timing;

/*
 * The units space. Tables have unit_count * pool_count entries, at
 * [unit * pool_count + pool].
 *
 *   used(p) = open_bytes[p] if p executes anything
 *           + sum of own_bytes[u, p] over the units on p
 *           + sum of home_bytes[u, q] over units on pools q with home[q] = p
 *           + the largest staging_bytes[u, q] over those
 *   time    = sum of time_ps[u, pool of u] + sum of crossing_ps[p, q] over
 *             neighbours on different pools
 *
 * Units of one class are interchangeable: equal rows in every table.
 */
typedef struct mpl_problem {
    uint32_t unit_count;
    uint32_t pool_count;
    const uint64_t *own_bytes;
    const uint64_t *home_bytes;
    const uint64_t *staging_bytes;
    const uint64_t *time_ps;      /* UINT64_MAX: not allowed there */
    const uint64_t *open_bytes;   /* pool_count */
    const uint32_t *home;         /* pool_count: who executes its units */
    const uint64_t *crossing_ps;  /* pool_count * pool_count */
    const uint64_t *capacity_bytes; /* pool_count */
    const uint32_t *budget;         /* pool_count */
    const uint64_t *budget_bytes;   /* by budget: for shared memories */
    const uint32_t *tied_to; /* unit_count: a unit that must share its pool,
                                or MPL_NO_INDEX */
    uint32_t budget_count;
} mpl_problem;

/* One parameter of a settings space: values from the best to the cheapest. */
typedef struct mpl_knob {
    const char *name;
    const uint64_t *values;
    uint32_t value_count;
} mpl_knob;

typedef struct mpl_job mpl_job; /* each engine defines its own */

typedef struct mpl_engine {
    const char *name;    /* "transformers" */
    const char *profile; /* "transformers-5": the version whose rules */

    memplan_status (*open)(mpl_job **out, mpl_arena *arena,
                           const memplan_model *model,
                           const memplan_machine *machine,
                           const mpl_request *request, memplan_error *error);

    /* The units space, or NULL. */
    memplan_status (*problem)(mpl_job *job, mpl_problem *out,
                              memplan_error *error);

    /* The settings space, or NULL. */
    memplan_status (*knobs)(mpl_job *job, const mpl_knob **out,
                            uint32_t *out_count, memplan_error *error);

    /* Fills the ledger and the timing for one placement. */
    memplan_status (*price)(mpl_job *job, const mpl_placement *placement,
                            mpl_ledger *ledger, mpl_timing *timing,
                            memplan_error *error);

    /* Reads a placement in the engine's own terms. */
    memplan_status (*read)(mpl_job *job, const char *text,
                           mpl_placement *out, memplan_error *error);
} mpl_engine;

/* All engines; a new one is a row of the table in engine.c. */
extern const mpl_engine *const MPL_ENGINES[];
extern const uint32_t MPL_ENGINE_COUNT;

/* By name, or NULL. */
const mpl_engine *mpl_engine_find(const char *name);

#endif
