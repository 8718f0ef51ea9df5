/* SPDX-License-Identifier: MIT */
#include "engine/accelerate/layers.h"

#include <string.h>

#include "base/failure.h"
#include "base/json.h"
#include "engine/accelerate/document.h"

memplan_status mpl_class_names_read(mpl_class_names *out, mpl_arena *arena,
                                    const char *json, memplan_error *error)
{
    *out = (mpl_class_names){0};
    if (json == NULL)
        return MEMPLAN_OK;
    mpl_json *document = NULL;
    memplan_status status =
        mpl_document_parse(&document, json, strlen(json), error);
    if (status != MEMPLAN_OK)
        return status;
    const mpl_json_value root = mpl_json_root(document);
    out->names =
        mpl_arena_alloc(arena, mpl_json_count(root), sizeof *out->names);
    if (out->names == NULL)
        status = mpl_fail_memory(error);
    mpl_json_walk walk = mpl_json_begin(root);
    while (status == MEMPLAN_OK && mpl_json_next(&walk)) {
        const char *name = mpl_json_string(walk.value, NULL);
        if (name == NULL) {
            status = mpl_fail(error, MEMPLAN_E_ARGUMENT, MPL_NOWHERE,
                              "no_split: item %u is no class name", out->count);
            continue;
        }
        name = mpl_arena_strdup(arena, name);
        if (name == NULL)
            status = mpl_fail_memory(error);
        out->names[out->count++] = name;
    }
    mpl_json_free(document);
    return status;
}

bool mpl_class_names_hold(const mpl_class_names *classes, const char *name)
{
    for (uint32_t at = 0; at < classes->count; at++)
        if (strcmp(classes->names[at], name) == 0)
            return true;
    return false;
}

bool mpl_module_splits(const memplan_modules *tree, uint32_t node,
                       const mpl_class_names *whole)
{
    return node < tree->module_count && tree->modules[node].child_count > 0 &&
           !mpl_class_names_hold(whole, tree->modules[node].class_name);
}

static void offer(mpl_largest_layer *layer, uint32_t node, mpl_amount size)
{
    if (size.half_bits > layer->size.half_bits) {
        layer->size = size;
        for (uint32_t at = 0; at < layer->member_count; at++)
            layer->is_one[layer->members[at]] = false;
        layer->member_count = 0;
    } else if (size.half_bits < layer->size.half_bits) {
        return;
    }
    layer->is_one[node] = true;
    layer->members[layer->member_count++] = node;
}

void mpl_largest_layer_find(mpl_largest_layer *layer, const mpl_worklist *list,
                            const mpl_module_sizes *sizes,
                            const mpl_class_names *whole, bool with_tensors)
{
    const memplan_modules *tree = list->tree;
    for (uint32_t at = 0; at < layer->member_count; at++)
        layer->is_one[layer->members[at]] = false;
    layer->member_count = 0;
    layer->size = (mpl_amount){0};
    for (uint32_t entry = mpl_worklist_first(list); entry != MPL_NO_NODE;
         entry = mpl_worklist_after(list, entry)) {
        if (entry >= tree->module_count) {
            if (with_tensors)
                offer(layer, entry, sizes->amounts[entry]);
            continue;
        }
        for (uint32_t at = entry; at < tree->modules[entry].end;) {
            const bool is_skipped = at != entry && tree->modules[at].is_repeat;
            if (!is_skipped && mpl_module_splits(tree, at, whole)) {
                at++;
                continue;
            }
            if (!is_skipped)
                offer(layer, at, sizes->amounts[at]);
            at = tree->modules[at].end;
        }
    }
    layer->left_count = layer->member_count;
}

void mpl_largest_layer_drop(mpl_largest_layer *layer,
                            const memplan_modules *tree, uint32_t node)
{
    const uint32_t end =
        node < tree->module_count ? tree->modules[node].end : node + 1;
    for (uint32_t at = node; at < end && layer->left_count > 0; at++) {
        layer->left_count -= layer->is_one[at];
        layer->is_one[at] = false;
    }
}
