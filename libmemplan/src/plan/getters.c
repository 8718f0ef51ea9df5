/* SPDX-License-Identifier: MIT */
/* What a caller reads of a plan. */
#include <stddef.h>

#include "base/sized.h"
#include "plan/plan.h"

memplan_status memplan_plan_describe(const memplan_plan *plan,
                                     memplan_plan_info *out_info)
{
    const memplan_plan_info row = {
        .fits = plan->fits,
        .is_optimal = plan->is_optimal,
        .gap_parts_per_million = plan->gap_parts_per_million,
        .engine = plan->engine,
        .profile = plan->profile,
        .dtype = plan->dtype,
        .kv_dtype = plan->kv_dtype,
        .context_tokens = plan->context_tokens,
        .sequences = plan->sequences,
        .decode_ns_per_token = plan->decode_ps_per_token == MEMPLAN_UNKNOWN ||
                                       plan->is_per_pass
                                   ? MEMPLAN_UNKNOWN
                                   : plan->decode_ps_per_token / 1000,
        .pool_count = plan->pool_count,
        .unit_count = plan->unit_count,
        .fix_count = plan->fix_count,
        .note_count = plan->note_count,
        .claim = plan->claim,
        .cache = plan->cache,
    };
    return mpl_copy_row(out_info, &row, sizeof row);
}

memplan_status memplan_plan_pool(const memplan_plan *plan, uint64_t index,
                                 memplan_pool_info *out_info)
{
    if (index >= plan->pool_count)
        return MEMPLAN_E_ARGUMENT;
    const mpl_plan_pool *const pool = &plan->pools[index];
    const memplan_pool_info row = {
        .name = pool->name,
        .key = pool->key,
        .capacity_bytes = pool->capacity_bytes,
        .used_bytes = pool->used_bytes,
        .short_bytes = pool->short_bytes,
        .row_count = pool->row_count,
        .free_bytes = pool->free_bytes,
    };
    return mpl_copy_row(out_info, &row, sizeof row);
}

memplan_status memplan_plan_row(const memplan_plan *plan, uint64_t pool_index,
                                uint64_t row_index, memplan_row_info *out_info)
{
    if (pool_index >= plan->pool_count ||
        row_index >= plan->pools[pool_index].row_count)
        return MEMPLAN_E_ARGUMENT;
    const mpl_row *const from = &plan->pools[pool_index].rows[row_index];
    const memplan_row_info row = {
        .category = mpl_category_name(from->category),
        .certainty = mpl_certainty_name(from->certainty),
        .rule = from->rule,
        .bytes = from->bytes,
    };
    return mpl_copy_row(out_info, &row, sizeof row);
}

memplan_status memplan_plan_placement(const memplan_plan *plan, uint64_t index,
                                      memplan_placement_info *out_info)
{
    if (index >= plan->unit_count)
        return MEMPLAN_E_ARGUMENT;
    const mpl_plan_unit *const unit = &plan->units[index];
    const memplan_placement_info row = {
        .unit = unit->name,
        .pool_index = unit->pool != MPL_NO_INDEX ? unit->pool : MEMPLAN_UNKNOWN,
        .weight_bytes = unit->weight_bytes,
    };
    return mpl_copy_row(out_info, &row, sizeof row);
}

memplan_status memplan_plan_fix(const memplan_plan *plan, uint64_t index,
                                memplan_fix_info *out_info)
{
    if (index >= plan->fix_count)
        return MEMPLAN_E_ARGUMENT;
    const mpl_plan_fix *const fix = &plan->fixes[index];
    const memplan_fix_info row = {
        .kind = fix->kind,
        .text = fix->text,
        .value = fix->value,
        .bytes = fix->bytes,
    };
    return mpl_copy_row(out_info, &row, sizeof row);
}

const char *memplan_plan_note(const memplan_plan *plan, uint64_t index)
{
    return index < plan->note_count ? plan->notes[index] : NULL;
}
