/* SPDX-License-Identifier: MIT */
/*
 * This machine's topology by hwloc. Its components that open device drivers
 * (CUDA, OpenCL, ...) are switched off: they would make contexts, wake
 * devices and cost seconds; the probes of this folder ask the drivers
 * themselves. (hwloc loads the plugins that hold them all the same; what is
 * switched off is not called.) So is the one that reads PCI by libpciaccess,
 * which leaks a little each time: hwloc then reads the kernel's files. And it
 * may not move the calling thread from processor to processor, which it would
 * to run cpuid on each. Recorded machines are not read with hwloc: see xml.h.
 */
#include "machine/topology.h"

#include <hwloc.h>
#include <string.h>

#include "base/checked.h"
#include "base/failure.h"

static bool read_node(mpl_topology *to, hwloc_topology_t from,
                      hwloc_obj_t object)
{
    mpl_numa_node *const node = mpl_topology_add_node(to, object->os_index);
    if (node == NULL)
        return false;
    if (object->attr->numanode.local_memory > 0)
        node->total_bytes = object->attr->numanode.local_memory;
    node->kind = mpl_node_kind(object->subtype);
    node->is_allowed = hwloc_bitmap_isset(
        hwloc_topology_get_allowed_nodeset(from), object->os_index) != 0;
    return true;
}

/* A node's attribute as its own processors see it, or unknown. hwloc gives
 * bandwidths in MiB/s and latencies in ns. */
static mpl_figure read_attribute(hwloc_topology_t from, hwloc_obj_t object,
                                 enum hwloc_memattr_id_e first,
                                 enum hwloc_memattr_id_e second,
                                 uint64_t unit)
{
    struct hwloc_location near = {.type = HWLOC_LOCATION_TYPE_CPUSET,
                                  .location.cpuset = object->cpuset};
    hwloc_uint64_t value = 0;
    uint64_t figure;
    if (object->cpuset == NULL || hwloc_bitmap_iszero(object->cpuset))
        return MPL_FIGURE_UNKNOWN;
    if (hwloc_memattr_get_value(from, first, object, &near, 0, &value) != 0 &&
        hwloc_memattr_get_value(from, second, object, &near, 0, &value) != 0)
        return MPL_FIGURE_UNKNOWN;
    if (value == 0 || !mpl_mul(&figure, value, unit))
        return MPL_FIGURE_UNKNOWN;
    return (mpl_figure){figure, "hwloc memory attribute"};
}

static bool read_nodes(mpl_topology *to, hwloc_topology_t from)
{
    const int count = hwloc_get_nbobjs_by_type(from, HWLOC_OBJ_NUMANODE);
    for (int at = 0; at < count; at++) {
        const hwloc_obj_t object =
            hwloc_get_obj_by_type(from, HWLOC_OBJ_NUMANODE, (unsigned)at);
        if (!read_node(to, from, object))
            return false;
        mpl_numa_node *const node = &to->nodes[to->node_count - 1];
        node->read_bytes_per_second = read_attribute(
            from, object, HWLOC_MEMATTR_ID_READ_BANDWIDTH,
            HWLOC_MEMATTR_ID_BANDWIDTH, UINT64_C(1) << 20);
        node->latency_ns =
            read_attribute(from, object, HWLOC_MEMATTR_ID_READ_LATENCY,
                           HWLOC_MEMATTR_ID_LATENCY, 1);
    }
    return true;
}

static uint32_t count_objects(hwloc_topology_t from, hwloc_obj_type_t type)
{
    const int count = hwloc_get_nbobjs_by_type(from, type);
    return count > 0 ? (uint32_t)count : 0;
}

/* Cores of one kind that are in a set of threads. */
static uint32_t count_cores(hwloc_topology_t from, hwloc_const_cpuset_t set)
{
    const int count =
        hwloc_get_nbobjs_inside_cpuset_by_type(from, set, HWLOC_OBJ_CORE);
    return count > 0 ? (uint32_t)count : 0;
}

static bool read_kinds(mpl_topology *to, hwloc_topology_t from)
{
    const int count = hwloc_cpukinds_get_nr(from, 0);
    if (count < 2)
        return true;
    to->kinds =
        mpl_arena_alloc(to->arena, (uint64_t)count, sizeof *to->kinds);
    const hwloc_bitmap_t set = hwloc_bitmap_alloc();
    bool is_kept = to->kinds != NULL && set != NULL;
    for (int at = 0; at < count && is_kept; at++) {
        int efficiency = -1;
        unsigned info_count = 0;
        struct hwloc_info_s *infos = NULL;
        if (hwloc_cpukinds_get_info(from, (unsigned)at, set, &efficiency,
                                    &info_count, &infos, 0) != 0)
            continue;
        const char *name = "";
        for (unsigned info = 0; info < info_count; info++)
            if (strcmp(infos[info].name, "CoreType") == 0)
                name = infos[info].value;
        const int threads = hwloc_bitmap_weight(set);
        mpl_cpu_kind *const kind = &to->kinds[to->kind_count++];
        *kind = (mpl_cpu_kind){
            .core_count = count_cores(from, set),
            .thread_count = threads > 0 ? (uint32_t)threads : 0,
            .efficiency = efficiency > 0 ? (uint32_t)efficiency : 0,
            .name = mpl_arena_strdup(to->arena, name)};
        is_kept = kind->name != NULL;
    }
    hwloc_bitmap_free(set);
    return is_kept;
}

static bool read_processors(mpl_topology *to, hwloc_topology_t from)
{
    to->package_count = count_objects(from, HWLOC_OBJ_PACKAGE);
    to->core_count = count_objects(from, HWLOC_OBJ_CORE);
    to->thread_count = count_objects(from, HWLOC_OBJ_PU);
    to->all_thread_count = to->thread_count;
    const hwloc_obj_t root = hwloc_get_root_obj(from);
    hwloc_obj_t package = hwloc_get_obj_by_type(from, HWLOC_OBJ_PACKAGE, 0);
    if (package == NULL)
        package = root;
    const char *const texts[] = {
        hwloc_obj_get_info_by_name(package, "CPUModel"),
        hwloc_obj_get_info_by_name(root, "DMIProductName"),
        hwloc_obj_get_info_by_name(root, "OSName")};
    const char **const places[] = {&to->cpu_model, &to->product, &to->system};
    for (size_t at = 0; at < sizeof places / sizeof *places; at++) {
        if (texts[at] != NULL)
            *places[at] = mpl_text_trimmed(to->arena, texts[at]);
        if (*places[at] == NULL)
            return false;
    }
    return read_kinds(to, from);
}

/* The only node that is near to a device, or none. */
static uint32_t near_node(hwloc_topology_t from, hwloc_obj_t device)
{
    const hwloc_obj_t near = hwloc_get_non_io_ancestor_obj(from, device);
    if (near == NULL || near->nodeset == NULL ||
        hwloc_bitmap_weight(near->nodeset) != 1)
        return UINT32_MAX;
    return (uint32_t)hwloc_bitmap_first(near->nodeset);
}

static bool read_device(mpl_topology *to, hwloc_topology_t from,
                        hwloc_obj_t device)
{
    const struct hwloc_pcidev_attr_s *const pci = &device->attr->pcidev;
    if (!mpl_pci_is_gpu(pci->class_id, pci->vendor_id))
        return true;
    mpl_report *const report = mpl_topology_add_report(to, "pci");
    if (report == NULL)
        return false;
    report->vendor_id = pci->vendor_id;
    report->device_id = pci->device_id;
    report->numa_index = near_node(from, device);
    report->pci = mpl_arena_format(to->arena, "%04x:%02x:%02x.%x",
                                   (unsigned)pci->domain, pci->bus, pci->dev,
                                   pci->func);
    report->is_integrated = mpl_pci_is_integrated(report);
    /* GB/s as the link stands now: an idle one may have slowed down. */
    if (pci->linkspeed > 0.0F && pci->linkspeed < 10000.0F)
        report->link_bytes_per_second =
            (uint64_t)(pci->linkspeed * 1000.0F) * UINT64_C(1000000);
    const char *const name = hwloc_obj_get_info_by_name(device, "PCIDevice");
    if (name != NULL)
        report->name = mpl_arena_strdup(to->arena, name);
    return report->pci != NULL && report->name != NULL;
}

static bool read_devices(mpl_topology *to, hwloc_topology_t from)
{
    for (hwloc_obj_t at = hwloc_get_next_pcidev(from, NULL); at != NULL;
         at = hwloc_get_next_pcidev(from, at))
        if (!read_device(to, from, at))
            return false;
    return true;
}

static void switch_off_drivers(hwloc_topology_t topology)
{
    static const char *const COMPONENTS[] = {
        "cuda", "nvml", "opencl", "rsmi", "levelzero", "gl", "pci"};
    for (size_t at = 0; at < sizeof COMPONENTS / sizeof *COMPONENTS; at++)
        (void)hwloc_topology_set_components(
            topology, HWLOC_TOPOLOGY_COMPONENTS_FLAG_BLACKLIST,
            COMPONENTS[at]);
}

memplan_status mpl_topology_detect(mpl_topology *to, memplan_error *error)
{
    hwloc_topology_t from;
    if (hwloc_topology_init(&from) != 0)
        return mpl_fail_memory(error);
    switch_off_drivers(from);
    memplan_status status = MEMPLAN_OK;
    if (hwloc_topology_set_flags(
            from, HWLOC_TOPOLOGY_FLAG_DONT_CHANGE_BINDING) != 0 ||
        hwloc_topology_set_io_types_filter(
            from, HWLOC_TYPE_FILTER_KEEP_IMPORTANT) != 0 ||
        hwloc_topology_load(from) != 0)
        status = mpl_fail(error, MEMPLAN_E_IO, MPL_NOWHERE,
                          "hwloc cannot load this machine's topology");
    else if (!read_nodes(to, from) || !read_processors(to, from) ||
             !read_devices(to, from))
        status = mpl_fail_memory(error);
    hwloc_topology_destroy(from);
    return status;
}
