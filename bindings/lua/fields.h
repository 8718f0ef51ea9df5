/* SPDX-License-Identifier: MIT */
/*
 * What Lua sees of memplan's structs: one row a field. Options are read and
 * rows are written by these tables; memplan.meta.lua tells editors the same.
 */
#ifndef MEMPLAN_LUA_FIELDS_H
#define MEMPLAN_LUA_FIELDS_H

#include <memplan.h>
#include <stddef.h>

typedef enum field_kind {
    TEXT,  /* const char *; nil is NULL */
    WHOLE, /* uint64_t; nil is MEMPLAN_UNKNOWN in rows */
    BYTES, /* WHOLE; in options also "20GB" */
    FLAG   /* uint64_t as a boolean */
} field_kind;

/* One field of a struct: its name in Lua and its place. */
typedef struct field {
    const char *name;
    field_kind kind;
    size_t offset;
} field;

#define FIELD(type, name, kind)                                                \
    {                                                                          \
#name, kind, offsetof(type, name)                                      \
    }
#define NAMED(type, member, name, kind)                                        \
    {                                                                          \
        name, kind, offsetof(type, member)                                     \
    }
#define COUNT(array) (sizeof(array) / sizeof *(array))

static const field RENDER_OPTIONS_FIELDS[] = {
    FIELD(memplan_render_options, width, WHOLE),
    NAMED(memplan_render_options, use_colour, "colour", FLAG),
    NAMED(memplan_render_options, use_unicode, "unicode", FLAG),
    NAMED(memplan_render_options, with_tensors, "tensors", FLAG)};

static const field MODEL_OPTIONS_FIELDS[] = {
    FIELD(memplan_model_options, hub_cache, TEXT),
    FIELD(memplan_model_options, hub_revision, TEXT),
    FIELD(memplan_model_options, ollama_store, TEXT),
    FIELD(memplan_model_options, header_max_bytes, BYTES)};

static const field MODEL_INFO_FIELDS[] = {
    FIELD(memplan_model_info, source, TEXT),
    FIELD(memplan_model_info, name, TEXT),
    FIELD(memplan_model_info, format, TEXT),
    FIELD(memplan_model_info, architecture, TEXT),
    FIELD(memplan_model_info, dtype, TEXT),
    FIELD(memplan_model_info, parameter_count, WHOLE),
    FIELD(memplan_model_info, weight_bytes, WHOLE),
    FIELD(memplan_model_info, file_bytes, WHOLE),
    FIELD(memplan_model_info, tensor_count, WHOLE),
    FIELD(memplan_model_info, unit_count, WHOLE),
    FIELD(memplan_model_info, layer_count, WHOLE),
    FIELD(memplan_model_info, context_tokens, WHOLE)};

static const field UNIT_INFO_FIELDS[] = {
    FIELD(memplan_unit_info, name, TEXT), FIELD(memplan_unit_info, kind, TEXT),
    FIELD(memplan_unit_info, weight_bytes, WHOLE),
    FIELD(memplan_unit_info, parameter_count, WHOLE),
    FIELD(memplan_unit_info, tensor_count, WHOLE)};

static const field MACHINE_OPTIONS_FIELDS[] = {
    FIELD(memplan_machine_options, root, TEXT),
    FIELD(memplan_machine_options, nvml_path, TEXT),
    FIELD(memplan_machine_options, cuda_visible_devices, TEXT),
    FIELD(memplan_machine_options, cuda_device_order, TEXT),
    FIELD(memplan_machine_options, hip_visible_devices, TEXT),
    FIELD(memplan_machine_options, rocr_visible_devices, TEXT),
    FIELD(memplan_machine_options, disk_path, TEXT)};

static const field MACHINE_INFO_FIELDS[] = {
    FIELD(memplan_machine_info, name, TEXT),
    FIELD(memplan_machine_info, total_bytes, WHOLE),
    FIELD(memplan_machine_info, available_bytes, WHOLE),
    FIELD(memplan_machine_info, limit_bytes, WHOLE),
    FIELD(memplan_machine_info, swap_free_bytes, WHOLE),
    FIELD(memplan_machine_info, cpu_model, TEXT),
    FIELD(memplan_machine_info, core_count, WHOLE),
    FIELD(memplan_machine_info, thread_count, WHOLE),
    FIELD(memplan_machine_info, device_count, WHOLE),
    FIELD(memplan_machine_info, numa_count, WHOLE)};

static const field DEVICE_INFO_FIELDS[] = {
    FIELD(memplan_device_info, name, TEXT),
    FIELD(memplan_device_info, vendor, TEXT),
    FIELD(memplan_device_info, pci, TEXT),
    FIELD(memplan_device_info, index, WHOLE),
    FIELD(memplan_device_info, total_bytes, WHOLE),
    FIELD(memplan_device_info, free_bytes, WHOLE),
    FIELD(memplan_device_info, is_unified, FLAG),
    FIELD(memplan_device_info, numa_index, WHOLE),
    FIELD(memplan_device_info, bandwidth_bytes_per_second, WHOLE),
    FIELD(memplan_device_info, link_bytes_per_second, WHOLE)};

static const field REQUEST_FIELDS[] = {
    FIELD(memplan_request, engine, TEXT),
    NAMED(memplan_request, context_tokens, "context", WHOLE),
    FIELD(memplan_request, sequences, WHOLE),
    NAMED(memplan_request, prompt_tokens, "prompt", WHOLE),
    FIELD(memplan_request, dtype, TEXT),
    FIELD(memplan_request, kv_dtype, TEXT),
    FIELD(memplan_request, settings, TEXT),
    FIELD(memplan_request, pins, TEXT),
    FIELD(memplan_request, cache, TEXT),
    FIELD(memplan_request, encoder_tokens, WHOLE),
    NAMED(memplan_request, reserve_bytes, "reserve", BYTES)};

static const field PLAN_INFO_FIELDS[] = {
    FIELD(memplan_plan_info, fits, FLAG),
    FIELD(memplan_plan_info, is_optimal, FLAG),
    FIELD(memplan_plan_info, gap_parts_per_million, WHOLE),
    FIELD(memplan_plan_info, engine, TEXT),
    FIELD(memplan_plan_info, profile, TEXT),
    FIELD(memplan_plan_info, dtype, TEXT),
    FIELD(memplan_plan_info, kv_dtype, TEXT),
    FIELD(memplan_plan_info, context_tokens, WHOLE),
    FIELD(memplan_plan_info, sequences, WHOLE),
    FIELD(memplan_plan_info, decode_ns_per_token, WHOLE),
    FIELD(memplan_plan_info, claim, TEXT),
    FIELD(memplan_plan_info, cache, TEXT)};

static const field POOL_INFO_FIELDS[] = {
    FIELD(memplan_pool_info, name, TEXT), FIELD(memplan_pool_info, key, TEXT),
    FIELD(memplan_pool_info, capacity_bytes, WHOLE),
    FIELD(memplan_pool_info, used_bytes, WHOLE),
    FIELD(memplan_pool_info, short_bytes, WHOLE),
    FIELD(memplan_pool_info, free_bytes, WHOLE)};

static const field ROW_INFO_FIELDS[] = {
    FIELD(memplan_row_info, category, TEXT),
    FIELD(memplan_row_info, certainty, TEXT),
    FIELD(memplan_row_info, rule, TEXT), FIELD(memplan_row_info, bytes, WHOLE)};

static const field PLACEMENT_INFO_FIELDS[] = {
    FIELD(memplan_placement_info, unit, TEXT),
    FIELD(memplan_placement_info, weight_bytes, WHOLE)};

static const field FIX_INFO_FIELDS[] = {FIELD(memplan_fix_info, kind, TEXT),
                                        FIELD(memplan_fix_info, text, TEXT),
                                        FIELD(memplan_fix_info, value, TEXT),
                                        FIELD(memplan_fix_info, bytes, WHOLE)};

static const field ENTRY_INFO_FIELDS[] = {
    FIELD(memplan_entry_info, name, TEXT),
    FIELD(memplan_entry_info, group, TEXT),
    FIELD(memplan_entry_info, text, TEXT),
    FIELD(memplan_entry_info, bytes, WHOLE),
    FIELD(memplan_entry_info, bytes_per_second, WHOLE)};

#endif
