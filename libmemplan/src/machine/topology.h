/* SPDX-License-Identifier: MIT */
/*
 * What hwloc knows of a machine, in our words. topology.c is the only file
 * that includes hwloc.h.
 */
#ifndef MPL_MACHINE_TOPOLOGY_H
#define MPL_MACHINE_TOPOLOGY_H

#include "machine/machine.h"

/* Fills nodes and processors of `machine` from this machine's topology. */
memplan_status mpl_topology_detect(memplan_machine *machine,
                                   memplan_error *error);

#endif
