/* SPDX-License-Identifier: MIT */
/*
 * Units that differ in names alone cost the same anywhere: they are one row,
 * and all that is asked of units is worked out by row.
 *
 * Pins tell apart what is alike, and quantizers leave the last unit as it is.
 */
#include "engine/transformers/job.h"

/* The unit of the last parameter. */
static uint32_t last_unit(const memplan_model *model)
{
    for (uint32_t at = model->tensor_count; at-- > 0;)
        if ((model->tensors[at].flags & MPL_TENSOR_BUFFER) == 0 &&
            model->tensors[at].tied_to == MPL_NO_INDEX)
            return model->tensors[at].unit_index;
    return MPL_NO_INDEX;
}

bool mpl_transformers_rows(mpl_job *job)
{
    const memplan_model *const model = job->model;
    const uint32_t last = last_unit(model);
    const uint64_t units = model->unit_count;
    uint32_t *const of_unit =
        mpl_arena_take(job->arena, units, sizeof *of_unit);
    job->row_of_unit = of_unit;
    job->rows = mpl_arena_take(job->arena, units, sizeof *job->rows);
    if (of_unit == NULL || job->rows == NULL)
        return false;
    for (uint32_t index = 0; index < model->unit_count; index++) {
        const uint32_t before = model->units[index].like_before;
        if (before > 0 && index != last && job->request->pins == NULL) {
            of_unit[index] = of_unit[index - before];
            job->rows[of_unit[index]].unit_count++;
        } else {
            job->rows[job->row_count] = (mpl_unit_row){.unit = index,
                                                       .unit_count = 1};
            of_unit[index] = job->row_count++;
        }
    }
    job->costs =
        mpl_arena_alloc(job->arena, job->row_count, sizeof *job->costs);
    return job->costs != NULL;
}
