/* SPDX-License-Identifier: MIT */
/*
 * Files are not read with hwloc's importer (see machine/xml.h): here both
 * read the recorded topologies of formats 1 and 2, and must agree on all that
 * plans use of them.
 */
#include <hwloc.h>

#include "machine/machine.h"
#include "machine/shared.h"
#include "machine/topology.h"

static const char *const FILES[] = {
    "flux-corona-8xMI50.xml",
    "flux-elcap-4xMI300A.xml",
    "flux-tuolumne-mi300a-SPX.xml",
    "fluxsched-chimera-GTX1070+VegaFE-v1.xml",
    "hwloc-32amd64-4s2n4c-cgroup2.xml",
    "hwloc-32em64t-2n8c+1mic+dax+dimms.xml",
    "hwloc-8intel64-4n2t-memattrs.xml",
    "hwloc-cxlmem+dax.v2.xml",
    "hwloc-fakeheterocpunuma.xml",
    "hwloc-nvidiaDGX2-16xV100.xml",
    "hwloc-x86-RaptorLake-i7-1370P.xml",
    "hwloc-x86-Zen4-2xEpyc-9654.xml",
    "hxp-apple-m2.xml",
    "mpibind-aws-g4dn.metal-8xT4.xml",
    "mpibind-corona-p1-4xVega20-32GB.xml",
    "mpibind-knl-snc4-flat-v1.xml",
    "mpibind-pascal-2xP100.xml",
    "mpibind-tioga-8xMI250X-gcd.xml",
    "derived-from-sysfs/128arm-2pa2n8cluster4co.xml",
    "derived-from-sysfs/32amd64-4s2n4c-cgroup2.xml",
    "derived-from-sysfs/nvidia-dgx-gb10.xml",
    "derived-from-sysfs/nvidiagpunumanodes.xml",
};

static hwloc_topology_t load(const char *path)
{
    hwloc_topology_t topology;
    cr_assert_eq(hwloc_topology_init(&topology), 0);
    cr_assert_eq(hwloc_topology_set_flags(
                     topology, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED),
                 0);
    cr_assert_eq(hwloc_topology_set_io_types_filter(
                     topology, HWLOC_TYPE_FILTER_KEEP_ALL),
                 0);
    cr_assert_eq(hwloc_topology_set_xml(topology, path), 0, "%s", path);
    cr_assert_eq(hwloc_topology_load(topology), 0, "%s", path);
    return topology;
}

static uint32_t count(hwloc_topology_t topology, hwloc_obj_type_t type)
{
    const int found = hwloc_get_nbobjs_by_type(topology, type);
    return found > 0 ? (uint32_t)found : 0;
}

static void compare_processors(const char *file, hwloc_topology_t theirs,
                               const mpl_host *host)
{
    const int threads =
        hwloc_bitmap_weight(hwloc_topology_get_allowed_cpuset(theirs));
    cr_expect_eq(host->package_count, count(theirs, HWLOC_OBJ_PACKAGE), "%s",
                 file);
    cr_expect_eq(host->core_count, count(theirs, HWLOC_OBJ_CORE), "%s", file);
    cr_expect_eq((int)host->thread_count, threads, "%s", file);
    const int kinds = hwloc_cpukinds_get_nr(theirs, 0);
    cr_expect_eq((int)host->kind_count, kinds > 1 ? kinds : 0, "%s: %d kinds",
                 file, kinds);
    for (int at = 0; at < (int)host->kind_count; at++) {
        hwloc_bitmap_t set = hwloc_bitmap_alloc();
        uint32_t same = 0;
        cr_assert_eq(hwloc_cpukinds_get_info(theirs, (unsigned)at, set, NULL,
                                             NULL, NULL, 0),
                     0);
        for (uint32_t ours = 0; ours < host->kind_count; ours++)
            same += (int)host->kinds[ours].thread_count ==
                    hwloc_bitmap_weight(set);
        cr_expect_gt(same, 0, "%s: kind %d", file, at);
        hwloc_bitmap_free(set);
    }
}

/* The nearest initiator's value of an attribute, 0 where there is none. */
static uint64_t best_of(hwloc_topology_t theirs, hwloc_obj_t node,
                        hwloc_memattr_id_t first, hwloc_memattr_id_t second)
{
    hwloc_uint64_t value = 0;
    struct hwloc_location from;
    if (hwloc_memattr_get_best_initiator(theirs, first, node, 0, &from,
                                         &value) != 0 &&
        hwloc_memattr_get_best_initiator(theirs, second, node, 0, &from,
                                         &value) != 0)
        return 0;
    return value;
}

static void compare_node(const char *file, hwloc_topology_t theirs,
                         hwloc_obj_t node, const mpl_numa_node *ours)
{
    cr_expect_eq(ours->total_bytes, node->attr->numanode.local_memory,
                 "%s: node %u", file, node->os_index);
    cr_expect_eq(ours->is_allowed,
                 hwloc_bitmap_isset(hwloc_topology_get_allowed_nodeset(theirs),
                                    node->os_index) != 0,
                 "%s: node %u", file, node->os_index);
    const uint64_t rate =
        best_of(theirs, node, HWLOC_MEMATTR_ID_READ_BANDWIDTH,
                HWLOC_MEMATTR_ID_BANDWIDTH);
    const uint64_t delay =
        best_of(theirs, node, HWLOC_MEMATTR_ID_READ_LATENCY,
                HWLOC_MEMATTR_ID_LATENCY);
    cr_expect_eq(ours->read_bytes_per_second.value,
                 rate == 0 ? MEMPLAN_UNKNOWN : rate << 20, "%s: node %u", file,
                 node->os_index);
    cr_expect_eq(ours->latency_ns.value, delay == 0 ? MEMPLAN_UNKNOWN : delay,
                 "%s: node %u", file, node->os_index);
}

static void compare_nodes(const char *file, hwloc_topology_t theirs,
                          const memplan_machine *machine)
{
    for (uint32_t at = 0; at < count(theirs, HWLOC_OBJ_NUMANODE); at++) {
        const hwloc_obj_t node =
            hwloc_get_obj_by_type(theirs, HWLOC_OBJ_NUMANODE, at);
        uint32_t found = 0;
        while (found < machine->node_count &&
               machine->nodes[found].index != node->os_index)
            found++;
        if (node->attr->numanode.local_memory == 0)
            continue; /* nothing that a plan may use */
        cr_assert_lt(found, machine->node_count, "%s: node %u", file,
                     node->os_index);
        compare_node(file, theirs, node, &machine->nodes[found]);
    }
}

static void compare_devices(const char *file, hwloc_topology_t theirs,
                            const memplan_machine *machine)
{
    for (hwloc_obj_t at = hwloc_get_next_pcidev(theirs, NULL); at != NULL;
         at = hwloc_get_next_pcidev(theirs, at)) {
        const struct hwloc_pcidev_attr_s *const pci = &at->attr->pcidev;
        char address[32];
        bool is_found = false;
        (void)snprintf(address, sizeof address, "%04x:%02x:%02x.%x",
                       (unsigned)pci->domain, pci->bus, pci->dev, pci->func);
        if (pci->vendor_id == 0)
            continue; /* a tree without PCI's registers */
        for (uint32_t device = 0; device < machine->device_count; device++)
            is_found |= mpl_pci_is_same(machine->devices[device].pci, address);
        cr_expect_eq(is_found, mpl_pci_is_gpu(pci->class_id, pci->vendor_id),
                     "%s: %s", file, address);
    }
}

/* Direct links alone: hwloc does not join what hangs on one switch. */
static void compare_links(const char *file, hwloc_topology_t theirs,
                          const memplan_machine *machine)
{
    struct hwloc_distances_s *matrix = NULL;
    unsigned found = 1;
    uint32_t linked = 0;
    if (hwloc_distances_get_by_name(theirs, "XGMIBandwidth", &found, &matrix,
                                    0) != 0 ||
        found == 0)
        return;
    for (unsigned row = 0; row < matrix->nbobjs; row++)
        for (unsigned column = 0; column < matrix->nbobjs; column++)
            linked += row != column &&
                      matrix->values[row * matrix->nbobjs + column] > 0;
    cr_expect_eq(machine->peer_count, linked, "%s: %u links", file, linked);
    hwloc_distances_release(theirs, matrix);
}

Test(hwloc, reads_the_same)
{
    for (size_t at = 0; at < sizeof FILES / sizeof *FILES; at++) {
        char name[256];
        char path[512];
        memplan_machine *machine = NULL;
        memplan_error error = {0};
        (void)snprintf(name, sizeof name, "corpus/topologies/%s", FILES[at]);
        (void)shared_path(path, sizeof path, name);
        cr_assert_eq(memplan_machine_open(&machine, path, &error),
                     MEMPLAN_OK, "%s", error.message);
        hwloc_topology_t theirs = load(path);
        compare_processors(FILES[at], theirs, &machine->host);
        compare_nodes(FILES[at], theirs, machine);
        compare_devices(FILES[at], theirs, machine);
        compare_links(FILES[at], theirs, machine);
        hwloc_topology_destroy(theirs);
        memplan_machine_free(machine);
    }
}
