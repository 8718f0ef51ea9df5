/* SPDX-License-Identifier: MIT */
/*
 * A lower bound from how many homes a placement uses:
 *
 *     sum over items of the least time on any pool
 *       + min over k of (k - 1) * least crossing
 *                       + guests (bytes of all items - the k largest rooms)
 *
 * k homes have room for no more than the k largest rooms; what is left rests
 * with guests, those classes first that take the least time for each byte. It
 * is exact for chains that fit on devices of one kind.
 */
#include "base/checked.h"
#include "plan/space.h"

/* More classes than this are not worth sorting: crossings are then small. */
enum { CLASSES_MAX = 64 };

/* What all items of a class add as guests. */
typedef struct leaving {
    uint64_t own_bytes; /* of one item at home */
    uint64_t added_ps;  /* of one item */
    uint32_t count;
} leaving;

/* The least bytes of a class at home; MEMPLAN_UNKNOWN where it may be on no
 * home, so that all of it is guests. */
static uint64_t home_bytes(const mpl_space *space, uint32_t class_index)
{
    uint64_t least = MEMPLAN_UNKNOWN;
    for (uint32_t pool = 0; pool < space->problem->pool_count; pool++) {
        const mpl_cell *const cell = mpl_space_cell(space, class_index, pool);
        if (space->problem->home[pool] == pool &&
            cell->time_ps != MPL_TIME_FORBIDDEN)
            least = mpl_min(least, cell->own_bytes);
    }
    return least;
}

/* What a class's item takes at the least, on its guests or on any pool. */
static uint64_t least_time(const mpl_space *space, uint32_t class_index,
                           bool is_guest)
{
    uint64_t least = MPL_TIME_FORBIDDEN;
    for (uint32_t pool = 0; pool < space->problem->pool_count; pool++)
        if (!is_guest || space->problem->home[pool] != pool)
            least = mpl_min(least,
                            mpl_space_cell(space, class_index, pool)->time_ps);
    return least;
}

/* The rooms of homes, the largest first. */
static uint32_t sort_rooms(const mpl_space *space,
                           uint64_t rooms[MPL_PROBLEM_POOLS_MAX])
{
    uint32_t count = 0;
    for (uint32_t pool = 0; pool < space->problem->pool_count; pool++) {
        if (space->problem->home[pool] != pool)
            continue;
        uint32_t place = count++;
        for (; place > 0 && rooms[place - 1] < space->rooms[pool]; place--)
            rooms[place] = rooms[place - 1];
        rooms[place] = space->rooms[pool];
    }
    return count;
}

/* The classes that may be guests, the least time for a byte first. */
static uint32_t sort_leaving(const mpl_space *space,
                             leaving classes[CLASSES_MAX])
{
    uint32_t count = 0;
    for (uint32_t at = 0; at < space->class_count; at++) {
        const uint64_t own = home_bytes(space, at);
        const uint64_t guest = least_time(space, at, true);
        if (own == 0 || own == MEMPLAN_UNKNOWN || guest == MPL_TIME_FORBIDDEN)
            continue;
        const leaving made = {own, guest - least_time(space, at, false),
                              space->class_size[at]};
        uint32_t place = count++;
        for (; place > 0; place--) {
            const leaving *const before = &classes[place - 1];
            if ((mpl_u128)before->added_ps * made.own_bytes <=
                (mpl_u128)made.added_ps * before->own_bytes)
                break;
            classes[place] = *before;
        }
        classes[place] = made;
    }
    return count;
}

/* The least that `bytes` add as guests, items divided as need be. */
static uint64_t guest_ps(const leaving *classes, uint32_t count, mpl_u128 bytes)
{
    mpl_u128 added = 0;
    for (uint32_t at = 0; at < count && bytes > 0; at++) {
        const leaving *const leaves = &classes[at];
        const mpl_u128 most = (mpl_u128)leaves->own_bytes * leaves->count;
        if (bytes >= most) {
            added += (mpl_u128)leaves->count * leaves->added_ps;
            bytes -= most;
            continue;
        }
        /* Whole items, then a part: no product passes 128 bits. */
        added +=
            bytes / leaves->own_bytes * leaves->added_ps +
            bytes % leaves->own_bytes * leaves->added_ps / leaves->own_bytes;
        bytes = 0;
    }
    return bytes > 0 || added > MPL_TIME_FORBIDDEN ? MPL_TIME_FORBIDDEN
                                                   : (uint64_t)added;
}

/* What the best number of homes adds. */
static uint64_t added_ps(const mpl_space *space, mpl_u128 bytes)
{
    leaving classes[CLASSES_MAX];
    uint64_t rooms[MPL_PROBLEM_POOLS_MAX];
    if (space->class_count > CLASSES_MAX)
        return 0;
    const uint32_t homes = sort_rooms(space, rooms);
    const uint32_t count = sort_leaving(space, classes);
    mpl_u128 room = 0;
    mpl_u128 least = homes > 0 ? MPL_TIME_FORBIDDEN : 0;
    for (uint32_t at = 0; at < homes && room < bytes; at++) {
        room += rooms[at];
        const mpl_u128 now =
            guest_ps(classes, count, bytes > room ? bytes - room : 0) +
            (mpl_u128)space->least_crossing_ps * at;
        least = now < least ? now : least;
    }
    return (uint64_t)least;
}

uint64_t mpl_space_bound_homes(const mpl_space *space)
{
    mpl_u128 sum = 0;
    mpl_u128 bytes = 0;
    for (uint32_t at = 0; at < space->class_count; at++) {
        const uint64_t least = least_time(space, at, false);
        const uint64_t own = home_bytes(space, at);
        if (least == MPL_TIME_FORBIDDEN)
            return MPL_TIME_FORBIDDEN;
        sum += (mpl_u128)least * space->class_size[at];
        if (own != MEMPLAN_UNKNOWN)
            bytes += (mpl_u128)own * space->class_size[at];
    }
    sum += bytes > 0 ? added_ps(space, bytes) : 0;
    return sum >= MPL_TIME_FORBIDDEN ? MPL_TIME_FORBIDDEN - 1 : (uint64_t)sum;
}
