/* SPDX-License-Identifier: MIT */
/* A machine from a JSON profile, schema memplan.machine/1. */
#ifndef MPL_MACHINE_PROFILE_H
#define MPL_MACHINE_PROFILE_H

#include "machine/machine.h"

/* Fills an empty machine and finishes it. `text` is followed by 64 readable
 * bytes. MEMPLAN_OK, _CORRUPT, _UNSUPPORTED (another schema), _TOO_LARGE,
 * _NO_MEMORY. */
memplan_status mpl_profile_read(memplan_machine *machine, const uint8_t *text,
                                uint64_t size, memplan_error *error);

#endif
