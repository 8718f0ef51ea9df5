/* SPDX-License-Identifier: MIT */
/*
 * Experts: all layers go to the devices with their dense weights, and as many
 * of them as there is room for with their experts too. On each device the
 * first layers are those whose experts stay with the host; of one more layer a
 * part may fit.
 */
#include <stddef.h>

#include "base/failure.h"
#include "engine/llamacpp/fit.h"

/* Layers of device `device`: first and one past the last, by the counts. */
static void range_of(const mpl_llama_fitting *fit, uint32_t device,
                     uint32_t *first, uint32_t *end)
{
    *first = 0;
    if (fit->device_count == 1 || fit->asked.has_split) {
        *end = fit->job->hparams.layer_count_all;
        return;
    }
    for (uint32_t i = 0; i < device; i++)
        *first += fit->counts[i];
    *end = *first + fit->counts[device];
    if (*end > fit->job->hparams.layer_count_all)
        *end = fit->job->hparams.layer_count_all;
}

/* The first `count` layers of a device keep their experts with the host. */
static void mask_range(mpl_llama_fitting *fit, uint32_t first, uint32_t end,
                       uint32_t count)
{
    for (uint32_t i = first; i < end; i++)
        fit->masks[i] = i - first < count ? MPL_FIT_ALL : 0;
}

/* The fewest layers of one device whose experts must stay with the host. */
static memplan_status fill_device(mpl_llama_fitting *fit, uint32_t device,
                                  memplan_error *error)
{
    static const uint8_t parts[] = {
        MPL_FIT_DOWN,
        MPL_FIT_UP,
        MPL_FIT_GATE,
        MPL_FIT_GATE | MPL_FIT_DOWN,
        MPL_FIT_UP | MPL_FIT_DOWN,
        MPL_FIT_UP | MPL_FIT_GATE,
    };
    uint32_t first;
    uint32_t end;
    range_of(fit, device, &first, &end);
    uint32_t low = 0;
    uint32_t high = end - first; /* all with the host: fits */
    memplan_status status = MEMPLAN_OK;
    while (low < high && status == MEMPLAN_OK) {
        const uint32_t middle = low + (high - low) / 2;
        mask_range(fit, first, end, middle);
        status = mpl_fit_price(fit, fit->places, error);
        if (fit->fits)
            high = middle;
        else
            low = middle + 1;
    }
    mask_range(fit, first, end, high);
    if (high == 0 || status != MEMPLAN_OK)
        return status;
    uint8_t *last = &fit->masks[first + high - 1];
    uint64_t best_used = 0;
    uint8_t best = MPL_FIT_ALL;
    for (uint32_t i = 0; i < sizeof parts && status == MEMPLAN_OK; i++) {
        *last = parts[i];
        status = mpl_fit_price(fit, fit->places, error);
        if (status == MEMPLAN_OK && fit->fits &&
            fit->used[device] > best_used) {
            best_used = fit->used[device];
            best = parts[i];
        }
    }
    *last = best;
    return status;
}

memplan_status mpl_fit_experts(mpl_llama_fitting *fit, uint32_t *out_ngl,
                               memplan_error *error)
{
    const uint32_t layers = fit->job->hparams.layer_count_all;
    fit->has_own_masks = true;
    mask_range(fit, 0, layers, layers);
    memplan_status status = mpl_fit_spread(fit, fit->places, error);
    *out_ngl = fit->places;
    if (status != MEMPLAN_OK || !fit->fits)
        return status; /* not even the dense weights: fewer layers */
    const uint32_t devices = fit->asked.has_split ? 1 : fit->device_count;
    for (uint32_t i = 0; i < devices && status == MEMPLAN_OK; i++)
        status = fill_device(fit, i, error);
    return status == MEMPLAN_OK ? mpl_fit_price(fit, fit->places, error)
                                : status;
}

static const char *const PARTS[] = {
    [MPL_FIT_UP] = "up",
    [MPL_FIT_GATE] = "gate|gate_up",
    [MPL_FIT_DOWN] = "down",
    [MPL_FIT_UP | MPL_FIT_GATE] = "up|gate|gate_up",
    [MPL_FIT_UP | MPL_FIT_DOWN] = "up|down",
    [MPL_FIT_GATE | MPL_FIT_DOWN] = "gate|gate_up|down",
    [MPL_FIT_ALL] = "up|down|gate_up|gate",
};

const char *mpl_fit_masks_text(const mpl_llama_fitting *fit)
{
    const uint32_t layers = fit->job->hparams.layer_count_all;
    const char *text = "";
    uint32_t leading = 0;
    while (leading < layers && fit->masks[leading] == MPL_FIT_ALL)
        leading++;
    if (leading > 0)
        text = mpl_arena_format(fit->arena, "ncmoe=%u\n", leading);
    for (uint32_t i = leading; i < layers && text != NULL; i++)
        if (fit->masks[i] != 0)
            text = mpl_arena_format(fit->arena,
                                    "%sot=blk\\.%u\\.ffn_(%s)_(ch|)exps=CPU\n",
                                    text, i, PARTS[fit->masks[i]]);
    return text;
}
