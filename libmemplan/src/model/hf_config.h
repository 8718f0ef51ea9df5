/* SPDX-License-Identifier: MIT */
/*
 * config.json: a Transformers model from its configuration alone.
 *
 * The family's rows (model/family.h) say which modules there are; the result
 * has the tensors that the running model has, by the names it has them under.
 */
#ifndef MPL_MODEL_HF_CONFIG_H
#define MPL_MODEL_HF_CONFIG_H

#include "base/json.h"
#include "memplan.h"
#include "model/model.h"

/*
 * Makes a model of a parsed config.json. `config` is taken, whatever the
 * outcome: it lives in the model (model->config) or is freed.
 *
 * `quantization` stands for a quantization_config where that has none: what a
 * quantizer has left beside it (modelopt's hf_quant_config.json), or absent.
 * `source` is for messages and for the model's name: a path or a name.
 *
 * MEMPLAN_OK, _CORRUPT (a key is missing, or no value it can have: the message
 * names the key), _UNSUPPORTED (no such family, or one that only remote code
 * has), _TOO_LARGE, _NO_MEMORY.
 */
memplan_status mpl_config_read(memplan_model **out, mpl_json *config,
                               mpl_json_value quantization, const char *source,
                               memplan_error *error);

/* The same into a model that was just created, and is not finished yet:
 * model->config and model->source are set. The caller finishes and frees it;
 * messages do not name the source. */
memplan_status mpl_config_fill(memplan_model *model,
                               mpl_json_value quantization,
                               memplan_error *error);

#endif
