/* SPDX-License-Identifier: MIT */
#include "model/grouping.h"

#include <stddef.h>
#include <string.h>

static uint32_t count_units(const mpl_sort_item *order, uint64_t count)
{
    uint32_t units = count > 0;
    for (uint64_t at = 1; at < count; at++)
        units += order[at].key != order[at - 1].key;
    return units;
}

static bool is_in_order(const mpl_sort_item *order, uint64_t count)
{
    for (uint64_t at = 0; at < count; at++)
        if (order[at].value != at)
            return false;
    return true;
}

static bool reorder(memplan_model *model, const mpl_sort_item *order,
                    mpl_arena *scratch)
{
    const uint64_t count = model->tensor_count;
    if (is_in_order(order, count))
        return true;
    mpl_tensor *const before = mpl_arena_alloc(scratch, count, sizeof *before);
    if (before == NULL)
        return false;
    memcpy(before, model->tensors, (size_t)count * sizeof *before);
    for (uint64_t at = 0; at < count; at++)
        model->tensors[at] = before[order[at].value];
    return true;
}

static bool make_units(memplan_model *model, const mpl_place *places,
                       const mpl_sort_item *order)
{
    mpl_unit *unit = NULL;
    for (uint32_t at = 0; at < model->tensor_count; at++) {
        const mpl_place *const place = &places[order[at].value];
        if (at == 0 || order[at].key != order[at - 1].key) {
            unit = unit == NULL ? model->units : unit + 1;
            unit->name = mpl_arena_copy(model->arena, model->tensors[at].name,
                                        place->name_length);
            unit->kind = place->kind;
            unit->layer_index = place->kind == MPL_UNIT_LAYER
                                    ? place->layer_number
                                    : MPL_NO_INDEX;
            unit->first_tensor = at;
            if (unit->name == NULL)
                return false;
        }
        unit->tensor_count++;
    }
    return true;
}

bool mpl_group_tensors(memplan_model *model, const mpl_place *places,
                       mpl_arena *scratch, const mpl_sort_item **out_order)
{
    const uint64_t count = model->tensor_count;
    mpl_sort_item *const order = mpl_arena_alloc(scratch, count, sizeof *order);
    mpl_sort_item *const spare = mpl_arena_alloc(scratch, count, sizeof *spare);
    if (order == NULL || spare == NULL)
        return false;
    for (uint64_t at = 0; at < count; at++)
        order[at] = (mpl_sort_item){places[at].order, at};
    mpl_sort(order, spare, count);
    model->unit_count = count_units(order, count);
    model->units =
        mpl_arena_alloc(model->arena, model->unit_count, sizeof *model->units);
    if (model->units == NULL || !reorder(model, order, scratch) ||
        !make_units(model, places, order))
        return false;
    if (out_order != NULL)
        *out_order = order;
    return true;
}
