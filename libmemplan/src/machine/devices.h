/* SPDX-License-Identifier: MIT */
/* What is decided of devices once all that is known of each is together. */
#ifndef MPL_MACHINE_DEVICES_H
#define MPL_MACHINE_DEVICES_H

#include "machine/machine.h"

/* Memory that a device shares with the host, what is left out, order and
 * indices. */
memplan_status mpl_devices_settle(memplan_machine *machine,
                                  memplan_error *error);

#endif
