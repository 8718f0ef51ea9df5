/* SPDX-License-Identifier: MIT */
/* generate(): what it must be told so that it keeps to the plan. */
#ifndef MPL_DIALECT_GENERATE_H
#define MPL_DIALECT_GENERATE_H

#include "dialect/paint.h"
#include "plan/plan.h"

/* The call, indented; nothing where its defaults are what was planned. */
void mpl_paint_generate(mpl_paint *paint, const memplan_plan *plan,
                        uint64_t indent);

#endif
