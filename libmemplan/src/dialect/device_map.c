/* SPDX-License-Identifier: MIT */
/*
 * A module may stand for all units below it when these share a pool; the
 * shortest such module of each unit is in the map, once. "a.b.c" is below
 * "a.b", "a" and the root, whose name is empty.
 */
#include "dialect/device_map.h"

#include <string.h>

#include "base/failure.h"
#include "dialect/dialect.h"
#include "dialect/max_memory.h"

/* A module that units are below, or a unit itself. */
typedef struct module {
    const char *name; /* of a unit; the module's is its start */
    uint64_t hash;    /* FNV-1a of it */
    uint32_t length;
    uint32_t parent; /* MPL_NO_INDEX: the root */
    uint32_t pool;   /* of its units */
    bool is_mixed;   /* they are on several: so are its parent's */
    bool is_taken;   /* it is in the map */
} module;

/* Modules as they come, and where they are found: open addressing, a power of
 * two of places, of which half are free. */
typedef struct modules {
    mpl_arena *arena;
    module *all;
    uint32_t count;
    uint32_t *places; /* an index plus 1; 0: free */
    uint64_t place_count;
} modules;

static uint64_t first_place(const modules *table, uint64_t hash)
{
    return (hash ^ hash >> 29) & (table->place_count - 1);
}

/* Makes room for `count` modules. False: no memory. */
static bool grow(modules *table, uint64_t count)
{
    modules wider = {table->arena, NULL, table->count, NULL, 16};
    while (wider.place_count < 2 * count)
        wider.place_count *= 2;
    wider.places =
        mpl_arena_alloc(wider.arena, wider.place_count, sizeof *wider.places);
    wider.all =
        mpl_arena_take(wider.arena, wider.place_count / 2, sizeof *wider.all);
    if (wider.places == NULL || wider.all == NULL)
        return false;
    for (uint32_t index = 0; index < table->count; index++) {
        uint64_t place = first_place(&wider, table->all[index].hash);
        while (wider.places[place] != 0)
            place = (place + 1) & (wider.place_count - 1);
        wider.places[place] = index + 1;
        wider.all[index] = table->all[index];
    }
    *table = wider;
    return true;
}

/* The module that `made` describes, added where it is new. MPL_NO_INDEX: no
 * memory. */
static uint32_t find_module(modules *table, const module *made)
{
    if (2 * (uint64_t)table->count >= table->place_count &&
        !grow(table, 2 * (uint64_t)table->count))
        return MPL_NO_INDEX;
    const uint64_t mask = table->place_count - 1;
    for (uint64_t place = first_place(table, made->hash);;
         place = (place + 1) & mask) {
        if (table->places[place] == 0) {
            table->all[table->count] = *made;
            table->places[place] = ++table->count;
            return table->count - 1;
        }
        const uint32_t index = table->places[place] - 1;
        const module *const here = &table->all[index];
        if (here->length == made->length &&
            memcmp(here->name, made->name, made->length) == 0)
            return index;
    }
}

static bool is_end(char letter)
{
    return letter == '.' || letter == '\0';
}

/* The last module of the unit before that a name has too: its neighbours are
 * found without a look at the table. */
static uint32_t common_module(const modules *table, uint32_t before,
                              const char *name)
{
    for (uint32_t index = before;; index = table->all[index].parent) {
        const module *const at = &table->all[index];
        if (at->length == 0 || (strncmp(name, at->name, at->length) == 0 &&
                                is_end(name[at->length])))
            return index;
    }
}

/* The unit as a module, added with all that it is below where they are new,
 * from one that it has in common with the unit before on. MPL_NO_INDEX: no
 * memory. */
static uint32_t add_unit(modules *table, const mpl_plan_unit *unit,
                         uint32_t before)
{
    const char *const name = unit->name;
    uint32_t own = common_module(table, before, name);
    module made = {.name = name,
                   .hash = table->all[own].hash,
                   .length = table->all[own].length,
                   .pool = unit->pool};
    while (name[made.length] != '\0') {
        do
            made.hash = (made.hash ^ (unsigned char)name[made.length++]) *
                        UINT64_C(1099511628211);
        while (!is_end(name[made.length]));
        made.parent = own;
        own = find_module(table, &made);
        if (own == MPL_NO_INDEX)
            return own;
    }
    for (uint32_t up = own; up != MPL_NO_INDEX && !table->all[up].is_mixed;
         up = table->all[up].parent)
        table->all[up].is_mixed = table->all[up].pool != unit->pool;
    return own;
}

/* Adds all units; the module of each goes to of_unit. False: no memory. */
static bool add_units(modules *table, uint32_t *of_unit,
                      const memplan_plan *plan)
{
    uint32_t before = 0;
    if (!grow(table, (uint64_t)plan->unit_count + 8))
        return false;
    table->count = 1;
    table->all[0] = (module){.name = "",
                             .hash = UINT64_C(14695981039346656037),
                             .parent = MPL_NO_INDEX,
                             .pool = plan->unit_count > 0 ? plan->units[0].pool
                                                          : MPL_NO_INDEX};
    for (uint32_t at = 0; at < plan->unit_count; at++) {
        before = add_unit(table, &plan->units[at], before);
        if (before == MPL_NO_INDEX)
            return false;
        of_unit[at] = before;
    }
    return true;
}

/* The shortest module that no other pool has units of, else the unit. */
static module *standing_for(const modules *table, uint32_t own)
{
    module *found = &table->all[own];
    while (found->parent != MPL_NO_INDEX && !table->all[found->parent].is_mixed)
        found = &table->all[found->parent];
    return found;
}

const mpl_map_entry *mpl_device_map(mpl_arena *arena, const memplan_plan *plan,
                                    uint32_t *out_count)
{
    modules table = {.arena = arena};
    uint32_t count = 0;
    mpl_map_entry *const map =
        mpl_arena_take(arena, plan->unit_count, sizeof *map);
    uint32_t *const of_unit =
        mpl_arena_take(arena, plan->unit_count, sizeof *of_unit);
    if (map == NULL || of_unit == NULL || !add_units(&table, of_unit, plan))
        return NULL;
    for (uint32_t at = 0; at < plan->unit_count; at++) {
        module *const found = standing_for(&table, of_unit[at]);
        if (!found->is_taken)
            map[count++] = (mpl_map_entry){found->name, found->length,
                                           plan->units[at].pool};
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
static void write_pool(mpl_json_writer *out, const mpl_plan_pool *pool)
{
    if (pool->kind == MPL_POOL_DEVICE)
        mpl_json_number(out, NULL, pool->device_index);
    else
        mpl_json_text(out, NULL, pool->key);
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
        mpl_json_key(out, map[at].name, map[at].length);
        write_pool(out, &plan->pools[map[at].pool]);
    }
    mpl_json_close(out);
    mpl_arena_free(arena);
}

bool mpl_json_max_memory(mpl_json_writer *out, const char *key,
                         const memplan_plan *plan)
{
    const uint64_t *budgets;
    mpl_arena *const arena = mpl_arena_create();
    const mpl_max_memory found = arena != NULL
                                    ? mpl_max_memory_find(&budgets, arena, plan)
                                    : MPL_MAX_MEMORY_FAILED;
    if (found == MPL_MAX_MEMORY_FAILED)
        out->text->failed = true;
    if (found == MPL_MAX_MEMORY_HOLDS) {
        mpl_json_open_object(out, key);
        for (uint32_t at = 0; at < plan->pool_count; at++)
            if (budgets[at] != MEMPLAN_UNKNOWN)
                mpl_json_number(out, plan->pools[at].key, budgets[at]);
        mpl_json_close(out);
    }
    mpl_arena_free(arena);
    return found != MPL_MAX_MEMORY_NONE;
}

memplan_status mpl_check_device_map(const memplan_plan *plan, const char *what,
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
    const memplan_status status =
        mpl_check_device_map(plan, "device_map", error);
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
    const memplan_status status =
        mpl_check_device_map(plan, "max_memory", error);
    if (status != MEMPLAN_OK)
        return status;
    if (!mpl_json_max_memory(&out, NULL, plan))
        return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                        "no max_memory was found with which device_map="
                        "\"auto\" holds; use the plan's device_map");
    mpl_text_add(text, "\n");
    return MEMPLAN_OK;
}
