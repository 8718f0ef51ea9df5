/* SPDX-License-Identifier: MIT */
#include "plan/place.h"

#include <stddef.h>

#include "base/checked.h"
#include "base/failure.h"
#include "plan/search.h"

/* Pools beyond their own capacity first; then budgets that several pools
 * overdraw together, at the last pool of each. */
memplan_status mpl_place_verdict(mpl_outcome *out, mpl_arena *arena,
                                 const memplan_machine *machine,
                                 memplan_error *error)
{
    const uint32_t pools = machine->pool_count;
    uint64_t *const budgets =
        mpl_arena_alloc(arena, machine->budget_count, sizeof *budgets);
    out->used_bytes = mpl_arena_alloc(arena, pools, sizeof *out->used_bytes);
    out->short_bytes = mpl_arena_alloc(arena, pools, sizeof *out->short_bytes);
    if (budgets == NULL || out->used_bytes == NULL || out->short_bytes == NULL)
        return mpl_fail_memory(error);
    out->fits = true;
    for (uint32_t at = 0; at < pools; at++) {
        const mpl_pool *const pool = &machine->pools[at];
        uint64_t *const budget = &budgets[pool->budget];
        if (!mpl_ledger_used(&out->ledger, at, &out->used_bytes[at]) ||
            !mpl_add(budget, *budget,
                     mpl_min(out->used_bytes[at], pool->capacity_bytes)))
            return mpl_fail(error, MEMPLAN_E_TOO_LARGE, MPL_NOWHERE,
                            "pool \"%s\": its bytes pass 64 bits", pool->key);
        out->short_bytes[at] =
            mpl_sub_floor(out->used_bytes[at], pool->capacity_bytes);
    }
    for (uint32_t at = pools; at-- > 0;) {
        const uint32_t budget = machine->pools[at].budget;
        out->short_bytes[at] +=
            mpl_sub_floor(budgets[budget], machine->budget_bytes[budget]);
        budgets[budget] = 0;
        out->fits = out->fits && out->short_bytes[at] == 0;
    }
    return MEMPLAN_OK;
}

static memplan_status find_placement(mpl_outcome *out, mpl_arena *arena,
                                     mpl_job *job, const memplan_model *model,
                                     const memplan_machine *machine,
                                     const mpl_request *request,
                                     mpl_proof *proof, memplan_error *error)
{
    if (request->engine->problem != NULL)
        return mpl_place_units(out, arena, job, model, machine, request, error);
    return request->engine->propose(job, &out->placement, proof, error);
}

/* What the engine proved, now that the time is known. */
static memplan_status take_proof(mpl_outcome *out, const mpl_proof *proof,
                                 memplan_error *error)
{
    const uint64_t value = out->timing.decode_ps_per_token;
    const bool is_timed =
        value != MEMPLAN_UNKNOWN && proof->bound_ps != MEMPLAN_UNKNOWN;
    out->is_optimal = proof->is_optimal ||
                      (is_timed && mpl_is_proven(value, proof->bound_ps));
    out->stand_ins = out->is_optimal && !is_timed ? proof->stand_ins : NULL;
    out->limit = proof->limit;
    if (out->is_optimal)
        out->gap_parts_per_million = 0;
    else if (is_timed && proof->bound_ps > 0 &&
             !mpl_mul_div(&out->gap_parts_per_million, value - proof->bound_ps,
                          1000000, proof->bound_ps))
        out->gap_parts_per_million = MEMPLAN_UNKNOWN;
    for (uint32_t i = 0; i < proof->note_count; i++)
        if (mpl_ledger_note(&out->ledger, proof->notes[i]) != MEMPLAN_OK)
            return mpl_fail_memory(error);
    return MEMPLAN_OK;
}

memplan_status mpl_place(mpl_outcome *out, mpl_arena *arena,
                         const memplan_model *model,
                         const memplan_machine *machine,
                         const mpl_request *request, bool is_search,
                         const char *text, memplan_error *error)
{
    const mpl_engine *const engine = request->engine;
    mpl_job *job;
    memplan_status status =
        engine->open(&job, arena, model, machine, request, error);
    if (status != MEMPLAN_OK)
        return status;
    mpl_outcome made = {
        .job = job,
        .ledger = {.arena = out->ledger.arena},
        .gap_parts_per_million = MEMPLAN_UNKNOWN,
        .placement = {.settings = ""},
    };
    made.placement.pool_of_unit = mpl_arena_alloc(
        arena, model->unit_count, sizeof *made.placement.pool_of_unit);
    made.placement.unit_bytes = mpl_arena_alloc(
        arena, model->unit_count, sizeof *made.placement.unit_bytes);
    if (made.placement.pool_of_unit == NULL ||
        made.placement.unit_bytes == NULL)
        return mpl_fail_memory(error);
    mpl_proof proof = {.bound_ps = MEMPLAN_UNKNOWN};
    status = is_search ? find_placement(&made, arena, job, model, machine,
                                        request, &proof, error)
                       : engine->read(job, text, &made.placement, error);
    if (status == MEMPLAN_OK)
        status = engine->price(job, &made.placement, &made.ledger, &made.timing,
                               error);
    if (status == MEMPLAN_OK && is_search && engine->problem == NULL)
        status = take_proof(&made, &proof, error);
    if (status == MEMPLAN_OK)
        status = mpl_place_verdict(&made, arena, machine, error);
    if (status != MEMPLAN_OK)
        return status;
    engine->terms(job, &made.terms);
    *out = made;
    return MEMPLAN_OK;
}
