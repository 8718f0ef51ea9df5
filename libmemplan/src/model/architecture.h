/* SPDX-License-Identifier: MIT */
/*
 * The tensors and units of a model, made of a family's tree and the values of
 * one configuration.
 */
#ifndef MPL_MODEL_ARCHITECTURE_H
#define MPL_MODEL_ARCHITECTURE_H

#include "base/json.h"
#include "model/family.h"
#include "model/model.h"
#include "model/scope.h"

/* What a built architecture says of itself. */
typedef struct mpl_architecture {
    mpl_scope *root;
    mpl_scope *trunk; /* the configuration whose layers keep a cache */
} mpl_architecture;

/*
 * Fills the model's tensors and units by the tree of `class_name`. All floats
 * have `dtype` but those that the family keeps in another.
 */
memplan_status mpl_architecture_build(mpl_architecture *out,
                                      memplan_model *model,
                                      const mpl_family *family,
                                      mpl_json_value config,
                                      const char *class_name, uint32_t dtype,
                                      memplan_error *error);

#endif
