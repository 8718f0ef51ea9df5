/* SPDX-License-Identifier: MIT */
/*
 * Settings that fit, by pricing: as much on the devices as they have room for,
 * and what the caller pinned left alone.
 *
 *     context    -c 0 leaves it open: the longest of which everything fits,
 *                else the shortest that is allowed (-fitc)
 *     layers     as many as fit, the last ones; shared out by their bytes
 *     copies     an override that matches nothing turns pipeline copies off,
 *                where all layers fit only without them
 *     experts    where not all layers fit: all layers, and the experts of as
 *                few of them as need be with the host
 *
 * Free bytes less the margin (-fitt, or the request's reserve) is the room of
 * a device.
 */
#include "engine/llamacpp/fit.h"

#include <string.h>

#include "base/checked.h"
#include "base/failure.h"
#include "engine/llamacpp/settings.h"

#define DEFAULT_MARGIN_BYTES (UINT64_C(1) << 30)

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

/* ---- One price --------------------------------------------------------- */

/* Overrides for the masks: single tensors first, as the first match wins. */
static void apply_masks(mpl_llama_fitting *fit, mpl_llama_override *room)
{
    uint32_t count = 0;
    const uint32_t layers = fit->job->hparams.layer_count_all;
    for (uint32_t pass = 0; pass < 2 && fit->has_own_masks; pass++)
        for (uint32_t i = 0; i < layers; i++) {
            const uint8_t device = fit->spill_devices[i];
            const uint8_t parts = pass == 0 ? fit->spills[i] : fit->masks[i];
            if (parts != 0)
                room[count++] = (mpl_llama_override){
                    .kind = MPL_OVERRIDE_LAYER_PARTS,
                    .layer_count = i,
                    .parts = parts,
                    .pattern = "",
                    .buffer =
                        pass == 0 ? fit->devices->items[device].name : "CPU"};
        }
    if (fit->has_no_copies && count == 0)
        room[count++] = (mpl_llama_override){
            .kind = MPL_OVERRIDE_PATTERN, .pattern = "^$", .buffer = "CPU"};
    fit->now.overrides = room;
    fit->now.override_count = count;
}

/* Weights and context by device; compute comes later. */
static bool add_stored(mpl_llama_fitting *fit, const mpl_llama_price *price)
{
    const mpl_llama_setup *setup = &price->setup;
    memset(fit->used, 0, sizeof fit->used);
    fit->host_used = 0;
    for (uint32_t i = 0; i < setup->buffer_count; i++) {
        const uint32_t device = setup->buffers[i].device;
        uint64_t *sum =
            device == MPL_LLAMA_HOST ? &fit->host_used : &fit->used[device];
        if (!mpl_add(sum, *sum, price->weights.bytes[i]) ||
            !mpl_add(sum, *sum, price->weights.touched[i]) ||
            !mpl_add(sum, *sum, price->context.cache[i]) ||
            !mpl_add(sum, *sum, price->context.state[i]))
            return false;
    }
    return true;
}

static bool add_compute(mpl_llama_fitting *fit, const mpl_llama_price *price)
{
    const mpl_llama_setup *setup = &price->setup;
    memset(fit->compute, 0, sizeof fit->compute);
    for (uint32_t i = 0; i < setup->buffer_count; i++) {
        const uint32_t device = setup->buffers[i].device;
        uint64_t *sum =
            device == MPL_LLAMA_HOST ? &fit->host_used : &fit->used[device];
        if (!mpl_add(sum, *sum, price->compute.bytes[i]))
            return false;
        if (device != MPL_LLAMA_HOST)
            fit->compute[device] += price->compute.bytes[i];
    }
    return true;
}

/* Whether weights and context alone settle what the caller looks at. */
static bool is_over(const mpl_llama_fitting *fit)
{
    for (uint32_t i = 0; i < fit->device_count; i++)
        if ((fit->watched == MPL_NO_INDEX || fit->watched == i) &&
            fit->used[i] > fit->room[i])
            return true;
    return false;
}

static memplan_status price_stored(mpl_llama_fitting *fit, mpl_arena *scratch,
                                   mpl_llama_price *price, memplan_error *error)
{
    mpl_llama_override *room =
        mpl_arena_alloc(scratch, 2 * (uint64_t)fit->places, sizeof *room);
    if (room == NULL)
        return mpl_fail_memory(error);
    if (fit->has_own_masks || fit->has_no_copies)
        apply_masks(fit, room);
    const memplan_status status =
        mpl_llama_price_stored(price, scratch, fit->job, &fit->now, error);
    fit->now.overrides = fit->asked.overrides;
    fit->now.override_count = fit->asked.override_count;
    return status;
}

static void judge(mpl_llama_fitting *fit, bool is_summed)
{
    fit->fits = is_summed;
    for (uint32_t i = 0; i < fit->device_count; i++)
        fit->fits = fit->fits && fit->used[i] <= fit->room[i];
}

static memplan_status price_roughly(mpl_llama_fitting *fit, bool is_summed)
{
    for (uint32_t i = 0; i < fit->device_count; i++)
        is_summed =
            is_summed && mpl_add(&fit->used[i], fit->used[i], fit->compute[i]);
    judge(fit, is_summed);
    return MEMPLAN_OK;
}

static memplan_status price_in(mpl_llama_fitting *fit, mpl_arena *scratch,
                               memplan_error *error)
{
    mpl_llama_price *price = mpl_arena_alloc(scratch, 1, sizeof *price);
    if (price == NULL)
        return mpl_fail_memory(error);
    memplan_status status = price_stored(fit, scratch, price, error);
    fit->fits = false;
    fit->is_partial = true;
    const bool is_summed = status == MEMPLAN_OK && add_stored(fit, price);
    if (is_summed && fit->stops_early && is_over(fit))
        return MEMPLAN_OK;
    if (status == MEMPLAN_OK && fit->is_rough)
        return price_roughly(fit, is_summed);
    if (is_summed)
        status = mpl_llama_price_compute(price, error);
    if (status == MEMPLAN_E_UNSUPPORTED) {
        memset(fit->used, 0xff, sizeof fit->used);
        return MEMPLAN_OK;
    }
    if (status != MEMPLAN_OK)
        return status;
    fit->is_partial = false;
    judge(fit, add_stored(fit, price) && add_compute(fit, price));
    return MEMPLAN_OK;
}

memplan_status mpl_fit_price(mpl_llama_fitting *fit, uint32_t ngl,
                             memplan_error *error)
{
    if (!fit->asked.has_ngl)
        fit->now.ngl = (int32_t)ngl;
    if (!fit->asked.has_split && fit->device_count > 1) {
        fit->now.split_count = fit->device_count;
        for (uint32_t i = 0; i < fit->device_count; i++)
            fit->now.splits[i] = (float)fit->counts[i];
    }
    const memplan_status status = price_in(fit, fit->scratch, error);
    mpl_arena_empty(fit->scratch);
    return status;
}

/* ---- Shares ------------------------------------------------------------ */

static void share_by_room(mpl_llama_fitting *fit, uint32_t ngl)
{
    mpl_u128 total = 0;
    uint32_t given = 0;
    for (uint32_t i = 0; i < fit->device_count; i++)
        total += fit->room[i];
    for (uint32_t i = 0; i < fit->device_count; i++) {
        fit->counts[i] =
            total > 0 ? (uint32_t)((mpl_u128)ngl * fit->room[i] / total) : 0;
        given += fit->counts[i];
    }
    fit->counts[fit->device_count - 1] += ngl - given;
}

/* Each device but the last takes as many layers as it has room for. */
static memplan_status share_by_price(mpl_llama_fitting *fit, uint32_t ngl,
                                     memplan_error *error)
{
    uint32_t left = ngl;
    memset(fit->counts, 0, sizeof fit->counts);
    for (uint32_t i = 0; i + 1 < fit->device_count; i++) {
        uint32_t low = 0;
        uint32_t high = left;
        fit->watched = i;
        while (low < high) {
            const uint32_t middle = low + (high - low + 1) / 2;
            fit->counts[i] = middle;
            fit->counts[fit->device_count - 1] = left - middle;
            const memplan_status status = mpl_fit_price(fit, ngl, error);
            if (status != MEMPLAN_OK)
                return status;
            if (fit->used[i] <= fit->room[i])
                low = middle;
            else
                high = middle - 1;
        }
        fit->counts[i] = low;
        left -= low;
    }
    fit->counts[fit->device_count - 1] = left;
    fit->watched = MPL_NO_INDEX;
    return mpl_fit_price(fit, ngl, error);
}

/* However it is shared out: weights and context have no room. */
static bool is_hopeless(const mpl_llama_fitting *fit)
{
    mpl_u128 used = 0;
    mpl_u128 room = 0;
    for (uint32_t i = 0; i < fit->device_count; i++) {
        used += fit->used[i];
        room += fit->room[i];
    }
    return fit->is_partial && used > room;
}

memplan_status mpl_fit_spread(mpl_llama_fitting *fit, uint32_t ngl,
                              memplan_error *error)
{
    share_by_room(fit, ngl);
    fit->stops_early = true;
    fit->watched = MPL_NO_INDEX;
    memplan_status status = mpl_fit_price(fit, ngl, error);
    if (status == MEMPLAN_OK && !fit->fits && !fit->asked.has_split &&
        fit->device_count > 1 && !is_hopeless(fit))
        status = share_by_price(fit, ngl, error);
    fit->stops_early = false;
    return status;
}

/* ---- Layers ------------------------------------------------------------ */

/* The most layers that fit. Not all counts below one that fits do: pipeline
 * copies come and go, so the search only halves and then looks further up. */
static memplan_status fit_layers(mpl_llama_fitting *fit, uint32_t *out_ngl,
                                 memplan_error *error)
{
    uint32_t low = 0; /* known to fit, or nothing does */
    uint32_t high = fit->places - 1;
    uint32_t failed = 0; /* the fewest that were tried and did not fit */
    memplan_status status = MEMPLAN_OK;
    while (low < high && status == MEMPLAN_OK) {
        const uint32_t middle = low + (high - low + 1) / 2;
        status = mpl_fit_spread(fit, middle, error);
        if (fit->fits) {
            low = middle;
        } else {
            failed = middle;
            high = middle - 1;
        }
    }
    for (uint32_t more = low + 1;
         more < fit->places && more <= low + 2 && status == MEMPLAN_OK;
         more++) {
        if (more == failed)
            continue;
        status = mpl_fit_spread(fit, more, error);
        if (fit->fits)
            low = more;
    }
    *out_ngl = low;
    return status != MEMPLAN_OK ? status : mpl_fit_spread(fit, low, error);
}

static bool has_experts(const mpl_llama_fitting *fit)
{
    return fit->job->hparams.expert_count > 0 && fit->asked.override_count == 0;
}

static memplan_status fit_rest(mpl_llama_fitting *fit, uint32_t *out_ngl,
                               memplan_error *error)
{
    memplan_status status = MEMPLAN_OK;
    *out_ngl = fit->places;
    if (fit->device_count > 1 && fit->asked.override_count == 0) {
        fit->has_no_copies = true;
        status = mpl_fit_spread(fit, fit->places, error);
        if (status != MEMPLAN_OK || fit->fits)
            return status;
        fit->has_no_copies = false;
    }
    if (has_experts(fit))
        status = mpl_fit_experts(fit, out_ngl, error);
    if (status != MEMPLAN_OK || (has_experts(fit) && fit->fits) ||
        fit->asked.has_ngl)
        return status;
    return fit_layers(fit, out_ngl, error);
}

/* ---- Context ----------------------------------------------------------- */

/* Everything on the devices, at the longest context that allows it. */
static memplan_status fit_context(mpl_llama_fitting *fit, bool *out_fits,
                                  memplan_error *error)
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
        const memplan_status status = mpl_fit_spread(fit, fit->places, error);
        if (status != MEMPLAN_OK)
            return status;
        if (fit->fits) {
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
    return *out_fits ? mpl_fit_spread(fit, fit->places, error) : MEMPLAN_OK;
}

/* ---- Text -------------------------------------------------------------- */

static const char *write_counts(const mpl_llama_fitting *fit)
{
    const char *text = "ts=";
    for (uint32_t i = 0; i < fit->device_count && text != NULL; i++)
        text = mpl_arena_format(fit->arena, "%s%s%u", text, i > 0 ? "/" : "",
                                fit->counts[i]);
    return text;
}

static const char *write_text(const mpl_llama_fitting *fit, uint32_t ngl)
{
    const char *text =
        mpl_llama_settings_join(fit->arena, fit->job->request->settings, NULL);
    if (text != NULL && fit->now.n_ctx != fit->asked.n_ctx)
        text = mpl_arena_format(fit->arena, "%sc=%u\n", text, fit->now.n_ctx);
    if (text != NULL && !fit->asked.has_ngl && fit->device_count > 0)
        text = mpl_arena_format(fit->arena, "%sngl=%u\n", text, ngl);
    if (text != NULL && !fit->asked.has_split && fit->device_count > 1) {
        const char *counts = write_counts(fit);
        text = counts != NULL
                   ? mpl_arena_format(fit->arena, "%s%s\n", text, counts)
                   : NULL;
    }
    if (text != NULL && fit->has_no_copies)
        text = mpl_arena_format(fit->arena, "%sot=^$=CPU\n", text);
    if (text != NULL && fit->has_own_masks) {
        const char *masks = mpl_fit_masks_text(fit);
        text = masks != NULL ? mpl_arena_format(fit->arena, "%s%s", text, masks)
                             : NULL;
    }
    return text;
}

/* The prompt cache is the first thing a short host can do without. */
static const char *spare_host(const mpl_llama_fitting *fit, const char *text)
{
    const uint64_t cache = (uint64_t)fit->asked.cache_ram_mib << 20;
    const bool is_server = fit->asked.frontend == MPL_FRONTEND_SERVER &&
                           fit->asked.cache_ram_mib != UINT32_MAX;
    const uint64_t left = mpl_sub_floor(fit->host_room, fit->host_used);
    if (text == NULL || !is_server || left / 2 >= cache)
        return text;
    return mpl_arena_format(fit->arena, "%scram=%llu\n", text,
                            (unsigned long long)(left / 2 >> 20));
}

static memplan_status start(mpl_llama_fitting *fit, mpl_job *job,
                            memplan_error *error)
{
    *fit = (mpl_llama_fitting){.job = job, .arena = job->arena};
    memplan_status status = mpl_llama_params_read(
        &fit->asked, job->arena, job->request, job->request->settings, error);
    mpl_llama_devices *devices =
        mpl_arena_alloc(job->arena, 1, sizeof *devices);
    const uint32_t layers = job->hparams.layer_count_all;
    fit->devices = devices;
    fit->masks = mpl_arena_alloc(job->arena, layers, 1);
    fit->spills = mpl_arena_alloc(job->arena, layers, 1);
    fit->spill_devices = mpl_arena_alloc(job->arena, layers, 1);
    if (status != MEMPLAN_OK)
        return status;
    if (devices == NULL || fit->masks == NULL || fit->spills == NULL ||
        fit->spill_devices == NULL)
        return mpl_fail_memory(error);
    uint64_t margins[MPL_LLAMA_MAX_DEVICES];
    status = mpl_llama_devices_read(devices, job->arena, job->machine,
                                    &fit->asked, error);
    if (status == MEMPLAN_OK)
        status = mpl_llama_margins_read(margins, job, &fit->asked, error);
    if (status != MEMPLAN_OK)
        return status;
    fit->now = fit->asked;
    fit->device_count = devices->count;
    fit->places = job->hparams.layer_count_all + 1;
    fit->host_room = job->machine->pools[job->host_pool].capacity_bytes;
    for (uint32_t i = 0; i < devices->count; i++)
        fit->room[i] = mpl_sub_floor(devices->items[i].free_bytes, margins[i]);
    return MEMPLAN_OK;
}

static memplan_status find_fit(const char **out, mpl_llama_fitting *fit,
                               memplan_error *error)
{
    memplan_status status = MEMPLAN_OK;
    uint32_t ngl = 0;
    bool fits = false;
    if (fit->device_count > 0) {
        ngl = fit->places;
        if (fit->asked.n_ctx == 0) {
            status = fit_context(fit, &fits, error);
        } else {
            status = mpl_fit_spread(fit, ngl, error);
            fits = fit->fits;
        }
        if (status == MEMPLAN_OK && !fits)
            status = fit_rest(fit, &ngl, error);
    }
    if (status == MEMPLAN_OK && (fit->device_count == 0 || fit->is_partial))
        status = mpl_fit_price(fit, ngl, error);
    if (status != MEMPLAN_OK)
        return status;
    *out = spare_host(fit, write_text(fit, ngl));
    return *out != NULL ? MEMPLAN_OK : mpl_fail_memory(error);
}

memplan_status mpl_llama_fit(const char **out, mpl_job *job,
                             memplan_error *error)
{
    mpl_llama_fitting fit;
    memplan_status status = start(&fit, job, error);
    if (status != MEMPLAN_OK)
        return status;
    fit.scratch = mpl_arena_create();
    status = fit.scratch != NULL ? find_fit(out, &fit, error)
                                 : mpl_fail_memory(error);
    mpl_arena_free(fit.scratch);
    return status;
}
