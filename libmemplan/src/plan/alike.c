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
#include "plan/search.h"
#include "plan/space.h"

enum { FEW_MAX = 7, SETS_MAX = 128 };

/* A way to hold layers: 256 for each, less the runs that it makes of what
 * stands before and after them in the chain. Of ways that hold as many, the
 * one of fewest runs is the likeliest to need no more crossings. */
enum { NONE = INT32_MIN, HELD = 256 };

/* No bytes of an item come near, and no chain is that long. Below these, sums
 * of bytes stay under the 2^62 of find_room(), sums of times under 2^64, and
 * ways under 2^31. */
#define BYTES_MAX (UINT64_C(1) << 48)
#define UNITS_MAX (UINT32_C(1) << 13)

/* Some of the few items, as digits of a number whose place values are the
 * products of (items + 1) before them: a part taken from a set is subtracted. */
typedef struct set {
    uint64_t digits;     /* eight bits a class */
    uint64_t bytes;      /* at home */
    uint64_t home_bytes; /* as guests */
    uint64_t staging_bytes;
    uint64_t rest_bytes; /* on the guests' pool */
    uint64_t guest_ps;   /* beyond the time at home; MPL_TIME_FORBIDDEN */
    int32_t runs;        /* of items before the layers, of items after them */
    bool has_ends;       /* the first and the last unit, which differ */
} set;

typedef struct alike {
    const mpl_space *space;
    const mpl_problem *problem;
    uint32_t few[FEW_MAX]; /* classes */
    uint32_t few_count;
    uint32_t many; /* the class of most items */
    uint32_t many_count;
    uint32_t host;  /* the guests' home */
    uint32_t guest; /* their pool */
    uint32_t homes[MPL_PROBLEM_POOLS_MAX]; /* the others, the roomiest first */
    uint32_t home_count;
    uint64_t room[MPL_PROBLEM_POOLS_MAX]; /* by pool, once it is open */
    uint64_t least_ps;                    /* of all items at home */
    set *sets;
    uint8_t *parts;      /* of each set in turn, the smallest first */
    uint32_t *first_part; /* by set, and past the last */
    uint32_t set_count;   /* the last one is all */
    uint32_t part_count;
    int32_t *most;      /* [home][set][ring]: a way, or NONE */
    uint32_t *taken;    /* likewise: twice the set, plus the ring before */
} alike;

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

static const mpl_cell *cell(const alike *at, uint32_t class_index, uint32_t pool)
{
    return mpl_space_cell(at->space, class_index, pool);
}

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
static bool find_pools(alike *at)
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
            for (; place > 0 &&
                   at->room[at->homes[place - 1]] < at->room[pool];
                 place--)
                at->homes[place] = at->homes[place - 1];
            at->homes[place] = pool;
        }
    }
    return at->host != MPL_NO_INDEX && at->guest != MPL_NO_INDEX;
}

/* Whether a class is the same on each home, and crossings everywhere. */
static bool are_homes_alike(const alike *at)
{
    const mpl_problem *const problem = at->problem;
    for (uint32_t index = 0; index < at->space->class_count; index++) {
        const mpl_cell *const own = cell(at, index, at->host);
        const mpl_cell *const guest = cell(at, index, at->guest);
        if (own->time_ps == MPL_TIME_FORBIDDEN || own->own_bytes > BYTES_MAX ||
            guest->time_ps < own->time_ps || guest->own_bytes > BYTES_MAX ||
            guest->home_bytes > BYTES_MAX || guest->staging_bytes > BYTES_MAX)
            return false;
        for (uint32_t home = 0; home < at->home_count; home++) {
            const mpl_cell *const other = cell(at, index, at->homes[home]);
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
static bool find_classes(alike *at)
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
        at->least_ps +=
            cell(at, index, at->host)->time_ps * space->class_size[index];
        if (index == at->many)
            continue;
        const uint64_t digits = space->class_size[index] + UINT64_C(1);
        if (digits > SETS_MAX)
            return false;
        at->set_count *= (uint32_t)digits;
        at->part_count *= (uint32_t)(digits * (digits + 1) / 2);
        if (at->few_count == FEW_MAX || at->set_count > SETS_MAX)
            return false;
        at->few[at->few_count++] = index;
    }
    const mpl_cell *const layer = cell(at, at->many, at->host);
    return at->many != space->first_class && at->many != space->last_class &&
           layer->own_bytes > cell(at, at->many, at->guest)->home_bytes;
}

static void add_items(const alike *at, set *into, uint32_t place,
                      uint32_t count)
{
    const mpl_cell *const own = cell(at, at->few[place], at->host);
    const mpl_cell *const guest = cell(at, at->few[place], at->guest);
    into->digits |= (uint64_t)count << (8 * place);
    if (count == 0)
        return;
    into->bytes += own->own_bytes * count;
    into->home_bytes += guest->home_bytes * count;
    into->rest_bytes += guest->own_bytes * count;
    into->staging_bytes = mpl_max(into->staging_bytes, guest->staging_bytes);
    into->guest_ps = guest->time_ps == MPL_TIME_FORBIDDEN ||
                             into->guest_ps == MPL_TIME_FORBIDDEN
                         ? MPL_TIME_FORBIDDEN
                         : into->guest_ps +
                               (guest->time_ps - own->time_ps) * count;
}

static void make_sets(alike *at)
{
    const mpl_space *const space = at->space;
    for (uint32_t index = 0; index < at->set_count; index++) {
        uint32_t rest = index;
        uint32_t ends = 0;
        bool has_side[2] = {false, false};
        for (uint32_t place = 0; place < at->few_count; place++) {
            const uint32_t size = space->class_size[at->few[place]] + 1;
            const bool is_end = at->few[place] == space->first_class ||
                                at->few[place] == space->last_class;
            add_items(at, &at->sets[index], place, rest % size);
            ends += is_end && rest % size > 0;
            if (rest % size > 0)
                has_side[at->few[place] > at->many] = true;
            rest /= size;
        }
        at->sets[index].has_ends = ends == 2;
        at->sets[index].runs = has_side[0] + has_side[1];
    }
}

/* Whether one set holds another: no digit borrows. */
static bool holds(const set *all, const set *part)
{
    const uint64_t guards = UINT64_C(0x8080808080808080);
    return (((all->digits | guards) - part->digits) & guards) == guards;
}

static bool find_parts(alike *at, mpl_arena *arena)
{
    uint32_t count = 0;
    at->parts = mpl_arena_take(arena, at->part_count, sizeof *at->parts);
    at->first_part =
        mpl_arena_take(arena, at->set_count + 1, sizeof *at->first_part);
    if (at->parts == NULL || at->first_part == NULL)
        return false;
    for (uint32_t index = 0; index < at->set_count; index++) {
        at->first_part[index] = count;
        for (uint32_t part = 0; part <= index; part++)
            if (holds(&at->sets[index], &at->sets[part]))
                at->parts[count++] = (uint8_t)part;
    }
    at->first_part[at->set_count] = count;
    return true;
}

static uint64_t place_of(const alike *at, uint32_t home, uint32_t index,
                         uint32_t ring)
{
    return ((uint64_t)home * at->set_count + index) * 2 + ring;
}

static int32_t held(int32_t way)
{
    return (way + HELD - 1) / HELD;
}

/* Adds a home with `count` layers and a set to a way. */
static int32_t add_home(const alike *at, int32_t way, int32_t count,
                        uint32_t part)
{
    const int32_t all = (int32_t)at->many_count - held(way);
    return way + (count < all ? count : all) * HELD - at->sets[part].runs;
}

/* What a home makes of one way to the homes before it. */
static void take_parts(alike *at, uint32_t home, uint32_t index, uint32_t ring,
                       const int32_t *fits)
{
    const int32_t before = at->most[place_of(at, home, index, ring)];
    const uint32_t end = at->first_part[index + 1];
    if (before == NONE)
        return;
    for (uint32_t place = at->first_part[index]; place < end; place++) {
        const uint32_t part = at->parts[place];
        if (fits[part] == NONE)
            continue;
        const uint64_t to = place_of(at, home + 1, index - part,
                                     ring | at->sets[part].has_ends);
        const int32_t way = add_home(at, before, fits[part], part);
        if (way <= at->most[to])
            continue;
        at->most[to] = way;
        at->taken[to] = part * 2 + ring;
    }
}

static bool fill_homes(alike *at, mpl_arena *arena)
{
    const uint64_t places = place_of(at, at->home_count + 1, 0, 0);
    const uint64_t layer = cell(at, at->many, at->host)->own_bytes;
    int32_t fits[SETS_MAX];
    at->most = mpl_arena_alloc(arena, places, sizeof *at->most);
    at->taken = mpl_arena_alloc(arena, places, sizeof *at->taken);
    if (at->most == NULL || at->taken == NULL)
        return false;
    for (uint64_t place = 0; place < places; place++)
        at->most[place] = NONE;
    at->most[place_of(at, 0, at->set_count - 1, 0)] = 0;
    for (uint32_t home = 0; home < at->home_count; home++) {
        const uint64_t room = at->room[at->homes[home]];
        const bool is_same =
            home > 0 && room == at->room[at->homes[home - 1]];
        for (uint32_t index = 0; !is_same && index < at->set_count; index++)
            fits[index] =
                at->sets[index].bytes > room
                    ? NONE
                    : (int32_t)mpl_min((room - at->sets[index].bytes) / layer,
                                       at->many_count);
        for (uint32_t index = 0; index < at->set_count; index++)
            for (uint32_t ring = 0; ring < 2; ring++)
                take_parts(at, home, index, ring, fits);
    }
    return true;
}

/* The most layers that the host holds of `count`, the others being its guests
 * beside those of `guests`; NONE: it cannot hold what these need. */
static int64_t fill_host(const alike *at, const set *kept, const set *guests,
                         uint32_t count)
{
    const mpl_cell *const own = cell(at, at->many, at->host);
    const mpl_cell *const away = cell(at, at->many, at->guest);
    const uint64_t room = at->room[at->host];
    const uint64_t rest = at->room[at->guest];
    const uint64_t fixed = kept->bytes + guests->home_bytes;
    if (guests->guest_ps == MPL_TIME_FORBIDDEN || guests->rest_bytes > rest)
        return NONE;
    if (fixed + guests->staging_bytes + own->own_bytes * count <= room)
        return count;
    const uint64_t used = fixed + away->home_bytes * count +
                          mpl_max(guests->staging_bytes, away->staging_bytes);
    if (away->time_ps == MPL_TIME_FORBIDDEN || used > room)
        return NONE;
    const uint64_t most =
        mpl_min((room - used) / (own->own_bytes - away->home_bytes), count);
    return guests->rest_bytes + away->own_bytes * (count - most) <= rest
               ? (int64_t)most
               : NONE;
}

/* The time of what the homes and the host leave to guests, and of crossings. */
static void try_ending(const alike *at, ending *best, ending now)
{
    const set *const left = &at->sets[now.left];
    const set *const kept = &at->sets[now.kept];
    const set *const guests = &at->sets[now.left - now.kept];
    /* The host must hold something itself where it has guests: a layer, if all
     * else that is left to it are guests. With more layers left to it, it
     * holds no more of them. */
    now.gives_back = held(now.way) == (int32_t)at->many_count &&
                     kept->digits == 0 && guests->digits != 0;
    now.way -= now.gives_back ? HELD : 0;
    const uint32_t count = at->many_count - (uint32_t)held(now.way);
    const uint64_t crossing = at->space->least_crossing_ps;
    const int64_t most = fill_host(at, kept, guests, count);
    if (most == NONE)
        return;
    now.many = (uint32_t)most;
    const bool has_own = kept->digits != 0 || now.many > 0;
    const bool has_guests = guests->digits != 0 || now.many < count;
    if (has_guests && !has_own)
        return;
    const uint64_t used = now.homes + (has_own ? 1 : 0);
    const bool is_tied = at->space->first_class != MPL_NO_INDEX &&
                         at->space->first_class == at->space->last_class &&
                         at->problem->unit_count > 1;
    const uint64_t ring = now.ring != 0 || left->has_ends || is_tied;
    now.ps = at->least_ps + guests->guest_ps;
    if (now.many < count)
        now.ps += (cell(at, at->many, at->guest)->time_ps -
                   cell(at, at->many, at->host)->time_ps) *
                  (count - now.many);
    if (used > 1)
        now.ps += crossing * (used - 1 + ring);
    now.way -= left->runs;
    if (now.ps < best->ps || (now.ps == best->ps && now.way > best->way))
        *best = now;
}

/* The least time beyond a way: with as many layers on the host as it holds. */
static uint64_t least_ending(const alike *at, int32_t way)
{
    const mpl_cell *const own = cell(at, at->many, at->host);
    const mpl_cell *const away = cell(at, at->many, at->guest);
    const uint64_t count = at->many_count - (uint32_t)held(way);
    const uint64_t guests =
        mpl_sub_floor(count, at->room[at->host] / own->own_bytes);
    if (guests == 0)
        return at->least_ps;
    return away->time_ps == MPL_TIME_FORBIDDEN
               ? MPL_TIME_FORBIDDEN
               : at->least_ps + (away->time_ps - own->time_ps) * guests;
}

static ending find_ending(const alike *at)
{
    ending best = {.ps = MPL_TIME_FORBIDDEN};
    for (uint32_t homes = at->home_count + 1; homes-- > 0;)
        for (uint32_t index = 0; index < at->set_count; index++)
            for (uint32_t ring = 0; ring < 2; ring++) {
                const int32_t way =
                    at->most[place_of(at, homes, index, ring)];
                if (way == NONE || least_ending(at, way) > best.ps)
                    continue;
                const uint32_t first = at->first_part[index];
                for (uint32_t place = at->first_part[index + 1];
                     place-- > first;)
                    try_ending(at, &best,
                               (ending){.homes = homes,
                                        .left = index,
                                        .ring = ring,
                                        .kept = at->parts[place],
                                        .way = way});
            }
    return best;
}

static void set_counts(const alike *at, uint32_t *counts, uint32_t index,
                       uint32_t many, uint32_t pool)
{
    const uint64_t pools = at->problem->pool_count;
    for (uint32_t place = 0; place < at->few_count; place++)
        counts[at->few[place] * pools + pool] =
            (uint32_t)(at->sets[index].digits >> (8 * place) & 0xff);
    counts[at->many * pools + pool] = many;
}

/* Walks back over the homes; what they hold, from the first to the last. */
static void tell_counts(const alike *at, const ending *end, uint32_t *counts)
{
    uint32_t index = end->left;
    uint32_t ring = end->ring;
    int32_t way = at->most[place_of(at, end->homes, index, ring)];
    uint32_t given = end->gives_back ? 1 : 0;
    set_counts(at, counts, end->kept, end->many, at->host);
    set_counts(at, counts, end->left - end->kept,
               at->many_count - (uint32_t)held(way) + given - end->many,
               at->guest);
    for (uint32_t home = end->homes; home-- > 0;) {
        const uint32_t taken = at->taken[place_of(at, home + 1, index, ring)];
        index += taken / 2;
        ring = taken % 2;
        const int32_t before = at->most[place_of(at, home, index, ring)];
        const uint32_t many = (uint32_t)(held(way) - held(before));
        set_counts(at, counts, taken / 2, many > 0 ? many - given : 0,
                   at->homes[home]);
        given = many > 0 ? 0 : given;
        way = before;
    }
}

bool mpl_alike_search(mpl_best *best, const mpl_space *space,
                      uint64_t *bound_ps)
{
    alike at = {.space = space, .problem = space->problem};
    if (space->class_count == 0 || space->problem->unit_count > UNITS_MAX ||
        !find_pools(&at) || !are_homes_alike(&at) || !find_classes(&at))
        return true;
    const uint64_t cells =
        (uint64_t)space->class_count * space->problem->pool_count;
    at.sets = mpl_arena_alloc(space->arena, at.set_count, sizeof *at.sets);
    uint32_t *const counts =
        mpl_arena_alloc(space->arena, cells, sizeof *counts);
    if (at.sets == NULL || counts == NULL)
        return false;
    make_sets(&at);
    if (!find_parts(&at, space->arena) || !fill_homes(&at, space->arena))
        return false;
    const ending found = find_ending(&at);
    if (found.ps == MPL_TIME_FORBIDDEN)
        return true;
    *bound_ps = mpl_max(*bound_ps, found.ps);
    tell_counts(&at, &found, counts);
    mpl_arrange(best, space, counts);
    return true;
}
