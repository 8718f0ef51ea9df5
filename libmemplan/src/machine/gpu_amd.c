/* SPDX-License-Identifier: MIT */
/*
 * AMD's GPUs by what the amdgpu driver shows beside the PCI device:
 *
 *     mem_info_vram_total, mem_info_vram_used   the card's memory
 *     mem_info_gtt_total                        host memory that it may map
 *     unique_id, product_name
 *
 * Of a GPU inside a processor the "VRAM" is what firmware carved out of the
 * host's memory for it: the kernel does not count it as the host's, so it
 * comes on top of what both share. GTT is host memory and nobody's own.
 */
#include <string.h>

#include "base/checked.h"
#include "machine/gpus.h"

static const char DEVICES[] = "/sys/bus/pci/devices";

static void read_memory(mpl_report *report, const mpl_tree *tree,
                        const char *pci)
{
    uint64_t total;
    uint64_t used;
    if (mpl_tree_number(tree, &total, "%s/%s/mem_info_vram_total", DEVICES,
                        pci) &&
        total > 0) {
        report->total_bytes = total;
        if (mpl_tree_number(tree, &used, "%s/%s/mem_info_vram_used", DEVICES,
                            pci))
            report->free_bytes = mpl_sub_floor(total, used);
        if (report->is_integrated)
            report->carve_out_bytes = report->free_bytes != MEMPLAN_UNKNOWN
                                          ? report->free_bytes
                                          : total;
    }
    if (mpl_tree_number(tree, &total, "%s/%s/mem_info_gtt_total", DEVICES,
                        pci))
        report->host_mapped_bytes = total;
}

static bool read_names(mpl_report *report, const mpl_tree *tree,
                       mpl_arena *arena, const char *pci)
{
    char text[128];
    if (mpl_tree_text(tree, text, sizeof text, "%s/%s/product_name", DEVICES,
                      pci))
        report->name = mpl_text_trimmed(arena, text);
    if (mpl_tree_text(tree, text, sizeof text, "%s/%s/unique_id", DEVICES,
                      pci) &&
        text[strspn(text, "0")] != '\0')
        report->uuid = mpl_arena_format(arena, "GPU-%s", text);
    return report->name != NULL && report->uuid != NULL;
}

bool mpl_gpu_read_amd(mpl_topology *to, const mpl_tree *tree)
{
    enum { AMD = 0x1002 };
    const uint32_t count = to->report_count;
    for (uint32_t at = 0; at < count; at++) {
        const mpl_report pci = to->reports[at];
        uint64_t total;
        if (pci.vendor_id != AMD || strcmp(pci.source, "pci") != 0 ||
            !mpl_tree_number(tree, &total, "%s/%s/mem_info_vram_total",
                             DEVICES, pci.pci))
            continue;
        mpl_report *const report = mpl_topology_add_report(to, "amdgpu");
        if (report == NULL)
            return false;
        report->pci = pci.pci;
        report->vendor_id = pci.vendor_id;
        report->device_id = pci.device_id;
        report->is_integrated = pci.is_integrated;
        read_memory(report, tree, pci.pci);
        if (!read_names(report, tree, to->arena, pci.pci))
            return false;
    }
    return true;
}
