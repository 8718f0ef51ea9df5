/* SPDX-License-Identifier: MIT */
/*
 * Facts that all readers of topologies share: nodes, and what a source says
 * of a GPU. hwloc's sizes of device memories are in KiB.
 */
#include <string.h>

#include "base/checked.h"
#include "machine/topology.h"

mpl_report mpl_report_blank(const char *source)
{
    return (mpl_report){.source = source,
                        .pci = "",
                        .uuid = "",
                        .parent_uuid = "",
                        .name = "",
                        .link = "",
                        .numa_index = UINT32_MAX,
                        .order = UINT32_MAX,
                        .gpu_instance = UINT32_MAX,
                        .compute_instance = UINT32_MAX,
                        .total_bytes = MEMPLAN_UNKNOWN,
                        .free_bytes = MEMPLAN_UNKNOWN,
                        .reserved_bytes = MEMPLAN_UNKNOWN,
                        .carve_out_bytes = MEMPLAN_UNKNOWN,
                        .host_mapped_bytes = MEMPLAN_UNKNOWN,
                        .bandwidth_bytes_per_second = MEMPLAN_UNKNOWN,
                        .link_bytes_per_second = MEMPLAN_UNKNOWN};
}

mpl_numa_node mpl_node_blank(uint32_t index)
{
    return (mpl_numa_node){.index = index,
                           .kind = MPL_MEMORY_DRAM,
                           .total_bytes = MEMPLAN_UNKNOWN,
                           .is_allowed = true,
                           .read_bytes_per_second = MPL_FIGURE_UNKNOWN,
                           .latency_ns = MPL_FIGURE_UNKNOWN};
}

mpl_topology mpl_topology_blank(memplan_machine *machine)
{
    return (mpl_topology){.arena = machine->arena,
                          .cpu_model = "",
                          .product = "",
                          .system = ""};
}

mpl_report *mpl_topology_add_report(mpl_topology *topology,
                                    const char *source)
{
    mpl_report *const reports = mpl_arena_grow(
        topology->arena, topology->reports, topology->report_count,
        &topology->report_capacity, sizeof *reports);
    if (reports == NULL)
        return NULL;
    topology->reports = reports;
    reports[topology->report_count] = mpl_report_blank(source);
    return &reports[topology->report_count++];
}

mpl_numa_node *mpl_topology_add_node(mpl_topology *topology, uint32_t index)
{
    mpl_numa_node *const nodes =
        mpl_arena_grow(topology->arena, topology->nodes, topology->node_count,
                       &topology->node_capacity, sizeof *nodes);
    if (nodes == NULL)
        return NULL;
    topology->nodes = nodes;
    nodes[topology->node_count] = mpl_node_blank(index);
    return &nodes[topology->node_count++];
}

bool mpl_topology_add_joint(mpl_topology *topology, mpl_joint joint)
{
    mpl_joint *const joints = mpl_arena_grow(
        topology->arena, topology->joints, topology->joint_count,
        &topology->joint_capacity, sizeof *joints);
    if (joints == NULL)
        return false;
    topology->joints = joints;
    joints[topology->joint_count++] = joint;
    return true;
}

mpl_memory_kind mpl_node_kind(const char *subtype)
{
    static const struct {
        const char *subtype;
        mpl_memory_kind kind;
    } KINDS[] = {
        {"DRAM", MPL_MEMORY_DRAM},     {"HBM", MPL_MEMORY_HBM},
        {"MCDRAM", MPL_MEMORY_HBM},    {"CXL-DRAM", MPL_MEMORY_CXL},
        {"CXL-NVM", MPL_MEMORY_NVM},   {"NVM", MPL_MEMORY_NVM},
        {"GPUMemory", MPL_MEMORY_DEVICE},
    };
    for (size_t at = 0; subtype != NULL && at < sizeof KINDS / sizeof *KINDS;
         at++)
        if (strcmp(KINDS[at].subtype, subtype) == 0)
            return KINDS[at].kind;
    return MPL_MEMORY_DRAM;
}

bool mpl_pci_is_same(const char *a, const char *b)
{
    while (a[0] == '0' && strchr(a, ':') - a > 4)
        a++;
    while (b[0] == '0' && strchr(b, ':') - b > 4)
        b++;
    for (; *a != '\0' && *b != '\0'; a++, b++)
        if ((*a | 0x20) != (*b | 0x20))
            return false;
    return *a == *b;
}

bool mpl_pci_is_gpu(uint32_t class_id, uint32_t vendor_id)
{
    enum { NVIDIA = 0x10de, AMD = 0x1002, INTEL = 0x8086 };
    const uint32_t base = class_id >> 8;
    return (base == 0x03 || base == 0x12) &&
           (vendor_id == NVIDIA || vendor_id == AMD || vendor_id == INTEL);
}

const char *mpl_text_trimmed(mpl_arena *arena, const char *text)
{
    while (*text == ' ')
        text++;
    size_t length = strlen(text);
    while (length > 0 && text[length - 1] == ' ')
        length--;
    return mpl_arena_copy(arena, text, length);
}

/* A whole decimal number, or MEMPLAN_UNKNOWN. */
static uint64_t read_decimal(const char *text)
{
    uint64_t value = 0;
    for (const char *at = text; *at != '\0'; at++)
        if (*at < '0' || *at > '9' || !mpl_mul(&value, value, 10) ||
            !mpl_add(&value, value, (uint64_t)(*at - '0')))
            return MEMPLAN_UNKNOWN;
    return text[0] != '\0' ? value : MEMPLAN_UNKNOWN;
}

/* 0 KiB is how some drivers say that they do not know. */
static uint64_t kib_bytes(const char *text)
{
    const uint64_t kib = read_decimal(text);
    uint64_t bytes;
    if (kib == MEMPLAN_UNKNOWN || kib == 0 || !mpl_mul(&bytes, kib, 1024))
        return MEMPLAN_UNKNOWN;
    return bytes;
}

/* Some drivers say "all zeros" for none. */
static bool is_blank_uuid(const char *uuid)
{
    return uuid[strspn(uuid, "0-")] == '\0';
}

bool mpl_report_fact(mpl_arena *arena, mpl_report *report, const char *name,
                     const char *value)
{
    static const char *const TOTALS[] = {
        "CUDAGlobalMemorySize", "OpenCLGlobalMemorySize", "RSMIVRAMSize",
        "LevelZeroHBMSize", "LevelZeroDDRSize"};
    for (size_t at = 0; at < sizeof TOTALS / sizeof *TOTALS; at++)
        if (strcmp(name, TOTALS[at]) == 0)
            report->total_bytes = kib_bytes(value);
    if (strcmp(name, "RSMIGTTSize") == 0)
        report->host_mapped_bytes = kib_bytes(value);
    else if (strcmp(name, "GPUModel") == 0 && strncmp(value, "deon ", 5) == 0)
        /* AMD's library cuts "Radeon" short. */
        report->name = mpl_arena_format(arena, "Ra%s", value);
    else if (strcmp(name, "GPUModel") == 0 || strcmp(name, "PCIDevice") == 0)
        report->name = mpl_text_trimmed(arena, value);
    else if (strcmp(name, "NVIDIAUUID") == 0)
        report->uuid = mpl_arena_strdup(arena, value);
    else if (strcmp(name, "AMDUUID") == 0 && !is_blank_uuid(value))
        report->uuid = mpl_arena_format(arena, "GPU-%s", value);
    return report->name != NULL && report->uuid != NULL;
}
