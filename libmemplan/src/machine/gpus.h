/* SPDX-License-Identifier: MIT */
/* What the drivers of each vendor say of their GPUs, as reports. */
#ifndef MPL_MACHINE_GPUS_H
#define MPL_MACHINE_GPUS_H

#include "machine/topology.h"

/* By NVML; `path` NULL: the system's library, "": none. False: no memory. */
bool mpl_gpu_read_nvidia(memplan_machine *machine, mpl_topology *topology,
                         const char *path);

/* By the files of the amdgpu driver. False: no memory. */
bool mpl_gpu_read_amd(mpl_topology *topology, const mpl_tree *tree);

/* By the files of Intel's drivers. False: no memory. */
bool mpl_gpu_read_intel(mpl_topology *topology, const mpl_tree *tree);

#endif
