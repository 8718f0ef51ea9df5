/* SPDX-License-Identifier: MIT */
/*
 * The topology of a recorded file tree: what the kernel shows under /sys and
 * /proc, without hwloc. (hwloc takes a root from its environment alone.)
 *
 *     /sys/devices/system/node/nodeN/meminfo
 *     /sys/devices/system/cpu/online, cpuN/topology/{core,physical_package}_id
 *     /sys/bus/pci/devices/ADDRESS/{class,vendor,device,numa_node,...}
 *     /proc/driver/nvidia/gpus/ADDRESS/numa_status
 *     /proc/self/status: Cpus_allowed_list, Mems_allowed_list
 */
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/failure.h"
#include "machine/bitmap.h"
#include "machine/cpu.h"
#include "machine/link.h"
#include "machine/topology.h"

typedef struct allowed {
    mpl_bitmap cpus;
    mpl_bitmap nodes;
    bool has_cpus;
    bool has_nodes;
} allowed;

/* A list on a line of /proc/self/status. */
static bool read_list(const char *status, const char *key, mpl_bitmap *out)
{
    char list[512];
    const char *at = strstr(status, key);
    if (at == NULL)
        return false;
    at += strlen(key);
    at += strspn(at, ": \t");
    const size_t length = strcspn(at, "\n");
    if (length >= sizeof list)
        return false;
    memcpy(list, at, length);
    list[length] = '\0';
    return mpl_bitmap_read_list(out, list);
}

static void read_allowed(allowed *out, const mpl_tree *tree)
{
    char text[MPL_TREE_FILE_BYTES];
    if (!mpl_tree_text(tree, text, sizeof text, "/proc/self/status"))
        return;
    out->has_cpus = read_list(text, "\nCpus_allowed_list", &out->cpus);
    out->has_nodes = read_list(text, "\nMems_allowed_list", &out->nodes);
}

/* The nodes whose memory is a GPU's: "Node: 255". */
static uint32_t read_gpu_node(const mpl_tree *tree, const char *address)
{
    char text[MPL_TREE_FILE_BYTES];
    uint64_t node;
    if (mpl_tree_text(tree, text, sizeof text,
                      "/proc/driver/nvidia/gpus/%s/numa_status", address) &&
        mpl_tree_field(text, "Node", &node) && node < MPL_BITMAP_BITS)
        return (uint32_t)node;
    return UINT32_MAX;
}

static bool read_nodes(mpl_topology *to, const mpl_tree *tree,
                       const allowed *may)
{
    uint32_t count;
    const char **names;
    if (!mpl_tree_list(tree, to->arena, &names, &count,
                       "/sys/devices/system/node"))
        return false;
    for (uint32_t at = 0; at < count; at++) {
        uint64_t index;
        if (strncmp(names[at], "node", 4) != 0 ||
            !mpl_tree_parse(names[at] + 4, &index) ||
            index >= MPL_BITMAP_BITS)
            continue;
        mpl_numa_node *const node =
            mpl_topology_add_node(to, (uint32_t)index);
        if (node == NULL)
            return false;
        const uint64_t bytes =
            mpl_tree_node_bytes(tree, node->index, " MemTotal");
        node->total_bytes = bytes > 0 ? bytes : MEMPLAN_UNKNOWN;
        node->is_allowed =
            !may->has_nodes || mpl_bitmap_has(&may->nodes, node->index);
    }
    return true;
}

/* A set of small numbers that counts its members. */
static void note_member(mpl_bitmap *set, uint64_t member)
{
    const uint32_t bit = (uint32_t)(member % MPL_BITMAP_BITS);
    set->words[bit / 32] |= UINT32_C(1) << (bit % 32);
}

/* A core is told by the first thread of its siblings. */
static void read_cores(mpl_topology *to, const mpl_tree *tree,
                       const mpl_bitmap *online)
{
    mpl_bitmap packages = {{0}};
    mpl_bitmap cores = {{0}};
    for (uint32_t cpu = 0; cpu < MPL_BITMAP_BITS; cpu++) {
        char text[256];
        uint64_t id;
        uint64_t first;
        if (!mpl_bitmap_has(online, cpu))
            continue;
        if (mpl_tree_number(tree, &id,
                            "/sys/devices/system/cpu/cpu%u/topology/"
                            "physical_package_id",
                            cpu))
            note_member(&packages, id);
        if (mpl_tree_text(tree, text, sizeof text,
                          "/sys/devices/system/cpu/cpu%u/topology/"
                          "thread_siblings_list",
                          cpu) &&
            mpl_tree_parse(text, &first))
            note_member(&cores, first);
    }
    to->package_count = mpl_bitmap_count(&packages);
    to->core_count = mpl_bitmap_count(&cores);
}

static void read_processors(mpl_topology *to, const mpl_tree *tree,
                            const allowed *may)
{
    char list[512];
    mpl_bitmap online;
    if (!mpl_tree_text(tree, list, sizeof list,
                       "/sys/devices/system/cpu/online") ||
        !mpl_bitmap_read_list(&online, list))
        return;
    to->all_thread_count = mpl_bitmap_count(&online);
    for (uint32_t cpu = 0; cpu < MPL_BITMAP_BITS; cpu++)
        to->thread_count +=
            mpl_bitmap_has(&online, cpu) &&
            (!may->has_cpus || mpl_bitmap_has(&may->cpus, cpu));
    read_cores(to, tree, &online);
}

/* What the link may come to: an idle one has slowed down. */
static bool read_link(mpl_topology *to, const mpl_tree *tree,
                      mpl_report *report, const char *address)
{
    char speed[64];
    uint64_t lanes;
    if (!mpl_tree_text(tree, speed, sizeof speed,
                       "/sys/bus/pci/devices/%s/max_link_speed", address) ||
        !mpl_tree_number(tree, &lanes,
                         "/sys/bus/pci/devices/%s/current_link_width",
                         address) ||
        lanes > 32)
        return true;
    const uint32_t generation = mpl_link_generation_read(speed);
    report->link_bytes_per_second =
        mpl_link_pcie(generation, (uint32_t)lanes);
    report->link = mpl_link_pcie_name(to->arena, generation, (uint32_t)lanes);
    return report->link != NULL;
}

static bool read_gpu(mpl_topology *to, const mpl_tree *tree,
                     const char *address)
{
    static const char DEVICES[] = "/sys/bus/pci/devices";
    uint64_t class_id;
    uint64_t vendor_id;
    uint64_t device_id;
    uint64_t node;
    if (!mpl_tree_number(tree, &class_id, "%s/%s/class", DEVICES, address) ||
        !mpl_tree_number(tree, &vendor_id, "%s/%s/vendor", DEVICES,
                         address) ||
        !mpl_tree_number(tree, &device_id, "%s/%s/device", DEVICES,
                         address) ||
        !mpl_pci_is_gpu((uint32_t)(class_id >> 8), (uint32_t)vendor_id))
        return true;
    mpl_report *const report = mpl_topology_add_report(to, "pci");
    if (report == NULL)
        return false;
    report->pci = address;
    report->vendor_id = (uint32_t)vendor_id;
    report->device_id = (uint32_t)device_id;
    report->is_integrated = mpl_pci_is_integrated(report);
    /* -1: the kernel does not know; it parses as no number. */
    if (mpl_tree_number(tree, &node, "%s/%s/numa_node", DEVICES, address) &&
        node < MPL_BITMAP_BITS)
        report->numa_index = (uint32_t)node;
    return read_link(to, tree, report, address);
}

static bool read_gpus(mpl_topology *to, const mpl_tree *tree)
{
    uint32_t count;
    const char **names;
    if (!mpl_tree_list(tree, to->arena, &names, &count,
                       "/sys/bus/pci/devices"))
        return false;
    for (uint32_t at = 0; at < count; at++)
        if (!read_gpu(to, tree, names[at]))
            return false;
    return true;
}

bool mpl_topology_add_gpu_nodes(mpl_topology *to, const mpl_tree *tree)
{
    uint32_t count;
    const char **names;
    if (!mpl_tree_list(tree, to->arena, &names, &count,
                       "/proc/driver/nvidia/gpus"))
        return false;
    for (uint32_t at = 0; at < count; at++) {
        const uint32_t index = read_gpu_node(tree, names[at]);
        for (uint32_t node = 0; node < to->node_count; node++) {
            if (to->nodes[node].index != index)
                continue;
            to->nodes[node].kind = MPL_MEMORY_DEVICE;
            mpl_report *const report =
                mpl_topology_add_report(to, "numa node");
            if (report == NULL)
                return false;
            report->pci = names[at];
            report->vendor_id = 0x10de;
            report->total_bytes = to->nodes[node].total_bytes;
            const uint64_t idle = mpl_tree_node_bytes(tree, index, " MemFree");
            if (idle > 0)
                report->free_bytes = idle;
        }
    }
    return true;
}

static bool read_names(mpl_topology *to, const mpl_tree *tree)
{
    char text[256];
    if (mpl_tree_text(tree, text, sizeof text,
                      "/sys/class/dmi/id/product_name") ||
        mpl_tree_text(tree, text, sizeof text, "/proc/device-tree/model"))
        to->product = mpl_text_trimmed(to->arena, text);
    const char *const model = mpl_cpu_model(to->arena, tree);
    if (model != NULL)
        to->cpu_model = model;
    to->system = "Linux";
    return to->product != NULL && model != NULL;
}

memplan_status mpl_topology_read_tree(mpl_topology *to, const mpl_tree *tree,
                                      memplan_error *error)
{
    allowed may = {.has_cpus = false};
    read_allowed(&may, tree);
    if (!read_nodes(to, tree, &may) || !read_gpus(to, tree) ||
        !read_names(to, tree))
        return mpl_fail_memory(error);
    read_processors(to, tree, &may);
    return MEMPLAN_OK;
}
