/* SPDX-License-Identifier: MIT */
/*
 * One run of Accelerate's placement: modules in order onto devices in order,
 * split where they do not fit, tied ones together.
 */
#ifndef MPL_ENGINE_ACCELERATE_MAPPING_H
#define MPL_ENGINE_ACCELERATE_MAPPING_H

#include "engine/accelerate/budgets.h"
#include "engine/accelerate/layers.h"

typedef struct mpl_mapping {
    const memplan_modules *tree;
    mpl_module_sizes sizes;
    mpl_storage storage;
    mpl_class_names whole;
    mpl_budgets devices; /* the last is the disk */
    uint32_t current;    /* the device being filled */
    mpl_amount *used;    /* by device */
    mpl_amount *buffers; /* of the modules on it, by device */
    mpl_amount *minimum; /* what a device would have needed, by device */
    bool *has_minimum;
    mpl_worklist list;
    mpl_worklist search; /* scratch of the fallback */
    mpl_largest_layer largest;
    uint32_t *tied;         /* tensors tied to the node at hand, outside it */
    uint32_t *tied_modules; /* the entries of the list that hold them */
    uint32_t tied_count;
    uint32_t *seen;   /* scratch of mpl_module_buffers() */
    uint32_t *order;  /* nodes as they were placed */
    uint32_t *device; /* by node; MPL_NO_NODE: not placed */
    uint32_t order_count;
    bool offload_buffers;
    bool fallback_allocation;
} mpl_mapping;

/* Finds the parameters tied to a node that lie outside it. */
void mpl_mapping_tie(mpl_mapping *map, uint32_t node);

/*
 * The size of a node with the entries of `list` that hold its tied
 * parameters. MEMPLAN_E_NOT_FOUND where one is in no entry: Accelerate breaks
 * there too.
 */
memplan_status mpl_mapping_tied_size(mpl_mapping *map, const mpl_worklist *list,
                                     uint32_t node, mpl_amount *out,
                                     memplan_error *error);

/*
 * Looks for a node of at most `limit`, the first that comes, taking modules
 * apart on the way. Sets `*out` and takes it from the list, or sets
 * MPL_NO_NODE.
 */
memplan_status mpl_mapping_fall_back(mpl_mapping *map, mpl_amount limit,
                                     uint32_t *out, memplan_error *error);

/* Places all that is in the list. */
memplan_status mpl_mapping_run(mpl_mapping *map, memplan_error *error);

#endif
