/* SPDX-License-Identifier: MIT */
/*
 * Devices: those of the machine, or those that the settings describe, as
 * llama.cpp would list them.
 */
#ifndef MPL_ENGINE_LLAMACPP_DEVICES_H
#define MPL_ENGINE_LLAMACPP_DEVICES_H

#include "engine/llamacpp/params.h"
#include "engine/llamacpp/setup.h"
#include "engine/llamacpp/weights.h"
#include "machine/machine.h"

typedef struct mpl_llama_devices {
    mpl_llama_device items[MPL_LLAMA_MAX_DEVICES];
    uint32_t count;
    mpl_llama_device all[MPL_LLAMA_MAX_DEVICES]; /* before -dev, -sm none */
    uint32_t all_count;
    mpl_llama_cpu cpu;
    bool is_host_shared; /* a device has the host's memory */
} mpl_llama_devices;

memplan_status mpl_llama_devices_read(mpl_llama_devices *out, mpl_arena *arena,
                                      const memplan_machine *machine,
                                      const mpl_llama_params *params,
                                      memplan_error *error);

#endif
