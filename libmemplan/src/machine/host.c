/* SPDX-License-Identifier: MIT */
#include "machine/host.h"

#include "base/checked.h"

static const char MEMINFO[] = "/proc/meminfo";

static mpl_figure kib_figure(const char *text, const char *key)
{
    uint64_t kib;
    uint64_t bytes;
    if (!mpl_tree_field(text, key, &kib) || !mpl_mul(&bytes, kib, 1024))
        return MPL_FIGURE_UNKNOWN;
    return (mpl_figure){bytes, MEMINFO};
}

bool mpl_host_read_memory(memplan_machine *machine, const mpl_tree *tree)
{
    mpl_host *const host = &machine->host;
    char text[MPL_TREE_FILE_BYTES];
    if (!mpl_tree_text(tree, text, sizeof text, MEMINFO))
        return true;
    host->total_bytes = kib_figure(text, "MemTotal");
    host->available_bytes = kib_figure(text, "MemAvailable");
    host->swap_total_bytes = kib_figure(text, "SwapTotal");
    host->swap_free_bytes = kib_figure(text, "SwapFree");
    return true;
}
