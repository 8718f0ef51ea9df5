/* SPDX-License-Identifier: MIT */
/* Device maps: paths and the devices they go to, in a dictionary's order. */
#ifndef MPL_ENGINE_ACCELERATE_MAP_CLEAN_H
#define MPL_ENGINE_ACCELERATE_MAP_CLEAN_H

#include "base/arena.h"
#include "memplan.h"

typedef struct mpl_map_entry {
    const char *name;
    uint32_t value; /* equal for equal devices */
} mpl_map_entry;

typedef struct mpl_device_map {
    mpl_map_entry *entries;
    uint32_t count;
} mpl_device_map;

/*
 * Puts a module in the place of all its parts where these, two or more, go to
 * one device. `entries` must have room for one more; names are distinct.
 */
memplan_status mpl_device_map_clean(mpl_device_map *map, mpl_arena *arena,
                                    memplan_error *error);

#endif
