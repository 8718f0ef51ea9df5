/* SPDX-License-Identifier: MIT */
/* The disk that a path of this machine lies on. */
#ifndef MPL_MACHINE_DISK_H
#define MPL_MACHINE_DISK_H

#include "machine/machine.h"

/* Makes it the machine's, with what is free on it. NULL: no disk.
 * MEMPLAN_OK, _IO (there is no such path, or it may not be looked at),
 * _TOO_LARGE, _NO_MEMORY. */
memplan_status mpl_disk_find(memplan_machine *machine, const char *path,
                             memplan_error *error);

#endif
