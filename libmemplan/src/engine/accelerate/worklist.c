/* SPDX-License-Identifier: MIT */
#include "engine/accelerate/worklist.h"

#include <string.h>

bool mpl_worklist_create(mpl_worklist *out, mpl_arena *arena,
                         const memplan_modules *tree)
{
    const uint32_t node_count = tree->module_count + tree->tensor_count;
    const uint64_t room = (uint64_t)node_count + 1;
    *out = (mpl_worklist){
        .tree = tree,
        .next = mpl_arena_alloc(arena, room, sizeof *out->next),
        .previous = mpl_arena_alloc(arena, room, sizeof *out->previous),
        .holds = mpl_arena_alloc(arena, room, sizeof *out->holds),
        .anchor = node_count,
    };
    if (out->next == NULL || out->previous == NULL || out->holds == NULL)
        return false;
    out->next[node_count] = node_count;
    out->previous[node_count] = node_count;
    return true;
}

static void insert_after(mpl_worklist *list, uint32_t place, uint32_t node)
{
    const uint32_t next = list->next[place];
    list->next[place] = node;
    list->previous[node] = place;
    list->next[node] = next;
    list->previous[next] = node;
    list->holds[node] = true;
}

/* Inserts a module's own tensors of one kind; returns the last place. */
static uint32_t insert_tensors(mpl_worklist *list, uint32_t place,
                               uint32_t module, bool are_parameters)
{
    const memplan_modules *tree = list->tree;
    const mpl_module *owner = &tree->modules[module];
    for (uint32_t i = 0; i < owner->tensor_count; i++) {
        const uint32_t index = owner->first_tensor + i;
        const mpl_module_tensor *tensor = &tree->tensors[index];
        if ((tensor->kind == MPL_MODULE_PARAMETER) != are_parameters ||
            tensor->is_repeat)
            continue;
        insert_after(list, place, tree->module_count + index);
        place = tree->module_count + index;
    }
    return place;
}

static uint32_t insert_children(mpl_worklist *list, uint32_t place,
                                uint32_t module)
{
    const memplan_modules *tree = list->tree;
    for (uint32_t child = module + 1; child < tree->modules[module].end;
         child = tree->modules[child].end) {
        if (tree->modules[child].is_repeat)
            continue;
        insert_after(list, place, child);
        place = child;
    }
    return place;
}

void mpl_worklist_start(mpl_worklist *list)
{
    uint32_t place = insert_tensors(list, list->anchor, 0, true);
    place = insert_children(list, place, 0);
    (void)insert_tensors(list, place, 0, false);
}

void mpl_worklist_copy(mpl_worklist *list, const mpl_worklist *from)
{
    const uint64_t room = (uint64_t)list->anchor + 1;
    memcpy(list->next, from->next, room * sizeof *list->next);
    memcpy(list->previous, from->previous, room * sizeof *list->previous);
    memcpy(list->holds, from->holds, room * sizeof *list->holds);
}

uint32_t mpl_worklist_first(const mpl_worklist *list)
{
    return mpl_worklist_after(list, list->anchor);
}

uint32_t mpl_worklist_after(const mpl_worklist *list, uint32_t node)
{
    const uint32_t next = list->next[node];
    return next == list->anchor ? MPL_NO_NODE : next;
}

void mpl_worklist_remove(mpl_worklist *list, uint32_t node)
{
    list->next[list->previous[node]] = list->next[node];
    list->previous[list->next[node]] = list->previous[node];
    list->holds[node] = false;
}

void mpl_worklist_push(mpl_worklist *list, uint32_t node)
{
    insert_after(list, list->anchor, node);
}

void mpl_worklist_split(mpl_worklist *list, uint32_t module)
{
    const uint32_t before = list->previous[module];
    mpl_worklist_remove(list, module);
    const uint32_t place = insert_tensors(list, before, module, true);
    (void)insert_children(list, place, module);
}

uint32_t mpl_worklist_around(const mpl_worklist *list, uint32_t node)
{
    do
        node = mpl_node_parent(list->tree, node);
    while (node != MPL_NO_NODE && !list->holds[node]);
    return node;
}
