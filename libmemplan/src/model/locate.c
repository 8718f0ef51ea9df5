/* SPDX-License-Identifier: MIT */
#include "model/locate.h"

#include <stdbool.h>
#include <string.h>

#include "base/failure.h"

static bool ends_with(const char *text, const char *end)
{
    const size_t length = strlen(text);
    const size_t end_length = strlen(end);
    return length >= end_length &&
           strcmp(text + length - end_length, end) == 0;
}

memplan_status mpl_locate(mpl_source *out, mpl_arena *arena,
                          const char *source,
                          const memplan_model_options *options,
                          memplan_error *error)
{
    (void)options;
    const char *const path = mpl_arena_strdup(arena, source);
    if (path == NULL)
        return mpl_fail_memory(error);
    if (!ends_with(source, ".gguf"))
        return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                        "%.160s: only .gguf files are read yet", source);
    *out = (mpl_source){.kind = MPL_SOURCE_GGUF, .path = path};
    return MEMPLAN_OK;
}
