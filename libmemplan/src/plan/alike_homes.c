/* SPDX-License-Identifier: MIT */
/* The most layers that homes hold, one home after the other: the table of
 * alike.c. */
#include "base/checked.h"
#include "plan/alike.h"

/* What makes of any way less than none. */
enum { UNFIT = MPL_NO_WAY - (1 << 24) };

/* What a home makes of a way by taking a set. */
typedef struct step {
    int32_t
        layers;    /* that it holds beside; less than 0: the set does not fit */
    int32_t added; /* to the way; UNFIT */
    uint32_t ring; /* 1: the set has both ends of the chain */
} step;

static int32_t added_by(const mpl_set *taken, int32_t layers)
{
    return layers < 0 ? UNFIT : layers * MPL_HELD - mpl_set_runs(taken);
}

/* Whether these differ from the steps of the home before. */
static bool find_steps(const mpl_alike *at, uint32_t home,
                       step steps[MPL_SETS_MAX])
{
    const uint64_t layer = mpl_alike_cell(at, at->many, at->host)->own_bytes;
    const uint64_t room = at->room[at->homes[home]];
    if (home > 0 && room == at->room[at->homes[home - 1]])
        return false;
    for (uint32_t index = 0; index < at->set_count; index++) {
        const mpl_set *const taken = &at->sets[index];
        const int32_t layers =
            taken->bytes > room
                ? -1
                : (int32_t)mpl_min((room - taken->bytes) / layer,
                                   at->many_count);
        steps[index] =
            (step){layers, added_by(taken, layers), taken->ends == 2};
    }
    return true;
}

/* The same where only so many layers are left. */
static void cut_steps(const mpl_alike *at, const step *steps, int32_t left,
                      step cut[MPL_SETS_MAX])
{
    for (uint32_t index = 0; index < at->set_count; index++) {
        cut[index] = steps[index];
        if (cut[index].layers > left)
            cut[index].added = added_by(&at->sets[index], left);
    }
}

/* What a home makes of one way to the homes before it. */
static void take_parts(mpl_alike *at, uint32_t home, uint32_t index,
                       uint32_t ring, const step *steps)
{
    step cut[MPL_SETS_MAX];
    const int32_t before = at->most[mpl_way_place(at, home, index, ring)];
    const int32_t left = (int32_t)at->many_count - mpl_way_held(before);
    const uint64_t to = mpl_way_place(at, home + 1, index, 0);
    int32_t *const most = &at->most[to];
    const uint8_t *const end = &at->parts[at->first_part[index + 1]];
    if (before == MPL_NO_WAY)
        return;
    if (left < steps[0].layers) {
        cut_steps(at, steps, left, cut);
        steps = cut;
    }
    for (const uint8_t *part = &at->parts[at->first_part[index]]; part < end;
         part++) {
        const step *const made = &steps[*part];
        const int32_t way = before + made->added;
        const int64_t place = (int64_t)(ring | made->ring) - 2 * (int64_t)*part;
        if (way <= most[place])
            continue;
        most[place] = way;
        at->taken[to + (uint64_t)place] = *part * UINT32_C(2) + ring;
    }
}

/*
 * Whether a home added the same to each way to the one before it: then one
 * more of its kind does so too, and takes what it took. That holds for as long
 * as layers are left, however many there are.
 */
static bool is_steady(const mpl_alike *at, uint32_t home, const step *steps)
{
    const int32_t *const before = &at->most[mpl_way_place(at, home, 0, 0)];
    const int32_t *const after = &at->most[mpl_way_place(at, home + 1, 0, 0)];
    const int32_t added = steps[0].layers * MPL_HELD;
    const int64_t later = at->home_count - home - 1;
    for (uint32_t place = 0; place < 2 * at->set_count; place++)
        if (before[place] == MPL_NO_WAY
                ? after[place] != MPL_NO_WAY
                : after[place] != before[place] + added ||
                      mpl_way_held(after[place]) + later * steps[0].layers >
                          at->many_count)
            return false;
    return true;
}

/* Adds a home like the one before it. */
static void repeat_home(mpl_alike *at, uint32_t home, const step *steps)
{
    const uint64_t from = mpl_way_place(at, home, 0, 0);
    const uint64_t to = mpl_way_place(at, home + 1, 0, 0);
    for (uint32_t place = 0; place < 2 * at->set_count; place++) {
        const int32_t before = at->most[from + place];
        at->most[to + place] = before == MPL_NO_WAY
                                   ? MPL_NO_WAY
                                   : before + steps[0].layers * MPL_HELD;
        at->taken[to + place] = at->taken[from + place];
    }
}

bool mpl_alike_fill_homes(mpl_alike *at, mpl_arena *arena)
{
    const uint64_t places = mpl_way_place(at, at->home_count + 1, 0, 0);
    step steps[MPL_SETS_MAX];
    bool repeats = false;
    at->most = mpl_arena_take(arena, places, sizeof *at->most);
    at->taken = mpl_arena_take(arena, places, sizeof *at->taken);
    if (at->most == NULL || at->taken == NULL)
        return false;
    for (uint64_t place = 0; place < places; place++)
        at->most[place] = MPL_NO_WAY;
    at->most[mpl_way_place(at, 0, at->set_count - 1, 0)] = 0;
    for (uint32_t home = 0; home < at->home_count; home++) {
        const bool is_new = find_steps(at, home, steps);
        at->held_most[home + 1] = (uint32_t)mpl_min(
            at->held_most[home] + (uint32_t)steps[0].layers, at->many_count);
        repeats = repeats && !is_new;
        if (repeats) {
            repeat_home(at, home, steps);
            continue;
        }
        for (uint32_t index = 0; index < at->set_count; index++)
            for (uint32_t ring = 0; ring < 2; ring++)
                take_parts(at, home, index, ring, steps);
        repeats = !is_new && is_steady(at, home, steps);
    }
    return true;
}
