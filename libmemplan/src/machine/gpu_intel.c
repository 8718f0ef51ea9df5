/* SPDX-License-Identifier: MIT */
/*
 * Intel's GPUs by what the xe and i915 drivers show. Only xe tells the size
 * of a card's memory in a file that anybody may read:
 *
 *     tile0/physical_vram_size_bytes     (xe)
 *     drm/cardN/lmem_total_bytes, lmem_avail_bytes    (i915, data centre)
 *
 * Others are left to the catalogue. What is free on a card of xe's, nobody but
 * root is told: its query of memory regions answers 0 in use without
 * CAP_PERFMON and wakes the card, debugfs is root's, and the fdinfo of DRM is
 * there for one's own processes alone. It stays unknown, and a note says so.
 */
#include <string.h>

#include "machine/gpus.h"

static const char DEVICES[] = "/sys/bus/pci/devices";

static bool read_xe(mpl_report *report, const mpl_tree *tree, const char *pci)
{
    uint64_t bytes;
    if (!mpl_tree_number(tree, &bytes, "%s/%s/tile0/physical_vram_size_bytes",
                         DEVICES, pci) ||
        bytes == 0)
        return false;
    report->source = "xe";
    report->total_bytes = bytes;
    return true;
}

static bool read_i915(mpl_report *report, const mpl_tree *tree,
                      const char *pci)
{
    enum { CARDS = 64 };
    for (uint32_t card = 0; card < CARDS; card++) {
        uint64_t bytes;
        if (!mpl_tree_number(tree, &bytes, "%s/%s/drm/card%u/lmem_total_bytes",
                             DEVICES, pci, card))
            continue;
        report->source = "i915";
        report->total_bytes = bytes;
        if (mpl_tree_number(tree, &bytes,
                            "%s/%s/drm/card%u/lmem_avail_bytes", DEVICES, pci,
                            card))
            report->free_bytes = bytes;
        return true;
    }
    return false;
}

bool mpl_gpu_read_intel(mpl_topology *to, const mpl_tree *tree)
{
    enum { INTEL = 0x8086 };
    const uint32_t count = to->report_count;
    for (uint32_t at = 0; at < count; at++) {
        const mpl_report pci = to->reports[at];
        if (pci.vendor_id != INTEL || pci.is_integrated ||
            strcmp(pci.source, "pci") != 0)
            continue;
        mpl_report made = mpl_report_blank("");
        if (!read_xe(&made, tree, pci.pci) &&
            !read_i915(&made, tree, pci.pci))
            continue;
        mpl_report *const report = mpl_topology_add_report(to, made.source);
        if (report == NULL)
            return false;
        *report = made;
        report->pci = pci.pci;
        report->vendor_id = pci.vendor_id;
        report->device_id = pci.device_id;
    }
    return true;
}
