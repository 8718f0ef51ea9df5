/* SPDX-License-Identifier: MIT */
/*
 * What weights are called where quantizers name modules.
 *
 * Checkpoints name experts one by one where a running model has them in one
 * tensor: "experts.gate_up_proj" is then also "experts.0.gate_proj" and
 * "experts". All experts of a layer are packed alike.
 */
#ifndef MPL_MODEL_WEIGHT_NAMES_H
#define MPL_MODEL_WEIGHT_NAMES_H

#include "model/model.h"
#include "model/module_pattern.h"

enum { MPL_WEIGHT_NAMES = 3 };

/* Names of a weight; NULL: no more. */
typedef struct mpl_weight_names {
    const char *names[MPL_WEIGHT_NAMES];
} mpl_weight_names;

/* Experts of a layer in one tensor. */
bool mpl_is_joined_experts(const mpl_tensor *tensor);

/* How many matrices lie beneath each other in one: gate and up, or 1. */
uint64_t mpl_joined_parts(const mpl_tensor *tensor);

/* False: no memory. */
bool mpl_weight_names_of(mpl_weight_names *out, mpl_arena *arena,
                         const mpl_tensor *tensor, mpl_pattern_kind patterns);

/* A name as the checkpoint has it, by the names of the running model: what
 * Transformers renames while loading. NULL: no memory. */
const char *mpl_weight_running_name(mpl_arena *arena,
                                    const memplan_model *model,
                                    const char *name);

#endif
