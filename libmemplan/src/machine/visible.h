/* SPDX-License-Identifier: MIT */
/* Devices as an engine will see and number them. */
#ifndef MPL_MACHINE_VISIBLE_H
#define MPL_MACHINE_VISIBLE_H

#include "machine/machine.h"

/*
 * Hides and orders the settled devices as CUDA and HIP would under the values
 * of their variables; hidden ones are left out and come last. What names no
 * device ends the list, as it does for CUDA, and a note says so. False: no
 * memory.
 */
bool mpl_visible_apply(memplan_machine *machine,
                       const memplan_machine_options *options);

#endif
