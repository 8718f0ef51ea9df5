/* SPDX-License-Identifier: MIT */
/*
 * Reads a tree of modules:
 *
 *     {"modules": [[name, class, parent, first], …],
 *      "tensors": [[name, class, module, kind, dtype, shape, first], …]}
 *
 * `first` is the index of the first row that is the same object: its own
 * where it is the first. Modules come in preorder, the root first with parent
 * null; tensors in the order of their modules. kind is 0 for a parameter, 1
 * for a buffer, 2 for one that is not saved.
 */
#include "engine/accelerate/modules.h"

#include <string.h>

#include "base/checked.h"
#include "base/failure.h"
#include "engine/accelerate/document.h"

enum {
    MAX_NODES = 1 << 22, /* modules, and tensors: beyond any model */
    MAX_DEPTH = MPL_MODULE_DEPTH_MAX,
    MAX_DIMENSIONS = 16
};

const char *mpl_node_name(const memplan_modules *tree, uint32_t node)
{
    return node < tree->module_count
               ? tree->modules[node].name
               : tree->tensors[node - tree->module_count].name;
}

uint32_t mpl_node_parent(const memplan_modules *tree, uint32_t node)
{
    return node < tree->module_count
               ? tree->modules[node].parent
               : tree->tensors[node - tree->module_count].module;
}

/* A row that is being read: sticky, so that a row is checked once. */
typedef struct row {
    mpl_json_walk walk;
    bool failed;
} row;

static const char *next_text(row *from)
{
    const char *text = NULL;
    if (mpl_json_next(&from->walk))
        text = mpl_json_string(from->walk.value, NULL);
    from->failed = from->failed || text == NULL;
    return text != NULL ? text : "";
}

static uint32_t next_index(row *from, uint64_t limit)
{
    uint64_t value = 0;
    if (!mpl_json_next(&from->walk) ||
        !mpl_json_u64(from->walk.value, &value) || value >= limit)
        from->failed = true;
    return from->failed ? 0 : (uint32_t)value;
}

/* "parent.name"; names have no dots, as PyTorch demands. */
static const char *join(memplan_modules *tree, const char *parent,
                        const char *name)
{
    if (*parent == '\0')
        return mpl_arena_strdup(tree->arena, name);
    return mpl_arena_format(tree->arena, "%s.%s", parent, name);
}

static bool is_plain(const char *name)
{
    return *name != '\0' && strchr(name, '.') == NULL;
}

static memplan_status bad_row(memplan_error *error, const char *table,
                              uint32_t index)
{
    return mpl_fail(error, MEMPLAN_E_ARGUMENT, MPL_NOWHERE,
                    "module tree: %s: row %u does not follow the format", table,
                    index);
}

/* Preorder: the parent is the module before, or one of those around it. */
static bool is_open(const memplan_modules *tree, uint32_t index,
                    uint32_t parent)
{
    uint32_t around = index - 1;
    while (around != MPL_NO_NODE && around != parent)
        around = tree->modules[around].parent;
    return around != MPL_NO_NODE;
}

static uint32_t depth_of(const memplan_modules *tree, uint32_t index)
{
    uint32_t depth = 0;
    for (; index != MPL_NO_NODE; index = tree->modules[index].parent)
        depth++;
    return depth;
}

static memplan_status read_module(memplan_modules *tree, uint32_t index,
                                  mpl_json_value value, memplan_error *error)
{
    mpl_module *module = &tree->modules[index];
    row from = {.walk = mpl_json_begin(value)};
    const char *name = next_text(&from);
    module->class_name = mpl_arena_strdup(tree->arena, next_text(&from));
    module->parent = MPL_NO_NODE;
    if (index > 0) {
        module->parent = next_index(&from, index);
    } else if (!mpl_json_next(&from.walk) ||
               mpl_json_type_of(from.walk.value) != MPL_JSON_NULL) {
        from.failed = true;
    }
    module->first = next_index(&from, (uint64_t)index + 1);
    if (from.failed || (index == 0) != (*name == '\0') ||
        tree->modules[module->first].first != module->first)
        return bad_row(error, "modules", index);
    if (index > 0 && (!is_plain(name) || !is_open(tree, index, module->parent)))
        return bad_row(error, "modules", index);
    if (depth_of(tree, index) > MAX_DEPTH)
        return mpl_fail(error, MEMPLAN_E_TOO_LARGE, MPL_NOWHERE,
                        "module tree: row %u is nested deeper than %d", index,
                        MAX_DEPTH);
    module->name =
        index == 0 ? "" : join(tree, tree->modules[module->parent].name, name);
    if (module->class_name == NULL || module->name == NULL)
        return mpl_fail_memory(error);
    for (uint32_t around = index; around != MPL_NO_NODE;
         around = tree->modules[around].parent)
        tree->modules[around].end = index + 1;
    return MEMPLAN_OK;
}

/* The shape and the product of its dimensions. */
static memplan_status read_shape(memplan_modules *tree, uint32_t index,
                                 row *from, memplan_error *error)
{
    mpl_module_tensor *tensor = &tree->tensors[index];
    if (!mpl_json_next(&from->walk) ||
        mpl_json_type_of(from->walk.value) != MPL_JSON_ARRAY)
        return bad_row(error, "tensors", index);
    const uint64_t count = mpl_json_count(from->walk.value);
    if (count > MAX_DIMENSIONS)
        return bad_row(error, "tensors", index);
    uint64_t *shape = mpl_arena_alloc(tree->arena, count, sizeof *shape);
    if (shape == NULL)
        return mpl_fail_memory(error);
    tensor->shape = shape;
    tensor->dimension_count = (uint32_t)count;
    tensor->element_count = 1;
    mpl_json_walk walk = mpl_json_begin(from->walk.value);
    for (uint32_t at = 0; mpl_json_next(&walk); at++) {
        if (!mpl_json_u64(walk.value, &shape[at]))
            return bad_row(error, "tensors", index);
        if (!mpl_mul(&tensor->element_count, tensor->element_count, shape[at]))
            return mpl_fail(error, MEMPLAN_E_TOO_LARGE, MPL_NOWHERE,
                            "module tree: tensors: row %u: the shape's "
                            "product passes 64 bits",
                            index);
    }
    return MEMPLAN_OK;
}

static memplan_status read_tensor(memplan_modules *tree, uint32_t index,
                                  mpl_json_value value, memplan_error *error)
{
    mpl_module_tensor *tensor = &tree->tensors[index];
    row from = {.walk = mpl_json_begin(value)};
    const char *name = next_text(&from);
    tensor->class_name = mpl_arena_strdup(tree->arena, next_text(&from));
    tensor->module = next_index(&from, tree->module_count);
    tensor->kind = next_index(&from, MPL_MODULE_TRANSIENT + 1);
    tensor->dtype = mpl_arena_strdup(tree->arena, next_text(&from));
    if (from.failed || !is_plain(name) ||
        (index > 0 && tensor->module < tree->tensors[index - 1].module))
        return bad_row(error, "tensors", index);
    memplan_status status = read_shape(tree, index, &from, error);
    if (status != MEMPLAN_OK)
        return status;
    tensor->first = next_index(&from, (uint64_t)index + 1);
    if (from.failed || tree->tensors[tensor->first].first != tensor->first)
        return bad_row(error, "tensors", index);
    tensor->name = join(tree, tree->modules[tensor->module].name, name);
    if (tensor->class_name == NULL || tensor->dtype == NULL ||
        tensor->name == NULL)
        return mpl_fail_memory(error);
    mpl_module *module = &tree->modules[tensor->module];
    if (module->tensor_count++ == 0)
        module->first_tensor = index;
    return MEMPLAN_OK;
}

/* What named_children() and named_modules() leave out: an object that was
 * seen before. `last` marks objects with the parent that saw them last. */
static memplan_status mark_modules(memplan_modules *tree, memplan_error *error)
{
    uint32_t *last =
        mpl_arena_alloc(tree->arena, tree->module_count, sizeof *last);
    bool *seen = mpl_arena_alloc(tree->arena, tree->module_count, sizeof *seen);
    if (last == NULL || seen == NULL)
        return mpl_fail_memory(error);
    for (uint32_t at = 0; at < tree->module_count; at++) {
        mpl_module *module = &tree->modules[at];
        const uint32_t parent = module->parent;
        module->is_visited =
            (parent == MPL_NO_NODE || tree->modules[parent].is_visited) &&
            !seen[module->first];
        seen[module->first] = seen[module->first] || module->is_visited;
        for (uint32_t child = at + 1; child < module->end;
             child = tree->modules[child].end) {
            mpl_module *below = &tree->modules[child];
            below->is_repeat = last[below->first] == at + 1;
            last[below->first] = at + 1;
            module->child_count += !below->is_repeat;
        }
    }
    return MEMPLAN_OK;
}

static memplan_status mark_tensors(memplan_modules *tree, memplan_error *error)
{
    /* The module that saw the object last, as a parameter and as a buffer. */
    uint32_t *last =
        mpl_arena_alloc(tree->arena, tree->tensor_count, 2 * sizeof *last);
    if (last == NULL)
        return mpl_fail_memory(error);
    for (uint32_t at = 0; at < tree->tensor_count; at++) {
        mpl_module_tensor *tensor = &tree->tensors[at];
        const bool is_buffer = tensor->kind != MPL_MODULE_PARAMETER;
        uint32_t *mark = &last[(uint64_t)tensor->first * 2 + is_buffer];
        tensor->is_repeat = *mark == tensor->module + 1;
        *mark = tensor->module + 1;
    }
    return MEMPLAN_OK;
}

static memplan_status read_rows(memplan_modules *tree, mpl_json_value root,
                                memplan_error *error)
{
    const mpl_json_value modules = mpl_json_get(root, "modules");
    const mpl_json_value tensors = mpl_json_get(root, "tensors");
    const uint64_t module_count = mpl_json_count(modules);
    const uint64_t tensor_count = mpl_json_count(tensors);
    if (mpl_json_type_of(modules) != MPL_JSON_ARRAY ||
        mpl_json_type_of(tensors) != MPL_JSON_ARRAY || module_count == 0)
        return mpl_fail(error, MEMPLAN_E_ARGUMENT, MPL_NOWHERE,
                        "module tree: it must hold \"modules\", with a root, "
                        "and \"tensors\"");
    if (module_count > MAX_NODES || tensor_count > MAX_NODES)
        return mpl_fail(error, MEMPLAN_E_TOO_LARGE, MPL_NOWHERE,
                        "module tree: more than %d modules or tensors",
                        MAX_NODES);
    tree->modules =
        mpl_arena_alloc(tree->arena, module_count, sizeof *tree->modules);
    tree->tensors =
        mpl_arena_alloc(tree->arena, tensor_count, sizeof *tree->tensors);
    if (tree->modules == NULL || tree->tensors == NULL)
        return mpl_fail_memory(error);
    memplan_status status = MEMPLAN_OK;
    mpl_json_walk walk = mpl_json_begin(modules);
    while (status == MEMPLAN_OK && mpl_json_next(&walk)) {
        tree->modules[tree->module_count].first = tree->module_count;
        status = read_module(tree, tree->module_count, walk.value, error);
        tree->module_count++;
    }
    walk = mpl_json_begin(tensors);
    while (status == MEMPLAN_OK && mpl_json_next(&walk)) {
        tree->tensors[tree->tensor_count].first = tree->tensor_count;
        status = read_tensor(tree, tree->tensor_count, walk.value, error);
        tree->tensor_count++;
    }
    return status;
}

memplan_status memplan_modules_parse(memplan_modules **out, const char *json,
                                     uint64_t json_bytes, memplan_error *error)
{
    mpl_arena *arena = mpl_arena_create();
    memplan_modules *tree =
        arena != NULL ? mpl_arena_alloc(arena, 1, sizeof *tree) : NULL;
    if (tree == NULL) {
        mpl_arena_free(arena);
        return mpl_fail_memory(error);
    }
    tree->arena = arena;
    mpl_json *document = NULL;
    memplan_status status =
        mpl_document_parse(&document, json, json_bytes, error);
    if (status == MEMPLAN_OK)
        status = read_rows(tree, mpl_json_root(document), error);
    mpl_json_free(document);
    if (status == MEMPLAN_OK)
        status = mark_modules(tree, error);
    if (status == MEMPLAN_OK)
        status = mark_tensors(tree, error);
    if (status == MEMPLAN_OK)
        status = mpl_modules_tie(tree, error);
    if (status != MEMPLAN_OK) {
        mpl_arena_free(arena);
        return status;
    }
    *out = tree;
    return MEMPLAN_OK;
}

void memplan_modules_free(memplan_modules *tree)
{
    if (tree != NULL)
        mpl_arena_free(tree->arena);
}
