/* SPDX-License-Identifier: MIT */
/* A machine of which only memory and NVML speak. */
#ifndef MEMPLAN_TEST_WITH_NVML_H
#define MEMPLAN_TEST_WITH_NVML_H

#include "machine/machine.h"
#include "support/folder.h"

/* A tree without anything but memory; the library says `text`. */
memplan_machine *detect_with(const folder *at, const char *library,
                             const char *text);

#endif
