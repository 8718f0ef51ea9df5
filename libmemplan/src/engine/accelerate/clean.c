/* SPDX-License-Identifier: MIT */
/* Cleans a device map that comes as JSON. */
#include <string.h>

#include "base/failure.h"
#include "base/json_writer.h"
#include "engine/accelerate/document.h"
#include "engine/accelerate/map_clean.h"
#include "memplan/accelerate.h"

/* The devices of a map: {"name": 0} and {"name": "cpu"} both occur. */
typedef struct devices {
    const char **texts; /* as they will be written */
    uint32_t count;
} devices;

static bool is_device(mpl_json_value value)
{
    int64_t index = 0;
    return mpl_json_i64(value, &index) || mpl_json_string(value, NULL) != NULL;
}

/* As it will be written; NULL: no memory. */
static const char *text_of(mpl_arena *arena, mpl_json_value value)
{
    int64_t index = 0;
    if (mpl_json_i64(value, &index))
        return mpl_arena_format(arena, "%lld", (long long)index);
    mpl_text quoted = {0};
    mpl_json_quote(&quoted, mpl_json_string(value, NULL));
    const char *copy =
        quoted.failed ? NULL : mpl_arena_strdup(arena, quoted.data);
    mpl_text_discard(&quoted);
    return copy;
}

static uint32_t number_of(devices *all, const char *text)
{
    for (uint32_t at = 0; at < all->count; at++)
        if (strcmp(all->texts[at], text) == 0)
            return at;
    all->texts[all->count] = text;
    return all->count++;
}

static memplan_status read_map(mpl_device_map *map, devices *all,
                               mpl_arena *arena, mpl_json_value root,
                               memplan_error *error)
{
    const uint64_t count = mpl_json_count(root);
    map->entries = mpl_arena_alloc(arena, count + 1, sizeof *map->entries);
    all->texts = mpl_arena_alloc(arena, count, sizeof *all->texts);
    if (map->entries == NULL || all->texts == NULL)
        return mpl_fail_memory(error);
    mpl_json_walk walk = mpl_json_begin(root);
    while (mpl_json_next(&walk)) {
        if (!is_device(walk.value))
            return mpl_fail(error, MEMPLAN_E_ARGUMENT, MPL_NOWHERE,
                            "device_map: \"%s\": a device is a number or a "
                            "name",
                            walk.key);
        const char *text = text_of(arena, walk.value);
        const char *name = mpl_arena_strdup(arena, walk.key);
        if (name == NULL || text == NULL)
            return mpl_fail_memory(error);
        map->entries[map->count++] =
            (mpl_map_entry){name, number_of(all, text)};
    }
    return MEMPLAN_OK;
}

memplan_status memplan_device_map_clean(char **out, const char *device_map,
                                        memplan_error *error)
{
    mpl_json *document = NULL;
    memplan_status status =
        mpl_document_parse(&document, device_map, strlen(device_map), error);
    if (status != MEMPLAN_OK)
        return status;
    mpl_arena *arena = mpl_arena_create();
    mpl_device_map map = {0};
    devices all = {0};
    if (arena == NULL)
        status = mpl_fail_memory(error);
    if (status == MEMPLAN_OK)
        status = read_map(&map, &all, arena, mpl_json_root(document), error);
    if (status == MEMPLAN_OK)
        status = mpl_device_map_clean(&map, arena, error);
    if (status == MEMPLAN_OK) {
        mpl_text text = {0};
        mpl_text_add(&text, "{");
        for (uint32_t at = 0; at < map.count; at++) {
            mpl_text_add(&text, at == 0 ? "\n  " : ",\n  ");
            mpl_json_quote(&text, map.entries[at].name);
            mpl_text_add(&text, ": ");
            mpl_text_add(&text, all.texts[map.entries[at].value]);
        }
        mpl_text_add(&text, "\n}\n");
        status = mpl_text_finish(&text, out, error);
    }
    mpl_arena_free(arena);
    mpl_json_free(document);
    return status;
}
