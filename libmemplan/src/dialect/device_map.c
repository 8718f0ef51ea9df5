/* SPDX-License-Identifier: MIT */
/*
 * A module may stand for all units below it when these share a pool; the
 * shortest such module of each unit is in the map, once. "a.b.c" is below "a.b",
 * "a" and the root, whose name is empty.
 */
#include "dialect/device_map.h"

#include <string.h>

#include "base/checked.h"
#include "base/failure.h"
#include "dialect/dialect.h"

/* A module that units are below, or a unit itself. */
typedef struct module {
    const char *name; /* NULL: a free place */
    uint32_t length;
    uint32_t pool; /* of its units */
    bool is_mixed; /* they are on several */
    bool is_taken; /* it is in the map */
} module;

/* Open addressing, a power of two of places. */
typedef struct modules {
    module *places;
    uint64_t mask;
} modules;

/* A walk over the modules of a name, from the root to itself. */
typedef struct steps {
    const char *name;
    uint64_t length; /* of the module at hand */
    uint64_t hash;   /* FNV-1a of its name */
    bool is_last;
} steps;

static steps first_step(const char *name)
{
    return (steps){name, 0, UINT64_C(14695981039346656037), false};
}

/* To the next dot or the end; false behind the whole name. */
static bool next_step(steps *at)
{
    if (at->is_last)
        return false;
    do
        at->hash = (at->hash ^ (unsigned char)at->name[at->length++]) *
                   UINT64_C(1099511628211);
    while (at->name[at->length] != '.' && at->name[at->length] != '\0');
    at->is_last = at->name[at->length] == '\0';
    return true;
}

static module *find_module(const modules *table, const steps *at)
{
    uint64_t place = (at->hash ^ at->hash >> 29) & table->mask;
    for (;; place = (place + 1) & table->mask) {
        module *const here = &table->places[place];
        if (here->name == NULL ||
            (here->length == at->length &&
             memcmp(here->name, at->name, (size_t)at->length) == 0))
            return here;
    }
}

static bool make_table(modules *out, mpl_arena *arena, const memplan_plan *plan)
{
    uint64_t count = 0;
    for (uint32_t at = 0; at < plan->unit_count; at++) {
        count += 2;
        for (const char *dot = strchr(plan->units[at].name, '.'); dot != NULL;
             dot = strchr(dot + 1, '.'))
            count++;
    }
    uint64_t places = 16;
    while (places < count + count / 2)
        places *= 2;
    out->mask = places - 1;
    out->places = mpl_arena_alloc(arena, places, sizeof *out->places);
    return out->places != NULL;
}

static void add_modules(const modules *table, const mpl_plan_unit *unit)
{
    steps at = first_step(unit->name);
    at.is_last = unit->name[0] == '\0';
    do {
        module *const here = find_module(table, &at);
        if (here->name == NULL)
            *here = (module){.name = unit->name,
                             .length = (uint32_t)at.length,
                             .pool = unit->pool};
        here->is_mixed = here->is_mixed || here->pool != unit->pool;
    } while (next_step(&at));
}

/* The shortest module that no other pool has units of, else the unit. */
static module *standing_for(const modules *table, const mpl_plan_unit *unit)
{
    steps at = first_step(unit->name);
    at.is_last = unit->name[0] == '\0';
    module *found;
    do
        found = find_module(table, &at);
    while (found->is_mixed && next_step(&at));
    return found;
}

const mpl_map_entry *mpl_device_map(mpl_arena *arena, const memplan_plan *plan,
                                    uint32_t *out_count)
{
    modules table;
    uint32_t count = 0;
    mpl_map_entry *const map =
        mpl_arena_alloc(arena, plan->unit_count, sizeof *map);
    if (map == NULL || !make_table(&table, arena, plan))
        return NULL;
    for (uint32_t at = 0; at < plan->unit_count; at++)
        add_modules(&table, &plan->units[at]);
    for (uint32_t at = 0; at < plan->unit_count; at++) {
        const mpl_plan_unit *const unit = &plan->units[at];
        module *const found = standing_for(&table, unit);
        if (!found->is_taken)
            map[count++] =
                (mpl_map_entry){found->name, found->length, unit->pool};
        found->is_taken = true;
    }
    *out_count = count;
    return map;
}

bool mpl_plan_has_device_map(const memplan_plan *plan)
{
    for (uint32_t at = 0; at < plan->unit_count; at++)
        if (plan->units[at].pool == MPL_NO_INDEX)
            return false;
    return strcmp(plan->engine, "transformers") == 0;
}

/* A device by its number, as from_pretrained() wants it; else "cpu", "disk". */
static void write_pool(mpl_json_writer *out, const char *key,
                       const mpl_plan_pool *pool)
{
    if (pool->kind == MPL_POOL_DEVICE)
        mpl_json_number(out, key, pool->device_index);
    else
        mpl_json_text(out, key, pool->key);
}

void mpl_json_device_map(mpl_json_writer *out, const char *key,
                         const memplan_plan *plan)
{
    uint32_t count = 0;
    mpl_arena *const arena = mpl_arena_create();
    const mpl_map_entry *const map =
        arena != NULL ? mpl_device_map(arena, plan, &count) : NULL;
    if (map == NULL)
        out->text->failed = true;
    mpl_json_open_object(out, key);
    for (uint32_t at = 0; at < count; at++) {
        char *const name = mpl_arena_copy(arena, map[at].name, map[at].length);
        if (name == NULL)
            out->text->failed = true;
        else
            write_pool(out, name, &plan->pools[map[at].pool]);
    }
    mpl_json_close(out);
    mpl_arena_free(arena);
}

uint64_t mpl_max_memory_bytes(const mpl_plan_pool *pool)
{
    uint64_t left = pool->capacity_bytes;
    if (left == MEMPLAN_UNKNOWN)
        return left;
    for (uint64_t at = 0; at < pool->row_count; at++) {
        const mpl_row *const row = &pool->rows[at];
        if (row->category != MPL_ROW_WEIGHTS &&
            row->category != MPL_ROW_STAGING && row->category != MPL_ROW_MAPPED)
            left = mpl_sub_floor(left, row->bytes);
    }
    return left;
}

void mpl_json_max_memory(mpl_json_writer *out, const char *key,
                         const memplan_plan *plan)
{
    mpl_json_open_object(out, key);
    for (uint32_t at = 0; at < plan->pool_count; at++) {
        const mpl_plan_pool *const pool = &plan->pools[at];
        const uint64_t bytes = mpl_max_memory_bytes(pool);
        if (bytes != MEMPLAN_UNKNOWN) /* no key: no limit */
            mpl_json_number(out, pool->key, bytes);
    }
    mpl_json_close(out);
}

static memplan_status check_engine(const memplan_plan *plan, const char *what,
                                   memplan_error *error)
{
    return mpl_plan_has_device_map(plan)
               ? MEMPLAN_OK
               : mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                          "a plan for %s has no %s; plan for transformers",
                          plan->engine, what);
}

MPL_PLAN_WRITER(mpl_plan_write_device_map)
{
    mpl_json_writer out = {.text = text};
    (void)style;
    const memplan_status status = check_engine(plan, "device_map", error);
    if (status != MEMPLAN_OK)
        return status;
    mpl_json_device_map(&out, NULL, plan);
    mpl_text_add(text, "\n");
    return MEMPLAN_OK;
}

MPL_PLAN_WRITER(mpl_plan_write_max_memory)
{
    mpl_json_writer out = {.text = text};
    (void)style;
    const memplan_status status = check_engine(plan, "max_memory", error);
    if (status != MEMPLAN_OK)
        return status;
    mpl_json_max_memory(&out, NULL, plan);
    mpl_text_add(text, "\n");
    return MEMPLAN_OK;
}
