/* SPDX-License-Identifier: MIT */
/*
 * A failure is one line: return mpl_fail(error, MEMPLAN_E_CORRUPT, at, …).
 */
#ifndef MPL_BASE_FAILURE_H
#define MPL_BASE_FAILURE_H

#include <stdint.h>

#include "memplan.h"

/* No place in the input: for mpl_fail's `offset`. */
#define MPL_NOWHERE MEMPLAN_UNKNOWN

/* Fills `error` (NULL is allowed) and returns `status`. `offset` is a byte in
 * the user's input, or MPL_NOWHERE. Bytes that are no valid UTF-8 and control
 * characters in the message become "?". */
memplan_status mpl_fail(memplan_error *error, memplan_status status,
                        uint64_t offset, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The host refused memory. */
memplan_status mpl_fail_memory(memplan_error *error);

/* Puts "source: " before a message, once the caller knows the source.
 */
void mpl_fail_in(memplan_error *error, const char *source);

#endif
