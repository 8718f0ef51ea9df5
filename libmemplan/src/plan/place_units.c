/* SPDX-License-Identifier: MIT */
/*
 * The units space: each problem of the engine's union is searched, and the
 * fastest solution wins; its proof is the least of all bounds.
 *
 * Where nothing fits, the best partial placement is the one that fits once
 * the host's memory had no end; failing that, that of every pool.
 */
#include <string.h>

#include "base/checked.h"
#include "base/failure.h"
#include "plan/loadable.h"
#include "plan/pins.h"
#include "plan/place.h"

/* What a try leaves out of account. */
typedef enum relaxation {
    RELAX_NOTHING,
    RELAX_HOST, /* or the last device, where there is no host */
    RELAX_ALL,
    RELAXATION_COUNT
} relaxation;

typedef struct
try {
    mpl_arena *arena;
    mpl_job *job;
    const memplan_machine *machine;
    const mpl_engine *engine;
    const uint32_t *pins; /* by unit, or NULL */
    uint32_t unit_count;
    mpl_solution best;
    uint64_t bound_ps;  /* the least of all problems that were tried */
    uint64_t device_ps; /* the best in which a device executes */
    mpl_host_trial host_trial;
    bool is_complete;
}
try;

static void apply_pins(const mpl_problem *problem, const uint32_t *pins)
{
    for (uint32_t unit = 0; unit < problem->unit_count; unit++)
        for (uint32_t pool = 0; pool < problem->pool_count; pool++)
            if (pins[unit] != MPL_NO_INDEX && pins[unit] != pool)
                problem->time_ps[mpl_problem_cell(problem, unit, pool)] =
                    MPL_TIME_FORBIDDEN;
}

static uint32_t relaxed_pool(const memplan_machine *machine)
{
    uint32_t found = 0;
    for (uint32_t at = 0; at < machine->pool_count; at++)
        if (machine->pools[at].kind != MPL_POOL_DISK)
            found = at;
    return found;
}

static bool relax(mpl_problem *problem, const try *at, relaxation how)
{
    uint64_t *const capacity =
        mpl_arena_alloc(at->arena, problem->pool_count, sizeof *capacity);
    uint64_t *const budgets =
        mpl_arena_alloc(at->arena, problem->budget_count, sizeof *budgets);
    if (capacity == NULL || budgets == NULL)
        return false;
    memcpy(capacity, problem->capacity_bytes,
           problem->pool_count * sizeof *capacity);
    memcpy(budgets, problem->budget_bytes,
           problem->budget_count * sizeof *budgets);
    for (uint32_t pool = 0; pool < problem->pool_count; pool++)
        if (how == RELAX_ALL ||
            (how == RELAX_HOST && pool == relaxed_pool(at->machine))) {
            capacity[pool] = MEMPLAN_UNKNOWN;
            budgets[problem->budget[pool]] = MEMPLAN_UNKNOWN;
        }
    problem->capacity_bytes = capacity;
    problem->budget_bytes = budgets;
    return true;
}

static void take(try *at, const mpl_solution *found, mpl_problem_rank rank)
{
    const bool had_any = at->best.is_feasible;
    at->bound_ps = mpl_min(at->bound_ps, found->bound_ps);
    at->is_complete = at->is_complete && found->is_complete;
    if (rank != MPL_PROBLEM_FIRST)
        at->host_trial = had_any ? MPL_HOST_SLOWER : at->host_trial;
    if (!found->is_feasible ||
        (had_any && found->value_ps >= at->best.value_ps))
        return;
    at->best = *found;
    if (rank == MPL_PROBLEM_FIRST)
        at->device_ps = found->value_ps;
    else
        at->host_trial = had_any ? MPL_HOST_FASTER : at->host_trial;
}

/* Tries the engine's problems; where nothing fits, those in which the host
 * executes only if the others gave nothing. */
static memplan_status try_all(try *at, relaxation how, memplan_error *error)
{
    uint32_t count = 1;
    at->bound_ps = MPL_TIME_FORBIDDEN;
    at->is_complete = true;
    for (uint32_t index = 0; index < count; index++) {
        mpl_problem problem;
        mpl_solution found;
        mpl_problem_rank rank;
        count = at->engine->rank(at->job, index, &rank);
        if (rank != MPL_PROBLEM_FIRST)
            at->host_trial = index == 0             ? MPL_HOST_ALONE
                             : at->best.is_feasible ? MPL_HOST_UNTRIED
                                                    : MPL_HOST_ONLY;
        if (at->best.is_feasible &&
            (rank == MPL_PROBLEM_FALLBACK ||
             (rank == MPL_PROBLEM_RIVAL && how != RELAX_NOTHING)))
            continue;
        const memplan_status status =
            at->engine->problem(at->job, index, &problem, error);
        if (status != MEMPLAN_OK)
            return status;
        if (at->pins != NULL)
            apply_pins(&problem, at->pins);
        if ((how != RELAX_NOTHING && !relax(&problem, at, how)) ||
            mpl_search_loadable(at->arena, at->engine, at->job, &problem,
                                &found) != MEMPLAN_OK)
            return mpl_fail_memory(error);
        take(at, &found, rank);
    }
    return MEMPLAN_OK;
}

static uint64_t gap_of(uint64_t value, uint64_t bound)
{
    uint64_t parts;
    if (mpl_is_proven(value, bound))
        return 0;
    if (bound == 0 || !mpl_mul_div(&parts, value - bound, 1000000, bound))
        return MEMPLAN_UNKNOWN;
    return mpl_max(parts, 1);
}

/* False: no memory. */
static bool conclude(mpl_outcome *out, const try *at, const mpl_engine *engine)
{
    memcpy(out->placement.pool_of_unit, at->best.pool_of_unit,
           at->unit_count * sizeof *out->placement.pool_of_unit);
    out->host_trial = at->host_trial;
    out->device_ps = at->device_ps;
    return engine->stand_ins(at->job, &out->placement, &out->stand_ins);
}

memplan_status mpl_place_units(mpl_outcome *out, mpl_arena *arena, mpl_job *job,
                               const memplan_model *model,
                               const memplan_machine *machine,
                               const mpl_request *request, memplan_error *error)
{
    if (machine->pool_count == 0 || machine->pool_count > MPL_PROBLEM_POOLS_MAX)
        return mpl_fail(error, MEMPLAN_E_ARGUMENT, MPL_NOWHERE,
                        "the machine has %u pools to place anything on; a "
                        "plan takes 1 to %d",
                        machine->pool_count, MPL_PROBLEM_POOLS_MAX);
    uint32_t *pins = NULL;
    memplan_status status = MEMPLAN_OK;
    if (request->pins != NULL) {
        pins = mpl_arena_alloc(arena, model->unit_count, sizeof *pins);
        if (pins == NULL)
            return mpl_fail_memory(error);
        status = mpl_pins_read(pins, request->pins, model, machine, error);
    }
    if (status != MEMPLAN_OK)
        return status;
    try at = {.arena = arena,
              .job = job,
              .machine = machine,
              .engine = request->engine,
              .pins = pins,
              .device_ps = MPL_TIME_FORBIDDEN,
              .unit_count = model->unit_count};
    for (relaxation how = RELAX_NOTHING;
         how < RELAXATION_COUNT && !at.best.is_feasible; how++) {
        status = try_all(&at, how, error);
        if (status != MEMPLAN_OK)
            return status;
        if (how == RELAX_NOTHING && at.best.is_feasible) {
            out->gap_parts_per_million = gap_of(at.best.value_ps, at.bound_ps);
            out->is_optimal = out->gap_parts_per_million == 0;
        }
    }
    if (!at.best.is_feasible)
        return mpl_fail(error, MEMPLAN_E_ARGUMENT, MPL_NOWHERE,
                        "no device and no host memory executes this, or the "
                        "pins forbid what the engine could express");
    if (!conclude(out, &at, request->engine))
        return mpl_fail_memory(error);
    return MEMPLAN_OK;
}
