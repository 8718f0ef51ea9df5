/* SPDX-License-Identifier: MIT */
/*
 * Tied parameters: one object under several names.
 *
 * A group is all names of an object that has more than one; Accelerate keeps
 * them in a set, whose order changes from run to run. Here groups come in the
 * order of their first names, so the answer is the same each time.
 */
#include <stdlib.h>
#include <string.h>

#include "base/failure.h"
#include "engine/accelerate/modules.h"

typedef struct named {
    const char *name;
    uint32_t tensor;
    uint32_t first;
} named;

static int by_object_and_name(const void *a, const void *b)
{
    const named *left = a;
    const named *right = b;
    if (left->first != right->first)
        return left->first < right->first ? -1 : 1;
    return strcmp(left->name, right->name);
}

/* Parameters of an object that has more than one path, sorted. */
static uint32_t collect(const memplan_modules *tree, named *out,
                        const uint32_t *paths)
{
    uint32_t count = 0;
    for (uint32_t at = 0; at < tree->tensor_count; at++) {
        const mpl_module_tensor *tensor = &tree->tensors[at];
        if (tensor->kind == MPL_MODULE_PARAMETER && paths[tensor->first] > 1)
            out[count++] = (named){tensor->name, at, tensor->first};
    }
    if (count > 0)
        qsort(out, count, sizeof *out, by_object_and_name);
    return count;
}

memplan_status mpl_modules_tie(memplan_modules *tree, memplan_error *error)
{
    const uint64_t room = tree->tensor_count;
    uint32_t *paths = mpl_arena_alloc(tree->arena, room, sizeof *paths);
    named *all = mpl_arena_alloc(tree->arena, room, sizeof *all);
    uint32_t *members = mpl_arena_alloc(tree->arena, room, sizeof *members);
    tree->groups = mpl_arena_alloc(tree->arena, room, sizeof *tree->groups);
    if (paths == NULL || all == NULL || members == NULL || tree->groups == NULL)
        return mpl_fail_memory(error);
    for (uint32_t at = 0; at < tree->tensor_count; at++)
        if (tree->tensors[at].kind == MPL_MODULE_PARAMETER)
            paths[tree->tensors[at].first]++;
    const uint32_t count = collect(tree, all, paths);
    for (uint32_t at = 0; at < count; at++) {
        members[at] = all[at].tensor;
        if (at == 0 || all[at].first != all[at - 1].first)
            tree->groups[tree->group_count++].tensors = &members[at];
        tree->groups[tree->group_count - 1].count++;
    }
    return MEMPLAN_OK;
}
