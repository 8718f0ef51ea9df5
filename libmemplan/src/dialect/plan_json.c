/* SPDX-License-Identifier: MIT */
/* A plan as JSON: schema memplan.plan/1, tests/schema/plan.json. */
#include <stddef.h>

#include "base/checked.h"
#include "base/json_writer.h"
#include "dialect/device_map.h"
#include "dialect/dialect.h"
#include "plan/plan.h"

static void write_terms(mpl_json_writer *out, const memplan_plan *plan)
{
    mpl_json_open_object(out, "engine");
    mpl_json_text(out, "name", plan->engine);
    mpl_json_text(out, "profile", plan->profile);
    mpl_json_text(out, "settings", plan->settings);
    mpl_json_close(out);
    mpl_json_open_object(out, "model");
    mpl_json_text(out, "name", plan->model_name);
    mpl_json_text(out, "source", plan->model_source);
    mpl_json_text(out, "format", plan->model_format);
    mpl_json_text(out, "architecture", plan->architecture);
    mpl_json_number(out, "parameter_count", plan->parameter_count);
    mpl_json_number(out, "weight_bytes", plan->model_weight_bytes);
    mpl_json_close(out);
    mpl_json_open_object(out, "machine");
    mpl_json_text(out, "name", plan->machine_name);
    mpl_json_close(out);
    mpl_json_open_object(out, "request");
    mpl_json_number(out, "context_tokens", plan->context_tokens);
    mpl_json_number(out, "sequences", plan->sequences);
    mpl_json_text(out, "dtype", plan->dtype);
    mpl_json_text(out, "kv_dtype", plan->kv_dtype);
    mpl_json_text(out, "cache", plan->cache);
    mpl_json_close(out);
}

static void write_rows(mpl_json_writer *out, const mpl_plan_pool *pool)
{
    mpl_json_open_array(out, "rows");
    for (uint64_t at = 0; at < pool->row_count; at++) {
        const mpl_row *const row = &pool->rows[at];
        mpl_json_open_object(out, NULL);
        mpl_json_text(out, "category", mpl_category_name(row->category));
        mpl_json_number(out, "bytes", row->bytes);
        mpl_json_text(out, "certainty", mpl_certainty_name(row->certainty));
        mpl_json_text(out, "rule", row->rule);
        mpl_json_close(out);
    }
    mpl_json_close(out);
}

static void write_pools(mpl_json_writer *out, const memplan_plan *plan)
{
    mpl_json_open_array(out, "pools");
    for (uint32_t at = 0; at < plan->pool_count; at++) {
        const mpl_plan_pool *const pool = &plan->pools[at];
        mpl_json_open_object(out, NULL);
        mpl_json_text(out, "name", pool->name);
        mpl_json_text(out, "key", pool->key);
        mpl_json_number(out, "capacity_bytes", pool->capacity_bytes);
        mpl_json_number(out, "used_bytes", pool->used_bytes);
        mpl_json_number(out, "free_bytes", pool->free_bytes);
        mpl_json_number(out, "short_bytes", pool->short_bytes);
        write_rows(out, pool);
        mpl_json_close(out);
    }
    mpl_json_close(out);
}

static void write_placement(mpl_json_writer *out, const memplan_plan *plan)
{
    mpl_json_open_array(out, "placement");
    for (uint32_t at = 0; at < plan->unit_count; at++) {
        const mpl_plan_unit *const unit = &plan->units[at];
        out->is_inline = true;
        mpl_json_open_object(out, NULL);
        mpl_json_text(out, "unit", unit->name);
        mpl_json_text(out, "kind", mpl_unit_kind_name(unit->kind));
        mpl_json_text(out, "pool",
                      unit->pool == MPL_NO_INDEX ? NULL
                                                 : plan->pools[unit->pool].key);
        mpl_json_number(out, "weight_bytes", unit->weight_bytes);
        mpl_json_close(out);
        out->is_inline = false;
    }
    mpl_json_close(out);
    if (mpl_plan_has_device_map(plan)) {
        mpl_json_device_map(out, "device_map", plan);
        if (!mpl_json_max_memory(out, "max_memory", plan))
            mpl_json_null(out, "max_memory");
    } else {
        mpl_json_null(out, "device_map");
        mpl_json_null(out, "max_memory");
    }
}

/* 10^12 picoseconds, with three decimals. */
static void write_rate(mpl_json_writer *out, const char *key,
                       uint64_t ps_per_token)
{
    const uint64_t thousandths = UINT64_C(1000000000000000);
    const bool is_known = ps_per_token != MEMPLAN_UNKNOWN && ps_per_token > 0;
    mpl_json_decimal(
        out, key, is_known ? thousandths / ps_per_token : MEMPLAN_UNKNOWN, 3);
}

static void write_timing(mpl_json_writer *out, const memplan_plan *plan)
{
    const uint64_t ps = plan->decode_ps_per_token;
    const uint64_t token_ps = plan->is_per_pass ? MEMPLAN_UNKNOWN : ps;
    mpl_json_open_object(out, "timing");
    write_rate(out, "decode_tokens_per_second", token_ps);
    write_rate(out, "passes_per_second",
               plan->is_per_pass ? ps : MEMPLAN_UNKNOWN);
    write_rate(out, "prompt_tokens_per_second", plan->prompt_ps_per_token);
    if (ps != MEMPLAN_UNKNOWN)
        mpl_json_text(out, "certainty", mpl_certainty_name(MPL_BOUND));
    else
        mpl_json_number(out, "certainty", MEMPLAN_UNKNOWN);
    mpl_json_number(out, "decode_ns_per_token",
                    token_ps == MEMPLAN_UNKNOWN ? MEMPLAN_UNKNOWN
                                                : token_ps / 1000);
    mpl_json_close(out);
}

static void write_advice(mpl_json_writer *out, const memplan_plan *plan)
{
    mpl_json_open_array(out, "fixes");
    for (uint32_t at = 0; at < plan->fix_count; at++) {
        const mpl_plan_fix *const fix = &plan->fixes[at];
        mpl_json_open_object(out, NULL);
        mpl_json_text(out, "kind", fix->kind);
        mpl_json_text(out, "text", fix->text);
        mpl_json_text(out, "value", fix->value);
        mpl_json_number(out, "bytes", fix->bytes);
        mpl_json_close(out);
    }
    mpl_json_close(out);
    mpl_json_open_array(out, "notes");
    for (uint32_t at = 0; at < plan->note_count; at++)
        mpl_json_text(out, NULL, plan->notes[at]);
    mpl_json_close(out);
}

MPL_PLAN_WRITER(mpl_plan_write_json)
{
    mpl_json_writer out = {.text = text};
    (void)style;
    (void)error;
    mpl_json_open_object(&out, NULL);
    mpl_json_text(&out, "schema", "memplan.plan/1");
    mpl_json_flag(&out, "fits", plan->fits);
    mpl_json_flag(&out, "optimal", plan->is_optimal);
    mpl_json_decimal(&out, "gap", plan->gap_parts_per_million, 6);
    mpl_json_text(&out, "claim", plan->claim != NULL ? plan->claim : "");
    mpl_json_flag(&out, "searched", plan->was_searched);
    write_terms(&out, plan);
    write_pools(&out, plan);
    write_placement(&out, plan);
    write_timing(&out, plan);
    write_advice(&out, plan);
    mpl_json_close(&out);
    mpl_text_add(text, "\n");
    return MEMPLAN_OK;
}
