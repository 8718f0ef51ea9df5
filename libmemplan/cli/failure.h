/* SPDX-License-Identifier: MIT */
/* A wrong request is one line that says what to change. */
#ifndef MEMPLAN_CLI_FAILURE_H
#define MEMPLAN_CLI_FAILURE_H

#include <memplan.h>
#include <stdbool.h>

/* Writes the message and returns false: return fail(error, "…", …). */
bool fail(memplan_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
