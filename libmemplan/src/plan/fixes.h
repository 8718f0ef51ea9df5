/* SPDX-License-Identifier: MIT */
/*
 * The cheapest changes that would make a plan fit, in the order of what they
 * cost its user: less context, a smaller cache, smaller weights, more memory.
 * Each was planned again and does fit.
 */
#ifndef MPL_PLAN_FIXES_H
#define MPL_PLAN_FIXES_H

#include "plan/place.h"
#include "plan/plan.h"

/* Fills plan->fixes. MEMPLAN_OK or _NO_MEMORY. */
memplan_status mpl_fixes_find(memplan_plan *plan, const memplan_model *model,
                              const memplan_machine *machine,
                              const mpl_request *request,
                              const mpl_terms *terms, memplan_error *error);

#endif
