/* SPDX-License-Identifier: MIT */
/*
 * What a pool holds while weights load, where loading joins tensors: experts,
 * which most checkpoints have one by one. There is no cache yet, but of the
 * R bytes of one joined tensor R more are there:
 *
 *     gate_up_proj   its parts are stacked into gate and into up (R), and
 *                    these are joined (R); only then the stacks go
 *     down_proj      its parts (R), and their stack (R)
 *
 *     peak = weights + buffers + runtime + the largest R
 *
 * Threads read ahead of the joining, so all else may be there by then; one
 * tensor is joined at a time. What goes to disk is joined on the host, where
 * none of it stays: 2R.
 *
 * What parts leave on a device are gaps between others, in which the next
 * stack may find no place: torch's expandable segments give them back, and
 * without them there is no sure bound. A note tells where less than 2R is left.
 *
 * Transformers 5.23, core_model_loading.py: the operations MergeModulelist and
 * Concatenate of convert_and_load_state_dict_in_model(). R was measured on the
 * host, with and without its threads.
 */
#include <stddef.h>

#include "base/checked.h"
#include "engine/transformers/job.h"

/* One pool, summed over units. */
typedef struct load {
    uint64_t weights;
    uint64_t joining;
} load;

static void add_unit(const mpl_job *job, load *pools, uint32_t unit,
                     uint32_t pool, uint32_t home)
{
    const mpl_unit_cost *const cost = &job->costs[job->row_of_unit[unit]];
    const bool is_on_disk = job->machine->pools[pool].kind == MPL_POOL_DISK;
    const uint32_t joins_on = is_on_disk ? job->host_pool : pool;
    load *const here = &pools[pool];
    load *const there = &pools[home];
    if (!mpl_add(&here->weights, here->weights,
                 pool == home ? cost->device_bytes : cost->offloaded_bytes))
        here->weights = UINT64_MAX;
    if (!mpl_add(&there->weights, there->weights, cost->buffer_bytes))
        there->weights = UINT64_MAX;
    uint64_t joining = cost->joined_bytes;
    if (is_on_disk && !mpl_add(&joining, joining, joining))
        joining = UINT64_MAX;
    if (joins_on != MPL_NO_INDEX)
        pools[joins_on].joining = mpl_max(pools[joins_on].joining, joining);
}

/* A reserve is free until the weights are there: of it, what a driver takes
 * is gone. */
static uint64_t runtime_bytes(const mpl_job *job, uint32_t pool)
{
    return job->machine->pools[pool].kind == MPL_POOL_HOST
               ? mpl_transformers_host_runtime(job)
               : mpl_min(mpl_transformers_device_runtime(job, pool),
                         MPL_DEVICE_RUNTIME_BYTES);
}

void mpl_transformers_load_peaks(const mpl_job *job,
                                 const mpl_placement *placement,
                                 mpl_load_peak *out)
{
    load pools[MPL_PROBLEM_POOLS_MAX] = {0};
    const uint32_t main = mpl_transformers_main(job, placement);
    for (uint32_t unit = 0; unit < job->model->unit_count; unit++) {
        const uint32_t pool = placement->pool_of_unit[unit];
        add_unit(job, pools, unit, pool,
                 mpl_transformers_home(job, pool, main));
    }
    for (uint32_t pool = 0; pool < job->machine->pool_count; pool++) {
        const load *const here = &pools[pool];
        out[pool] = (mpl_load_peak){.joining_bytes = here->joining};
        if (here->joining == 0)
            continue;
        if (!mpl_add(&out[pool].bytes, here->weights, here->joining) ||
            !mpl_add(&out[pool].bytes, out[pool].bytes,
                     runtime_bytes(job, pool)))
            out[pool].bytes = UINT64_MAX;
    }
}

void mpl_transformers_loading(const mpl_job *job,
                              const mpl_placement *placement, uint64_t *out)
{
    mpl_load_peak peaks[MPL_PROBLEM_POOLS_MAX];
    mpl_transformers_load_peaks(job, placement, peaks);
    for (uint32_t pool = 0; pool < job->machine->pool_count; pool++)
        out[pool] = peaks[pool].bytes;
    if (job->host_pool != MPL_NO_INDEX)
        out[job->host_pool] = mpl_sub_floor(
            out[job->host_pool], mpl_transformers_host_gone(job));
}
