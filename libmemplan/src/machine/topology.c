/* SPDX-License-Identifier: MIT */
#include "machine/topology.h"

#include <hwloc.h>
#include <string.h>

#include "base/failure.h"

static mpl_memory_kind kind_of_node(hwloc_obj_t node)
{
    if (node->subtype == NULL)
        return MPL_MEMORY_DRAM;
    if (strcmp(node->subtype, "GPUMemory") == 0)
        return MPL_MEMORY_DEVICE;
    if (strcmp(node->subtype, "HBM") == 0 ||
        strcmp(node->subtype, "MCDRAM") == 0)
        return MPL_MEMORY_HBM;
    if (strncmp(node->subtype, "CXL", 3) == 0)
        return MPL_MEMORY_CXL;
    return strcmp(node->subtype, "NVM") == 0 ? MPL_MEMORY_NVM
                                             : MPL_MEMORY_DRAM;
}

static bool read_nodes(memplan_machine *machine, hwloc_topology_t topology)
{
    const int count =
        hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_NUMANODE);
    if (count <= 0)
        return true;
    machine->nodes = mpl_arena_alloc(machine->arena, (uint64_t)count,
                                     sizeof *machine->nodes);
    if (machine->nodes == NULL)
        return false;
    const hwloc_const_nodeset_t allowed =
        hwloc_topology_get_allowed_nodeset(topology);
    for (int at = 0; at < count; at++) {
        const hwloc_obj_t node = hwloc_get_obj_by_type(
            topology, HWLOC_OBJ_NUMANODE, (unsigned)at);
        machine->nodes[machine->node_count++] = (mpl_numa_node){
            .index = node->os_index,
            .kind = kind_of_node(node),
            .total_bytes = node->attr->numanode.local_memory > 0
                               ? node->attr->numanode.local_memory
                               : MEMPLAN_UNKNOWN,
            .is_allowed = hwloc_bitmap_isset(allowed, node->os_index) != 0,
            .read_bytes_per_second = MPL_FIGURE_UNKNOWN,
            .latency_ns = MPL_FIGURE_UNKNOWN,
        };
    }
    return true;
}

static uint32_t count_objects(hwloc_topology_t topology, hwloc_obj_type_t type)
{
    const int count = hwloc_get_nbobjs_by_type(topology, type);
    return count > 0 ? (uint32_t)count : 0;
}

static bool read_processors(memplan_machine *machine,
                            hwloc_topology_t topology)
{
    mpl_host *const host = &machine->host;
    host->package_count = count_objects(topology, HWLOC_OBJ_PACKAGE);
    host->core_count = count_objects(topology, HWLOC_OBJ_CORE);
    host->thread_count = count_objects(topology, HWLOC_OBJ_PU);
    hwloc_obj_t owner = hwloc_get_obj_by_type(topology, HWLOC_OBJ_PACKAGE, 0);
    if (owner == NULL)
        owner = hwloc_get_root_obj(topology);
    const char *const model = hwloc_obj_get_info_by_name(owner, "CPUModel");
    if (model != NULL)
        host->cpu_model = mpl_arena_strdup(machine->arena, model);
    return host->cpu_model != NULL;
}

memplan_status mpl_topology_detect(memplan_machine *machine,
                                   memplan_error *error)
{
    hwloc_topology_t topology;
    if (hwloc_topology_init(&topology) != 0)
        return mpl_fail_memory(error);
    memplan_status status = MEMPLAN_OK;
    if (hwloc_topology_set_io_types_filter(
            topology, HWLOC_TYPE_FILTER_KEEP_IMPORTANT) != 0 ||
        hwloc_topology_load(topology) != 0)
        status = mpl_fail(error, MEMPLAN_E_IO, MPL_NOWHERE,
                          "hwloc cannot load this machine's topology");
    else if (!read_nodes(machine, topology) ||
             !read_processors(machine, topology))
        status = mpl_fail_memory(error);
    hwloc_topology_destroy(topology);
    return status;
}
