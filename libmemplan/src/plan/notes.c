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
                         "within %llu.%llu %% of the fastest placement there "
                         "can be%s",
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
            "no GPU is used: copying offloaded layers to one takes at least "
            "%llu ms for each token of an answer, computing on the host at "
            "least %llu ms; a prompt needs that copy only once a step, "
            "whatever "
            "its length, and is read slower on the host: for long prompts with "
            "short answers pin \"%s\" to a GPU",
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

/* The first device that executes, or NULL: activations are alike on all. */
static const mpl_plan_pool *find_executing(const memplan_plan *plan)
{
    for (uint32_t at = 0; at < plan->pool_count; at++)
        if (plan->pools[at].kind == MPL_POOL_DEVICE &&
            activation_bytes(&plan->pools[at]) > 0)
            return &plan->pools[at];
    return NULL;
}

/* Of what a GPU holds only the activations need not be there: they fall with
 * the prompt that is read in one step. */
static memplan_status note_prompt(memplan_plan *plan)
{
    const mpl_plan_pool *const pool = find_executing(plan);
    char text[32];
    if (!plan->fits || !plan->was_searched || pool == NULL ||
        plan->prompt_tokens <= PROMPT_STEP_TOKENS || !is_offloaded(plan))
        return MEMPLAN_OK;
    const uint64_t bytes = activation_bytes(pool);
    if (bytes < pool->used_bytes / 8)
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
               "no GPU is used: no placement fits in which one executes, with "
               "what a step over the prompt allocates there; shorter steps or "
               "a shorter context take less");
}

/* A device of which a catalogue says how much it has, and less is planned
 * on. */
static const mpl_device *catalogue_device(const memplan_machine *machine,
                                          uint32_t at)
{
    const mpl_pool *const pool = &machine->pools[at];
    if (pool->kind != MPL_POOL_DEVICE)
        return NULL;
    const mpl_device *const device = &machine->devices[pool->device];
    return strncmp(device->free_bytes.source, "catalogue", 9) == 0 &&
                   device->total_bytes.value > device->free_bytes.value &&
                   pool->capacity_bytes == device->free_bytes.value
               ? device
               : NULL;
}

/* " and 7 like it" */
static const char *count_alike(memplan_plan *plan,
                               const memplan_machine *machine, uint32_t first)
{
    const mpl_device *const device = catalogue_device(machine, first);
    uint32_t count = 0;
    for (uint32_t at = first + 1; at < machine->pool_count; at++) {
        const mpl_device *const other = catalogue_device(machine, at);
        count += other != NULL &&
                 other->total_bytes.value == device->total_bytes.value;
    }
    return count == 0 ? ""
                      : mpl_arena_format(plan->arena, " and %u like it", count);
}

/* What a catalogue's figure loses before a plan may spend it. */
static memplan_status note_driver(memplan_plan *plan,
                                  const memplan_machine *machine)
{
    char total[32];
    char left[32];
    char lost[32];
    uint32_t at = 0;
    while (at < machine->pool_count && catalogue_device(machine, at) == NULL)
        at++;
    if (at == machine->pool_count)
        return MEMPLAN_OK;
    const uint64_t all = catalogue_device(machine, at)->total_bytes.value;
    const uint64_t capacity = machine->pools[at].capacity_bytes;
    const char *const alike = count_alike(plan, machine, at);
    (void)memplan_bytes_format(total, sizeof total, all);
    (void)memplan_bytes_format(left, sizeof left, capacity);
    (void)memplan_bytes_format(lost, sizeof lost, all - capacity);
    const bool is_shown = strcmp(total, left) != 0;
    return alike == NULL
               ? MEMPLAN_E_NO_MEMORY
               : add(plan, mpl_arena_join(
                               plan->arena, "the catalogue says ", total,
                               " for GPU ", machine->pools[at].key, alike, "; ",
                               is_shown ? left : lost, is_shown ? "" : " less",
                               " are planned on: 1/64 stays with its firmware "
                               "and driver, beside what the process takes",
                               NULL));
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
