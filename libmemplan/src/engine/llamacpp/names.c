/* SPDX-License-Identifier: MIT */
/* What the llama.cpp engine knows by name: the rows of its tables. Weights have
 * the types of their file, and there is one class of cache. */
#include "engine/llamacpp/job.h"

static bool architecture_entry(uint32_t index, mpl_entry *out)
{
    static const char *const NAMES[] = {
#define ARCH(id, name, ...) name,
#include "engine/llamacpp/architectures.def"
#undef ARCH
    };
    if (index >= sizeof NAMES / sizeof *NAMES)
        return false;
    *out = (mpl_entry){NAMES[index], ""};
    return true;
}

static bool no_entry(uint32_t index, mpl_entry *out)
{
    (void)index;
    (void)out;
    return false;
}

bool mpl_llama_entry(mpl_engine_list list, uint32_t index, mpl_entry *out)
{
    static bool (*const LISTS[])(uint32_t, mpl_entry *) = {
        [MPL_LIST_ARCHITECTURES] = architecture_entry,
        [MPL_LIST_DTYPES] = no_entry,
        [MPL_LIST_KV_DTYPES] = mpl_llama_cache_type_entry,
        [MPL_LIST_CACHES] = no_entry,
        [MPL_LIST_SETTINGS] = mpl_llama_setting_entry,
    };
    return LISTS[list](index, out);
}
