/* SPDX-License-Identifier: MIT */
/* What the drivers of each vendor say of their GPUs, as reports. */
#ifndef MPL_MACHINE_GPUS_H
#define MPL_MACHINE_GPUS_H

#include "machine/nvml.h"
#include "machine/topology.h"

/* By NVML; `path` NULL: the system's library, "": none. False: no memory. */
bool mpl_gpu_read_nvidia(memplan_machine *machine, mpl_topology *topology,
                         const char *path);

/* "0000:01:00.0"; NULL: no memory. */
const char *mpl_nvml_address(mpl_arena *arena, const mpl_nvml_pci *pci);

/* The NVLinks of a GPU whose report stands at `position`. False: no memory. */
bool mpl_gpu_read_nvlinks(const mpl_nvml *nvml, mpl_nvml_handle gpu,
                          mpl_topology *topology, uint32_t position);

/* By the files of the amdgpu driver. False: no memory. */
bool mpl_gpu_read_amd(mpl_topology *topology, const mpl_tree *tree);

/* XGMI by the files of AMD's compute driver. False: no memory. */
bool mpl_gpu_read_amd_links(mpl_topology *topology, const mpl_tree *tree);

/* By the files of Intel's drivers. False: no memory. */
bool mpl_gpu_read_intel(mpl_topology *topology, const mpl_tree *tree);

#endif
