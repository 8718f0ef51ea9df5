/* SPDX-License-Identifier: MIT */
#include "model/fronts.h"

#include <string.h>

/* FNV-1a, 32 bits. */
static uint32_t hash_front(const char *name, uint32_t length)
{
    uint32_t hash = 0x811c9dc5;
    for (uint32_t at = 0; at < length; at++)
        hash = (hash ^ (unsigned char)name[at]) * 0x01000193;
    return hash;
}

uint32_t mpl_fronts_number(mpl_fronts *fronts, const char *name,
                           uint32_t length)
{
    const uint32_t hash = hash_front(name, length);
    for (uint32_t at = 0; at < fronts->count; at++)
        if (fronts->items[at].hash == hash &&
            fronts->items[at].length == length &&
            memcmp(fronts->items[at].name, name, length) == 0)
            return at;
    if (fronts->count == MPL_FRONTS_MAX)
        return MPL_FRONTS_MAX;
    fronts->items[fronts->count].name = name;
    fronts->items[fronts->count].length = length;
    fronts->items[fronts->count].hash = hash;
    return fronts->count++;
}
