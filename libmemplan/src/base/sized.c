/* SPDX-License-Identifier: MIT */
#include "base/sized.h"

#include <stdbool.h>
#include <string.h>

#include "base/checked.h"
#include "base/failure.h"

static uint64_t own_size(const void *sized)
{
    uint64_t size;
    memcpy(&size, sized, sizeof size);
    return size;
}

/* No struct is longer, of any release: a size beyond is a forgotten one. */
enum { STRUCT_MAX_BYTES = 4096 };

static bool is_plausible(uint64_t size)
{
    return size >= sizeof size && size % sizeof size == 0 &&
           size <= STRUCT_MAX_BYTES;
}

memplan_status mpl_copy_options(void *out, uint64_t known_bytes,
                                const void *given, memplan_error *error)
{
    memset(out, 0, (size_t)known_bytes);
    if (given == NULL)
        return MEMPLAN_OK;
    const uint64_t size = own_size(given);
    if (!is_plausible(size))
        return mpl_fail(error, MEMPLAN_E_ARGUMENT, MPL_NOWHERE,
                        "options: size %llu is not that of the struct",
                        (unsigned long long)size);
    for (uint64_t at = known_bytes; at < size; at++)
        if (((const unsigned char *)given)[at] != 0)
            return mpl_fail(error, MEMPLAN_E_TOO_NEW, MPL_NOWHERE,
                            "options: a field of a later release is set "
                            "(byte %llu); this is memplan %s",
                            (unsigned long long)at, MEMPLAN_VERSION_STRING);
    memcpy(out, given, (size_t)mpl_min(size, known_bytes));
    return MEMPLAN_OK;
}

memplan_status mpl_copy_row(void *out, const void *row, uint64_t known_bytes)
{
    const uint64_t size = own_size(out);
    if (!is_plausible(size))
        return MEMPLAN_E_ARGUMENT;
    memcpy(out, row, (size_t)mpl_min(size, known_bytes));
    if (size > known_bytes)
        memset((unsigned char *)out + known_bytes, 0,
               (size_t)(size - known_bytes));
    memcpy(out, &size, sizeof size);
    return MEMPLAN_OK;
}
