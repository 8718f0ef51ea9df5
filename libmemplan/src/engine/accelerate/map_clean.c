/* SPDX-License-Identifier: MIT */
/*
 * From the root down: where two or more keys below a module have one device,
 * they give way to the module. Keys are sorted so that what lies below a
 * module is one range; children take their turns in the map's order.
 */
#include "engine/accelerate/map_clean.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/failure.h"

enum { MAX_DEPTH = 512 };

typedef struct key {
    const char *name;
    uint32_t position; /* in the map */
} key;

typedef struct child {
    uint32_t from;
    uint32_t to;
    uint32_t position;   /* of its first key */
    uint64_t name_bytes; /* its path is the beginning of its first key */
} child;

typedef struct cleaning {
    mpl_arena *arena;
    mpl_device_map *map;
    key *keys;
    bool *is_gone;      /* by position */
    mpl_map_entry *new; /* what stands at the end */
    uint32_t new_count;
} cleaning;

/* A dot is the lowest letter, so "a.b" comes right after "a". */
static int rank(char letter)
{
    if (letter == '\0')
        return -1;
    return letter == '.' ? 0 : 1 + (unsigned char)letter;
}

static int by_path(const void *a, const void *b)
{
    const char *left = ((const key *)a)->name;
    const char *right = ((const key *)b)->name;
    while (*left != '\0' && *left == *right) {
        left++;
        right++;
    }
    return rank(*left) - rank(*right);
}

static int by_position(const void *a, const void *b)
{
    const uint32_t left = ((const child *)a)->position;
    const uint32_t right = ((const child *)b)->position;
    return left < right ? -1 : left > right;
}

static bool is_uniform(const cleaning *clean, uint32_t from, uint32_t to)
{
    const mpl_map_entry *entries = clean->map->entries;
    for (uint32_t at = from + 1; at < to; at++)
        if (entries[clean->keys[at].position].value !=
            entries[clean->keys[from].position].value)
            return false;
    return to - from > 1;
}

/* The keys of [from, to) give way to their first `name_bytes`. */
static memplan_status collapse(cleaning *clean, uint32_t from, uint32_t to,
                               uint64_t name_bytes, memplan_error *error)
{
    mpl_map_entry *entries = clean->map->entries;
    const char *first = clean->keys[from].name;
    const uint32_t value = entries[clean->keys[from].position].value;
    for (uint32_t at = from; at < to; at++)
        clean->is_gone[clean->keys[at].position] = true;
    if (from > 0 && name_bytes > 0) {
        const key *before = &clean->keys[from - 1];
        if (strlen(before->name) == name_bytes &&
            memcmp(before->name, first, name_bytes) == 0) {
            entries[before->position].value = value;
            return MEMPLAN_OK;
        }
    }
    const char *name = mpl_arena_copy(clean->arena, first, name_bytes);
    if (name == NULL)
        return mpl_fail_memory(error);
    clean->new[clean->new_count++] = (mpl_map_entry){name, value};
    return MEMPLAN_OK;
}

/* The children whose keys are [from, to), each path `skip` letters and one
 * component long. Returns how many. */
static uint32_t find_children(const cleaning *clean, uint32_t from, uint32_t to,
                              uint64_t skip, child *out)
{
    uint32_t count = 0;
    for (uint32_t at = from; at < to; at++) {
        const key *here = &clean->keys[at];
        const uint64_t length = skip + strcspn(here->name + skip, ".");
        child *last = count > 0 ? &out[count - 1] : NULL;
        if (last != NULL && last->name_bytes == length &&
            memcmp(clean->keys[last->from].name, here->name, length) == 0) {
            last->to = at + 1;
            if (here->position < last->position)
                last->position = here->position;
        } else if (length > 0) {
            out[count++] = (child){at, at + 1, here->position, length};
        }
    }
    qsort(out, count, sizeof *out, by_position);
    return count;
}

/* The keys below one module: [from, to), each beginning with `skip` letters
 * (the module's path and a dot). */
static memplan_status clean_below(cleaning *clean, uint32_t from, uint32_t to,
                                  uint64_t skip, uint32_t depth,
                                  memplan_error *error)
{
    if (from == to)
        return MEMPLAN_OK;
    if (depth > MAX_DEPTH)
        return mpl_fail(error, MEMPLAN_E_TOO_LARGE, MPL_NOWHERE,
                        "device_map: a key has more than %d parts", MAX_DEPTH);
    if (is_uniform(clean, from, to))
        return collapse(clean, from, to, skip > 0 ? skip - 1 : 0, error);
    child *children =
        mpl_arena_alloc(clean->arena, to - from, sizeof *children);
    if (children == NULL)
        return mpl_fail_memory(error);
    const uint32_t count = find_children(clean, from, to, skip, children);
    for (uint32_t at = 0; at < count; at++) {
        const child *below = &children[at];
        const char *first = clean->keys[below->from].name;
        const bool has_own_key = first[below->name_bytes] == '\0';
        const memplan_status status =
            clean_below(clean, below->from + has_own_key, below->to,
                        below->name_bytes + 1, depth + 1, error);
        if (status != MEMPLAN_OK)
            return status;
    }
    return MEMPLAN_OK;
}

memplan_status mpl_device_map_clean(mpl_device_map *map, mpl_arena *arena,
                                    memplan_error *error)
{
    cleaning clean = {
        .arena = arena,
        .map = map,
        .keys = mpl_arena_alloc(arena, map->count, sizeof *clean.keys),
        .is_gone = mpl_arena_alloc(arena, map->count, sizeof(bool)),
        .new =
            mpl_arena_alloc(arena, (uint64_t)map->count + 1, sizeof *clean.new),
    };
    if (clean.keys == NULL || clean.is_gone == NULL || clean.new == NULL)
        return mpl_fail_memory(error);
    for (uint32_t at = 0; at < map->count; at++)
        clean.keys[at] = (key){map->entries[at].name, at};
    if (map->count > 0)
        qsort(clean.keys, map->count, sizeof *clean.keys, by_path);
    const memplan_status status =
        clean_below(&clean, 0, map->count, 0, 0, error);
    if (status != MEMPLAN_OK)
        return status;
    uint32_t kept = 0;
    for (uint32_t at = 0; at < map->count; at++)
        if (!clean.is_gone[at])
            map->entries[kept++] = map->entries[at];
    for (uint32_t at = 0; at < clean.new_count; at++)
        map->entries[kept++] = clean.new[at];
    map->count = kept;
    return MEMPLAN_OK;
}
