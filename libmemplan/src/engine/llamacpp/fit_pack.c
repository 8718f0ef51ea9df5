/* SPDX-License-Identifier: MIT */
/*
 * Packing: layers go to the devices in their order, each device taking what
 * it has room for, which for parts of one sequence is the most there can be.
 * By the table: a price has the last word.
 */
#include <stddef.h>
#include <string.h>

#include "base/checked.h"
#include "engine/llamacpp/fit.h"

enum { WHOLE = 1024 }; /* shares of a room are in parts of it */

typedef struct packer {
    mpl_llama_fitting *fit;
    const uint32_t *shares; /* by active device; NULL: all whole */
    uint32_t at;            /* active device */
    uint64_t left;          /* of its room */
} packer;

static void open_device(packer *p)
{
    const mpl_llama_fitting *fit = p->fit;
    if (p->at >= fit->active_count)
        return;
    const uint32_t device = fit->active[p->at];
    const uint32_t share = p->shares != NULL ? p->shares[p->at] : WHOLE;
    const uint64_t room = fit->room[device] / WHOLE * share +
                          fit->room[device] % WHOLE * share / WHOLE;
    p->left = mpl_sub_floor(room, fit->beside[device]);
}

static bool take(packer *p, uint32_t place, uint32_t mask)
{
    mpl_llama_fitting *fit = p->fit;
    const uint64_t bytes =
        mpl_fit_place_bytes(fit, fit->active[p->at], place, mask);
    if (bytes > p->left)
        return false;
    p->left -= bytes;
    fit->counts[p->at]++;
    return true;
}

/* By shares that the caller gave, only a price can tell. */
static bool is_given(const mpl_llama_fitting *fit)
{
    return fit->asked.has_split && fit->active_count > 1;
}

static bool pack(mpl_llama_fitting *fit, uint32_t first, const uint32_t *shares)
{
    packer p = {.fit = fit, .shares = shares};
    const uint32_t layers = fit->places - 1;
    const uint8_t mask = fit->has_masks ? MPL_FIT_ALL : 0;
    fit->first = first;
    memset(fit->counts, 0, sizeof fit->counts);
    memset(fit->masks, mask, layers);
    open_device(&p);
    for (uint32_t place = first; place < fit->places && !is_given(fit); place++)
        while (!take(&p, place, place < layers ? mask : 0)) {
            p.at++;
            if (p.at == fit->active_count)
                return false;
            open_device(&p);
        }
    return true;
}

bool mpl_fit_pack(mpl_llama_fitting *fit, uint32_t first)
{
    return pack(fit, first, NULL);
}

static uint64_t speed_of(const mpl_llama_fitting *fit, uint32_t at)
{
    const mpl_llama_device *device = &fit->devices->items[fit->active[at]];
    return fit->job->machine->pools[device->pool].bandwidth_bytes_per_second;
}

/* The next slower speed than `above`; false: none is. */
static bool find_slower(const mpl_llama_fitting *fit, const bool *is_done,
                        uint64_t *out)
{
    bool is_found = false;
    for (uint32_t i = 0; i < fit->active_count; i++)
        if (!is_done[i] && (!is_found || speed_of(fit, i) < *out)) {
            *out = speed_of(fit, i);
            is_found = true;
        }
    return is_found;
}

/* Gives a share to all devices of one speed that have none yet. */
static void set_shares(uint32_t *shares, const mpl_llama_fitting *fit,
                       const bool *is_done, uint64_t speed, uint32_t share)
{
    for (uint32_t i = 0; i < fit->active_count; i++)
        if (!is_done[i] && speed_of(fit, i) == speed)
            shares[i] = share;
}

/* Devices of one speed have equal shares; slower ones as little as can be. */
bool mpl_fit_pack_evenly(mpl_llama_fitting *fit, uint32_t first)
{
    uint32_t shares[MPL_LLAMA_MAX_DEVICES];
    bool is_done[MPL_LLAMA_MAX_DEVICES] = {false};
    uint64_t speed = 0;
    if (!pack(fit, first, NULL) || !mpl_fit_is_shared_out(fit))
        return pack(fit, first, NULL);
    for (uint32_t i = 0; i < fit->active_count; i++)
        shares[i] = WHOLE;
    while (find_slower(fit, is_done, &speed)) {
        uint32_t low = 0;
        uint32_t high = WHOLE;
        while (low < high) {
            const uint32_t middle = (low + high) / 2;
            set_shares(shares, fit, is_done, speed, middle);
            if (pack(fit, first, shares))
                high = middle;
            else
                low = middle + 1;
        }
        set_shares(shares, fit, is_done, speed, high);
        for (uint32_t i = 0; i < fit->active_count; i++)
            is_done[i] = is_done[i] || speed_of(fit, i) == speed;
    }
    return pack(fit, first, shares);
}
