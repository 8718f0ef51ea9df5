/* SPDX-License-Identifier: MIT */
/*
 * Structs that carry their own size, so that they may grow.
 *
 * Options come in: a caller's longer struct is taken if the tail that we do
 * not know is zero, a shorter one is extended with zeros. Rows go out: what
 * the caller has room for is written, the rest of a longer one zeroed.
 */
#ifndef MPL_BASE_SIZED_H
#define MPL_BASE_SIZED_H

#include <stdint.h>

#include "memplan.h"

/* `given` may be NULL: all zero. `out` has `known_bytes`.
 * MEMPLAN_OK, _ARGUMENT (a size that no struct has), _TOO_NEW. */
memplan_status mpl_copy_options(void *out, uint64_t known_bytes,
                                const void *given, memplan_error *error);

/* Writes the row into the caller's struct, whose first field says its size
 * and keeps it. MEMPLAN_OK, or _ARGUMENT and nothing written: a size that no
 * struct has. */
memplan_status mpl_copy_row(void *out, const void *row, uint64_t known_bytes);

#endif
