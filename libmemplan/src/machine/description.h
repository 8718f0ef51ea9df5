/* SPDX-License-Identifier: MIT */
/* A machine in words: "2x rtx-4090, 64GiB ram, 16 cores". */
#ifndef MPL_MACHINE_DESCRIPTION_H
#define MPL_MACHINE_DESCRIPTION_H

#include "machine/machine.h"

/* Fills an empty machine and finishes it. MEMPLAN_OK, _ARGUMENT, _NOT_FOUND
 * (a GPU that the catalogue does not have), _TOO_LARGE, _NO_MEMORY; the place
 * in the text is in error->offset. */
memplan_status mpl_description_read(memplan_machine *machine,
                                    const char *text, memplan_error *error);

#endif
