/* SPDX-License-Identifier: MIT */
/* What to type next: the few lines that carry out a plan. */
#ifndef MPL_DIALECT_HINTS_H
#define MPL_DIALECT_HINTS_H

#include "dialect/paint.h"
#include "plan/plan.h"

/* A heading and the lines, or nothing where the engine has none. */
void mpl_paint_hints(mpl_paint *paint, const memplan_plan *plan);

#endif
