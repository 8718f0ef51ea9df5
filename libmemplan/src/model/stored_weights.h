/* SPDX-License-Identifier: MIT */
/*
 * Weights that a checkpoint stores quantized: what "quantization_config" of a
 * config.json says of each module.
 */
#ifndef MPL_MODEL_STORED_WEIGHTS_H
#define MPL_MODEL_STORED_WEIGHTS_H

#include "base/json.h"
#include "memplan.h"
#include "model/model.h"

/*
 * `expert_dtype` is what the model's own keys say of its experts, or NULL.
 *
 * Gives each quantized weight of a built model the bytes that it takes, its
 * scales and zero points counted in. Sizes and shapes stay those of the
 * weight that is meant. A method that is not known, or that differs by layer,
 * changes nothing: the bytes are then those of the model's own dtype.
 *
 * MEMPLAN_OK, _CORRUPT (the message names the key), _TOO_LARGE.
 */
memplan_status mpl_stored_weights_apply(memplan_model *model,
                                        mpl_json_value quantization,
                                        const char *expert_dtype,
                                        memplan_error *error);

#endif
