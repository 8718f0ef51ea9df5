/* SPDX-License-Identifier: MIT */
/*
 * A checkpoint: weights with the config.json that says what they are for.
 *
 * The config gives the units, the state and the facts; the files give each
 * tensor's type, bytes and place. Where the two name different tensors, but of
 * as many elements, the files give the type alone. Else (a quantized
 * checkpoint, an unknown layout) the files' tensors stand, grouped by their
 * names, and only facts and state come from the config.
 */
#ifndef MPL_MODEL_CHECKPOINT_H
#define MPL_MODEL_CHECKPOINT_H

#include "memplan.h"
#include "model/model.h"

/*
 * Joins two models. Both are taken, whatever the outcome; on success one of
 * them lives on in `*out`, not finished yet. MEMPLAN_OK or _NO_MEMORY.
 */
memplan_status mpl_checkpoint_join(memplan_model **out, memplan_model *weights,
                                   memplan_model *config, memplan_error *error);

/* An index says how many bytes its shards hold, but not of which type: exactly
 * four a parameter are fp32, whatever the config says. */
void mpl_checkpoint_take_total(memplan_model *config, uint64_t total_bytes);

#endif
