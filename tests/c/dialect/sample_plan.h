/* SPDX-License-Identifier: MIT */
/* Plans made by hand, for what draws and writes them. */
#ifndef MEMPLAN_TESTS_SAMPLE_PLAN_H
#define MEMPLAN_TESTS_SAMPLE_PLAN_H

#include "plan/plan.h"

/* Two devices, host memory and a disk without a known limit; no rows. */
enum { SAMPLE_POOLS = 4 };

typedef struct sample_plan {
    memplan_plan plan;
    mpl_plan_pool pools[SAMPLE_POOLS];
    mpl_row rows[SAMPLE_POOLS][4];
} sample_plan;

/* A plan of `count` units with those names and pools. The tables must outlive
 * it; pools are in order: "0", "1", "cpu", "disk". */
void sample_plan_make(sample_plan *out, mpl_plan_unit *units, uint32_t count);

#endif
