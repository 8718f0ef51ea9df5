/* SPDX-License-Identifier: MIT */
/*
 * Figures of a model that tables, JSON and pictures share: what its state
 * needs, and its tensors grouped into the few rows that a person reads.
 */
#ifndef MPL_DIALECT_MODEL_FIGURES_H
#define MPL_DIALECT_MODEL_FIGURES_H

#include <stdbool.h>
#include <stdint.h>

#include "model/model.h"

/* The state of one sequence, with the cache in fp16. */
typedef struct mpl_state_figures {
    uint64_t token_bytes;     /* that one more token adds, windows not full */
    uint64_t context_bytes;   /* cache at the trained context; or unknown */
    uint64_t fixed_bytes;     /* whatever the length */
    uint64_t window_tokens;   /* the widest window; 0: none */
    uint64_t cross_bytes;     /* of a token of the encoder, all layers */
    uint32_t cached_layers;   /* that keep a cache of tokens */
    uint32_t windowed_layers; /* of those, with a window */
    uint32_t fixed_layers;    /* that keep a state of fixed size */
} mpl_state_figures;

/* Sums that pass 64 bits are MEMPLAN_UNKNOWN. */
mpl_state_figures mpl_model_state(const memplan_model *model);

enum { MPL_GROUP_MAX = 32, MPL_GROUP_NAME = 96 };

/* Units whose names differ in numbers alone; or, one step in, the tensors of
 * such units that belong to one part of them ("self_attn", "experts"). */
typedef struct mpl_group {
    char name[MPL_GROUP_NAME];
    uint64_t unit_count;
    uint64_t element_count; /* of parameters, tied once */
    uint64_t bytes;         /* of parameters and buffers, tied once */
    uint32_t parent;        /* the group it is a part of, or MPL_NO_INDEX */
    uint32_t last_unit;     /* private: counts a unit once */
} mpl_group;

typedef struct mpl_groups {
    mpl_group rows[MPL_GROUP_MAX]; /* each parent before its parts */
    uint32_t count;
} mpl_groups;

/* What passes MPL_GROUP_MAX rows is summed up as "others". */
void mpl_model_group(mpl_groups *out, const memplan_model *model);

#endif
