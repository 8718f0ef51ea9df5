/* SPDX-License-Identifier: MIT */
/*
 * A tree of modules as PyTorch walks it: every path, also the second one to
 * an object that stands in two places.
 *
 * Nodes are numbered: the modules in the order of named_modules() without
 * removing duplicates, then the tensors, module by module. A module's subtree
 * is the range [index, end).
 */
#ifndef MPL_ENGINE_ACCELERATE_MODULES_H
#define MPL_ENGINE_ACCELERATE_MODULES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/json.h"
#include "memplan/accelerate.h"

#define MPL_NO_NODE UINT32_MAX

enum { MPL_MODULE_DEPTH_MAX = 512 };

typedef enum mpl_module_tensor_kind {
    MPL_MODULE_PARAMETER,
    MPL_MODULE_BUFFER,
    MPL_MODULE_TRANSIENT /* a buffer that state_dict() leaves out */
} mpl_module_tensor_kind;

typedef struct mpl_module {
    const char *name; /* the whole path; "" for the root */
    const char *class_name;
    uint32_t parent; /* MPL_NO_NODE for the root */
    uint32_t end;
    uint32_t first; /* index of the same object's first path */
    uint32_t first_tensor;
    uint32_t tensor_count;
    uint32_t child_count; /* distinct objects */
    bool is_repeat;       /* an earlier child of this parent is this object */
    bool is_visited;      /* named_modules() of the root comes here */
} mpl_module;

typedef struct mpl_module_tensor {
    const char *name; /* the whole path */
    const char *class_name;
    const char *dtype; /* as PyTorch spells it, without "torch." */
    const uint64_t *shape;
    uint32_t dimension_count;
    uint32_t module;
    uint32_t first; /* index of the same object's first path */
    mpl_module_tensor_kind kind;
    uint64_t element_count;
    bool is_repeat; /* as above, among its module's tensors of that kind */
} mpl_module_tensor;

/* Parameters that are one object under several names. */
typedef struct mpl_tied_group {
    const uint32_t *tensors; /* sorted by name */
    uint32_t count;
} mpl_tied_group;

struct memplan_modules {
    mpl_arena *arena;
    mpl_module *modules;
    mpl_module_tensor *tensors;
    mpl_tied_group *groups; /* in the order of their first names */
    uint32_t module_count;
    uint32_t tensor_count;
    uint32_t group_count;
};

/* The path of a node. */
const char *mpl_node_name(const memplan_modules *tree, uint32_t node);

/* The module a node stands in; MPL_NO_NODE for the root. */
uint32_t mpl_node_parent(const memplan_modules *tree, uint32_t node);

/* Finds tied parameters; called once by the reader. */
memplan_status mpl_modules_tie(memplan_modules *tree, memplan_error *error);

#endif
