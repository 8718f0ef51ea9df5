/* SPDX-License-Identifier: MIT */
/* Where recorded inputs from elsewhere lie: MEMPLAN_SHARED, or the folder
 * "shared" beside the repository. */
#ifndef MEMPLAN_TEST_SHARED_H
#define MEMPLAN_TEST_SHARED_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The path of a file there; skips the test where the folder is absent, or
 * fails it where CI is true. */
static inline const char *shared_path(char *out, size_t size,
                                      const char *name)
{
    const char *const given = getenv("MEMPLAN_SHARED");
    (void)snprintf(out, size, "%s/%s",
                   given != NULL ? given : MEMPLAN_TEST_ROOT "/../../shared",
                   name);
    if (access(out, R_OK) != 0) {
        const char *const ci = getenv("CI");
        cr_assert(ci == NULL || strcmp(ci, "true") != 0, "%s is absent", out);
        cr_skip_test("%s is absent: set MEMPLAN_SHARED", out);
    }
    return out;
}

#endif
