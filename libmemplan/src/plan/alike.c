/* SPDX-License-Identifier: MIT */
/*
 * Homes that are alike in speed, and one pool of guests: several GPUs of one
 * kind beside the host's memory, the machine that large models are planned
 * for. One class, the layers, has most of the items; the others are so few
 * that all divisions of them can be tried:
 *
 *     most[j][left] = the most layers that j homes hold, where `left` of the
 *                     few items go to later homes
 *                   = max over what the j-th home takes of them
 *                       (most[j - 1][left + taken]
 *                        + (room - bytes of what is taken) / bytes of a layer)
 *
 * The home of the guests comes last, since what it keeps for them depends on
 * how many there are. A division with both ends of the chain on one home costs
 * a crossing more, and is a case of its own. The least time that comes out is
 * a bound for all placements, and the counts behind it are offered as one.
 */
#include <string.h>

#include "base/checked.h"
#include "model/model.h"
#include "plan/alike.h"
#include "plan/search.h"

/* No bytes of an item come near, and no chain is that long. Below these, sums
 * of bytes stay under the 2^62 of find_room(), sums of times under 2^64, and
 * ways under 2^31. */
#define BYTES_MAX (UINT64_C(1) << 48)
#define UNITS_MAX (UINT32_C(1) << 13)

/* What the last home does, and what comes of it all. */
typedef struct ending {
    uint64_t ps;
    uint32_t homes; /* that are used beside the host */
    uint32_t left;  /* the set that they leave */
    uint32_t ring;
    uint32_t kept;   /* of it, what the host holds */
    uint32_t many;   /* layers that the host holds */
    bool gives_back; /* one of the other homes leaves it the only one */
    int32_t way;     /* that led there, with the host's runs */
} ending;

static uint64_t find_room(const mpl_problem *problem, uint32_t pool)
{
    const uint64_t capacity =
        mpl_min(problem->capacity_bytes[pool],
                problem->budget_bytes[problem->budget[pool]]);
    const uint64_t open =
        problem->home[pool] == pool ? problem->open_bytes[pool] : 0;
    return mpl_min(mpl_sub_floor(capacity, open), UINT64_MAX / 4);
}

static bool shares_budget(const mpl_problem *problem, uint32_t pool)
{
    for (uint32_t other = 0; other < problem->pool_count; other++)
        if (other != pool && problem->budget[other] == problem->budget[pool])
            return true;
    return false;
}

/* Finds the host, the guests' pool and the other homes; false where there is
 * not one of each, or memory is shared. */
static bool find_pools(mpl_alike *at)
{
    const mpl_problem *const problem = at->problem;
    at->host = problem->must_use;
    at->guest = MPL_NO_INDEX;
    for (uint32_t pool = 0; pool < problem->pool_count; pool++) {
        if (shares_budget(problem, pool) ||
            problem->relay[pool] != MPL_NO_INDEX)
            return false;
        at->room[pool] = find_room(problem, pool);
        if (problem->home[pool] != pool) {
            if (at->guest != MPL_NO_INDEX || problem->home[pool] != at->host)
                return false;
            at->guest = pool;
        } else if (pool != at->host) {
            uint32_t place = at->home_count++;
            for (; place > 0 && at->room[at->homes[place - 1]] < at->room[pool];
                 place--)
                at->homes[place] = at->homes[place - 1];
            at->homes[place] = pool;
        }
    }
    return at->host != MPL_NO_INDEX && at->guest != MPL_NO_INDEX;
}

/* Whether a class is the same on each home, and crossings everywhere. */
static bool are_homes_alike(const mpl_alike *at)
{
    const mpl_problem *const problem = at->problem;
    for (uint32_t index = 0; index < at->space->class_count; index++) {
        const mpl_cell *const own = mpl_alike_cell(at, index, at->host);
        const mpl_cell *const guest = mpl_alike_cell(at, index, at->guest);
        if (own->time_ps == MPL_TIME_FORBIDDEN || own->own_bytes > BYTES_MAX ||
            guest->time_ps < own->time_ps || guest->own_bytes > BYTES_MAX ||
            guest->home_bytes > BYTES_MAX || guest->staging_bytes > BYTES_MAX)
            return false;
        for (uint32_t home = 0; home < at->home_count; home++) {
            const mpl_cell *const other =
                mpl_alike_cell(at, index, at->homes[home]);
            if (other->time_ps != own->time_ps ||
                other->own_bytes != own->own_bytes)
                return false;
        }
    }
    for (uint32_t from = 0; from < problem->pool_count; from++)
        for (uint32_t to = 0; to < problem->pool_count; to++)
            if (problem->home[from] != problem->home[to] &&
                problem->crossing_ps[from * problem->pool_count + to] !=
                    at->space->least_crossing_ps)
                return false;
    return true;
}

/* The class of most items, and the few others. */
static bool find_classes(mpl_alike *at)
{
    const mpl_space *const space = at->space;
    at->set_count = 1;
    at->part_count = 1;
    for (uint32_t index = 1; index < space->class_count; index++)
        if (space->class_size[index] > space->class_size[at->many])
            at->many = index;
    at->many_count = space->class_size[at->many];
    /* The first class last: what comes first in the chain counts most where
     * ways are equal otherwise. */
    for (uint32_t index = space->class_count; index-- > 0;) {
        at->least_ps += mpl_alike_cell(at, index, at->host)->time_ps *
                        space->class_size[index];
        if (index == at->many)
            continue;
        const uint64_t digits = space->class_size[index] + UINT64_C(1);
        if (digits > MPL_SETS_MAX)
            return false;
        at->set_count *= (uint32_t)digits;
        at->part_count *= (uint32_t)(digits * (digits + 1) / 2);
        if (at->few_count == MPL_FEW_MAX || at->set_count > MPL_SETS_MAX)
            return false;
        at->few[at->few_count++] = index;
    }
    const mpl_cell *const layer = mpl_alike_cell(at, at->many, at->host);
    return at->many != space->first_class && at->many != space->last_class &&
           layer->own_bytes >
               mpl_alike_cell(at, at->many, at->guest)->home_bytes;
}

/* The most layers that the host holds of `count`, the others being its guests
 * beside those of `guests`; MPL_NO_WAY: it cannot hold what these need. */
static int64_t fill_host(const mpl_alike *at, const mpl_set *kept,
                         const mpl_set *guests, uint32_t count)
{
    const mpl_cell *const own = mpl_alike_cell(at, at->many, at->host);
    const mpl_cell *const away = mpl_alike_cell(at, at->many, at->guest);
    const uint64_t room = at->room[at->host];
    const uint64_t rest = at->room[at->guest];
    const uint64_t fixed = kept->bytes + guests->home_bytes;
    if (guests->guest_ps == MPL_TIME_FORBIDDEN || guests->rest_bytes > rest)
        return MPL_NO_WAY;
    if (fixed + guests->staging_bytes + own->own_bytes * count <= room)
        return count;
    const uint64_t used = fixed + away->home_bytes * count +
                          mpl_max(guests->staging_bytes, away->staging_bytes);
    if (away->time_ps == MPL_TIME_FORBIDDEN || used > room)
        return MPL_NO_WAY;
    const uint64_t most =
        mpl_min((room - used) / (own->own_bytes - away->home_bytes), count);
    return guests->rest_bytes + away->own_bytes * (count - most) <= rest
               ? (int64_t)most
               : MPL_NO_WAY;
}

/* What so many layers take as guests, beyond their time at home. */
static uint64_t guest_layers_ps(const mpl_alike *at, uint32_t count)
{
    const mpl_cell *const own = mpl_alike_cell(at, at->many, at->host);
    const mpl_cell *const away = mpl_alike_cell(at, at->many, at->guest);
    return count > 0 ? (away->time_ps - own->time_ps) * count : 0;
}

/* Of the crossings between so many homes: one more where both ends of the chain
 * are on one of them. */
static uint64_t crossings_ps(const mpl_alike *at, const ending *of,
                             uint32_t homes)
{
    const bool is_tied = at->space->first_class != MPL_NO_INDEX &&
                         at->space->first_class == at->space->last_class &&
                         at->problem->unit_count > 1;
    const bool is_ring =
        of->ring != 0 || at->sets[of->left].ends == 2 || is_tied;
    return homes > 1 ? at->space->least_crossing_ps * (homes - 1 + is_ring) : 0;
}

/* The time of what the homes and the host leave to guests, and of crossings. */
static void try_ending(const mpl_alike *at, ending *best, ending now)
{
    const mpl_set *const kept = &at->sets[now.kept];
    const mpl_set *const guests = &at->sets[now.left - now.kept];
    /* The host must hold something itself where it has guests: a layer, if all
     * else that is left to it are guests. With more layers left to it, it
     * holds no more of them. */
    now.gives_back = mpl_way_held(now.way) == (int32_t)at->many_count &&
                     kept->digits == 0 && guests->digits != 0;
    now.way -= now.gives_back ? MPL_HELD : 0;
    const uint32_t count = at->many_count - (uint32_t)mpl_way_held(now.way);
    const int64_t most = fill_host(at, kept, guests, count);
    if (most == MPL_NO_WAY)
        return;
    now.many = (uint32_t)most;
    const bool has_own = kept->digits != 0 || now.many > 0;
    const bool has_guests = guests->digits != 0 || now.many < count;
    if (has_guests && !has_own)
        return;
    now.ps = at->least_ps + guests->guest_ps +
             guest_layers_ps(at, count - now.many) +
             crossings_ps(at, &now, now.homes + (has_own ? 1 : 0));
    now.way -= mpl_set_runs(&at->sets[now.left]);
    if (now.ps < best->ps || (now.ps == best->ps && now.way > best->way))
        *best = now;
}

/* The best ending so far, and what the last number of layers that was left to
 * the host takes at the least. */
typedef struct endings {
    ending best;
    uint32_t count;
    uint64_t least_ps;
} endings;

/* The least time where so many layers are left to the host: it holds the most
 * of them where nothing else is. */
static uint64_t least_ending(const mpl_alike *at, endings *tried,
                             uint32_t count)
{
    const mpl_set *const none = &at->sets[0];
    if (count == tried->count)
        return tried->least_ps;
    const int64_t most = fill_host(at, none, none, count);
    tried->count = count;
    tried->least_ps = MPL_TIME_FORBIDDEN;
    if (most != MPL_NO_WAY)
        tried->least_ps =
            at->least_ps + guest_layers_ps(at, count - (uint32_t)most);
    return tried->least_ps;
}

/* Tries all that the host could keep of what one way leaves, where that may be
 * better: what it does not keep takes its time as guests, and guests need a
 * host that is used. */
static void try_way(const mpl_alike *at, endings *tried, ending from)
{
    const ending *const best = &tried->best;
    const uint32_t count = at->many_count - (uint32_t)mpl_way_held(from.way);
    const bool is_left = count > 0 || from.left != 0;
    const uint64_t layers_ps = least_ending(at, tried, count);
    const uint64_t others_ps = crossings_ps(at, &from, from.homes + is_left);
    const int32_t way = from.way - mpl_set_runs(&at->sets[from.left]);
    const uint32_t first = at->first_part[from.left];
    if (layers_ps > best->ps || others_ps > best->ps - layers_ps)
        return;
    for (uint32_t place = at->first_part[from.left + 1]; place-- > first;) {
        const uint64_t spare_ps = best->ps - layers_ps - others_ps;
        from.kept = at->parts[place];
        const uint64_t guest_ps = at->sets[from.left - from.kept].guest_ps;
        if (guest_ps < spare_ps || (guest_ps == spare_ps && way > best->way))
            try_ending(at, &tried->best, from);
    }
}

static ending find_ending(const mpl_alike *at)
{
    endings tried = {.best.ps = MPL_TIME_FORBIDDEN, .count = UINT32_MAX};
    for (uint32_t homes = at->home_count + 1; homes-- > 0;) {
        const uint32_t least_count = at->many_count - at->held_most[homes];
        if (least_ending(at, &tried, least_count) > tried.best.ps)
            continue;
        for (uint32_t index = 0; index < at->set_count; index++)
            for (uint32_t ring = 0; ring < 2; ring++) {
                const int32_t way =
                    at->most[mpl_way_place(at, homes, index, ring)];
                if (way != MPL_NO_WAY)
                    try_way(at, &tried,
                            (ending){.homes = homes,
                                     .left = index,
                                     .ring = ring,
                                     .way = way});
            }
    }
    return tried.best;
}

static void set_counts(const mpl_alike *at, uint32_t *counts, uint32_t index,
                       uint32_t many, uint32_t pool)
{
    const uint64_t pools = at->problem->pool_count;
    for (uint32_t place = 0; place < at->few_count; place++)
        counts[at->few[place] * pools + pool] =
            (uint32_t)(at->sets[index].digits >> (8 * place) & 0xff);
    counts[at->many * pools + pool] = many;
}

/* Walks back over the homes; what they hold, from the first to the last. */
static void tell_counts(const mpl_alike *at, const ending *end,
                        uint32_t *counts)
{
    uint32_t index = end->left;
    uint32_t ring = end->ring;
    int32_t way = at->most[mpl_way_place(at, end->homes, index, ring)];
    uint32_t given = end->gives_back ? 1 : 0;
    set_counts(at, counts, end->kept, end->many, at->host);
    set_counts(at, counts, end->left - end->kept,
               at->many_count - (uint32_t)mpl_way_held(way) + given - end->many,
               at->guest);
    for (uint32_t home = end->homes; home-- > 0;) {
        const uint32_t taken =
            at->taken[mpl_way_place(at, home + 1, index, ring)];
        index += taken / 2;
        ring = taken % 2;
        const int32_t before = at->most[mpl_way_place(at, home, index, ring)];
        const uint32_t many =
            (uint32_t)(mpl_way_held(way) - mpl_way_held(before));
        set_counts(at, counts, taken / 2, many > 0 ? many - given : 0,
                   at->homes[home]);
        given = many > 0 ? 0 : given;
        way = before;
    }
}

bool mpl_alike_search(mpl_best *best, const mpl_space *space,
                      uint64_t *bound_ps)
{
    mpl_alike at = {.space = space, .problem = space->problem};
    if (space->class_count == 0 || space->problem->unit_count > UNITS_MAX ||
        !find_pools(&at) || !are_homes_alike(&at) || !find_classes(&at))
        return true;
    const uint64_t cells =
        (uint64_t)space->class_count * space->problem->pool_count;
    uint32_t *const counts =
        mpl_arena_alloc(space->arena, cells, sizeof *counts);
    if (counts == NULL || !mpl_alike_make_sets(&at, space->arena) ||
        !mpl_alike_fill_homes(&at, space->arena))
        return false;
    const ending found = find_ending(&at);
    if (found.ps == MPL_TIME_FORBIDDEN)
        return true;
    *bound_ps = mpl_max(*bound_ps, found.ps);
    tell_counts(&at, &found, counts);
    mpl_arrange(best, space, counts);
    return true;
}
