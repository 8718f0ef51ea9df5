/* SPDX-License-Identifier: MIT */
/*
 * What a plan claims about its placement, in exactly the words that its search
 * has proven: among which placements, and by which speeds.
 */
#ifndef MPL_PLAN_CLAIM_H
#define MPL_PLAN_CLAIM_H

#include "plan/place.h"
#include "plan/plan.h"

/* Sets plan->claim, "" where nothing is claimed, and plan->scope.
 * False: no memory. */
bool mpl_claim_write(memplan_plan *plan, const mpl_outcome *found,
                     const mpl_request *request);

#endif
