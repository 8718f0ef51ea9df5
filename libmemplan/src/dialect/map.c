/* SPDX-License-Identifier: MIT */
/* A device map as a handle: names and numbers side by side. */
#include <string.h>

#include "base/arena.h"
#include "base/failure.h"
#include "base/sized.h"
#include "dialect/device_map.h"

enum { ON_CPU = -1, ON_DISK = -2 };

struct memplan_map {
    mpl_arena *arena;
    memplan_map_info info;
};

static int64_t device_of(const mpl_plan_pool *pool)
{
    return pool->kind == MPL_POOL_DEVICE ? (int64_t)pool->device_index
           : pool->kind == MPL_POOL_HOST ? ON_CPU
                                         : ON_DISK;
}

static memplan_map *make_map(mpl_arena *arena, const memplan_plan *plan)
{
    uint32_t count = 0;
    uint64_t bytes = 0;
    const mpl_map_entry *const entries = mpl_device_map(arena, plan, &count);
    if (entries == NULL)
        return NULL;
    for (uint32_t at = 0; at < count; at++)
        bytes += entries[at].length + 1;
    memplan_map *const map = mpl_arena_alloc(arena, 1, sizeof *map);
    char *const names = mpl_arena_take(arena, bytes, 1);
    int64_t *const devices = mpl_arena_take(arena, count, sizeof *devices);
    if (map == NULL || names == NULL || devices == NULL)
        return NULL;
    char *end = names;
    uint64_t offloaded_count = 0;
    for (uint32_t at = 0; at < count; at++) {
        memcpy(end, entries[at].name, (size_t)entries[at].length);
        end += entries[at].length;
        *end++ = '\0';
        devices[at] = device_of(&plan->pools[entries[at].pool]);
        offloaded_count += devices[at] < 0;
    }
    *map = (memplan_map){arena,
                         {.module_count = count,
                          .offloaded_count = offloaded_count,
                          .names = names,
                          .names_bytes = bytes,
                          .devices = devices}};
    return map;
}

memplan_status memplan_plan_map(memplan_map **out, const memplan_plan *plan,
                                memplan_error *error)
{
    const memplan_status status =
        mpl_check_device_map(plan, "device_map", error);
    if (status != MEMPLAN_OK)
        return status;
    mpl_arena *const arena = mpl_arena_create();
    memplan_map *const map = arena != NULL ? make_map(arena, plan) : NULL;
    if (map == NULL) {
        mpl_arena_free(arena);
        return mpl_fail_memory(error);
    }
    *out = map;
    return MEMPLAN_OK;
}

void memplan_map_free(memplan_map *map)
{
    if (map != NULL)
        mpl_arena_free(map->arena);
}

memplan_status memplan_map_describe(const memplan_map *map,
                                    memplan_map_info *out_info)
{
    return mpl_copy_row(out_info, &map->info, sizeof map->info);
}
