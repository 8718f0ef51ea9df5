/* SPDX-License-Identifier: MIT */
/*
 * Settings that fit, by pricing: as much on the devices as they have room for,
 * and what the caller pinned left alone.
 *
 *     context    -c 0 leaves it open: the longest of which everything fits,
 *                else the shortest that is allowed (-fitc)
 *     devices    as few as hold everything; all where they do not
 *     copies     an override that matches nothing turns pipeline copies off,
 *                where all layers fit only without them
 *     experts    where not all fits: all layers, and the experts of the first
 *                ones with the host
 *     layers     as many as fit, the last ones
 *
 * Free bytes less the margin (-fitt, or the request's reserve) is the room of
 * a device. More layers, and more experts of them, take more: the searches
 * halve, by the table of sizes (fit.h), and price what they come to.
 */
#include "engine/llamacpp/fit.h"

#include <string.h>

#include "base/checked.h"
#include "base/failure.h"

#define DEFAULT_MARGIN_BYTES (UINT64_C(1) << 30)

enum {
    BACKENDS_MAX = 16, /* that llama.cpp schedules; the CPU is one of them */
    ROUNDS = 6,        /* of packing by what the last price took beside */
    LOOKED_PAST = 2    /* layers, beyond the most that fit by halving */
};

memplan_status mpl_llama_margins_read(uint64_t margins[MPL_LLAMA_MAX_DEVICES],
                                      const mpl_job *job,
                                      const mpl_llama_params *params,
                                      memplan_error *error)
{
    const uint64_t reserve = job->request->reserve_bytes;
    for (uint32_t i = 0; i < MPL_LLAMA_MAX_DEVICES; i++)
        margins[i] =
            reserve != MEMPLAN_UNKNOWN ? reserve : DEFAULT_MARGIN_BYTES;
    const char *at = params->margins;
    for (uint32_t i = 0; at != NULL && i < MPL_LLAMA_MAX_DEVICES; i++) {
        uint64_t mib = 0;
        const size_t length = strspn(at, "0123456789");
        if (length == 0 || length > 9 ||
            (at[length] != '\0' && strchr("/,;", at[length]) == NULL))
            return mpl_fail(error, MEMPLAN_E_ARGUMENT, MPL_NOWHERE,
                            "setting \"fitt\": \"%s\" is not a list of MiB, "
                            "such as 1024/512",
                            params->margins);
        for (size_t d = 0; d < length; d++)
            mib = mib * 10 + (uint64_t)(at[d] - '0');
        for (uint32_t j = i; j < MPL_LLAMA_MAX_DEVICES; j++)
            margins[j] = mib << 20; /* the last is for all that follow */
        if (at[length] == '\0')
            return MEMPLAN_OK;
        at += length + 1;
    }
    return MEMPLAN_OK;
}

/* ---- Packing until a price agrees -------------------------------------- */

static void forget_beside(mpl_llama_fitting *fit)
{
    memset(fit->beside, 0, sizeof fit->beside);
}

static bool pack(mpl_llama_fitting *fit, uint32_t first)
{
    return fit->has_masks || first > 0 ? mpl_fit_pack(fit, first)
                                       : mpl_fit_pack_evenly(fit, first);
}

/* Packs, prices, and packs again with what the price took beside; `fits`
 * says whether it came to one that does. */
static memplan_status settle(mpl_llama_fitting *fit, uint32_t first,
                             memplan_error *error)
{
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint64_t before[MPL_LLAMA_MAX_DEVICES];
        memcpy(before, fit->beside, sizeof before);
        fit->fits = false;
        if (!pack(fit, first))
            return MEMPLAN_OK;
        const memplan_status status = mpl_fit_price(fit, error);
        if (status != MEMPLAN_OK || fit->fits)
            return status;
        for (uint32_t i = 0; i < MPL_LLAMA_MAX_DEVICES; i++)
            fit->beside[i] = mpl_max(fit->beside[i], before[i]);
        if (memcmp(before, fit->beside, sizeof before) == 0)
            return MEMPLAN_OK;
    }
    return MEMPLAN_OK;
}

/* ---- Devices ----------------------------------------------------------- */

static bool may_choose_devices(const mpl_llama_fitting *fit)
{
    const mpl_llama_params *asked = &fit->asked;
    return fit->devices->count > 1 && !asked->has_split &&
           asked->device_names == NULL && asked->split == MPL_SPLIT_LAYER &&
           asked->override_count == 0;
}

static void use_all(mpl_llama_fitting *fit)
{
    fit->active_count = fit->devices->count;
    for (uint32_t i = 0; i < fit->active_count; i++)
        fit->active[i] = i;
}

static uint64_t speed_of(const mpl_llama_fitting *fit, uint32_t device)
{
    const uint32_t pool = fit->devices->items[device].pool;
    return fit->job->machine->pools[pool].bandwidth_bytes_per_second;
}

/* The fastest `count` devices, or those with the most room; the first ones
 * among equals. */
static void use_best(mpl_llama_fitting *fit, uint32_t count, bool by_room)
{
    bool is_in[MPL_LLAMA_MAX_DEVICES] = {false};
    for (uint32_t n = 0; n < count; n++) {
        uint32_t best = MPL_NO_INDEX;
        for (uint32_t i = 0; i < fit->devices->count; i++) {
            const uint64_t mine = by_room ? fit->room[i] : speed_of(fit, i);
            if (!is_in[i] &&
                (best == MPL_NO_INDEX ||
                 mine > (by_room ? fit->room[best] : speed_of(fit, best))))
                best = i;
        }
        is_in[best] = true;
    }
    fit->active_count = 0;
    for (uint32_t i = 0; i < fit->devices->count; i++)
        if (is_in[i])
            fit->active[fit->active_count++] = i;
}

/* Everything from `first` on, on as few devices as hold it. */
static memplan_status fit_all(mpl_llama_fitting *fit, uint32_t first,
                              memplan_error *error)
{
    const uint32_t most = fit->devices->count;
    memplan_status status = MEMPLAN_OK;
    fit->fits = false;
    for (uint32_t count = may_choose_devices(fit) ? 1 : most;
         count < most && status == MEMPLAN_OK; count++)
        for (uint32_t way = 0; way < 2 && status == MEMPLAN_OK; way++) {
            use_best(fit, count, way == 1);
            forget_beside(fit);
            status = settle(fit, first, error);
            if (fit->fits)
                return status;
        }
    use_all(fit);
    forget_beside(fit);
    return status == MEMPLAN_OK ? settle(fit, first, error) : status;
}

/* ---- Layers ------------------------------------------------------------ */

/* The least `first` in [low, places] of which a packing has room. */
static uint32_t halve(mpl_llama_fitting *fit, uint32_t low)
{
    uint32_t high = fit->places;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (mpl_fit_pack(fit, middle))
            high = middle;
        else
            low = middle + 1;
    }
    return high;
}

/* The same by prices, where the caller's shares leave no packing to do. */
static memplan_status halve_by_price(mpl_llama_fitting *fit,
                                     memplan_error *error)
{
    uint32_t low = 0;
    uint32_t high = fit->places;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        const memplan_status status = settle(fit, middle, error);
        if (status != MEMPLAN_OK)
            return status;
        if (fit->fits)
            high = middle;
        else
            low = middle + 1;
    }
    return settle(fit, high, error);
}

static memplan_status find_most(mpl_llama_fitting *fit, memplan_error *error)
{
    if (fit->asked.has_split && fit->active_count > 1)
        return halve_by_price(fit, error);
    for (uint32_t at = 0;; at++) {
        at = halve(fit, at);
        const memplan_status status = settle(fit, at, error);
        if (status != MEMPLAN_OK || fit->fits || at == fit->places)
            return status;
    }
}

/* Keeps a packing while others are tried. */
typedef struct kept {
    uint32_t first;
    uint32_t counts[MPL_LLAMA_MAX_DEVICES];
    uint8_t masks[MPL_LLAMA_MAX_LAYERS];
} kept;

static void keep(kept *out, const mpl_llama_fitting *fit)
{
    out->first = fit->first;
    memcpy(out->counts, fit->counts, sizeof out->counts);
    memcpy(out->masks, fit->masks, fit->places - 1);
}

static memplan_status go_back(mpl_llama_fitting *fit, const kept *to,
                              memplan_error *error)
{
    if (fit->fits && fit->first == to->first &&
        memcmp(to->masks, fit->masks, fit->places - 1) == 0 &&
        memcmp(to->counts, fit->counts, sizeof fit->counts) == 0)
        return MEMPLAN_OK; /* as priced last */
    fit->first = to->first;
    memcpy(fit->counts, to->counts, sizeof fit->counts);
    memcpy(fit->masks, to->masks, fit->places - 1);
    return mpl_fit_price(fit, error);
}

/* Compute may fall where a layer more is placed, which the halving took to be
 * as it was: looks a little further. */
static memplan_status look_past(mpl_llama_fitting *fit, memplan_error *error)
{
    kept best;
    const uint32_t from = fit->first;
    memplan_status status = MEMPLAN_OK;
    keep(&best, fit);
    for (uint32_t more = 1; more <= LOOKED_PAST && more <= from; more++) {
        forget_beside(fit);
        status = settle(fit, from - more, error);
        if (status != MEMPLAN_OK)
            return status;
        if (fit->fits)
            keep(&best, fit);
    }
    return go_back(fit, &best, error);
}

static memplan_status fit_layers(mpl_llama_fitting *fit, memplan_error *error)
{
    forget_beside(fit);
    const memplan_status status = find_most(fit, error);
    return status == MEMPLAN_OK && fit->fits ? look_past(fit, error) : status;
}

/* ---- Experts ----------------------------------------------------------- */

static bool has_experts(const mpl_llama_fitting *fit)
{
    return fit->job->hparams.expert_count > 0 && fit->asked.override_count == 0;
}

static uint64_t stored_sum(const mpl_llama_fitting *fit)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < fit->active_count; i++)
        sum += fit->stored[i];
    return sum;
}

/* Packs experts by what was beside, which moves with them, until that comes
 * to the same; keeps the best that fits. */
static memplan_status add_experts(mpl_llama_fitting *fit, memplan_error *error)
{
    kept best;
    uint64_t best_bytes = stored_sum(fit);
    keep(&best, fit);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint64_t before[MPL_LLAMA_MAX_DEVICES];
        bool is_new = false;
        memcpy(before, fit->beside, sizeof before);
        memplan_status status = mpl_fit_pack_experts(fit, &is_new, error);
        if (status == MEMPLAN_OK && is_new)
            status = mpl_fit_price(fit, error);
        if (status != MEMPLAN_OK)
            return status;
        if (!is_new)
            break;
        if (fit->fits && stored_sum(fit) > best_bytes) {
            best_bytes = stored_sum(fit);
            keep(&best, fit);
        }
        for (uint32_t i = 0; i < MPL_LLAMA_MAX_DEVICES && !fit->fits; i++)
            fit->beside[i] = mpl_max(fit->beside[i], before[i]);
    }
    const memplan_status status = go_back(fit, &best, error);
    return status == MEMPLAN_OK ? mpl_fit_spill(fit, error) : status;
}

/* Dense weights first: a token reads all of them, and few experts. */
static memplan_status fit_experts(mpl_llama_fitting *fit, memplan_error *error)
{
    fit->has_masks = true;
    forget_beside(fit);
    memplan_status status = settle(fit, fit->first, error);
    if (status == MEMPLAN_OK && !fit->fits && !fit->asked.has_ngl)
        status = fit_layers(fit, error);
    return status == MEMPLAN_OK && fit->fits ? add_experts(fit, error) : status;
}

/* Not all layers fit with all of their weights. */
static memplan_status fit_rest(mpl_llama_fitting *fit, uint32_t first,
                               memplan_error *error)
{
    memplan_status status = MEMPLAN_OK;
    if (fit->devices->count > 1 && fit->asked.override_count == 0) {
        fit->has_no_copies = true;
        status = fit_all(fit, first, error);
        if (status != MEMPLAN_OK || fit->fits)
            return status;
        fit->has_no_copies = false;
    }
    fit->first = first;
    if (has_experts(fit))
        status = fit_experts(fit, error);
    if (status != MEMPLAN_OK || fit->fits)
        return status;
    fit->has_masks = false;
    if (!fit->asked.has_ngl)
        return fit_layers(fit, error);
    fit->first = first; /* as pinned, and too much */
    fit->counts[0] = fit->places - first;
    return mpl_fit_price(fit, error);
}

/* ---- Context ----------------------------------------------------------- */

/* Everything on the devices, at the longest context that allows it; without
 * devices, on the host. */
static memplan_status fit_context(mpl_llama_fitting *fit, uint32_t first,
                                  bool *out_fits, memplan_error *error)
{
    const uint64_t sequences =
        fit->asked.kv_unified ? 1 : mpl_max(1, fit->asked.n_seq);
    const uint64_t unit = 256 * sequences;
    const uint64_t trained =
        (uint64_t)fit->job->hparams.context_train * sequences;
    uint64_t low =
        (mpl_min(trained, fit->asked.fit_ctx * sequences) + unit - 1) / unit;
    uint64_t high = mpl_max(low, mpl_min(trained, INT32_MAX) / unit);
    const uint64_t least = low;
    *out_fits = false;
    uint64_t middle = high; /* the whole context first */
    while (low <= high) {
        fit->now.n_ctx = (uint32_t)(middle * unit);
        memplan_status status = mpl_fit_measure(fit, error);
        if (status == MEMPLAN_OK)
            status = fit_all(fit, first, error);
        if (status != MEMPLAN_OK)
            return status;
        if (fit->fits && mpl_fit_host_holds(fit)) {
            *out_fits = true;
            low = middle + 1;
        } else {
            high = middle - 1;
        }
        if (high < least)
            break;
        middle = low + (high - low) / 2;
    }
    fit->now.n_ctx = (uint32_t)((*out_fits ? high : least) * unit);
    const memplan_status status = mpl_fit_measure(fit, error);
    return status == MEMPLAN_OK ? fit_all(fit, first, error) : status;
}

/* ---- The whole --------------------------------------------------------- */

static memplan_status read_rooms(mpl_llama_fitting *fit, memplan_error *error)
{
    const memplan_machine *machine = fit->job->machine;
    memplan_status status =
        mpl_llama_margins_read(fit->margin, fit->job, &fit->asked, error);
    for (uint32_t i = 0; i < fit->devices->count; i++) {
        const mpl_llama_device *device = &fit->devices->items[i];
        /* What a plan may spend is the pool's; described devices say less. */
        const uint64_t capacity = machine->pools[device->pool].capacity_bytes;
        const uint64_t free =
            fit->asked.devices != NULL || capacity == MEMPLAN_UNKNOWN
                ? mpl_min(device->free_bytes, capacity)
                : capacity;
        fit->room[i] = mpl_sub_floor(free, fit->margin[i]);
    }
    return status;
}

static memplan_status start(mpl_llama_fitting *fit, mpl_job *job,
                            memplan_error *error)
{
    *fit = (mpl_llama_fitting){.job = job, .arena = job->arena};
    memplan_status status = mpl_llama_params_read(
        &fit->asked, job->arena, job->request, job->request->settings, error);
    mpl_llama_devices *devices =
        mpl_arena_alloc(job->arena, 1, sizeof *devices);
    fit->masks = mpl_arena_alloc(job->arena, MPL_LLAMA_MAX_LAYERS, 1);
    fit->spills = mpl_arena_alloc(job->arena, MPL_LLAMA_MAX_LAYERS, 1);
    fit->spill_devices = mpl_arena_alloc(job->arena, MPL_LLAMA_MAX_LAYERS, 1);
    fit->scratch = mpl_arena_create();
    if (status != MEMPLAN_OK)
        return status;
    if (devices == NULL || fit->masks == NULL || fit->spills == NULL ||
        fit->spill_devices == NULL || fit->scratch == NULL)
        return mpl_fail_memory(error);
    status = mpl_llama_devices_read(devices, job->arena, job->machine,
                                    &fit->asked, error);
    fit->devices = devices;
    fit->offered_count = devices->count;
    fit->now = fit->asked;
    fit->places = job->hparams.layer_count_all + 1;
    if (status == MEMPLAN_OK)
        status = read_rooms(fit, error);
    if (devices->count == BACKENDS_MAX && may_choose_devices(fit))
        devices->count--;
    use_all(fit);
    return status == MEMPLAN_OK ? mpl_fit_measure(fit, error) : status;
}

static uint32_t first_asked(const mpl_llama_fitting *fit)
{
    if (fit->devices->count == 0)
        return fit->places;
    return !fit->asked.has_ngl || fit->asked.ngl < 0
               ? 0
               : (uint32_t)mpl_sub_floor(fit->places, (uint64_t)fit->asked.ngl);
}

static memplan_status find_fit(const char **out, mpl_proof *proof,
                               mpl_llama_fitting *fit, memplan_error *error)
{
    const uint32_t first = first_asked(fit);
    bool fits = false;
    memplan_status status = MEMPLAN_OK;
    if (fit->asked.n_ctx == 0) {
        status = fit_context(fit, first, &fits, error);
    } else {
        status = fit_all(fit, first, error);
        fits = fit->fits;
    }
    if (status == MEMPLAN_OK && !fits && fit->devices->count > 0)
        status = fit_rest(fit, first, error);
    if (status == MEMPLAN_OK)
        status = mpl_fit_prove(proof, fit, error);
    if (status != MEMPLAN_OK)
        return status;
    *out = mpl_fit_spare_host(fit, mpl_fit_text(fit), proof);
    return *out != NULL ? MEMPLAN_OK : mpl_fail_memory(error);
}

memplan_status mpl_llama_fit(const char **out, mpl_proof *proof, mpl_job *job,
                             memplan_error *error)
{
    mpl_llama_fitting fit;
    memplan_status status = start(&fit, job, error);
    if (status == MEMPLAN_OK)
        status = find_fit(out, proof, &fit, error);
    mpl_arena_free(fit.scratch);
    return status;
}
