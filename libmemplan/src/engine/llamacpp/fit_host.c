/* SPDX-License-Identifier: MIT */
/* The host's side of a fit: whether it has room, and what gives way. */
#include <stddef.h>

#include "base/checked.h"
#include "engine/llamacpp/fit.h"

/* Bytes that devices take of the host's own memory. */
static uint64_t shared_used(const mpl_llama_fitting *fit)
{
    const memplan_machine *machine = fit->job->machine;
    const uint32_t budget = machine->pools[fit->job->host_pool].budget;
    uint64_t used = 0;
    for (uint32_t i = 0; i < fit->active_count; i++) {
        const uint32_t device = fit->active[i];
        const uint32_t pool = fit->devices->items[device].pool;
        if (machine->pools[pool].budget == budget &&
            (!mpl_add(&used, used, fit->used[i]) ||
             !mpl_add(&used, used, fit->margin[device])))
            return UINT64_MAX;
    }
    return used;
}

/* Of the host's capacity, and of the budget that it may share. */
static uint64_t host_left(const mpl_llama_fitting *fit)
{
    const memplan_machine *machine = fit->job->machine;
    const mpl_pool *host = &machine->pools[fit->job->host_pool];
    const uint64_t shared =
        mpl_sub_floor(machine->budget_bytes[host->budget], shared_used(fit));
    return mpl_sub_floor(mpl_min(host->capacity_bytes, shared), fit->host_used);
}

bool mpl_fit_host_holds(const mpl_llama_fitting *fit)
{
    return host_left(fit) > 0;
}

/* The prompt cache is the first thing a short host can do without: where its
 * default has no room, it gets half of what is left. */
const char *mpl_fit_spare_host(const mpl_llama_fitting *fit, const char *text,
                               mpl_proof *proof)
{
    const uint64_t cache = (uint64_t)fit->asked.cache_ram_mib << 20;
    const uint64_t left = host_left(fit);
    if (text == NULL || fit->asked.frontend == MPL_FRONTEND_TOOL ||
        MPL_LLAMA_ARCHES[fit->job->hparams.arch].memory ==
            MPL_LLAMA_MEMORY_NONE ||
        fit->asked.has_cache_ram || left >= cache)
        return text;
    const uint64_t mib = left / 2 >> 20;
    const uint64_t given = mib >= 256 ? mib / 256 * 256 : 0;
    const char *note =
        given == 0
            ? "--cache-ram 0: the host has no memory left for the prompt "
              "cache, 8192 MiB by default"
            : mpl_arena_format(fit->arena,
                               "--cache-ram %llu: the prompt cache, 8192 MiB "
                               "by default, gets half of what the host has "
                               "left",
                               (unsigned long long)given);
    if (note == NULL)
        return NULL;
    proof->notes[proof->note_count++] = note;
    return mpl_arena_format(fit->arena, "%scram=%llu\n", text,
                            (unsigned long long)given);
}
