/* SPDX-License-Identifier: MIT */
/*
 * From tensors in the order of their files to units in execution order.
 *
 * A reader says of each tensor where it belongs; tensors of equal `order` are
 * one unit and keep their order.
 */
#ifndef MPL_MODEL_GROUPING_H
#define MPL_MODEL_GROUPING_H

#include "base/sort.h"
#include "model/model.h"

typedef struct mpl_place {
    uint64_t order;        /* of the unit among units */
    uint32_t name_length;  /* of the unit's name: the front of the tensor's */
    uint32_t layer_number; /* of a layer */
    mpl_unit_kind kind;
} mpl_place;

/* Reorders model->tensors (tensor_count of them) and makes the units.
 * `*out_order`, if asked for, lives in `scratch`: the value of entry i is
 * where the i-th tensor of the model was before. False: no memory. */
bool mpl_group_tensors(memplan_model *model, const mpl_place *places,
                       mpl_arena *scratch, const mpl_sort_item **out_order);

#endif
