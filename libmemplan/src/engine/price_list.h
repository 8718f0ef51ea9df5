/* SPDX-License-Identifier: MIT */
/*
 * What each unit takes wherever it lies: a plan keeps it, so that a dialect
 * can price placements that it did not choose, when engine and model are gone.
 *
 *     used(p) = open_bytes[p] if p executes anything
 *             + process_bytes on the host
 *             + sum of here_bytes over the units on p that execute there
 *             + sum of away_bytes over the other units on p
 *             + sum of home_bytes over the units that execute on p from
 *               elsewhere
 *             + the largest staging_bytes of those
 *             + on the host, the largest relay_bytes of units on disk that a
 *               device executes
 *
 * A device executes its units; the lowest device that has any executes those
 * on the host and on disk, and the host does where no device has any.
 */
#ifndef MPL_ENGINE_PRICE_LIST_H
#define MPL_ENGINE_PRICE_LIST_H

#include <stdbool.h>
#include <stdint.h>

#include "machine/machine.h"

/* Units that differ in names alone. */
typedef struct mpl_price_row {
    uint64_t counted_bytes; /* weights and buffers, as the loader reckons
                               where it makes a map itself */
    uint64_t largest_bytes; /* of the modules in it that it keeps whole */
    uint64_t here_bytes;
    uint64_t away_bytes;
    uint64_t home_bytes;
    uint64_t staging_bytes[MPL_POOL_DISK + 1]; /* by where it rests */
    uint64_t relay_bytes;
} mpl_price_row;

typedef struct mpl_price_list {
    const mpl_price_row *rows;
    const uint32_t *row_of_unit;
    const uint32_t *tied_to;      /* by unit, as mpl_problem has it */
    const uint64_t *open_bytes;   /* by pool */
    const uint64_t *budget_bytes; /* by budget: of memory that pools share */
    uint32_t budget_count;
    uint32_t filled_tenths; /* of a budget, by the loader: 9 or 10 */
    uint64_t process_bytes;
    bool may_rest[2][MPL_POOL_DISK + 1]; /* beside a device that executes; and
                                            where the host does */
} mpl_price_list;

#endif
