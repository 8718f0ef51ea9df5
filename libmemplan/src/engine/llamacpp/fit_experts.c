/* SPDX-License-Identifier: MIT */
/*
 * Experts: all layers go to the devices with their dense weights, and as many
 * expert tensors as there is room for. On each device the layers of one end
 * have all of theirs, and of the next few a selection, the largest that fits;
 * both ends are tried, and where there are several devices the splits beside
 * the one by room. What is left of the room takes single tensors.
 */
#include <stddef.h>
#include <string.h>

#include "base/checked.h"
#include "base/failure.h"
#include "engine/llamacpp/fit.h"

enum {
    PARTS_A_LAYER = 3,
    CHOSEN_LAYERS = 6,
    ROUNDS = 4,
    SHIFT_MAX = 4,
    SPILLS_MAX = 12
};

/* Bytes of each layer's expert tensors, by part. */
typedef struct experts {
    uint64_t (*bytes)[PARTS_A_LAYER];
    uint64_t wanted[MPL_LLAMA_MAX_DEVICES]; /* room that experts may take */
    uint8_t *best_masks;
    uint32_t best_counts[MPL_LLAMA_MAX_DEVICES];
    uint64_t best_used;
    uint64_t *sums; /* of the selections of CHOSEN_LAYERS layers */
} experts;

static uint64_t mask_bytes(const experts *all, uint32_t layer, uint32_t mask)
{
    uint64_t sum = 0;
    for (uint32_t p = 0; p < PARTS_A_LAYER; p++)
        if ((mask >> p & 1) != 0)
            sum += all->bytes[layer][p];
    return sum;
}

/* Layers of device `device`: first and one past the last, by the counts. */
static void range_of(const mpl_llama_fitting *fit, uint32_t device,
                     uint32_t *first, uint32_t *end)
{
    const uint32_t layers = fit->job->hparams.layer_count_all;
    *first = 0;
    *end = layers;
    if (fit->device_count == 1 || fit->asked.has_split)
        return;
    for (uint32_t i = 0; i < device; i++)
        *first += fit->counts[i];
    *end = *first + fit->counts[device];
    if (*end > layers)
        *end = layers;
    if (*first > *end)
        *first = *end;
}

/* Of the parts of layers [first, end), the selection with the most bytes that
 * `room` holds becomes the device's. Returns them. */
static uint64_t choose_parts(mpl_llama_fitting *fit, const experts *all,
                             uint32_t first, uint32_t end, uint64_t room)
{
    const uint32_t bits = (end - first) * PARTS_A_LAYER;
    uint32_t best = 0;
    all->sums[0] = 0;
    for (uint32_t bit = 0; bit < bits; bit++) {
        const uint32_t half = UINT32_C(1) << bit;
        const uint64_t bytes =
            all->bytes[first + bit / PARTS_A_LAYER][bit % PARTS_A_LAYER];
        for (uint32_t set = 0; set < half; set++) {
            all->sums[half + set] = all->sums[set] + bytes;
            if (all->sums[half + set] <= room &&
                all->sums[half + set] > all->sums[best])
                best = half + set;
        }
    }
    for (uint32_t i = first; i < end; i++)
        fit->masks[i] =
            MPL_FIT_ALL & (uint8_t) ~(best >> (i - first) * PARTS_A_LAYER);
    return all->sums[best];
}

/* The device takes whole layers from one end on while they fit, gives one
 * back, and chooses among the parts of that one and those after it. Returns
 * the bytes taken. */
static uint64_t fill_device(mpl_llama_fitting *fit, const experts *all,
                            uint32_t device, bool from_front)
{
    uint32_t first;
    uint32_t end;
    range_of(fit, device, &first, &end);
    const uint32_t count = end - first;
    uint64_t room = all->wanted[device];
    uint32_t taken = 0;
    memset(fit->masks + first, MPL_FIT_ALL, count);
    for (; taken < count; taken++) {
        const uint32_t at = from_front ? first + taken : end - 1 - taken;
        const uint64_t bytes = mask_bytes(all, at, MPL_FIT_ALL);
        if (bytes > room)
            break;
        room -= bytes;
        fit->masks[at] = 0;
    }
    if (taken == count)
        return all->wanted[device] - room;
    if (taken > 0) {
        taken--;
        room += mask_bytes(all, from_front ? first + taken : end - 1 - taken,
                           MPL_FIT_ALL);
    }
    const uint32_t chosen = (uint32_t)mpl_min(CHOSEN_LAYERS, count - taken);
    const uint32_t from = from_front ? first + taken : end - taken - chosen;
    room -= choose_parts(fit, all, from, from + chosen, room);
    return all->wanted[device] - room;
}

static uint64_t device_sum(const mpl_llama_fitting *fit)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < fit->device_count; i++)
        sum += fit->used[i];
    return sum;
}

/* Fills all devices from one end; keeps it where it is the best. */
static memplan_status try_fill(mpl_llama_fitting *fit, experts *all,
                               bool from_front, memplan_error *error)
{
    const uint32_t layers = fit->job->hparams.layer_count_all;
    const uint32_t filled = fit->asked.has_split ? 1 : fit->device_count;
    memplan_status status = MEMPLAN_OK;
    fit->fits = false;
    for (uint32_t round = 0; round < ROUNDS && !fit->fits; round++) {
        for (uint32_t i = 0; i < filled; i++)
            (void)fill_device(fit, all, i, from_front);
        status = mpl_fit_price(fit, fit->places, error);
        if (status != MEMPLAN_OK)
            return status;
        for (uint32_t i = 0; i < fit->device_count; i++)
            all->wanted[i] = mpl_sub_floor(
                all->wanted[i], mpl_sub_floor(fit->used[i], fit->room[i]));
    }
    if (fit->fits && device_sum(fit) > all->best_used) {
        all->best_used = device_sum(fit);
        memcpy(all->best_masks, fit->masks, layers);
        memcpy(all->best_counts, fit->counts, sizeof fit->counts);
    }
    return status;
}

/* Both ends, for the present counts. */
static memplan_status try_counts(mpl_llama_fitting *fit, experts *all,
                                 memplan_error *error)
{
    const uint32_t layers = fit->job->hparams.layer_count_all;
    memset(fit->masks, MPL_FIT_ALL, layers);
    memplan_status status = mpl_fit_price(fit, fit->places, error);
    if (status != MEMPLAN_OK || !fit->fits)
        return status;
    uint64_t wanted[MPL_LLAMA_MAX_DEVICES];
    for (uint32_t i = 0; i < fit->device_count; i++)
        wanted[i] = fit->room[i] - fit->used[i];
    for (uint32_t end = 0; end < 2 && status == MEMPLAN_OK; end++) {
        memcpy(all->wanted, wanted, sizeof wanted);
        status = try_fill(fit, all, end == 1, error);
    }
    return status;
}

/* Whether the present counts may hold more than the best ones do: what would
 * be left of the room, were compute as it was last. */
static memplan_status is_promising(bool *out, mpl_llama_fitting *fit,
                                   experts *all, memplan_error *error)
{
    const uint32_t layers = fit->job->hparams.layer_count_all;
    const uint32_t filled = fit->asked.has_split ? 1 : fit->device_count;
    *out = false;
    memset(fit->masks, MPL_FIT_ALL, layers);
    fit->is_rough = true;
    const memplan_status status = mpl_fit_price(fit, fit->places, error);
    fit->is_rough = false;
    if (status != MEMPLAN_OK || !fit->fits)
        return status;
    for (uint32_t end = 0; end < 2; end++) {
        uint64_t used = device_sum(fit);
        for (uint32_t i = 0; i < filled; i++) {
            all->wanted[i] = fit->room[i] - fit->used[i];
            used += fill_device(fit, all, i, end == 1);
        }
        *out = *out || used > all->best_used;
    }
    return MEMPLAN_OK;
}

/* Moves `shift` layers over the boundary after `device`; false: not there. */
static bool shift_boundary(mpl_llama_fitting *fit, uint32_t device, int shift)
{
    const int64_t left = (int64_t)fit->counts[device] + shift;
    const int64_t right = (int64_t)fit->counts[device + 1] - shift;
    if (left < 0 || right < 0)
        return false;
    fit->counts[device] = (uint32_t)left;
    fit->counts[device + 1] = (uint32_t)right;
    return true;
}

/* Each boundary in turn, from the best counts so far. */
static memplan_status try_shifts(mpl_llama_fitting *fit, experts *all,
                                 memplan_error *error)
{
    memplan_status status = MEMPLAN_OK;
    for (uint32_t d = 0; d + 1 < fit->device_count; d++) {
        uint32_t start[MPL_LLAMA_MAX_DEVICES];
        memcpy(start, all->best_counts, sizeof start);
        for (int shift = -SHIFT_MAX; shift <= SHIFT_MAX; shift++) {
            memcpy(fit->counts, start, sizeof start);
            if (shift == 0 || !shift_boundary(fit, d, shift))
                continue;
            bool is_worth_it = false;
            status = is_promising(&is_worth_it, fit, all, error);
            if (status == MEMPLAN_OK && is_worth_it)
                status = try_counts(fit, all, error);
            if (status != MEMPLAN_OK)
                return status;
        }
    }
    return status;
}

static bool make_experts(experts *out, const mpl_llama_fitting *fit)
{
    const uint32_t layers = fit->job->hparams.layer_count_all;
    const uint32_t loaded =
        fit->asked.mtp ? layers : fit->job->hparams.layer_count;
    const mpl_llama_weights *weights = &fit->job->weights;
    *out = (experts){
        .bytes = mpl_arena_alloc(fit->arena, layers, sizeof *out->bytes),
        .best_masks = mpl_arena_alloc(fit->arena, layers, 1),
        .sums = mpl_arena_alloc(fit->arena,
                                UINT64_C(1) << CHOSEN_LAYERS * PARTS_A_LAYER,
                                sizeof *out->sums)};
    if (out->bytes == NULL || out->best_masks == NULL || out->sums == NULL)
        return false;
    for (uint32_t i = 0; i < weights->count; i++) {
        const mpl_llama_weight *weight = &weights->items[i];
        for (uint32_t p = 0; p < PARTS_A_LAYER && weight->layer < loaded; p++)
            if ((weight->expert_part >> p & 1) != 0)
                out->bytes[weight->layer][p] +=
                    (weight->bytes + 127) / 128 * 128;
    }
    return true;
}

/* ---- Spills ------------------------------------------------------------ */

/* The largest part that is with the host and has room on some device. */
static bool find_spill(const mpl_llama_fitting *fit, const experts *all,
                       uint64_t limit, uint32_t *out_layer, uint32_t *out_part,
                       uint32_t *out_device)
{
    uint64_t largest = 0;
    for (uint32_t i = 0; i < fit->job->hparams.layer_count_all; i++)
        for (uint32_t p = 0; p < PARTS_A_LAYER; p++) {
            const bool is_free =
                (fit->masks[i] >> p & 1) != 0 && fit->spills[i] == 0;
            const uint64_t bytes = all->bytes[i][p];
            if (!is_free || bytes <= largest || bytes >= limit)
                continue;
            for (uint32_t d = 0; d < fit->device_count; d++)
                if (mpl_sub_floor(fit->room[d], fit->used[d]) >= bytes) {
                    largest = bytes;
                    *out_layer = i;
                    *out_part = p;
                    *out_device = d;
                }
        }
    return largest > 0;
}

/* What is left of the room takes single tensors of any layer. */
static memplan_status spill(mpl_llama_fitting *fit, const experts *all,
                            memplan_error *error)
{
    uint64_t limit = UINT64_MAX;
    memplan_status status = mpl_fit_price(fit, fit->places, error);
    for (uint32_t tries = 0; tries < SPILLS_MAX && status == MEMPLAN_OK;
         tries++) {
        uint32_t layer = 0;
        uint32_t part = 0;
        uint32_t device = 0;
        if (!find_spill(fit, all, limit, &layer, &part, &device))
            break;
        uint64_t used[MPL_LLAMA_MAX_DEVICES];
        const uint64_t host_used = fit->host_used;
        const bool fitted = fit->fits;
        memcpy(used, fit->used, sizeof used);
        fit->spills[layer] = (uint8_t)(1U << part);
        fit->spill_devices[layer] = (uint8_t)device;
        status = mpl_fit_price(fit, fit->places, error);
        if (status != MEMPLAN_OK || fit->fits)
            continue;
        fit->spills[layer] = 0;
        limit = all->bytes[layer][part];      /* only smaller ones from here */
        memcpy(fit->used, used, sizeof used); /* as it was before */
        fit->host_used = host_used;
        fit->fits = fitted;
    }
    return status;
}

memplan_status mpl_fit_experts(mpl_llama_fitting *fit, uint32_t *out_ngl,
                               memplan_error *error)
{
    const uint32_t layers = fit->job->hparams.layer_count_all;
    experts all;
    if (!make_experts(&all, fit))
        return mpl_fail_memory(error);
    fit->has_own_masks = true;
    memset(fit->masks, MPL_FIT_ALL, layers);
    memplan_status status = mpl_fit_spread(fit, fit->places, error);
    *out_ngl = fit->places;
    if (status != MEMPLAN_OK || !fit->fits)
        return status; /* not even the dense weights: fewer layers */
    status = try_counts(fit, &all, error);
    if (status == MEMPLAN_OK && all.best_used > 0 && !fit->asked.has_split)
        status = try_shifts(fit, &all, error);
    if (status != MEMPLAN_OK)
        return status;
    memcpy(fit->masks, all.best_masks, layers);
    memcpy(fit->counts, all.best_counts, sizeof fit->counts);
    return spill(fit, &all, error);
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

/* "ot=blk\.7\.ffn_(up)_(ch|)exps=CPU", or what was there where no part is. */
static const char *add_parts(const mpl_llama_fitting *fit, const char *text,
                             uint32_t layer, uint32_t mask, const char *buffer)
{
    return mask == 0 || text == NULL
               ? text
               : mpl_arena_format(fit->arena,
                                  "%sot=blk\\.%u\\.ffn_(%s)_(ch|)exps=%s\n",
                                  text, layer, PARTS[mask], buffer);
}

const char *mpl_fit_masks_text(const mpl_llama_fitting *fit)
{
    const uint32_t layers = fit->job->hparams.layer_count_all;
    const char *text = "";
    uint32_t leading = 0;
    while (leading < layers && fit->masks[leading] == MPL_FIT_ALL)
        leading++;
    /* The first match wins: single tensors go before whole layers. */
    for (uint32_t i = 0; i < layers; i++)
        text = add_parts(fit, text, i, fit->spills[i],
                         fit->devices->items[fit->spill_devices[i]].name);
    if (leading > 0 && text != NULL)
        text = mpl_arena_format(fit->arena, "%sncmoe=%u\n", text, leading);
    for (uint32_t i = leading; i < layers; i++)
        text = add_parts(fit, text, i,
                         (uint32_t)fit->masks[i] & ~(uint32_t)fit->spills[i],
                         "CPU");
    return text;
}
