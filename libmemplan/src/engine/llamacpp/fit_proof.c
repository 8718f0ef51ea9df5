/* SPDX-License-Identifier: MIT */
/*
 * What can be said about a packing. With all speeds known: no placement is
 * faster than what is read most filling the fastest memory, were nothing taken
 * beside weights and caches:
 *
 *     bound = sum over pools, the fastest first, of what they can hold of the
 *             bytes read, by how often a byte is read / bandwidth
 *
 * Without speeds: whether everything is on devices, and if not, how much more
 * could be.
 */
#include <stddef.h>

#include "base/checked.h"
#include "base/failure.h"
#include "engine/llamacpp/fit.h"

/* ---- By speeds --------------------------------------------------------- */

typedef struct reader {
    uint64_t room_bytes; /* UINT64_MAX: all of it */
    uint64_t bytes_per_second;
} reader;

static uint64_t speed_of(const mpl_llama_fitting *fit, uint32_t pool)
{
    return fit->job->machine->pools[pool].bandwidth_bytes_per_second;
}

static bool is_denser(const mpl_fit_reading *a, const mpl_fit_reading *b)
{
    return (mpl_u128)a->active_bytes * b->bytes >
           (mpl_u128)b->active_bytes * a->bytes;
}

/* Fills `order` with what is read the most of first. */
static void sort_reads(mpl_fit_reading order[MPL_FIT_READINGS],
                       const mpl_llama_fitting *fit)
{
    for (uint32_t i = 0; i < MPL_FIT_READINGS; i++) {
        uint32_t at = i;
        for (; at > 0 && is_denser(&fit->reads[i], &order[at - 1]); at--)
            order[at] = order[at - 1];
        order[at] = fit->reads[i];
    }
}

static bool add_time(uint64_t *sum, uint64_t bytes, uint64_t speed)
{
    uint64_t ps = 0;
    return mpl_mul_div(&ps, bytes, UINT64_C(1000000000000), speed) &&
           mpl_add(sum, *sum, ps);
}

/* One pool takes what it can of what is left. */
static bool fill_reader(uint64_t *ps, mpl_fit_reading *reads, const reader *r)
{
    uint64_t room = r->room_bytes;
    uint64_t active = 0;
    for (uint32_t i = 0; i < MPL_FIT_READINGS; i++) {
        mpl_fit_reading *read = &reads[i];
        const uint64_t taken = mpl_min(room, read->bytes);
        uint64_t part = read->active_bytes;
        if (taken == 0 && read->bytes > 0)
            continue;
        if (taken < read->bytes &&
            !mpl_mul_div(&part, read->active_bytes, taken, read->bytes))
            return false;
        active += part;
        read->bytes -= taken;
        read->active_bytes -= part;
        room -= taken;
    }
    return add_time(ps, active, r->bytes_per_second);
}

static uint64_t bound(const mpl_llama_fitting *fit)
{
    const uint32_t count = fit->devices->count;
    reader readers[MPL_LLAMA_MAX_DEVICES + 1];
    mpl_fit_reading reads[MPL_FIT_READINGS];
    const uint64_t host_speed = speed_of(fit, fit->job->host_pool);
    uint64_t ps = 0;
    for (uint32_t i = 0; i <= count; i++) {
        const reader one =
            i < count ? (reader){fit->room[i],
                                 speed_of(fit, fit->devices->items[i].pool)}
                      : (reader){UINT64_MAX, host_speed};
        uint32_t at = i;
        if (one.bytes_per_second == MEMPLAN_UNKNOWN ||
            one.bytes_per_second == 0)
            return MEMPLAN_UNKNOWN;
        for (;
             at > 0 && readers[at - 1].bytes_per_second < one.bytes_per_second;
             at--)
            readers[at] = readers[at - 1];
        readers[at] = one;
    }
    sort_reads(reads, fit);
    for (uint32_t i = 0; i <= count; i++)
        if (!fill_reader(&ps, reads, &readers[i]))
            return MEMPLAN_UNKNOWN;
    return add_time(&ps, fit->host_active_bytes, host_speed) ? ps
                                                             : MEMPLAN_UNKNOWN;
}

/* ---- Without them ------------------------------------------------------ */

static bool is_all_on_devices(const mpl_llama_fitting *fit)
{
    if (fit->first > 0)
        return false;
    for (uint32_t i = 0; i + 1 < fit->places; i++)
        if (fit->has_masks && (fit->masks[i] & ~fit->spills[i]) != 0)
            return false;
    return true;
}

static bool has_one_speed(const mpl_llama_fitting *fit)
{
    for (uint32_t i = 1; i < fit->devices->count; i++)
        if (speed_of(fit, fit->devices->items[i].pool) !=
            speed_of(fit, fit->devices->items[0].pool))
            return false;
    return true;
}

/* Bytes that no placement can exceed this one by: what is left of the rooms,
 * compute included, or what is with the host. */
static uint64_t most_more(const mpl_llama_fitting *fit)
{
    uint64_t all = 0;
    uint64_t on = 0;
    uint64_t left = 0;
    for (uint32_t i = 0; i < fit->places; i++)
        all += mpl_fit_place_bytes(fit, 0, i, 0);
    for (uint32_t i = 0; i < fit->active_count; i++) {
        on += fit->stored[i];
        left += mpl_sub_floor(fit->room[fit->active[i]], fit->stored[i]);
    }
    return mpl_min(left, mpl_sub_floor(all, on));
}

static bool was_pinned(const mpl_llama_fitting *fit)
{
    return fit->asked.has_ngl || fit->asked.has_split ||
           fit->asked.override_count > 0 || fit->asked.no_kv_offload ||
           fit->asked.device_names != NULL ||
           fit->asked.split != MPL_SPLIT_LAYER;
}

static const char *describe_limit(const mpl_llama_fitting *fit)
{
    char bytes[32];
    if (was_pinned(fit))
        return "what was set for placement is kept; without it a faster "
               "placement may exist";
    (void)memplan_bytes_format(bytes, sizeof bytes, most_more(fit));
    return mpl_arena_format(fit->arena,
                            "no placement has more than another %s of the "
                            "model on the GPU%s",
                            bytes, fit->devices->count == 1 ? "" : "s");
}

static const char *describe_stand_ins(const mpl_llama_fitting *fit)
{
    const mpl_llama_device *only = &fit->devices->items[0];
    return fit->devices->count == 1
               ? mpl_arena_format(fit->arena,
                                  "GPU %s reads faster than \"cpu\"",
                                  fit->job->machine->pools[only->pool].key)
               : "all GPUs read equally fast, and faster than \"cpu\"";
}

/* ---- Notes ------------------------------------------------------------- */

static void add_note(mpl_proof *out, const char *note)
{
    if (out->note_count < MPL_PROOF_NOTES_MAX)
        out->notes[out->note_count++] = note;
}

static void add_notes(mpl_proof *out, const mpl_llama_fitting *fit)
{
    const uint32_t spare = fit->offered_count - fit->active_count;
    const char *why = !is_all_on_devices(fit)  ? "llama.cpp takes no more"
                      : fit->active_count == 1 ? "one holds everything, and "
                                                 "layers on several take turns"
                                               : "the others hold everything, "
                                                 "and layers on several take "
                                                 "turns";
    if (spare > 0)
        add_note(out,
                 mpl_arena_format(fit->arena, "%u GPU%s left out: %s", spare,
                                  spare == 1 ? " is" : "s are", why));
    if (fit->has_no_copies)
        add_note(out, "-ot ^$=CPU matches no tensor: any -ot keeps llama.cpp "
                      "from making pipeline copies, for which there is no "
                      "room");
}

memplan_status mpl_fit_prove(mpl_proof *out, const mpl_llama_fitting *fit,
                             memplan_error *error)
{
    const bool is_pinned = was_pinned(fit);
    const bool is_all = is_all_on_devices(fit);
    *out = (mpl_proof){.bound_ps = is_pinned ? MEMPLAN_UNKNOWN : bound(fit)};
    add_notes(out, fit);
    if (is_pinned) {
        out->limit = describe_limit(fit);
    } else if (fit->devices->count == 0) {
        out->is_optimal = true; /* there is no other placement */
    } else if (is_all && has_one_speed(fit)) {
        out->is_optimal = out->bound_ps == MEMPLAN_UNKNOWN;
        out->stand_ins = describe_stand_ins(fit);
    } else if (!is_all && out->bound_ps == MEMPLAN_UNKNOWN) {
        out->limit = describe_limit(fit);
    }
    for (uint32_t i = 0; i < out->note_count; i++)
        if (out->notes[i] == NULL)
            return mpl_fail_memory(error);
    return MEMPLAN_OK;
}
