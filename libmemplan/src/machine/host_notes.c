/* SPDX-License-Identifier: MIT */
/* Disagreements about the host's memory, in plain words. */
#include "base/checked.h"
#include "machine/host.h"

/* Firmware keeps a part of what hwloc and the kernel count differently; only
 * more than a twentieth is worth a sentence. */
static bool is_apart(uint64_t a, uint64_t b)
{
    const uint64_t more = mpl_max(a, b);
    return more - mpl_min(a, b) > more / 20;
}

bool mpl_host_note_nodes(memplan_machine *machine)
{
    uint64_t seen = 0;
    for (uint32_t at = 0; at < machine->node_count; at++) {
        const mpl_numa_node *const node = &machine->nodes[at];
        if (node->kind != MPL_MEMORY_DEVICE &&
            node->total_bytes != MEMPLAN_UNKNOWN && node->is_allowed)
            (void)mpl_add(&seen, seen, node->total_bytes);
    }
    const uint64_t kernel = machine->host.total_bytes.value;
    if (kernel == MEMPLAN_UNKNOWN || seen == 0 || !is_apart(seen, kernel))
        return true;
    char by_nodes[32];
    char by_kernel[32];
    memplan_bytes_format(by_nodes, sizeof by_nodes, seen);
    memplan_bytes_format(by_kernel, sizeof by_kernel, kernel);
    return mpl_machine_add_note(
        machine, "hwloc sees %s, the kernel %s: %s; using the kernel's",
        by_nodes, by_kernel,
        seen < kernel ? "hot-plugged memory, or nodes that are not allowed"
                      : "the nodes count more than is there");
}
