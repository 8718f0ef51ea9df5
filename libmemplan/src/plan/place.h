/* SPDX-License-Identifier: MIT */
/*
 * One engine's answer to one request: where everything goes, what it takes
 * and how sure that is. A plan is made of it, and so is each trial of a fix.
 */
#ifndef MPL_PLAN_PLACE_H
#define MPL_PLAN_PLACE_H

#include "engine/engine.h"

/* How the host, executing everything, fared beside the devices. */
typedef enum mpl_host_trial {
    MPL_HOST_ALONE,    /* no device was there to compare with */
    MPL_HOST_SLOWER,
    MPL_HOST_FASTER,   /* and was chosen */
    MPL_HOST_ONLY,     /* no placement that executes on a device fits */
    MPL_HOST_UNTRIED   /* a speed is not known */
} mpl_host_trial;

typedef struct mpl_outcome {
    const mpl_job *job;
    mpl_placement placement;
    mpl_terms terms;
    mpl_ledger ledger;
    mpl_timing timing;
    uint64_t *used_bytes;  /* by pool */
    uint64_t *short_bytes; /* by pool; see mpl_plan_pool */
    uint64_t gap_parts_per_million;
    uint64_t device_ps;    /* where the host is faster: the best on a device */
    const char *limit;     /* as mpl_proof has it, or NULL */
    const char *stand_ins; /* that the claim depends on, or NULL */
    mpl_host_trial host_trial;
    bool fits;
    bool is_optimal;
} mpl_outcome;

/* Everything lives in `arena`, but for the ledger, whose arena is given in
 * `out`. `text` is a placement in the engine's terms to be priced, where
 * `is_search` is false.
 * What memplan_plan_create() returns. */
memplan_status mpl_place(mpl_outcome *out, mpl_arena *arena,
                         const memplan_model *model,
                         const memplan_machine *machine,
                         const mpl_request *request, bool is_search,
                         const char *text, memplan_error *error);

/* Searches the units space: fills the placement and the claims about it. */
memplan_status mpl_place_units(mpl_outcome *out, mpl_arena *arena, mpl_job *job,
                               const memplan_model *model,
                               const memplan_machine *machine,
                               const mpl_request *request,
                               memplan_error *error);

/* Sums the ledger into used_bytes and short_bytes, and says whether it
 * fits. */
memplan_status mpl_place_verdict(mpl_outcome *out, mpl_arena *arena,
                                 const memplan_machine *machine,
                                 memplan_error *error);

#endif
