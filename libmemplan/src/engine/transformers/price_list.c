/* SPDX-License-Identifier: MIT */
/*
 * The costs of a job, for plans to keep. What device_map="auto" counts of a
 * unit is parameters and buffers as the modules hold them, which a quantizer
 * states by the bits of an element: scales are not in it, and it fills nine
 * tenths of a budget for their sake (HQQ does not).
 */
#include <string.h>

#include "base/checked.h"
#include "engine/transformers/job.h"

/* What an element that a quantizer takes will take. */
static bool add_counted(uint64_t *sum, const mpl_job *job, uint32_t tensor)
{
    const mpl_tensor *const at = &job->model->tensors[tensor];
    uint64_t bytes = 0;
    if (at->tied_to != MPL_NO_INDEX)
        return true;
    if (mpl_is_quantized(job->model, tensor) &&
        (at->flags & MPL_TENSOR_BUFFER) == 0)
        return mpl_mul_div(&bytes, at->element_count, job->loading->bits, 8) &&
               mpl_add(sum, *sum, bytes);
    return mpl_transformers_tensor_bytes(&bytes, job, tensor, job->scheme) &&
           mpl_add(sum, *sum, bytes);
}

static bool count(uint64_t *out, const mpl_job *job, uint32_t row)
{
    const mpl_unit_cost *const cost = &job->costs[row];
    const mpl_unit *const unit = mpl_transformers_unit(job, row);
    if (job->loading->bits == 0)
        return mpl_add(out, cost->device_bytes, cost->buffer_bytes);
    *out = 0;
    for (uint32_t at = 0; at < unit->tensor_count; at++)
        if (!add_counted(out, job, unit->first_tensor + at))
            return false;
    return true;
}

/* A layer, or one block of several, is of a class that stays whole; what else
 * has parts is taken apart to its leaves. */
static bool is_whole(const mpl_job *job, uint32_t row)
{
    return mpl_transformers_unit(job, row)->kind == MPL_UNIT_LAYER ||
           job->rows[row].unit_count > 1;
}

static bool fill_row(mpl_price_row *out, const mpl_job *job, uint32_t row)
{
    const mpl_unit_cost *const cost = &job->costs[row];
    if (!mpl_transformers_resident(&out->home_bytes, cost) ||
        !mpl_add(&out->here_bytes, cost->device_bytes, out->home_bytes) ||
        !count(&out->counted_bytes, job, row))
        return false;
    out->largest_bytes = is_whole(job, row)
                             ? out->counted_bytes
                             : mpl_min(cost->leaf_bytes, out->counted_bytes);
    out->away_bytes = cost->offloaded_bytes;
    out->relay_bytes = cost->stored_leaf_bytes;
    if (job->host_pool != MPL_NO_INDEX)
        out->staging_bytes[MPL_POOL_HOST] =
            mpl_transformers_staging(job, cost, job->host_pool);
    if (job->disk_pool != MPL_NO_INDEX)
        out->staging_bytes[MPL_POOL_DISK] =
            mpl_transformers_staging(job, cost, job->disk_pool);
    return true;
}

static bool fill_pools(mpl_price_list *out, const mpl_job *job,
                       mpl_arena *arena)
{
    const memplan_machine *const machine = job->machine;
    uint64_t *const open =
        mpl_arena_alloc(arena, machine->pool_count, sizeof *open);
    uint64_t *const budgets =
        mpl_arena_take(arena, machine->budget_count, sizeof *budgets);
    if (open == NULL || budgets == NULL)
        return false;
    for (uint32_t at = 0; at < machine->pool_count; at++)
        open[at] = mpl_transformers_open(job, at);
    memcpy(budgets, machine->budget_bytes,
           machine->budget_count * sizeof *budgets);
    out->open_bytes = open;
    out->budget_bytes = budgets;
    out->budget_count = machine->budget_count;
    return mpl_add(&out->process_bytes, mpl_transformers_host_runtime(job),
                   job->away_bytes);
}

static void fill_rests(mpl_price_list *out, const mpl_job *job)
{
    const uint32_t away = job->loading->away;
    const bool is_alone = (away & MPL_AWAY_ALONE) != 0;
    out->may_rest[0][MPL_POOL_DEVICE] = true;
    out->may_rest[0][MPL_POOL_HOST] = (away & MPL_AWAY_HOST) != 0;
    out->may_rest[0][MPL_POOL_DISK] = (away & MPL_AWAY_DISK) != 0;
    out->may_rest[1][MPL_POOL_HOST] = is_alone;
    out->may_rest[1][MPL_POOL_DISK] = is_alone && job->loading->bits == 0;
}

bool mpl_transformers_price_list(const mpl_job *job, mpl_arena *arena,
                                 mpl_price_list *out)
{
    const uint64_t units = job->model->unit_count;
    mpl_price_row *const rows =
        mpl_arena_alloc(arena, job->row_count, sizeof *rows);
    uint32_t *const row_of_unit =
        mpl_arena_take(arena, units, sizeof(uint32_t));
    uint32_t *const tied_to = mpl_arena_take(arena, units, sizeof(uint32_t));
    *out = (mpl_price_list){0};
    if (rows == NULL || row_of_unit == NULL || tied_to == NULL ||
        !fill_pools(out, job, arena))
        return false;
    memcpy(row_of_unit, job->row_of_unit, units * sizeof *row_of_unit);
    memcpy(tied_to, job->tied_to, units * sizeof *tied_to);
    for (uint32_t row = 0; row < job->row_count; row++)
        if (!fill_row(&rows[row], job, row))
            return false;
    fill_rests(out, job);
    out->rows = rows;
    out->row_of_unit = row_of_unit;
    out->tied_to = tied_to;
    out->filled_tenths =
        job->loading->bits != 0 && (job->loading->away & MPL_AWAY_LATER) == 0
            ? 9
            : 10;
    return true;
}
