/* SPDX-License-Identifier: MIT */
/* What a plan tells its reader beside its numbers. */
#ifndef MPL_PLAN_NOTES_H
#define MPL_PLAN_NOTES_H

#include "plan/place.h"
#include "plan/plan.h"

/* Fills plan->notes: the model's, the engine's, then what the plan itself
 * shows. MEMPLAN_OK or _NO_MEMORY. */
memplan_status mpl_notes_write(memplan_plan *plan, const mpl_outcome *found,
                               const memplan_model *model,
                               const memplan_machine *machine);

#endif
