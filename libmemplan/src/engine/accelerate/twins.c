/* SPDX-License-Identifier: MIT */
/* The public functions on trees of modules: read, work, write. */
#include <string.h>

#include "base/failure.h"
#include "base/json_writer.h"
#include "base/sized.h"
#include "engine/accelerate/balance.h"
#include "engine/accelerate/document.h"
#include "engine/accelerate/map_clean.h"
#include "engine/accelerate/mapping.h"

/* What every function does first. `arena` is there on failure too. */
typedef struct job {
    mpl_arena *arena;
    memplan_modules_options options;
    mpl_storage storage;
    mpl_class_names whole;
    mpl_module_sizes sizes;
    mpl_budgets budgets;
} job;

static memplan_status open_job(job *out, const memplan_modules *tree,
                               const char *max_memory,
                               const memplan_modules_options *options,
                               memplan_error *error)
{
    *out = (job){.arena = mpl_arena_create()};
    if (out->arena == NULL)
        return mpl_fail_memory(error);
    memplan_status status =
        mpl_copy_options(&out->options, sizeof out->options, options, error);
    if (status == MEMPLAN_OK)
        status = mpl_storage_read(&out->storage, out->arena, out->options.dtype,
                                  out->options.special_dtypes, error);
    if (status == MEMPLAN_OK)
        status = mpl_class_names_read(&out->whole, out->arena,
                                      out->options.no_split, error);
    if (status == MEMPLAN_OK && max_memory != NULL)
        status = mpl_budgets_read(&out->budgets, out->arena, max_memory, error);
    if (status == MEMPLAN_OK)
        status =
            mpl_module_sizes_find(&out->sizes, out->arena, tree, &out->storage,
                                  out->options.buffers_only != 0, error);
    return status;
}

/* Objects here have one member a line, so they are written by hand. */
static void write_key(mpl_text *text, const char *key, bool *has_items)
{
    mpl_text_add(text, *has_items ? ",\n  " : "\n  ");
    mpl_json_quote(text, key);
    mpl_text_add(text, ": ");
    *has_items = true;
}

memplan_status memplan_modules_sizes(char **out, const memplan_modules *tree,
                                     const memplan_modules_options *options,
                                     memplan_error *error)
{
    job work;
    memplan_status status = open_job(&work, tree, NULL, options, error);
    if (status == MEMPLAN_OK) {
        mpl_text text = {0};
        bool has_items = false;
        mpl_text_add(&text, "{");
        for (uint32_t at = 0; at < work.sizes.order_count; at++) {
            const uint32_t node = work.sizes.order[at];
            write_key(&text, mpl_node_name(tree, node), &has_items);
            mpl_document_write(&text, work.sizes.amounts[node]);
        }
        mpl_text_add(&text, "\n}\n");
        status = mpl_text_finish(&text, out, error);
    }
    mpl_arena_free(work.arena);
    return status;
}

memplan_status memplan_modules_balance(char **out, const memplan_modules *tree,
                                       const char *max_memory,
                                       const memplan_modules_options *options,
                                       memplan_error *error)
{
    job work;
    memplan_status status = open_job(&work, tree, max_memory, options, error);
    bool *is_changed = NULL;
    if (status == MEMPLAN_OK) {
        is_changed =
            mpl_arena_alloc(work.arena, work.budgets.count, sizeof *is_changed);
        status = is_changed == NULL ? mpl_fail_memory(error) : MEMPLAN_OK;
    }
    if (status == MEMPLAN_OK)
        status = mpl_budgets_balance(&work.budgets, is_changed, work.arena,
                                     tree, &work.sizes, &work.whole,
                                     work.options.low_zero != 0,
                                     work.options.counts_mps != 0, error);
    if (status == MEMPLAN_OK) {
        mpl_text text = {0};
        bool has_items = false;
        mpl_text_add(&text, "{");
        for (uint32_t at = 0; at < work.budgets.count; at++) {
            if (!is_changed[at])
                continue;
            write_key(&text, work.budgets.items[at].key, &has_items);
            mpl_document_write(&text, work.budgets.items[at].limit);
        }
        mpl_text_add(&text, "\n}\n");
        status = mpl_text_finish(&text, out, error);
    }
    mpl_arena_free(work.arena);
    return status;
}

static memplan_status open_mapping(mpl_mapping *map, job *work,
                                   const memplan_modules *tree,
                                   memplan_error *error)
{
    mpl_arena *arena = work->arena;
    const uint64_t devices = work->budgets.count;
    const uint64_t tensors = tree->tensor_count;
    const uint64_t nodes = tree->module_count + tensors;
    *map = (mpl_mapping){
        .tree = tree,
        .sizes = work->sizes,
        .storage = work->storage,
        .whole = work->whole,
        .devices = work->budgets,
        .used = mpl_arena_alloc(arena, devices, sizeof *map->used),
        .buffers = mpl_arena_alloc(arena, devices, sizeof *map->buffers),
        .minimum = mpl_arena_alloc(arena, devices, sizeof *map->minimum),
        .has_minimum = mpl_arena_alloc(arena, devices, sizeof(bool)),
        .largest = {.is_one = mpl_arena_alloc(arena, nodes, sizeof(bool)),
                    .members = mpl_arena_alloc(arena, nodes, sizeof(uint32_t))},
        .tied = mpl_arena_alloc(arena, tensors, sizeof *map->tied),
        .tied_modules = mpl_arena_alloc(arena, tensors, sizeof *map->tied),
        .seen = mpl_arena_alloc(arena, nodes, sizeof *map->seen),
        .order = mpl_arena_alloc(arena, nodes, sizeof *map->order),
        .device = mpl_arena_alloc(arena, nodes, sizeof *map->device),
        .offload_buffers = work->options.offload_buffers != 0,
        .fallback_allocation = work->options.fallback_allocation != 0,
    };
    if (map->used == NULL || map->buffers == NULL || map->minimum == NULL ||
        map->has_minimum == NULL || map->largest.is_one == NULL ||
        map->largest.members == NULL || map->tied == NULL ||
        map->tied_modules == NULL || map->seen == NULL || map->order == NULL ||
        map->device == NULL || !mpl_worklist_create(&map->list, arena, tree) ||
        !mpl_worklist_create(&map->search, arena, tree))
        return mpl_fail_memory(error);
    memset(map->device, 0xff, nodes * sizeof *map->device); /* MPL_NO_NODE */
    return MEMPLAN_OK;
}

static memplan_status gather(mpl_device_map *out, const mpl_mapping *map,
                             mpl_arena *arena, bool is_cleaned,
                             memplan_error *error)
{
    *out = (mpl_device_map){
        .entries = mpl_arena_alloc(arena, (uint64_t)map->order_count + 1,
                                   sizeof *out->entries),
        .count = map->order_count,
    };
    if (out->entries == NULL)
        return mpl_fail_memory(error);
    for (uint32_t at = 0; at < map->order_count; at++)
        out->entries[at] =
            (mpl_map_entry){mpl_node_name(map->tree, map->order[at]),
                            map->device[map->order[at]]};
    return is_cleaned ? mpl_device_map_clean(out, arena, error) : MEMPLAN_OK;
}

/* Buffers of what is not on a device, where no device has room for them. */
static bool find_stranded(const mpl_mapping *map, mpl_amount *out)
{
    const mpl_budget *items = map->devices.items;
    mpl_amount sum = {0};
    bool has_device = false;
    for (uint32_t at = 0; at < map->devices.count; at++) {
        if (items[at].kind >= MPL_BUDGET_CPU)
            sum = mpl_amount_add(sum, map->buffers[at]);
        else
            has_device = true;
    }
    *out = sum;
    if (!has_device || sum.half_bits <= 0 || map->offload_buffers)
        return false;
    for (uint32_t at = 0; at < map->devices.count; at++) {
        /* What is used counts only where it is more than nothing. */
        const int64_t used = map->used[at].half_bits;
        if (items[at].kind < MPL_BUDGET_CPU &&
            items[at].limit.half_bits >= sum.half_bits + (used > 0 ? used : 0))
            return false;
    }
    return true;
}

static void write_map(mpl_text *text, const mpl_mapping *map,
                      const mpl_device_map *entries)
{
    const mpl_budget *devices = map->devices.items;
    bool has_items = false;
    mpl_text_add(text, "{\"device_map\": {");
    for (uint32_t at = 0; at < entries->count; at++) {
        const mpl_budget *device = &devices[entries->entries[at].value];
        write_key(text, entries->entries[at].name, &has_items);
        if (device->kind == MPL_BUDGET_DEVICE)
            mpl_text_add(text, device->key);
        else
            mpl_json_quote(text, device->key);
    }
    mpl_text_add(text, "\n},\n\"unassigned\": {");
    has_items = false;
    for (uint32_t at = 0; at < map->devices.count; at++) {
        if (!map->has_minimum[at])
            continue;
        write_key(text, devices[at].key, &has_items);
        mpl_document_write(text, map->minimum[at]);
    }
    mpl_text_format(text, "\n},\n\"has_ties\": %s,\n",
                    map->tree->group_count > 0 ? "true" : "false");
    mpl_text_add(text, "\"stranded_buffer_bytes\": ");
    mpl_amount stranded;
    if (find_stranded(map, &stranded))
        mpl_document_write(text, stranded);
    else
        mpl_text_add(text, "null");
    mpl_text_add(text, "}\n");
}

memplan_status memplan_modules_map(char **out, const memplan_modules *tree,
                                   const char *max_memory,
                                   const memplan_modules_options *options,
                                   memplan_error *error)
{
    job work;
    mpl_mapping map;
    mpl_device_map entries;
    memplan_status status = open_job(&work, tree, max_memory, options, error);
    if (status == MEMPLAN_OK)
        status = open_mapping(&map, &work, tree, error);
    if (status == MEMPLAN_OK)
        status = mpl_mapping_run(&map, error);
    if (status == MEMPLAN_OK)
        status = gather(&entries, &map, work.arena,
                        work.options.keeps_parts == 0, error);
    if (status == MEMPLAN_OK) {
        mpl_text text = {0};
        write_map(&text, &map, &entries);
        status = mpl_text_finish(&text, out, error);
    }
    mpl_arena_free(work.arena);
    return status;
}
