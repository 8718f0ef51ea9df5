/* SPDX-License-Identifier: MIT */
/*
 * An engine: the rules by which one runtime spends memory and time.
 *
 * It says which placements it can express and prices one of them. There are
 * two kinds of placement space, and an engine offers one:
 *
 *   units      each unit goes to a pool (mpl_problem). plan/search solves it
 *              exactly: transformers.
 *   settings   the engine's own parameters ("ngl=20,ncmoe=4"), which depend on
 *              each other: the engine proposes one set of them, by its own
 *              pricing: llama.cpp.
 *
 * A job is one engine looking at one model, machine and request; it lives in
 * the arena it was opened in.
 */
#ifndef MPL_ENGINE_ENGINE_H
#define MPL_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "engine/ledger.h"
#include "engine/price_list.h"
#include "engine/request.h"
#include "machine/machine.h"
#include "memplan.h"
#include "model/model.h"

/* Where everything goes. Pools are the machine's, by position. */
typedef struct mpl_placement {
    uint32_t *pool_of_unit; /* unit_count entries; MPL_NO_INDEX: the engine
                               places parts of that unit, see the ledger */
    uint64_t *unit_bytes;   /* weights as placed; unit_count entries */
    const char *settings;   /* in the engine's words, or "" */
} mpl_placement;

/* What a placement costs in time; MEMPLAN_UNKNOWN where a speed is unknown. */
typedef struct mpl_timing {
    uint64_t decode_ps_per_token; /* picoseconds: whole numbers compare alike
                                     on every machine */
    uint64_t prompt_ps_per_token;
} mpl_timing;

/*
 * The units space. Tables have a row of pool_count entries for each unit, which
 * units that are alike may share: mpl_problem_cell() says where an entry is.
 * With pins each unit has its own. Pools that execute nothing themselves have
 * another pool as `home`, which keeps the state of their units and stages
 * their weights; what is staged may pass through a third, the `relay`.
 *
 *   used(p) = open_bytes[p] if p executes anything
 *           + sum of own_bytes[u, p] over the units on p
 *           + sum of home_bytes[u, q] over units on pools q with home[q] = p
 *           + the largest staging_bytes[u, q] over those
 *           + the largest relay_bytes[u, q] over units on q with relay[q] = p
 *   time    = sum of time_ps[u, pool of u] + sum of crossing_ps[p, q] over
 *             neighbours on different pools
 *
 * for used(p) <= capacity_bytes[p], and the used of all pools of a budget
 * <= budget_bytes. Times are at most MPL_TIME_MAX_PS; they are relative where
 * speeds are unknown, and serve to compare only.
 */
enum { MPL_PROBLEM_POOLS_MAX = 64 };
#define MPL_TIME_FORBIDDEN UINT64_MAX
#define MPL_TIME_MAX_PS    (UINT64_C(1) << 50) /* 18 minutes a unit */

typedef struct mpl_problem {
    uint32_t unit_count;
    uint32_t pool_count;
    uint32_t budget_count;
    uint32_t must_use; /* a home that must hold a unit itself where it has
                          guests, or MPL_NO_INDEX */
    const uint32_t *row_of_unit; /* unit_count; NULL: the rows are the units */
    const uint64_t *own_bytes;
    const uint64_t *home_bytes;
    const uint64_t *staging_bytes;
    const uint64_t *relay_bytes;
    uint64_t *time_ps;           /* MPL_TIME_FORBIDDEN: not allowed there */
    const uint64_t *open_bytes;  /* pool_count */
    const uint32_t *home;        /* pool_count: itself where it executes */
    const uint32_t *relay;       /* pool_count; MPL_NO_INDEX: none */
    const uint64_t *crossing_ps; /* pool_count * pool_count; 0 within a home */
    const uint64_t *capacity_bytes; /* pool_count; MEMPLAN_UNKNOWN: no limit */
    const uint32_t *budget;         /* pool_count: an index below */
    const uint64_t *budget_bytes;   /* budget_count: of shared memories */
    const uint32_t *tied_to; /* unit_count: an earlier unit whose pool it must
                                share, or MPL_NO_INDEX */
    const bool *is_joined; /* by row: loading takes more than the unit does, so
                              that what fits may not load; NULL: none */
} mpl_problem;

static inline uint32_t mpl_problem_row(const mpl_problem *problem,
                                       uint32_t unit)
{
    return problem->row_of_unit != NULL ? problem->row_of_unit[unit] : unit;
}

static inline uint64_t mpl_problem_cell(const mpl_problem *problem,
                                        uint32_t unit, uint32_t pool)
{
    return (uint64_t)mpl_problem_row(problem, unit) * problem->pool_count +
           pool;
}

/* When a problem of a union is searched. */
typedef enum mpl_problem_rank {
    MPL_PROBLEM_FIRST, /* always */
    MPL_PROBLEM_RIVAL, /* always, but where nothing fits only if no earlier
                          one has a solution */
    MPL_PROBLEM_FALLBACK /* only where no earlier one has a solution: its
                            times do not compare with theirs */
} mpl_problem_rank;

typedef struct mpl_job mpl_job; /* each engine defines its own */

/* What a job settled on, and what else it could do with less memory. Names
 * are static, or live in the job's arena. */
typedef struct mpl_terms {
    const char *dtype;    /* of weights, as planned: "fp16", "q4_k" */
    const char *kv_dtype; /* "none" where the model has no cache */
    const char *value_dtype; /* of the cache's values; NULL: as kv_dtype */
    const char *settings; /* given ones that no placement has, a line each;
                             NULL: none */
    const char *cache;       /* how it is kept, where there is a choice, or
                                NULL */
    uint64_t context_tokens;
    uint64_t prompt_tokens; /* read in one step where fewer could be, else 0 */
    bool keeps_nothing; /* of tokens: an encoder, which reads all of its input
                           at once; times are then of a pass, not a token */
    const char *packages; /* without which weights would take more_bytes more
                             than counted, for a sentence; NULL: none */
    const char *packages_pip; /* the same as pip's arguments */
    uint64_t more_bytes;
    const char *away_cache; /* that rests in host memory, where that is a
                               choice not yet made; NULL: none */
    const char *const *smaller_dtypes; /* the largest first */
    const char *const *smaller_kv_dtypes;
    uint32_t smaller_dtype_count;
    uint32_t smaller_kv_dtype_count;
} mpl_terms;

/* What a proposal can say about itself. Texts live in the job's arena. */
enum { MPL_PROOF_NOTES_MAX = 4 };
typedef struct mpl_proof {
    uint64_t bound_ps; /* no placement takes less for a token;
                          MEMPLAN_UNKNOWN where a speed is */
    bool is_optimal;   /* by reasons that need no speed */
    const char *stand_ins; /* on which that depends, or NULL */
    const char *limit; /* where nothing is proven: how far it can be from the
                          best; NULL: nobody knows */
    const char *notes[MPL_PROOF_NOTES_MAX];
    uint32_t note_count;
} mpl_proof;

/* What an engine knows by name, and can be listed. */
typedef enum mpl_engine_list {
    MPL_LIST_ARCHITECTURES, /* as model->architecture has them */
    MPL_LIST_DTYPES,        /* that a request may ask weights in */
    MPL_LIST_KV_DTYPES,
    MPL_LIST_CACHES,
    MPL_LIST_SETTINGS
} mpl_engine_list;

/* Both are static; the text is "" where the name says it all. */
typedef struct mpl_entry {
    const char *name;
    const char *text;
} mpl_entry;

typedef struct mpl_engine {
    const char *name;    /* "transformers" */
    const char *profile; /* "transformers-5": the version whose rules */
    const char *runs;    /* what it runs, in a few words */

    /* Models of this format are this engine's, unless the request names
     * another. */
    bool (*claims)(const memplan_model *model);

    memplan_status (*open)(mpl_job **out, mpl_arena *arena,
                           const memplan_model *model,
                           const memplan_machine *machine,
                           const mpl_request *request, memplan_error *error);

    void (*terms)(const mpl_job *job, mpl_terms *out);

    /* The units space, or NULL. It is a union of problems, tried in order;
     * the one in which the host executes comes last. rank() returns how many
     * there are, and says when the one at `index` is searched. */
    uint32_t (*rank)(const mpl_job *job, uint32_t index, mpl_problem_rank *out);
    memplan_status (*problem)(mpl_job *job, uint32_t index, mpl_problem *out,
                              memplan_error *error);

    /* Where a problem has joined units: the most that is in each pool while
     * weights load, counted as used(p) is; 0 where that cannot be more than
     * used(p). */
    void (*loading)(const mpl_job *job, const mpl_placement *placement,
                    uint64_t *out);

    /* With problem: `*out` lists the stand-ins on which it depends that the
     * placement came out as the fastest ("12 GB/s for the link of GPU 0"),
     * NULL where it depends on none. False: no memory. */
    bool (*stand_ins)(const mpl_job *job, const mpl_placement *placement,
                      const char **out);

    /* With problem: what a plan keeps of the prices, in that arena. False: no
     * memory, or bytes that pass 64 bits. */
    bool (*price_list)(const mpl_job *job, mpl_arena *arena,
                       mpl_price_list *out);

    /* The settings space, where there is no units space: sets
     * placement->settings to what fits best, the request's settings left as
     * they are, and says what is proven. */
    memplan_status (*propose)(mpl_job *job, mpl_placement *out,
                              mpl_proof *proof, memplan_error *error);

    /* Fills the placement's unit_bytes, the ledger (whose arena takes the
     * rules) and the timing. An engine of the settings space reads
     * placement->settings and fills pool_of_unit too. */
    memplan_status (*price)(mpl_job *job, mpl_placement *placement,
                            mpl_ledger *ledger, mpl_timing *timing,
                            memplan_error *error);

    /* Reads a placement in the engine's own terms into `out`, whose tables
     * are allocated. */
    memplan_status (*read)(mpl_job *job, const char *text, mpl_placement *out,
                           memplan_error *error);

    /* The entry of a list at `index`; false past the last one. */
    bool (*entry)(mpl_engine_list list, uint32_t index, mpl_entry *out);
} mpl_engine;

/* The engine at a position of the table in engine.c, where a new one is a
 * row; NULL past the last. */
const mpl_engine *mpl_engine_at(uint32_t position);

/* By name, or NULL. */
const mpl_engine *mpl_engine_find(const char *name);

/* The first that claims the model, or NULL. */
const mpl_engine *mpl_engine_for(const memplan_model *model);

#endif
