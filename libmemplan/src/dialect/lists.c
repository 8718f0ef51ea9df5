/* SPDX-License-Identifier: MIT */
/*
 * What is known by name, as lists: the rows of the tables that plans are made
 * of, so that a list cannot say other than what is read.
 */
#include <string.h>

#include "base/sized.h"
#include "data/gpu_catalogue.h"
#include "dialect/dialect.h"
#include "engine/engine.h"
#include "model/catalogue.h"

/* Fills all but the size; false past the last entry. */
typedef bool list_entry(memplan_entry_info *out, uint32_t index);

static bool model_entry(memplan_entry_info *out, uint32_t index)
{
    const mpl_catalogue_row *const row = mpl_catalogue_at(index);
    if (row == NULL)
        return false;
    out->name = row->name;
    out->text = row->source;
    return true;
}

static bool gpu_entry(memplan_entry_info *out, uint32_t index)
{
    static const char *const MEMORIES[] = {
        [MPL_GPU_SEPARATE] = "memory of its own",
        [MPL_GPU_COHERENT] = "memory of its own that the host may address",
        [MPL_GPU_UNIFIED] = "the host's memory",
        [MPL_GPU_MINOR] = "the host's memory, beside a processor"};
    const mpl_gpu_model *const row = mpl_gpu_at(index);
    if (row == NULL)
        return false;
    out->name = row->key;
    out->group = row->vendor;
    out->text = MEMORIES[row->memory];
    out->bytes = row->memory_bytes;
    out->bytes_per_second = row->bandwidth_bytes_per_second;
    return true;
}

static bool engine_entry(memplan_entry_info *out, uint32_t index)
{
    const mpl_engine *const engine = mpl_engine_at(index);
    if (engine == NULL)
        return false;
    out->name = engine->name;
    out->text = engine->runs;
    return true;
}

static bool dialect_entry(memplan_entry_info *out, uint32_t index)
{
    out->name = mpl_plan_dialect_at(index, &out->text);
    return out->name != NULL;
}

/* One engine's entries after the other's. */
static bool engines_entry(memplan_entry_info *out, uint32_t index,
                          mpl_engine_list list)
{
    const mpl_engine *engine;
    for (uint32_t at = 0; (engine = mpl_engine_at(at)) != NULL; at++) {
        mpl_entry found;
        for (uint32_t row = 0; engine->entry(list, row, &found); row++) {
            if (index-- > 0)
                continue;
            out->name = found.name;
            out->group = engine->name;
            out->text = found.text;
            return true;
        }
    }
    return false;
}

#define OF_ENGINES(function, list)                                             \
    static bool function(memplan_entry_info *out, uint32_t index)              \
    {                                                                          \
        return engines_entry(out, index, list);                                \
    }

OF_ENGINES(architecture_entry, MPL_LIST_ARCHITECTURES)
OF_ENGINES(dtype_entry, MPL_LIST_DTYPES)
OF_ENGINES(kv_dtype_entry, MPL_LIST_KV_DTYPES)
OF_ENGINES(cache_entry, MPL_LIST_CACHES)
OF_ENGINES(setting_entry, MPL_LIST_SETTINGS)

static list_entry lists_entry;

static const struct {
    const char *name;
    const char *purpose;
    list_entry *entry;
} LISTS[] = {
    {"models", "the built-in catalogue, each with its repository", model_entry},
    {"gpus", "that a machine in words may have, and what their makers state",
     gpu_entry},
    {"engines", "whose rules count the bytes", engine_entry},
    {"architectures", "that an engine's models may have, by their own names",
     architecture_entry},
    {"dtypes", "that weights may be loaded in", dtype_entry},
    {"kv_dtypes", "that a cache may be kept in", kv_dtype_entry},
    {"caches", "how transformers may keep it", cache_entry},
    {"settings", "an engine's own parameters, as --set takes them",
     setting_entry},
    {"dialects", "that a plan may be written in", dialect_entry},
    {"lists", "these", lists_entry},
};
enum { LIST_COUNT = sizeof LISTS / sizeof *LISTS };

static bool lists_entry(memplan_entry_info *out, uint32_t index)
{
    if (index >= LIST_COUNT)
        return false;
    out->name = LISTS[index].name;
    out->text = LISTS[index].purpose;
    return true;
}

memplan_status memplan_list_entry(const char *list, uint64_t index,
                                  memplan_entry_info *out_info)
{
    memplan_entry_info row = {.group = "",
                              .bytes = MEMPLAN_UNKNOWN,
                              .bytes_per_second = MEMPLAN_UNKNOWN};
    for (uint32_t at = 0; at < LIST_COUNT; at++)
        if (strcmp(LISTS[at].name, list) == 0)
            return index < UINT32_MAX && LISTS[at].entry(&row, (uint32_t)index)
                       ? mpl_copy_row(out_info, &row, sizeof row)
                       : MEMPLAN_E_ARGUMENT;
    return MEMPLAN_E_NOT_FOUND;
}
