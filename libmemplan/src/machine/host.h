/* SPDX-License-Identifier: MIT */
/* The host's memory as the kernel tells it, and what limits it. */
#ifndef MPL_MACHINE_HOST_H
#define MPL_MACHINE_HOST_H

#include "machine/machine.h"
#include "machine/tree.h"

/* Fills the memory figures of machine->host, whose nodes and threads are
 * known, and applies what limits them. False: no memory. */
bool mpl_host_read_memory(memplan_machine *machine, const mpl_tree *tree);

/* Says where the nodes and the kernel disagree. False: no memory. */
bool mpl_host_note_nodes(memplan_machine *machine);

#endif
