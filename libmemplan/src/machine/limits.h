/* SPDX-License-Identifier: MIT */
/* Limits on the memory and the threads of this process, as they are found. */
#ifndef MPL_MACHINE_LIMITS_H
#define MPL_MACHINE_LIMITS_H

#include "machine/machine.h"
#include "machine/tree.h"

typedef struct mpl_limits {
    memplan_machine *machine; /* for notes, and its arena */
    const mpl_tree *tree;
    mpl_limit *items;
    uint64_t capacity;
    uint32_t count;
    uint64_t swap_bytes; /* that may be used yet; MEMPLAN_UNKNOWN: any */
    const char *swap_source;
    uint32_t quota_threads; /* by CPU quota, rounded up; 0: no quota */
    const char *quota_source;
    bool failed; /* no memory: sticky */
} mpl_limits;

void mpl_limits_add(mpl_limits *limits, mpl_limit limit);

/* What one may still take under a limit: what is used counts, but not what
 * the kernel would give back (page cache, slab). */
uint64_t mpl_limit_rest(const mpl_limit *limit);

/* Control groups of version 1, 2, or both, with every ancestor. */
void mpl_cgroup_read(mpl_limits *limits);

#endif
