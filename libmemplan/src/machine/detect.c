/* SPDX-License-Identifier: MIT */
/* This machine: hwloc's topology joined with the kernel's files. */
#include <stddef.h>

#include "base/failure.h"
#include "base/sized.h"
#include "machine/cpu.h"
#include "machine/disk.h"
#include "machine/gpus.h"
#include "machine/host.h"
#include "machine/machine.h"
#include "machine/topology.h"
#include "machine/visible.h"

/* A recorded tree has no driver: this machine's would speak of other GPUs. */
static const char *nvml_path(const memplan_machine_options *options)
{
    return options->nvml_path == NULL && options->root != NULL
               ? ""
               : options->nvml_path;
}

static memplan_status detect(memplan_machine *machine,
                             const memplan_machine_options *options,
                             memplan_error *error)
{
    const mpl_tree tree = {options->root != NULL ? options->root : ""};
    machine->name = options->root != NULL
                        ? mpl_arena_strdup(machine->arena, options->root)
                        : "this machine";
    machine->is_here = options->root == NULL;
    mpl_topology topology = mpl_topology_blank(machine);
    memplan_status status = mpl_disk_find(machine, options->disk_path, error);
    if (status == MEMPLAN_OK)
        status = options->root != NULL
                     ? mpl_topology_read_tree(&topology, &tree, error)
                     : mpl_topology_detect(&topology, error);
    if (status != MEMPLAN_OK)
        return status;
    if (!mpl_topology_add_gpu_nodes(&topology, &tree) ||
        !mpl_gpu_read_amd(&topology, &tree) ||
        !mpl_gpu_read_amd_links(&topology, &tree) ||
        !mpl_gpu_read_intel(&topology, &tree) ||
        !mpl_gpu_read_nvidia(machine, &topology, nvml_path(options)) ||
        !mpl_topology_add_board(&topology))
        return mpl_fail_memory(error);
    mpl_topology_take(machine, &topology);
    if (machine->name == NULL || !mpl_cpu_read_isa(machine, &tree) ||
        !mpl_host_read_memory(machine, &tree))
        return mpl_fail_memory(error);
    status = mpl_topology_join(machine, &topology, error);
    if (status == MEMPLAN_OK && !mpl_visible_apply(machine, options))
        status = mpl_fail_memory(error);
    if (status == MEMPLAN_OK)
        status = mpl_topology_join_peers(machine, &topology, error);
    return status == MEMPLAN_OK ? mpl_machine_finish(machine, error) : status;
}

memplan_status memplan_machine_detect(memplan_machine **out,
                                      const memplan_machine_options *options,
                                      memplan_error *error)
{
    memplan_machine_options known;
    memplan_status status =
        mpl_copy_options(&known, sizeof known, options, error);
    if (status != MEMPLAN_OK)
        return status;
    memplan_machine *const machine = mpl_machine_create();
    if (machine == NULL)
        return mpl_fail_memory(error);
    status = detect(machine, &known, error);
    if (status != MEMPLAN_OK) {
        memplan_machine_free(machine);
        return status;
    }
    *out = machine;
    return MEMPLAN_OK;
}
