/* SPDX-License-Identifier: MIT */
/*
 * The settings space: the engine's own parameters, each a list of values from
 * the best to the cheapest in memory.
 *
 * All knobs but the last are walked value by value; of the last, the first
 * value that fits is found by halving. The fastest setting wins, where speeds
 * are unknown the first one. How many settings are priced is limited, so the
 * answer claims no proof.
 */
#include <string.h>

#include "base/checked.h"
#include "base/failure.h"
#include "model/model.h"
#include "plan/place.h"

enum { KNOBS_MAX = 16, PRICES_MAX = 3000 };

typedef struct tuner {
    mpl_arena *arena;
    mpl_job *job;
    const memplan_machine *machine;
    const mpl_request *request;
    const mpl_knob *knobs;
    uint32_t knob_count;
    uint32_t at[KNOBS_MAX]; /* the position in each knob's values */
    uint32_t best[KNOBS_MAX];
    uint64_t best_ps;
    uint64_t best_short; /* bytes that the best lacks */
    uint32_t prices_left;
    mpl_outcome trial; /* tables that are priced into */
} tuner;

static const char *write_settings(const tuner *now, const uint32_t *positions,
                                  mpl_arena *arena)
{
    const char *text =
        now->request->settings != NULL ? now->request->settings : "";
    for (uint32_t at = 0; at < now->knob_count && text != NULL; at++)
        text = mpl_arena_format(
            arena, "%s%s%s=%llu", text, text[0] != '\0' ? "," : "",
            now->knobs[at].name,
            (unsigned long long)now->knobs[at].values[positions[at]]);
    return text;
}

/* Prices the current positions. Sets the bytes that are short. */
static memplan_status try_settings(tuner *now, uint64_t *out_short,
                                   memplan_error *error)
{
    mpl_arena *const scratch = mpl_arena_create();
    if (scratch == NULL)
        return mpl_fail_memory(error);
    mpl_outcome *const trial = &now->trial;
    trial->ledger = (mpl_ledger){.arena = scratch};
    trial->placement.settings = write_settings(now, now->at, scratch);
    memplan_status status =
        trial->placement.settings != NULL
            ? now->request->engine->price(now->job, &trial->placement,
                                          &trial->ledger, &trial->timing, error)
            : mpl_fail_memory(error);
    if (status == MEMPLAN_OK)
        status = mpl_place_verdict(trial, scratch, now->machine, error);
    uint64_t missing = 0;
    for (uint32_t pool = 0;
         status == MEMPLAN_OK && pool < now->machine->pool_count; pool++)
        if (!mpl_add(&missing, missing, trial->short_bytes[pool]))
            missing = UINT64_MAX;
    mpl_arena_free(scratch);
    if (status != MEMPLAN_OK)
        return status;
    now->prices_left -= now->prices_left > 0;
    *out_short = missing;
    const uint64_t ps = trial->timing.decode_ps_per_token;
    if (missing < now->best_short ||
        (missing == now->best_short && ps < now->best_ps)) {
        now->best_short = missing;
        now->best_ps = ps;
        memcpy(now->best, now->at, sizeof now->best);
    }
    return MEMPLAN_OK;
}

static memplan_status tune_last(tuner *now, memplan_error *error)
{
    const uint32_t last = now->knob_count - 1;
    uint32_t low = 0;
    uint32_t high = now->knobs[last].value_count;
    while (low < high && now->prices_left > 0) {
        const uint32_t middle = low + (high - low) / 2;
        uint64_t missing = 0;
        now->at[last] = middle;
        const memplan_status status = try_settings(now, &missing, error);
        if (status != MEMPLAN_OK)
            return status;
        if (missing == 0)
            high = middle;
        else
            low = middle + 1;
    }
    return MEMPLAN_OK;
}

/* Counts the knobs before the last up like the digits of a number. */
static bool next_positions(tuner *now)
{
    for (uint32_t at = now->knob_count - 1; at-- > 0;) {
        if (++now->at[at] < now->knobs[at].value_count)
            return true;
        now->at[at] = 0;
    }
    return false;
}

memplan_status mpl_place_settings(mpl_outcome *out, mpl_arena *arena,
                                  mpl_job *job, const memplan_machine *machine,
                                  const mpl_request *request,
                                  memplan_error *error)
{
    tuner now = {.arena = arena,
                 .job = job,
                 .machine = machine,
                 .request = request,
                 .best_ps = UINT64_MAX,
                 .best_short = UINT64_MAX,
                 .prices_left = PRICES_MAX};
    now.trial.placement = out->placement;
    memplan_status status =
        request->engine->knobs(job, &now.knobs, &now.knob_count, error);
    if (status != MEMPLAN_OK)
        return status;
    if (now.knob_count > KNOBS_MAX)
        return mpl_fail(error, MEMPLAN_E_TOO_LARGE, MPL_NOWHERE,
                        "%u parameters to choose, at most %d", now.knob_count,
                        KNOBS_MAX);
    for (uint32_t at = 0; at < now.knob_count; at++)
        if (now.knobs[at].value_count == 0)
            return mpl_fail(error, MEMPLAN_E_ARGUMENT, MPL_NOWHERE,
                            "parameter \"%s\" has no value to choose",
                            now.knobs[at].name);
    while (now.knob_count > 0 && now.prices_left > 0) {
        status = tune_last(&now, error);
        if (status != MEMPLAN_OK)
            return status;
        if (!next_positions(&now))
            break;
    }
    out->placement.settings = write_settings(&now, now.best, arena);
    return out->placement.settings != NULL ? MEMPLAN_OK
                                           : mpl_fail_memory(error);
}
