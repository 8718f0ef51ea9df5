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

/* What stands beside a config.json, for what that leaves out. */
typedef struct mpl_config_beside {
    mpl_json_value quantization; /* of modelopt's hf_quant_config.json */
    uint32_t dtype;              /* of the weights; MPL_DTYPE_COUNT: unknown */
} mpl_config_beside;

#define MPL_CONFIG_ALONE ((mpl_config_beside){MPL_JSON_ABSENT, MPL_DTYPE_COUNT})

/* Whether a configuration names the dtype that it is loaded in. */
bool mpl_config_names_dtype(mpl_json_value root);

/*
 * Makes a model of a parsed config.json. `config` is taken, whatever the
 * outcome: it lives in the model (model->config) or is freed.
 *
 * `source` is for messages and for the model's name: a path or a name.
 *
 * MEMPLAN_OK, _CORRUPT (a key is missing, or no value it can have: the message
 * names the key), _UNSUPPORTED (no such family, or one that only remote code
 * has), _TOO_LARGE, _NO_MEMORY.
 */
memplan_status mpl_config_read(memplan_model **out, mpl_json *config,
                               mpl_config_beside beside, const char *source,
                               memplan_error *error);

/* The same into a model that was just created, and is not finished yet:
 * model->config and model->source are set. The caller finishes and frees it;
 * messages do not name the source. */
memplan_status mpl_config_fill(memplan_model *model, mpl_config_beside beside,
                               memplan_error *error);

#endif
