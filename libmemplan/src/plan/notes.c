/* SPDX-License-Identifier: MIT */
#include "plan/notes.h"

#include <stddef.h>
#include <string.h>

enum { OWN_NOTES_MAX = 16, PROMPT_STEP_TOKENS = 2048 };

static memplan_status add(memplan_plan *plan, const char *note)
{
    if (note == NULL)
        return MEMPLAN_E_NO_MEMORY;
    plan->notes[plan->note_count++] = note;
    return MEMPLAN_OK;
}

static memplan_status note_context(memplan_plan *plan)
{
    if (plan->context_tokens <= plan->model_context_tokens)
        return MEMPLAN_OK;
    return add(
        plan, mpl_arena_format(plan->arena,
                               "a context of %llu tokens passes the %llu "
                               "that the model was trained for",
                               (unsigned long long)plan->context_tokens,
                               (unsigned long long)plan->model_context_tokens));
}

static memplan_status note_gap(memplan_plan *plan, const mpl_outcome *found)
{
    if (!plan->was_searched || !plan->fits || plan->is_optimal)
        return MEMPLAN_OK;
    if (plan->gap_parts_per_million == MEMPLAN_UNKNOWN ||
        found->stand_ins != NULL)
        return add(plan, found->limit != NULL
                             ? mpl_arena_strdup(plan->arena, found->limit)
                             : "the search was limited: a faster placement "
                               "may exist");
    /* Rounded up: it holds as it is printed. */
    const uint64_t tenths = plan->gap_parts_per_million / 1000 +
                            (plan->gap_parts_per_million % 1000 != 0);
    return add(plan, mpl_arena_format(
                         plan->arena,
                         "within %llu.%llu %% of the fastest placement%s there "
                         "can be",
                         (unsigned long long)(tenths / 10),
                         (unsigned long long)(tenths % 10), plan->scope));
}

/* Whether weights rest beside a device that executes them. */
static bool is_offloaded(const memplan_plan *plan)
{
    bool has[MPL_POOL_DISK + 1] = {false};
    uint32_t last = MPL_NO_INDEX;
    for (uint32_t at = 0; at < plan->unit_count; at++) {
        const uint32_t pool = plan->units[at].pool;
        if (pool != last && pool != MPL_NO_INDEX)
            has[plan->pools[pool].kind] = true;
        last = pool;
    }
    return has[MPL_POOL_DEVICE] && (has[MPL_POOL_HOST] || has[MPL_POOL_DISK]);
}

static memplan_status note_host(memplan_plan *plan, const mpl_outcome *found)
{
    const uint64_t ps_per_ms = 1000000000;
    if (plan->fits && found->host_trial == MPL_HOST_UNTRIED &&
        is_offloaded(plan))
        return add(plan, "computing on the host alone may be faster than "
                         "copying offloaded layers to a GPU for each token: "
                         "not every speed is known, so they were not "
                         "compared");
    if (!plan->fits || found->host_trial != MPL_HOST_FASTER)
        return MEMPLAN_OK;
    return add(
        plan,
        mpl_arena_format(
            plan->arena,
            "no GPU is used: copying offloaded layers to one for each token "
            "takes at least %llu ms, computing on the host %llu ms; "
            "prompts will be read slower; pin \"%s\" to a GPU to use it all "
            "the same",
            (unsigned long long)(found->device_ps / ps_per_ms),
            (unsigned long long)(plan->decode_ps_per_token / ps_per_ms),
            plan->unit_count > 0 ? plan->units[0].name : ""));
}

static uint64_t activation_bytes(const mpl_plan_pool *pool)
{
    uint64_t bytes = 0;
    for (uint64_t at = 0; at < pool->row_count; at++)
        if (pool->rows[at].category == MPL_ROW_ACTIVATIONS)
            bytes += pool->rows[at].bytes;
    return bytes;
}

/* Of what a GPU holds only the activations need not be there: they fall with
 * the prompt that is read in one step. */
static memplan_status note_prompt(memplan_plan *plan)
{
    const mpl_plan_pool *const pool = &plan->pools[0];
    const uint64_t bytes = activation_bytes(pool);
    char text[32];
    if (!plan->fits || !plan->was_searched ||
        plan->prompt_tokens <= PROMPT_STEP_TOKENS ||
        bytes < pool->used_bytes / 8 || !is_offloaded(plan))
        return MEMPLAN_OK;
    (void)memplan_bytes_format(text, sizeof text, bytes);
    return add(plan,
               mpl_arena_format(plan->arena,
                                "reading a prompt of %llu tokens in one step "
                                "takes up to %s of %s; read in shorter ones, "
                                "such as %d tokens, it leaves more to "
                                "weights",
                                (unsigned long long)plan->prompt_tokens, text,
                                pool->name, PROMPT_STEP_TOKENS));
}

static bool is_shared(const memplan_plan *plan, const mpl_plan_pool *pool)
{
    for (uint32_t at = 0; at < plan->pool_count; at++)
        if (&plan->pools[at] != pool && plan->pools[at].budget == pool->budget)
            return true;
    return false;
}

static memplan_status note_unused(memplan_plan *plan, const mpl_outcome *found)
{
    if (!plan->fits || found->host_trial != MPL_HOST_ONLY ||
        plan->pools[0].kind != MPL_POOL_DEVICE)
        return MEMPLAN_OK;
    return add(plan,
               "GPU 0 unused: no placement fits in which a GPU executes, "
               "with what a step over the prompt allocates there; shorter "
               "steps or a shorter context take less");
}

/* What a catalogue's figure loses before a plan may spend it. */
static memplan_status note_driver(memplan_plan *plan,
                                  const memplan_machine *machine)
{
    char total[32];
    char left[32];
    for (uint32_t at = 0; at < machine->pool_count; at++) {
        const mpl_pool *const pool = &machine->pools[at];
        if (pool->kind != MPL_POOL_DEVICE)
            continue;
        const mpl_device *const device = &machine->devices[pool->device];
        if (strncmp(device->free_bytes.source, "catalogue", 9) != 0 ||
            device->total_bytes.value == device->free_bytes.value ||
            pool->capacity_bytes != device->free_bytes.value)
            continue;
        (void)memplan_bytes_format(total, sizeof total,
                                   device->total_bytes.value);
        (void)memplan_bytes_format(left, sizeof left, pool->capacity_bytes);
        return add(plan,
                   mpl_arena_format(plan->arena,
                                    "the catalogue says %s for GPU %s; %s are "
                                    "planned on: 1/64 stays with its firmware "
                                    "and driver, beside what the process takes",
                                    total, pool->key, left));
    }
    return MEMPLAN_OK;
}

/* Devices each have their part of what they share with the host: only with
 * the host are they one. */
static memplan_status note_sharing(memplan_plan *plan)
{
    const mpl_plan_pool *first = NULL;
    const mpl_plan_pool *last = NULL; /* of the devices */
    const mpl_plan_pool *host = NULL;
    for (uint32_t at = 0; at < plan->pool_count; at++) {
        const mpl_plan_pool *const pool = &plan->pools[at];
        if (!is_shared(plan, pool))
            continue;
        host = pool->kind == MPL_POOL_HOST ? pool : host;
        last = pool->kind == MPL_POOL_DEVICE ? pool : last;
        first = first == NULL ? pool : first;
    }
    if (last == NULL)
        return MEMPLAN_OK;
    if (first == last)
        return add(plan, mpl_arena_format(plan->arena,
                                          "\"%s\" and \"%s\" are one memory: "
                                          "what one takes the other lacks",
                                          first->key, host->key));
    return add(plan, mpl_arena_format(
                         plan->arena,
                         "\"%s\" to \"%s\" are parts of the host's "
                         "memory%s",
                         first->key, last->key,
                         host != NULL ? ": what they take \"cpu\" lacks" : ""));
}

memplan_status mpl_notes_write(memplan_plan *plan, const mpl_outcome *found,
                               const memplan_model *model,
                               const memplan_machine *machine)
{
    const mpl_ledger *const ledger = &found->ledger;
    memplan_status status = MEMPLAN_OK;
    plan->notes = mpl_arena_alloc(
        plan->arena, model->note_count + ledger->note_count + OWN_NOTES_MAX,
        sizeof *plan->notes);
    if (plan->notes == NULL)
        return MEMPLAN_E_NO_MEMORY;
    for (uint64_t at = 0; at < model->note_count && status == MEMPLAN_OK; at++)
        status = add(plan, mpl_arena_strdup(plan->arena, model->notes[at]));
    for (uint64_t at = 0; at < ledger->note_count && status == MEMPLAN_OK; at++)
        status = add(plan, mpl_arena_strdup(plan->arena, ledger->notes[at]));
    if (status == MEMPLAN_OK)
        status = note_context(plan);
    if (status == MEMPLAN_OK)
        status = note_host(plan, found);
    if (status == MEMPLAN_OK)
        status = note_prompt(plan);
    if (status == MEMPLAN_OK)
        status = note_unused(plan, found);
    if (status == MEMPLAN_OK)
        status = note_driver(plan, machine);
    if (status == MEMPLAN_OK)
        status = note_gap(plan, found);
    if (status == MEMPLAN_OK)
        status = note_sharing(plan);
    return status;
}
