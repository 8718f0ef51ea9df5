/* SPDX-License-Identifier: MIT */
/*
 * A checkpoint: weights with the config.json that says what they are for.
 *
 * The config gives tensors, units, state and facts: what a running model has,
 * in the types it has them in; the files give places, and what it takes on
 * disk. The two may name different tensors, where loading joins or splits
 * some: then each layer has to have as much on either side. Else (an unknown
 * layout) the files' tensors stand, grouped by their names, and only facts and
 * state come from the config; a note says so.
 */
#ifndef MPL_MODEL_CHECKPOINT_H
#define MPL_MODEL_CHECKPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "memplan.h"
#include "model/model.h"

/*
 * Joins two models. Both are taken, whatever the outcome; on success one of
 * them lives on in `*out`, not finished yet. MEMPLAN_OK or _NO_MEMORY.
 */
memplan_status mpl_checkpoint_join(memplan_model **out, memplan_model *weights,
                                   memplan_model *config, memplan_error *error);

/* The float dtype of most elements; MPL_DTYPE_COUNT: none. */
uint32_t mpl_checkpoint_dtype(const memplan_model *weights);

/* Whether an index's total is two bytes a parameter, and not four. */
bool mpl_checkpoint_is_half(const memplan_model *config, uint64_t total_bytes);

/* What an index says that its shards hold. False: no memory. */
bool mpl_checkpoint_take_total(memplan_model *config, uint64_t total_bytes);

#endif
