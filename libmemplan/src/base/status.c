/* SPDX-License-Identifier: MIT */
/* The version, and the names of statuses. */
#include "memplan.h"

const char *memplan_version(void)
{
    return MEMPLAN_VERSION_STRING;
}

const char *memplan_status_name(int32_t status)
{
    static const char *const NAMES[] = {"OK",        "ARGUMENT", "NO_MEMORY",
                                        "IO",        "CORRUPT",  "UNSUPPORTED",
                                        "TOO_LARGE", "TOO_NEW",  "NOT_FOUND"};
    const int32_t count = sizeof NAMES / sizeof *NAMES;
    return status <= 0 && status > -count ? NAMES[-status] : "UNKNOWN";
}
