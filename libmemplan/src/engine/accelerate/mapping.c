/* SPDX-License-Identifier: MIT */
/*
 * The devices are filled one after the other. For the node at the head of the
 * list, in this order:
 *
 *   1. it fits with the modules tied to it: all go to the current device;
 *   2. it fits alone: a tied module is taken apart, and the node waits;
 *   3. it can be taken apart: its children take its place;
 *   4. nothing is on the device yet: something smaller that fits is sought,
 *      where that is asked for;
 *   5. the next device.
 *
 * The first numbered device (or mps) and the host keep room for the largest
 * layer that is still to come.
 */
#include "engine/accelerate/mapping.h"

#include <string.h>

#include "base/failure.h"

typedef enum step {
    STEP_AGAIN, /* the node is placed, or the list changed */
    STEP_ON     /* try the next way */
} step;

/* "name." lies in "path.", anywhere: "0." also in "layers.10.weight.". */
static bool mentions(const char *path, const char *name)
{
    const size_t length = strlen(name);
    for (const char *at = path; (at = strstr(at, name)) != NULL; at++)
        if (at[length] == '.' || at[length] == '\0')
            return true;
    return false;
}

void mpl_mapping_tie(mpl_mapping *map, uint32_t node)
{
    const memplan_modules *tree = map->tree;
    const char *name = mpl_node_name(tree, node);
    map->tied_count = 0;
    for (uint32_t at = 0; at < tree->group_count; at++) {
        const mpl_tied_group *group = &tree->groups[at];
        const uint32_t before = map->tied_count;
        for (uint32_t i = 0; i < group->count; i++)
            if (!mentions(tree->tensors[group->tensors[i]].name, name))
                map->tied[map->tied_count++] = group->tensors[i];
        /* All inside, or none: the group does not matter here. */
        if (map->tied_count - before == group->count)
            map->tied_count = before;
    }
}

memplan_status mpl_mapping_tied_size(mpl_mapping *map, const mpl_worklist *list,
                                     uint32_t node, mpl_amount *out,
                                     memplan_error *error)
{
    const memplan_modules *tree = map->tree;
    mpl_amount size = map->sizes.amounts[node];
    for (uint32_t at = 0; at < map->tied_count; at++) {
        const uint32_t tensor = tree->module_count + map->tied[at];
        const uint32_t around = mpl_worklist_around(list, tensor);
        if (around == MPL_NO_NODE)
            return mpl_fail(error, MEMPLAN_E_NOT_FOUND, MPL_NOWHERE,
                            "\"%s\" is tied to \"%s\", which is in no module "
                            "still to be placed",
                            mpl_node_name(tree, node),
                            mpl_node_name(tree, tensor));
        map->tied_modules[at] = around;
        size = mpl_amount_add(size, mpl_amount_sub(map->sizes.amounts[around],
                                                   map->sizes.amounts[tensor]));
    }
    *out = size;
    return MEMPLAN_OK;
}

static void find_largest(mpl_mapping *map)
{
    mpl_largest_layer_find(&map->largest, &map->list, &map->sizes, &map->whole,
                           false);
}

/* Devices that keep room for the largest layer still to come. */
static bool is_main(const mpl_mapping *map, uint32_t device)
{
    const mpl_budget *items = map->devices.items;
    for (uint32_t at = 0; at < map->devices.count; at++)
        if (items[at].kind == MPL_BUDGET_MPS)
            return items[device].kind == MPL_BUDGET_MPS;
    return items[device].kind == MPL_BUDGET_CPU ||
           (device == 0 && items[0].kind == MPL_BUDGET_DEVICE);
}

static void assign(mpl_mapping *map, uint32_t node)
{
    if (map->device[node] == MPL_NO_NODE)
        map->order[map->order_count++] = node;
    map->device[node] = map->current;
}

static step place(mpl_mapping *map, uint32_t node, mpl_amount with_ties)
{
    mpl_amount *used = &map->used[map->current];
    *used = mpl_amount_add(*used, with_ties);
    assign(map, node);
    for (uint32_t at = 0; at < map->tied_count; at++) {
        const uint32_t tied = map->tied_modules[at];
        if (map->list.holds[tied])
            mpl_worklist_remove(&map->list, tied);
        assign(map, tied);
    }
    if (!map->offload_buffers && node < map->tree->module_count) {
        mpl_amount *buffers = &map->buffers[map->current];
        *buffers = mpl_amount_add(
            *buffers,
            mpl_module_buffers(map->tree, node, &map->storage, map->seen));
    }
    return STEP_AGAIN;
}

static step split_tied(mpl_mapping *map, uint32_t node)
{
    for (uint32_t at = 0; at < map->tied_count; at++) {
        if (!mpl_module_splits(map->tree, map->tied_modules[at], &map->whole))
            continue;
        mpl_worklist_split(&map->list, map->tied_modules[at]);
        mpl_worklist_push(&map->list, node);
        find_largest(map);
        return STEP_AGAIN;
    }
    return STEP_ON;
}

static step split(mpl_mapping *map, uint32_t node)
{
    if (!mpl_module_splits(map->tree, node, &map->whole))
        return STEP_ON;
    mpl_worklist_push(&map->list, node);
    mpl_worklist_split(&map->list, node);
    find_largest(map);
    return STEP_AGAIN;
}

static memplan_status fall_back(mpl_mapping *map, uint32_t node,
                                mpl_amount with_ties, step *out,
                                memplan_error *error)
{
    const mpl_amount room = mpl_amount_sub(
        mpl_amount_sub(map->devices.items[map->current].limit,
                       mpl_amount_max(map->largest.size, with_ties)),
        map->used[map->current]);
    uint32_t found = MPL_NO_NODE;
    const memplan_status status =
        mpl_mapping_fall_back(map, room, &found, error);
    *out = STEP_ON;
    if (status == MEMPLAN_OK && found != MPL_NO_NODE) {
        mpl_worklist_push(&map->list, node);
        mpl_worklist_push(&map->list, found);
        *out = STEP_AGAIN;
    }
    return status;
}

/* Gives one node its turn. */
static memplan_status treat(mpl_mapping *map, uint32_t node,
                            memplan_error *error)
{
    const uint32_t device = map->current;
    const bool is_disk = map->devices.items[device].kind == MPL_BUDGET_DISK;
    mpl_worklist_remove(&map->list, node);
    mpl_largest_layer_drop(&map->largest, map->tree, node);
    if (map->largest.left_count == 0)
        find_largest(map);
    mpl_mapping_tie(map, node);

    mpl_amount reserved = {0};
    if (is_main(map, device))
        reserved = map->largest.size;
    const int64_t room =
        mpl_amount_sub(
            mpl_amount_sub(map->devices.items[device].limit, reserved),
            map->used[device])
            .half_bits;
    mpl_amount with_ties;
    memplan_status status =
        mpl_mapping_tied_size(map, &map->list, node, &with_ties, error);
    if (status != MEMPLAN_OK)
        return status;
    const int64_t alone = map->sizes.amounts[node].half_bits;
    step next = STEP_ON;
    if (is_disk || with_ties.half_bits <= room)
        next = place(map, node, with_ties);
    if (next == STEP_ON && map->tied_count > 0 && alone <= room)
        next = split_tied(map, node);
    if (next == STEP_ON && alone >= room)
        next = split(map, node);
    if (next == STEP_ON && map->used[device].half_bits == 0 &&
        map->fallback_allocation)
        status = fall_back(map, node, with_ties, &next, error);
    if (next == STEP_AGAIN || status != MEMPLAN_OK)
        return status;

    if (map->used[device].half_bits == 0) {
        map->minimum[device] = mpl_amount_add(with_ties, reserved);
        map->has_minimum[device] = true;
    }
    map->used[device] = mpl_amount_add(map->used[device], reserved);
    map->current++;
    mpl_worklist_push(&map->list, node);
    return MEMPLAN_OK;
}

memplan_status mpl_mapping_run(mpl_mapping *map, memplan_error *error)
{
    /* Each turn places or splits a node, or takes the next device; only a
     * fallback that finds again what did not fit could go on for ever. */
    const uint64_t node_count =
        (uint64_t)map->tree->module_count + map->tree->tensor_count;
    uint64_t turns = 8 * (node_count + map->devices.count);
    mpl_worklist_start(&map->list);
    mpl_largest_layer_find(&map->largest, &map->list, &map->sizes, &map->whole,
                           true);
    uint32_t node;
    while ((node = mpl_worklist_first(&map->list)) != MPL_NO_NODE) {
        if (turns-- == 0)
            return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                            "\"%s\": the fallback finds it again and again, "
                            "and it never fits",
                            mpl_node_name(map->tree, node));
        const memplan_status status = treat(map, node, error);
        if (status != MEMPLAN_OK)
            return status;
    }
    return MEMPLAN_OK;
}
