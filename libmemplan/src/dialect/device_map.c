/* SPDX-License-Identifier: MIT */
/*
 * Names are sorted by their steps ("a.b.c" has three), so that the units below
 * any one module are neighbours. A module may stand for all of them when no
 * unit of another pool is below it; of those the nearest on each side tell:
 *
 *     steps(u) = 1 + most steps that u shares with the nearest unit of another
 *                pool, to its left or right; at most all steps of u
 */
#include "dialect/device_map.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/failure.h"
#include "dialect/dialect.h"

typedef struct leaf {
    const char *name;
    uint32_t unit;
    uint32_t pool;
    uint64_t length; /* of the module that stands for it */
} leaf;

/* A dot sorts before all other letters: a module's units stay together. */
static int letter_rank(char letter)
{
    return letter == '\0' ? 0 : letter == '.' ? 1 : (unsigned char)letter + 1;
}

static int compare_leaves(const void *left, const void *right)
{
    const leaf *const a = left;
    const leaf *const b = right;
    size_t at = 0;
    while (a->name[at] != '\0' && a->name[at] == b->name[at])
        at++;
    const int order = letter_rank(a->name[at]) - letter_rank(b->name[at]);
    return order != 0 ? order : (a->unit > b->unit) - (a->unit < b->unit);
}

/* The length of the shortest module of `name` that `other` is not below. */
static uint64_t separate(const char *name, const char *other)
{
    uint64_t at = 0;
    uint64_t step_end = 0; /* of the last step that both have */
    for (; name[at] != '\0' && name[at] == other[at]; at++)
        if (name[at] == '.')
            step_end = at + 1;
    const bool is_step = name[at] == '.' && other[at] == '\0';
    if (is_step)
        step_end = at + 1;
    return step_end + strcspn(name + step_end, ".");
}

static void settle(leaf *leaves, uint32_t count)
{
    uint32_t other = MPL_NO_INDEX; /* the nearest of another pool, leftwards */
    for (uint32_t at = 0; at < count; at++) {
        if (at > 0 && leaves[at - 1].pool != leaves[at].pool)
            other = at - 1;
        if (other != MPL_NO_INDEX)
            leaves[at].length = separate(leaves[at].name, leaves[other].name);
    }
    other = MPL_NO_INDEX;
    for (uint32_t at = count; at-- > 0;) {
        if (at + 1 < count && leaves[at + 1].pool != leaves[at].pool)
            other = at + 1;
        if (other != MPL_NO_INDEX)
            leaves[at].length =
                mpl_max(leaves[at].length,
                        separate(leaves[at].name, leaves[other].name));
    }
}

static bool same_module(const leaf *a, const leaf *b)
{
    return a->length == b->length && a->pool == b->pool &&
           memcmp(a->name, b->name, (size_t)a->length) == 0;
}

/* Of all leaves of a module, the one that is executed first. */
static void keep_first(leaf *leaves, uint32_t *count)
{
    uint32_t kept = 0;
    for (uint32_t at = 0; at < *count; at++) {
        if (kept > 0 && same_module(&leaves[kept - 1], &leaves[at])) {
            if (leaves[at].unit < leaves[kept - 1].unit)
                leaves[kept - 1].unit = leaves[at].unit;
        } else {
            leaves[kept++] = leaves[at];
        }
    }
    *count = kept;
}

static int compare_units(const void *left, const void *right)
{
    const leaf *const a = left;
    const leaf *const b = right;
    return (a->unit > b->unit) - (a->unit < b->unit);
}

const mpl_map_entry *mpl_device_map(mpl_arena *arena, const memplan_plan *plan,
                                    uint32_t *out_count)
{
    uint32_t count = plan->unit_count;
    leaf *const leaves = mpl_arena_alloc(arena, count, sizeof *leaves);
    mpl_map_entry *const map = mpl_arena_alloc(arena, count, sizeof *map);
    if (leaves == NULL || map == NULL)
        return NULL;
    for (uint32_t at = 0; at < count; at++)
        leaves[at] = (leaf){plan->units[at].name, at, plan->units[at].pool, 0};
    qsort(leaves, count, sizeof *leaves, compare_leaves);
    settle(leaves, count);
    keep_first(leaves, &count);
    qsort(leaves, count, sizeof *leaves, compare_units);
    for (uint32_t at = 0; at < count; at++)
        map[at] = (mpl_map_entry){leaves[at].name, leaves[at].length,
                                  leaves[at].pool};
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
