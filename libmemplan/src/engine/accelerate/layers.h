/* SPDX-License-Identifier: MIT */
/*
 * The largest layer still to be placed: a main device keeps room for it. A
 * layer is a module without children, or one whose class stays whole.
 */
#ifndef MPL_ENGINE_ACCELERATE_LAYERS_H
#define MPL_ENGINE_ACCELERATE_LAYERS_H

#include "engine/accelerate/sizes.h"
#include "engine/accelerate/worklist.h"

/* Classes that are never split. */
typedef struct mpl_class_names {
    const char **names;
    uint32_t count;
} mpl_class_names;

/* Reads a JSON array of names; NULL is none. */
memplan_status mpl_class_names_read(mpl_class_names *out, mpl_arena *arena,
                                    const char *json, memplan_error *error);

bool mpl_class_names_hold(const mpl_class_names *classes, const char *name);

/* A module that may be taken apart. */
bool mpl_module_splits(const memplan_modules *tree, uint32_t node,
                       const mpl_class_names *whole);

typedef struct mpl_largest_layer {
    mpl_amount size;
    bool *is_one;      /* by node: it has that size and is still to come */
    uint32_t *members; /* the nodes that are or were */
    uint32_t member_count;
    uint32_t left_count;
} mpl_largest_layer;

/* Looks through the list again. Tensors count only where `with_tensors`. */
void mpl_largest_layer_find(mpl_largest_layer *layer, const mpl_worklist *list,
                            const mpl_module_sizes *sizes,
                            const mpl_class_names *whole, bool with_tensors);

/* A node's turn has come: it and what lies in it are no longer to come. */
void mpl_largest_layer_drop(mpl_largest_layer *layer,
                            const memplan_modules *tree, uint32_t node);

#endif
