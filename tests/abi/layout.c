/* SPDX-License-Identifier: MIT */
/*
 * The layout of every public struct, fixed at compile time for 64-bit hosts.
 * A line that fails here is a broken ABI: append fields, never move them.
 * Written by layout.py.
 */
#include "memplan/accelerate.h"

#include <stddef.h>

#define SIZE(type, bytes) \
    _Static_assert(sizeof(type) == (bytes), #type ": its size changed")
#define FIELD(type, field, at) \
    _Static_assert(offsetof(type, field) == (at), #type "." #field " moved")
#define INIT(type, init) \
    _Static_assert(sizeof((type)init) == sizeof(type), #init ": another's")

#if UINTPTR_MAX == UINT64_MAX
SIZE(memplan_error, 256);
FIELD(memplan_error, status, 0);
FIELD(memplan_error, line, 4);
FIELD(memplan_error, offset, 8);
FIELD(memplan_error, message, 16);

SIZE(memplan_model_options, 40);
INIT(memplan_model_options, MEMPLAN_MODEL_OPTIONS_INIT);
FIELD(memplan_model_options, size, 0);
FIELD(memplan_model_options, hub_cache, 8);
FIELD(memplan_model_options, hub_revision, 16);
FIELD(memplan_model_options, ollama_store, 24);
FIELD(memplan_model_options, header_max_bytes, 32);

SIZE(memplan_model_info, 112);
INIT(memplan_model_info, MEMPLAN_MODEL_INFO_INIT);
FIELD(memplan_model_info, size, 0);
FIELD(memplan_model_info, source, 8);
FIELD(memplan_model_info, name, 16);
FIELD(memplan_model_info, format, 24);
FIELD(memplan_model_info, architecture, 32);
FIELD(memplan_model_info, dtype, 40);
FIELD(memplan_model_info, parameter_count, 48);
FIELD(memplan_model_info, weight_bytes, 56);
FIELD(memplan_model_info, file_bytes, 64);
FIELD(memplan_model_info, tensor_count, 72);
FIELD(memplan_model_info, unit_count, 80);
FIELD(memplan_model_info, layer_count, 88);
FIELD(memplan_model_info, context_tokens, 96);
FIELD(memplan_model_info, note_count, 104);

SIZE(memplan_tensor_info, 72);
INIT(memplan_tensor_info, MEMPLAN_TENSOR_INFO_INIT);
FIELD(memplan_tensor_info, size, 0);
FIELD(memplan_tensor_info, name, 8);
FIELD(memplan_tensor_info, dtype, 16);
FIELD(memplan_tensor_info, shape, 24);
FIELD(memplan_tensor_info, dimension_count, 32);
FIELD(memplan_tensor_info, bytes, 40);
FIELD(memplan_tensor_info, unit_index, 48);
FIELD(memplan_tensor_info, is_buffer, 56);
FIELD(memplan_tensor_info, tied_to, 64);

SIZE(memplan_unit_info, 48);
INIT(memplan_unit_info, MEMPLAN_UNIT_INFO_INIT);
FIELD(memplan_unit_info, size, 0);
FIELD(memplan_unit_info, name, 8);
FIELD(memplan_unit_info, kind, 16);
FIELD(memplan_unit_info, weight_bytes, 24);
FIELD(memplan_unit_info, parameter_count, 32);
FIELD(memplan_unit_info, tensor_count, 40);

SIZE(memplan_machine_options, 64);
INIT(memplan_machine_options, MEMPLAN_MACHINE_OPTIONS_INIT);
FIELD(memplan_machine_options, size, 0);
FIELD(memplan_machine_options, root, 8);
FIELD(memplan_machine_options, nvml_path, 16);
FIELD(memplan_machine_options, cuda_visible_devices, 24);
FIELD(memplan_machine_options, cuda_device_order, 32);
FIELD(memplan_machine_options, hip_visible_devices, 40);
FIELD(memplan_machine_options, rocr_visible_devices, 48);
FIELD(memplan_machine_options, disk_path, 56);

SIZE(memplan_machine_info, 96);
INIT(memplan_machine_info, MEMPLAN_MACHINE_INFO_INIT);
FIELD(memplan_machine_info, size, 0);
FIELD(memplan_machine_info, name, 8);
FIELD(memplan_machine_info, total_bytes, 16);
FIELD(memplan_machine_info, available_bytes, 24);
FIELD(memplan_machine_info, limit_bytes, 32);
FIELD(memplan_machine_info, swap_free_bytes, 40);
FIELD(memplan_machine_info, cpu_model, 48);
FIELD(memplan_machine_info, core_count, 56);
FIELD(memplan_machine_info, thread_count, 64);
FIELD(memplan_machine_info, device_count, 72);
FIELD(memplan_machine_info, numa_count, 80);
FIELD(memplan_machine_info, note_count, 88);

SIZE(memplan_device_info, 88);
INIT(memplan_device_info, MEMPLAN_DEVICE_INFO_INIT);
FIELD(memplan_device_info, size, 0);
FIELD(memplan_device_info, name, 8);
FIELD(memplan_device_info, vendor, 16);
FIELD(memplan_device_info, pci, 24);
FIELD(memplan_device_info, index, 32);
FIELD(memplan_device_info, total_bytes, 40);
FIELD(memplan_device_info, free_bytes, 48);
FIELD(memplan_device_info, is_unified, 56);
FIELD(memplan_device_info, numa_index, 64);
FIELD(memplan_device_info, bandwidth_bytes_per_second, 72);
FIELD(memplan_device_info, link_bytes_per_second, 80);

SIZE(memplan_request, 96);
INIT(memplan_request, MEMPLAN_REQUEST_INIT);
FIELD(memplan_request, size, 0);
FIELD(memplan_request, engine, 8);
FIELD(memplan_request, context_tokens, 16);
FIELD(memplan_request, sequences, 24);
FIELD(memplan_request, prompt_tokens, 32);
FIELD(memplan_request, dtype, 40);
FIELD(memplan_request, kv_dtype, 48);
FIELD(memplan_request, settings, 56);
FIELD(memplan_request, pins, 64);
FIELD(memplan_request, reserve_bytes, 72);
FIELD(memplan_request, cache, 80);
FIELD(memplan_request, encoder_tokens, 88);

SIZE(memplan_plan_info, 136);
INIT(memplan_plan_info, MEMPLAN_PLAN_INFO_INIT);
FIELD(memplan_plan_info, size, 0);
FIELD(memplan_plan_info, fits, 8);
FIELD(memplan_plan_info, is_optimal, 16);
FIELD(memplan_plan_info, gap_parts_per_million, 24);
FIELD(memplan_plan_info, engine, 32);
FIELD(memplan_plan_info, profile, 40);
FIELD(memplan_plan_info, dtype, 48);
FIELD(memplan_plan_info, kv_dtype, 56);
FIELD(memplan_plan_info, context_tokens, 64);
FIELD(memplan_plan_info, sequences, 72);
FIELD(memplan_plan_info, decode_ns_per_token, 80);
FIELD(memplan_plan_info, pool_count, 88);
FIELD(memplan_plan_info, unit_count, 96);
FIELD(memplan_plan_info, fix_count, 104);
FIELD(memplan_plan_info, note_count, 112);
FIELD(memplan_plan_info, claim, 120);
FIELD(memplan_plan_info, cache, 128);

SIZE(memplan_pool_info, 64);
INIT(memplan_pool_info, MEMPLAN_POOL_INFO_INIT);
FIELD(memplan_pool_info, size, 0);
FIELD(memplan_pool_info, name, 8);
FIELD(memplan_pool_info, key, 16);
FIELD(memplan_pool_info, capacity_bytes, 24);
FIELD(memplan_pool_info, used_bytes, 32);
FIELD(memplan_pool_info, short_bytes, 40);
FIELD(memplan_pool_info, row_count, 48);
FIELD(memplan_pool_info, free_bytes, 56);

SIZE(memplan_row_info, 40);
INIT(memplan_row_info, MEMPLAN_ROW_INFO_INIT);
FIELD(memplan_row_info, size, 0);
FIELD(memplan_row_info, category, 8);
FIELD(memplan_row_info, certainty, 16);
FIELD(memplan_row_info, rule, 24);
FIELD(memplan_row_info, bytes, 32);

SIZE(memplan_placement_info, 32);
INIT(memplan_placement_info, MEMPLAN_PLACEMENT_INFO_INIT);
FIELD(memplan_placement_info, size, 0);
FIELD(memplan_placement_info, unit, 8);
FIELD(memplan_placement_info, pool_index, 16);
FIELD(memplan_placement_info, weight_bytes, 24);

SIZE(memplan_fix_info, 40);
INIT(memplan_fix_info, MEMPLAN_FIX_INFO_INIT);
FIELD(memplan_fix_info, size, 0);
FIELD(memplan_fix_info, kind, 8);
FIELD(memplan_fix_info, text, 16);
FIELD(memplan_fix_info, value, 24);
FIELD(memplan_fix_info, bytes, 32);

SIZE(memplan_render_options, 56);
INIT(memplan_render_options, MEMPLAN_RENDER_OPTIONS_INIT);
FIELD(memplan_render_options, size, 0);
FIELD(memplan_render_options, width, 8);
FIELD(memplan_render_options, use_colour, 16);
FIELD(memplan_render_options, use_unicode, 24);
FIELD(memplan_render_options, with_tensors, 32);
FIELD(memplan_render_options, without_bars, 40);
FIELD(memplan_render_options, with_rules, 48);

SIZE(memplan_map_info, 48);
INIT(memplan_map_info, MEMPLAN_MAP_INFO_INIT);
FIELD(memplan_map_info, size, 0);
FIELD(memplan_map_info, module_count, 8);
FIELD(memplan_map_info, offloaded_count, 16);
FIELD(memplan_map_info, names, 24);
FIELD(memplan_map_info, names_bytes, 32);
FIELD(memplan_map_info, devices, 40);

SIZE(memplan_entry_info, 48);
INIT(memplan_entry_info, MEMPLAN_ENTRY_INFO_INIT);
FIELD(memplan_entry_info, size, 0);
FIELD(memplan_entry_info, name, 8);
FIELD(memplan_entry_info, group, 16);
FIELD(memplan_entry_info, text, 24);
FIELD(memplan_entry_info, bytes, 32);
FIELD(memplan_entry_info, bytes_per_second, 40);

SIZE(memplan_modules_options, 80);
INIT(memplan_modules_options, MEMPLAN_MODULES_OPTIONS_INIT);
FIELD(memplan_modules_options, size, 0);
FIELD(memplan_modules_options, dtype, 8);
FIELD(memplan_modules_options, special_dtypes, 16);
FIELD(memplan_modules_options, no_split, 24);
FIELD(memplan_modules_options, buffers_only, 32);
FIELD(memplan_modules_options, low_zero, 40);
FIELD(memplan_modules_options, counts_mps, 48);
FIELD(memplan_modules_options, offload_buffers, 56);
FIELD(memplan_modules_options, fallback_allocation, 64);
FIELD(memplan_modules_options, keeps_parts, 72);
#endif
