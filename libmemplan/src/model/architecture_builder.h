/* SPDX-License-Identifier: MIT */
/* The state of a walk over a family's tree. */
#ifndef MPL_MODEL_ARCHITECTURE_BUILDER_H
#define MPL_MODEL_ARCHITECTURE_BUILDER_H

#include "model/architecture.h"
#include "model/architecture_units.h"

enum {
    MPL_BUILDER_NAME_SIZE = 512,
    MPL_BUILDER_TENSORS_MAX = 1 << 20 /* of one model */
};

typedef struct mpl_builder {
    memplan_model *model;
    mpl_architecture *out;
    uint32_t dtype;
    uint64_t tensor_capacity;
    mpl_block *blocks;
    uint64_t block_count;
    uint64_t block_capacity;
    mpl_tie *ties;
    uint64_t tie_count;
    uint64_t tie_capacity;
    mpl_block *block; /* that the walk is in, or NULL */
    bool is_trunk;    /* not in a vision or audio tower */
    uint32_t use_depth;
    uint32_t list_depth;
    uint64_t path_length;
    char path[MPL_BUILDER_NAME_SIZE];
} mpl_builder;

#endif
