/* SPDX-License-Identifier: MIT */
/* What is decided of devices once all that is known of each is together. */
#ifndef MPL_MACHINE_DEVICES_H
#define MPL_MACHINE_DEVICES_H

#include "data/gpu_catalogue.h"
#include "machine/machine.h"

/* Fills what is not known of a device with what its maker states. */
void mpl_device_take_model(mpl_device *device, const mpl_gpu_model *model);

/* Memory that a device shares with the host, what is left out, order and
 * indices. */
memplan_status mpl_devices_settle(memplan_machine *machine,
                                  memplan_error *error);

#endif
