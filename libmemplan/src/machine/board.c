/* SPDX-License-Identifier: MIT */
/*
 * GPUs that are a part of a processor: how they are told from cards, and the
 * boards whose GPU no bus shows.
 */
#include <string.h>

#include "machine/topology.h"

/* Graphics of AMD's processors (PCI ids of the amdgpu driver). MI300A is not
 * here: it has no display, and the catalogue knows that its memory is the
 * host's. */
static const uint32_t AMD_PROCESSORS[] = {
    0x15dd, /* Raven Ridge */
    0x15d8, /* Picasso, Raven 2 */
    0x1636, /* Renoir */
    0x164c, /* Lucienne */
    0x1638, /* Cezanne */
    0x163f, /* Van Gogh */
    0x1435, /* Van Gogh, OLED */
    0x164d, /* Yellow Carp */
    0x1681, /* Rembrandt */
    0x164e, /* Raphael */
    0x13c0, /* Granite Ridge */
    0x1506, /* Mendocino */
    0x15bf, /* Phoenix */
    0x15c8, /* Phoenix 2 */
    0x1900, /* Hawk Point */
    0x1901, /* Hawk Point 2 */
    0x150e, /* Strix Point */
    0x1586, /* Strix Halo */
    0x1114, /* Krackan Point */
};

bool mpl_pci_is_integrated(const mpl_report *report)
{
    const char *const colon = strchr(report->pci, ':');
    if (report->vendor_id == 0x8086)
        return colon != NULL && strncmp(colon, ":00:02.", 7) == 0;
    for (size_t at = 0;
         report->vendor_id == 0x1002 &&
         at < sizeof AMD_PROCESSORS / sizeof *AMD_PROCESSORS;
         at++)
        if (AMD_PROCESSORS[at] == report->device_id)
            return true;
    return false;
}

/* Boards by what their maker calls them: a part of the product's name. */
static const struct {
    const char *product;
    const char *gpu;
} BOARDS[] = {
    {"DGX_Spark", "NVIDIA GB10"},
    {"DGX Spark", "NVIDIA GB10"},
    {"Jetson AGX Thor", "Jetson AGX Thor"},
    {"Jetson AGX Orin", "Jetson AGX Orin"},
    {"Jetson Orin NX", "Jetson Orin NX"},
    {"Jetson Orin Nano Engineering Reference Developer Kit Super",
     "Jetson Orin Nano Super"},
    {"Jetson Orin Nano", "Jetson Orin Nano"},
    {"Jetson AGX Xavier", "Jetson AGX Xavier"},
    {"Jetson-AGX", "Jetson AGX Xavier"},
    {"Jetson Xavier NX", "Jetson Xavier NX"},
    {"Jetson Nano", "Jetson Nano"},
    {"Jetson-TX2", "Jetson TX2"},
};

static bool has_report_of(const mpl_topology *topology, uint32_t vendor_id)
{
    for (uint32_t at = 0; at < topology->report_count; at++)
        if (topology->reports[at].vendor_id == vendor_id)
            return true;
    return false;
}

static bool add(mpl_topology *topology, const char *name, uint32_t vendor_id)
{
    mpl_report *const report = mpl_topology_add_report(topology, "board");
    if (report == NULL)
        return false;
    report->name = name;
    report->vendor_id = vendor_id;
    report->is_integrated = true;
    return true;
}

bool mpl_topology_add_board(mpl_topology *topology)
{
    if (strncmp(topology->cpu_model, "Apple M", 7) == 0 &&
        strcmp(topology->system, "Darwin") == 0)
        return add(topology, topology->cpu_model, 0);
    for (size_t at = 0; at < sizeof BOARDS / sizeof *BOARDS; at++)
        if (strstr(topology->product, BOARDS[at].product) != NULL)
            return has_report_of(topology, 0x10de) ||
                   add(topology, BOARDS[at].gpu, 0x10de);
    return true;
}
