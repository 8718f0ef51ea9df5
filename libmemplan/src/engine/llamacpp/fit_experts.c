/* SPDX-License-Identifier: MIT */
/*
 * Experts: which layers go to which device, and which of their expert tensors
 * with them, so that the devices hold the most bytes. Layers of a device are a
 * range, so the most for the first d devices and the layers before b is
 *
 *     most[d, b] = max over a <= b of most[d - 1, a] + fill(d, a, b)
 *
 * where fill is what the expert tensors of [a, b) add in the room that these
 * layers leave without them: whole layers from the last on, and of the few
 * next to them the selection that leaves the least room. Of equal ones the
 * devices at the back have the fewest layers, so that what stays with the host
 * are the experts of the first layers, as -ncmoe has them.
 */
#include <string.h>

#include "base/checked.h"
#include "base/failure.h"
#include "engine/llamacpp/fit.h"

enum {
    SIZES_MAX = 12,   /* of expert tensors that are told apart; more are not
                         taken */
    WINDOW = 5,       /* layers that a selection is made of */
    WIDE_WINDOW = 20, /* with one device, where that is worth more than */
    WORTH = 2048,     /* this part of its room */
    SPILLS_TRIED = 8
};

#define NOTHING UINT64_MAX

/* Expert tensors by size, the largest first, and how many there are in layers
 * before a place. */
typedef struct parts {
    uint64_t bytes[SIZES_MAX];
    uint32_t count;
    uint16_t (*before)[SIZES_MAX]; /* by place, and one past the last */
    uint64_t *dense_before;        /* the same: bytes */
    uint64_t *experts_before;
    bool is_alone; /* the only device */
} parts;

/* Layers from `whole` on have all their experts, those from `first` on the
 * tensors that are taken of each size. */
typedef struct choice {
    uint64_t bytes;
    uint32_t whole;
    uint32_t first;
    uint16_t taken[SIZES_MAX];
} choice;

typedef struct experts {
    mpl_llama_fitting *fit;
    parts *parts;   /* by active device */
    uint64_t *most; /* [device * width + place] */
    uint16_t *from; /* the a of it */
    uint32_t width; /* places + 1 */
} experts;

/* ---- One device -------------------------------------------------------- */

static uint32_t size_of(const parts *p, uint64_t bytes)
{
    uint32_t at = 0;
    while (at < p->count && p->bytes[at] != bytes)
        at++;
    return at;
}

static void add_size(parts *p, uint64_t bytes)
{
    uint32_t at = p->count;
    if (bytes == 0 || size_of(p, bytes) < p->count || p->count == SIZES_MAX)
        return;
    for (; at > 0 && p->bytes[at - 1] < bytes; at--)
        p->bytes[at] = p->bytes[at - 1];
    p->bytes[at] = bytes;
    p->count++;
}

static bool read_parts(parts *p, const mpl_llama_fitting *fit, uint32_t device)
{
    const mpl_fit_size *sizes = fit->sizes[device];
    p->is_alone = fit->active_count == 1;
    p->before =
        mpl_arena_alloc(fit->scratch, fit->places + 1, sizeof *p->before);
    p->dense_before =
        mpl_arena_alloc(fit->scratch, fit->places + 1, sizeof *p->dense_before);
    p->experts_before = mpl_arena_alloc(fit->scratch, fit->places + 1,
                                        sizeof *p->experts_before);
    if (p->before == NULL || p->dense_before == NULL ||
        p->experts_before == NULL)
        return false;
    for (uint32_t i = 0; i < fit->places; i++)
        for (uint32_t k = 0; k < MPL_FIT_PARTS; k++)
            add_size(p, sizes[i].part_bytes[k]);
    for (uint32_t i = 0; i < fit->places; i++) {
        memcpy(p->before[i + 1], p->before[i], sizeof *p->before);
        p->dense_before[i + 1] = p->dense_before[i] + sizes[i].dense_bytes;
        p->experts_before[i + 1] = p->experts_before[i];
        for (uint32_t k = 0; k < MPL_FIT_PARTS; k++) {
            const uint32_t size = size_of(p, sizes[i].part_bytes[k]);
            p->experts_before[i + 1] += sizes[i].part_bytes[k];
            if (size < p->count)
                p->before[i + 1][size]++;
        }
    }
    return true;
}

typedef struct chooser {
    const parts *parts;
    uint32_t have[SIZES_MAX];
    choice now;
    choice best;
} chooser;

/* Counts of the sizes from `at` on. Of the last there are as many as fit. */
static void choose(chooser *c, uint32_t at, uint64_t left)
{
    while (at < c->parts->count && c->have[at] == 0)
        at++;
    if (at == c->parts->count) {
        if (c->now.bytes > c->best.bytes)
            c->best = c->now;
        return;
    }
    const uint64_t bytes = c->parts->bytes[at];
    const uint64_t before = c->now.bytes;
    const uint32_t most = (uint32_t)mpl_min(c->have[at], left / bytes);
    uint32_t taken = most;
    do {
        c->now.taken[at] = (uint16_t)taken;
        c->now.bytes = before + taken * bytes;
        choose(c, at + 1, left - taken * bytes);
    } while (at + 1 < c->parts->count && taken-- > 0);
    c->now.bytes = before;
    c->now.taken[at] = 0;
}

/* The first layer of [a, b) from which on all experts have room. */
static uint32_t find_whole(const parts *p, uint32_t a, uint32_t b,
                           uint64_t left)
{
    uint32_t low = a;
    uint32_t high = b;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (p->experts_before[b] - p->experts_before[middle] <= left)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* What layers [a, b) add on a device that has `left` for them. A fifth of the
 * window are layers that could be whole. */
static choice fill_in(const parts *p, uint32_t a, uint32_t b, uint64_t left,
                      uint32_t window)
{
    chooser c = {.parts = p};
    uint32_t whole = find_whole(p, a, b, left);
    if (whole > a)
        whole = (uint32_t)mpl_min(b, whole + window / 5);
    const uint32_t first = whole - (uint32_t)mpl_min(whole - a, window);
    const uint64_t sure = p->experts_before[b] - p->experts_before[whole];
    for (uint32_t s = 0; s < p->count; s++)
        c.have[s] = (uint32_t)(p->before[whole][s] - p->before[first][s]);
    if (whole > a)
        choose(&c, 0, left - sure);
    c.best.bytes += sure;
    c.best.whole = whole;
    c.best.first = first;
    return c.best;
}

static choice fill(const parts *p, uint32_t a, uint32_t b, uint64_t left)
{
    const choice plain = fill_in(p, a, b, left, WINDOW);
    if (!p->is_alone)
        return plain;
    const choice wide = fill_in(p, a, b, left, WIDE_WINDOW);
    return wide.bytes > plain.bytes + left / WORTH ? wide : plain;
}

/* ---- All devices ------------------------------------------------------- */

static uint64_t room_of(const mpl_llama_fitting *fit, uint32_t at)
{
    const uint32_t device = fit->active[at];
    return mpl_sub_floor(fit->room[device], fit->beside[device]);
}

/* most[at, b], from the ranges that end there; the shortest first. */
static void find_range(experts *x, uint32_t at, uint32_t b,
                       const uint64_t *prior)
{
    const parts *p = &x->parts[at];
    const uint64_t room = room_of(x->fit, at);
    uint64_t *most = &x->most[at * x->width + b];
    *most = NOTHING;
    for (uint32_t a = b;; a--) {
        const uint64_t dense = p->dense_before[b] - p->dense_before[a];
        if (dense > room)
            return;
        const uint64_t left = room - dense;
        if (prior[a] != NOTHING &&
            (*most == NOTHING || prior[a] + left > *most)) {
            const uint64_t sum = prior[a] + fill(p, a, b, left).bytes;
            if (*most == NOTHING || sum > *most) {
                *most = sum;
                x->from[at * x->width + b] = (uint16_t)a;
            }
        }
        if (a == x->fit->first)
            return;
    }
}

static void place_parts(mpl_llama_fitting *fit, const parts *p, uint32_t device,
                        uint32_t b, choice chosen)
{
    const mpl_fit_size *sizes = fit->sizes[device];
    const uint32_t end = (uint32_t)mpl_min(b, fit->places - 1);
    for (uint32_t i = chosen.whole; i < end; i++)
        fit->masks[i] = 0;
    for (uint32_t i = chosen.whole; i-- > chosen.first;)
        for (uint32_t k = 0; k < MPL_FIT_PARTS && i < end; k++) {
            const uint32_t size = size_of(p, sizes[i].part_bytes[k]);
            if (size == p->count || chosen.taken[size] == 0)
                continue;
            chosen.taken[size]--;
            fit->masks[i] &= (uint8_t) ~(1U << k);
        }
}

static void take_ranges(experts *x)
{
    mpl_llama_fitting *fit = x->fit;
    uint32_t b = fit->places;
    memset(fit->masks, MPL_FIT_ALL, fit->places - 1);
    for (uint32_t at = fit->active_count; at-- > 0;) {
        const parts *p = &x->parts[at];
        const uint32_t a = fit->asked.has_split && fit->active_count > 1
                               ? b - fit->counts[at]
                               : x->from[at * x->width + b];
        const uint64_t left = mpl_sub_floor(
            room_of(fit, at), p->dense_before[b] - p->dense_before[a]);
        place_parts(fit, p, fit->active[at], b, fill(p, a, b, left));
        fit->counts[at] = b - a;
        b = a;
    }
}

/* False: by what is beside, not even the layers without experts have room. */
static bool find_ranges(experts *x)
{
    mpl_llama_fitting *fit = x->fit;
    const uint64_t *prior = &x->most[fit->active_count * x->width];
    for (uint32_t at = 0; at < fit->active_count; at++) {
        for (uint32_t b = fit->first; b <= fit->places; b++)
            if (b == fit->places || at + 1 < fit->active_count)
                find_range(x, at, b, prior);
        prior = &x->most[at * x->width];
    }
    return prior[fit->places] != NOTHING;
}

static bool make(experts *x, mpl_llama_fitting *fit)
{
    const uint64_t width = (uint64_t)fit->places + 1;
    const uint64_t cells = (fit->active_count + UINT64_C(1)) * width;
    *x = (experts){.fit = fit, .width = (uint32_t)width};
    x->parts =
        mpl_arena_alloc(fit->scratch, fit->active_count, sizeof *x->parts);
    x->most = mpl_arena_alloc(fit->scratch, cells, sizeof *x->most);
    x->from = mpl_arena_alloc(fit->scratch, cells, sizeof *x->from);
    if (x->parts == NULL || x->most == NULL || x->from == NULL)
        return false;
    for (uint32_t i = 0; i < fit->active_count; i++)
        if (!read_parts(&x->parts[i], fit, fit->active[i]))
            return false;
    for (uint64_t b = 0; b < width; b++) /* before the first device */
        x->most[fit->active_count * width + b] = b == fit->first ? 0 : NOTHING;
    return true;
}

memplan_status mpl_fit_pack_experts(mpl_llama_fitting *fit, bool *out_is_new,
                                    memplan_error *error)
{
    experts x;
    uint8_t masks[MPL_LLAMA_MAX_LAYERS];
    uint32_t counts[MPL_LLAMA_MAX_DEVICES];
    memcpy(masks, fit->masks, fit->places - 1);
    memcpy(counts, fit->counts, sizeof counts);
    const bool is_made = make(&x, fit);
    const bool is_given = fit->asked.has_split && fit->active_count > 1;
    if (is_made && (is_given || find_ranges(&x)))
        take_ranges(&x);
    mpl_arena_empty(fit->scratch);
    *out_is_new = memcmp(masks, fit->masks, fit->places - 1) != 0 ||
                  memcmp(counts, fit->counts, sizeof counts) != 0;
    return is_made ? MEMPLAN_OK : mpl_fail_memory(error);
}

/* ---- Spills ------------------------------------------------------------ */

typedef struct spill {
    uint64_t bytes; /* 0: none */
    uint32_t layer;
    uint32_t part;
    uint32_t device; /* active */
} spill;

/* Whether a part of layer `i` is with the host and may be moved. */
static bool may_spill(const mpl_llama_fitting *fit, uint32_t i, uint32_t part)
{
    return (fit->masks[i] >> part & 1) != 0 && fit->spills[i] == 0;
}

/* The largest part that one device has room for, if larger than `best`. */
static void find_spill_on(spill *best, const mpl_llama_fitting *fit,
                          uint32_t at, uint64_t limit)
{
    const uint32_t device = fit->active[at];
    const uint64_t left = mpl_sub_floor(fit->room[device], fit->used[at]);
    for (uint32_t i = fit->first; i + 1 < fit->places; i++)
        for (uint32_t k = 0; k < MPL_FIT_PARTS; k++) {
            const uint64_t bytes = fit->sizes[device][i].part_bytes[k];
            if (may_spill(fit, i, k) && bytes > 0 && bytes <= left &&
                bytes < limit && bytes >= best->bytes)
                *best = (spill){bytes, i, k, at};
        }
}

/* The largest part below `limit` that is with the host and has room on some
 * device. */
static spill find_spill(const mpl_llama_fitting *fit, uint64_t limit)
{
    spill best = {0};
    for (uint32_t at = 0; at < fit->active_count; at++)
        find_spill_on(&best, fit, at, limit);
    return best;
}

static uint32_t owner_of(const mpl_llama_fitting *fit, uint32_t layer)
{
    uint32_t at = 0;
    for (uint32_t end = fit->first + fit->counts[0];
         at + 1 < fit->active_count && layer >= end; end += fit->counts[at])
        at++;
    return at;
}

/* To its own device a tensor goes without a word. */
static void take_spill(mpl_llama_fitting *fit, const spill *one, bool is_back)
{
    const uint8_t bit = (uint8_t)(1U << one->part);
    if (owner_of(fit, one->layer) == one->device) {
        fit->masks[one->layer] = is_back
                                     ? fit->masks[one->layer] | bit
                                     : fit->masks[one->layer] & (uint8_t)~bit;
        return;
    }
    fit->spills[one->layer] = is_back ? 0 : bit;
    fit->spill_devices[one->layer] = (uint8_t)fit->active[one->device];
}

memplan_status mpl_fit_spill(mpl_llama_fitting *fit, memplan_error *error)
{
    uint64_t limit = UINT64_MAX;
    memset(fit->spills, 0, fit->places - 1);
    if (fit->active_count < 2)
        return MEMPLAN_OK;
    for (uint32_t tried = 0; tried < SPILLS_TRIED; tried++) {
        const spill one = find_spill(fit, limit);
        if (one.bytes == 0)
            return MEMPLAN_OK;
        take_spill(fit, &one, false);
        memplan_status status = mpl_fit_price(fit, error);
        if (status == MEMPLAN_OK && !fit->fits) {
            take_spill(fit, &one, true);
            limit = one.bytes;
            status = mpl_fit_price(fit, error);
        }
        if (status != MEMPLAN_OK)
            return status;
    }
    return MEMPLAN_OK;
}
