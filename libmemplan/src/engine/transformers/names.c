/* SPDX-License-Identifier: MIT */
/* What the transformers engine knows by name: the rows of its tables. */
#include "engine/transformers/cache.h"
#include "engine/transformers/job.h"
#include "model/family.h"
#include "model/quantization.h"

static bool family_entry(uint32_t index, mpl_entry *out)
{
    const char *const name = mpl_family_name_at(index);
    *out = (mpl_entry){name, ""};
    return name != NULL;
}

static bool dtype_entry(uint32_t index, mpl_entry *out)
{
    return mpl_scheme_entry(index, &out->name, &out->text);
}

static bool kv_dtype_entry(uint32_t index, mpl_entry *out)
{
    const mpl_kv_loading *const row = mpl_kv_loading_at(index);
    if (row != NULL)
        *out = (mpl_entry){row->name, row->rule};
    return row != NULL;
}

static bool cache_entry(uint32_t index, mpl_entry *out)
{
    const mpl_cache_kind *const row = mpl_cache_kind_at(index);
    if (row != NULL)
        *out = (mpl_entry){row->name, row->text};
    return row != NULL;
}

bool mpl_transformers_entry(mpl_engine_list list, uint32_t index,
                            mpl_entry *out)
{
    static bool (*const LISTS[])(uint32_t, mpl_entry *) = {
        [MPL_LIST_ARCHITECTURES] = family_entry,
        [MPL_LIST_DTYPES] = dtype_entry,
        [MPL_LIST_KV_DTYPES] = kv_dtype_entry,
        [MPL_LIST_CACHES] = cache_entry,
        [MPL_LIST_SETTINGS] = mpl_transformers_setting_entry,
    };
    return LISTS[list](index, out);
}
