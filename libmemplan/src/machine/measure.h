/* SPDX-License-Identifier: MIT */
/* Measured rates, in bytes a second; MEMPLAN_UNKNOWN where one cannot. */
#ifndef MPL_MACHINE_MEASURE_H
#define MPL_MACHINE_MEASURE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "memplan.h"

/* A clock that only goes forward. */
uint64_t mpl_now_ns(void);

/* bytes * 10^9 / ns. */
uint64_t mpl_rate_of(uint64_t bytes, uint64_t ns);

/* Reading a node's memory by all allowed threads beside it, for less than 300
 * ms; takes at most a quarter of `spare_bytes` for it. */
uint64_t mpl_measure_node(mpl_arena *arena, uint32_t node,
                          uint64_t spare_bytes);

/* Reading the disk that holds a path, from front to back and past the page
 * cache, for about a second: the file itself where the path is a file of some
 * size, else one that is made beside it and goes again. */
uint64_t mpl_measure_disk(const char *path);

#endif
