/* SPDX-License-Identifier: MIT */
/* Tensors gathered into units, and ties resolved: the end of a build. */
#ifndef MPL_MODEL_ARCHITECTURE_UNITS_H
#define MPL_MODEL_ARCHITECTURE_UNITS_H

#include "model/model.h"

/* A module that stays whole, and which of the tensors are its own. */
typedef struct mpl_block {
    const char *name;
    uint32_t first_tensor;
    uint32_t tensor_count;
    uint32_t like_before; /* so many blocks before it is one that differs from
                             it in names alone; 0: none */
    uint32_t unit_index; /* once it is gathered */
    bool is_layer;
    mpl_state state;
} mpl_block;

typedef struct mpl_tie {
    const char *name;
    const char *owner;
} mpl_tie;

/* Blocks are units; all else is gathered into the largest modules that hold
 * no block. */
memplan_status mpl_units_gather(memplan_model *model, mpl_block *blocks,
                                uint64_t block_count, memplan_error *error);

/* Once the units are gathered. */
memplan_status mpl_ties_resolve(memplan_model *model, const mpl_tie *ties,
                                uint64_t tie_count, memplan_error *error);

#endif
