/* SPDX-License-Identifier: MIT */
/* What the lines of a family's tree say that a layer keeps. */
#ifndef MPL_MODEL_LAYER_STATE_H
#define MPL_MODEL_LAYER_STATE_H

#include "model/family.h"
#include "model/model.h"

/* Adds a line "cache", "indexer", "cross" or "fixed" to a layer's state. */
memplan_status mpl_layer_state_add(mpl_state *state, const mpl_node *node,
                                   mpl_evaluation *with);

/* The value of a line "encoder"; a null says nothing. */
memplan_status mpl_encoder_tokens(uint64_t *out, const mpl_node *node,
                                  mpl_evaluation *with);

#endif
