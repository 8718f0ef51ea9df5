/* SPDX-License-Identifier: MIT */
/* What /proc/cpuinfo says of the processor. */
#ifndef MPL_MACHINE_CPU_H
#define MPL_MACHINE_CPU_H

#include "machine/machine.h"
#include "machine/tree.h"

/* The model's name, or ""; NULL: no memory. */
const char *mpl_cpu_model(mpl_arena *arena, const mpl_tree *tree);

/* Fills host->isa: the instruction sets that matter to inference. False: no
 * memory. */
bool mpl_cpu_read_isa(memplan_machine *machine, const mpl_tree *tree);

#endif
