/* SPDX-License-Identifier: MIT */
/*
 * Pins: "model.layers.0..9=0,lm_head=cpu". A name stands for itself and all
 * below it; "a..b" in its last part for each number from a to b.
 */
#ifndef MPL_PLAN_PINS_H
#define MPL_PLAN_PINS_H

#include "machine/machine.h"
#include "memplan.h"
#include "model/model.h"

/* Sets pool_of_unit (unit_count entries) to the pinned pool, or
 * MPL_NO_INDEX. `pins` may be NULL.
 * MEMPLAN_OK, _ARGUMENT, _NOT_FOUND (a unit or pool). */
memplan_status mpl_pins_read(uint32_t *pool_of_unit, const char *pins,
                             const memplan_model *model,
                             const memplan_machine *machine,
                             memplan_error *error);

#endif
