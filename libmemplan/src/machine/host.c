/* SPDX-License-Identifier: MIT */
/*
 * The memory that one may really use:
 *
 *     available = the least of MemAvailable
 *                 and of (limit - used + reclaimable) over all limits
 *
 * The limits are control groups, the nodes that a cpuset allows, the address
 * space, and what may be committed where overcommit is off.
 */
#include "machine/host.h"

#include <string.h>

#include "base/checked.h"
#include "machine/bitmap.h"
#include "machine/limits.h"

static const char MEMINFO[] = "/proc/meminfo";

static mpl_figure kib_figure(const char *text, const char *key)
{
    uint64_t kib;
    uint64_t bytes;
    if (!mpl_tree_field(text, key, &kib) || !mpl_mul(&bytes, kib, 1024))
        return MPL_FIGURE_UNKNOWN;
    return (mpl_figure){bytes, MEMINFO};
}

static uint64_t kib_or(const char *text, const char *key, uint64_t otherwise)
{
    const mpl_figure figure = kib_figure(text, key);
    return figure.value != MEMPLAN_UNKNOWN ? figure.value : otherwise;
}

void mpl_limits_add(mpl_limits *limits, mpl_limit limit)
{
    mpl_limit *const items =
        mpl_arena_grow(limits->machine->arena, limits->items, limits->count,
                       &limits->capacity, sizeof *items);
    if (items == NULL) {
        limits->failed = true;
        return;
    }
    limits->items = items;
    items[limits->count++] = limit;
}

uint64_t mpl_limit_rest(const mpl_limit *limit)
{
    if (limit->used_bytes == MEMPLAN_UNKNOWN)
        return limit->limit_bytes;
    const uint64_t held =
        mpl_sub_floor(limit->used_bytes, limit->reclaimable_bytes);
    return mpl_sub_floor(limit->limit_bytes, held);
}

/* Kernels before 3.14 do not say what is available. */
static mpl_figure read_available(const char *text)
{
    const mpl_figure told = kib_figure(text, "MemAvailable");
    const mpl_figure idle = kib_figure(text, "MemFree");
    if (told.value != MEMPLAN_UNKNOWN || idle.value == MEMPLAN_UNKNOWN)
        return told;
    uint64_t sum = idle.value;
    const uint64_t cache =
        mpl_sub_floor(kib_or(text, "Cached", 0), kib_or(text, "Shmem", 0));
    (void)mpl_add(&sum, sum, cache);
    (void)mpl_add(&sum, sum, kib_or(text, "SReclaimable", 0));
    return (mpl_figure){sum, "/proc/meminfo: free and page cache"};
}

static void read_meminfo(mpl_host *host, const char *text)
{
    host->total_bytes = kib_figure(text, "MemTotal");
    host->available_bytes = read_available(text);
    host->swap_total_bytes = kib_figure(text, "SwapTotal");
    host->swap_free_bytes = kib_figure(text, "SwapFree");
    uint64_t pages;
    uint64_t bytes;
    if (mpl_tree_field(text, "HugePages_Total", &pages) &&
        mpl_mul(&bytes, pages, kib_or(text, "Hugepagesize", 0)))
        host->hugepage_bytes = (mpl_figure){bytes, MEMINFO};
}

static mpl_figure read_setting(const mpl_tree *tree, const char *path)
{
    uint64_t value;
    return mpl_tree_number(tree, &value, "%s", path) ? (mpl_figure){value, path}
                                                     : MPL_FIGURE_UNKNOWN;
}

/* Without overcommit the kernel refuses what passes the commit limit, even
 * where memory is free. */
static void read_commit(mpl_limits *limits, const char *meminfo)
{
    enum { NEVER = 2 };
    const mpl_figure limit = kib_figure(meminfo, "CommitLimit");
    if (limits->machine->host.overcommit.value == NEVER &&
        limit.value != MEMPLAN_UNKNOWN)
        mpl_limits_add(limits,
                       (mpl_limit){.source = "/proc/meminfo CommitLimit "
                                             "(vm.overcommit_memory is 2)",
                                   .limit_bytes = limit.value,
                                   .used_bytes = kib_or(meminfo, "Committed_AS",
                                                        MEMPLAN_UNKNOWN)});
}

/* "Max address space   unlimited   unlimited   bytes": the soft limit. */
static bool read_rlimit(const char *text, const char *name, uint64_t *out)
{
    const char *at = strstr(text, name);
    if (at == NULL)
        return false;
    at += strlen(name);
    at += strspn(at, " ");
    if (strncmp(at, "unlimited", 9) == 0) {
        *out = MPL_NO_LIMIT;
        return true;
    }
    return mpl_tree_parse(at, out);
}

static void read_rlimits(mpl_limits *limits)
{
    static const char PATH[] = "/proc/self/limits";
    char text[MPL_TREE_FILE_BYTES];
    uint64_t bytes;
    if (!mpl_tree_text(limits->tree, text, sizeof text, PATH))
        return;
    if (read_rlimit(text, "Max locked memory", &bytes))
        limits->machine->host.lockable_bytes = (mpl_figure){bytes, PATH};
    if (!read_rlimit(text, "Max address space", &bytes) ||
        bytes == MPL_NO_LIMIT)
        return;
    mpl_limit made = {.source = "RLIMIT_AS",
                      .limit_bytes = bytes,
                      .used_bytes = MEMPLAN_UNKNOWN};
    if (mpl_tree_text(limits->tree, text, sizeof text, "/proc/self/status"))
        made.used_bytes = kib_or(text, "VmSize", MEMPLAN_UNKNOWN);
    mpl_limits_add(limits, made);
}

/* Sums a node into a limit. */
static void add_node(mpl_limit *to, const mpl_tree *tree, uint32_t node)
{
    const uint64_t total = mpl_tree_node_bytes(tree, node, " MemTotal");
    const uint64_t cache =
        mpl_sub_floor(mpl_tree_node_bytes(tree, node, " FilePages"),
                      mpl_tree_node_bytes(tree, node, " Shmem"));
    (void)mpl_add(&to->limit_bytes, to->limit_bytes, total);
    (void)mpl_add(
        &to->used_bytes, to->used_bytes,
        mpl_sub_floor(total, mpl_tree_node_bytes(tree, node, " MemFree")));
    (void)mpl_add(&to->reclaimable_bytes, to->reclaimable_bytes, cache);
    (void)mpl_add(&to->reclaimable_bytes, to->reclaimable_bytes,
                  mpl_tree_node_bytes(tree, node, " SReclaimable"));
}

/* The nodes that a cpuset allows, where it forbids some. */
static void read_cpuset(mpl_limits *limits)
{
    memplan_machine *const machine = limits->machine;
    mpl_limit made = {.source = "cpuset: the nodes that it allows"};
    uint32_t forbidden = 0;
    for (uint32_t at = 0; at < machine->node_count; at++) {
        const mpl_numa_node *const node = &machine->nodes[at];
        if (node->kind == MPL_MEMORY_DEVICE)
            continue;
        if (node->is_allowed)
            add_node(&made, limits->tree, node->index);
        else
            forbidden++;
    }
    if (forbidden > 0 && made.limit_bytes > 0)
        mpl_limits_add(limits, made);
}

/* A GPU's memory that the kernel shows as a node is in MemTotal, but it is
 * not the host's. */
static bool take_out_devices(memplan_machine *machine, const mpl_tree *tree)
{
    mpl_host *const host = &machine->host;
    uint64_t total = 0;
    uint64_t idle = 0;
    for (uint32_t at = 0; at < machine->node_count; at++) {
        const mpl_numa_node *const node = &machine->nodes[at];
        if (node->kind != MPL_MEMORY_DEVICE)
            continue;
        (void)mpl_add(&total, total,
                      mpl_tree_node_bytes(tree, node->index, " MemTotal"));
        (void)mpl_add(&idle, idle,
                      mpl_tree_node_bytes(tree, node->index, " MemFree"));
    }
    if (total == 0 || host->total_bytes.value == MEMPLAN_UNKNOWN)
        return true;
    host->total_bytes =
        (mpl_figure){mpl_sub_floor(host->total_bytes.value, total),
                     "/proc/meminfo, less the nodes of GPUs"};
    if (host->available_bytes.value != MEMPLAN_UNKNOWN)
        host->available_bytes =
            (mpl_figure){mpl_sub_floor(host->available_bytes.value, idle),
                         "/proc/meminfo, less the nodes of GPUs"};
    char amount[32];
    memplan_bytes_format(amount, sizeof amount, total);
    return mpl_machine_add_note(machine,
                                "the kernel counts %s of GPU memory as its "
                                "own; it counts as the GPUs'",
                                amount);
}

/* The tightest limit binds. */
static void apply_limits(mpl_limits *limits)
{
    mpl_host *const host = &limits->machine->host;
    uint64_t least = MEMPLAN_UNKNOWN;
    uint32_t tightest = 0;
    for (uint32_t at = 0; at < limits->count; at++) {
        const uint64_t rest = mpl_limit_rest(&limits->items[at]);
        if (rest < least) {
            least = rest;
            tightest = at;
        }
    }
    host->limits = limits->items;
    host->limit_count = limits->count;
    if (least == MEMPLAN_UNKNOWN)
        return;
    mpl_limit *const limit = &limits->items[tightest];
    limit->is_tightest = true;
    host->limit_bytes = (mpl_figure){limit->limit_bytes, limit->source};
    if (least < host->available_bytes.value)
        host->available_bytes = (mpl_figure){least, limit->source};
}

static void apply_swap(mpl_limits *limits)
{
    mpl_figure *const swap = &limits->machine->host.swap_free_bytes;
    if (swap->value != MEMPLAN_UNKNOWN && limits->swap_bytes < swap->value)
        *swap = (mpl_figure){limits->swap_bytes, limits->swap_source};
}

static void apply_quota(mpl_limits *limits)
{
    mpl_host *const host = &limits->machine->host;
    if (limits->quota_threads == 0 ||
        limits->quota_threads >= host->thread_count)
        return;
    limits->failed |= !mpl_machine_add_note(
        limits->machine, "%s allows the time of %u of %u threads",
        limits->quota_source, limits->quota_threads, host->thread_count);
    host->thread_count = limits->quota_threads;
}

bool mpl_host_read_memory(memplan_machine *machine, const mpl_tree *tree)
{
    mpl_host *const host = &machine->host;
    mpl_limits limits = {
        .machine = machine, .tree = tree, .swap_bytes = MEMPLAN_UNKNOWN};
    char text[MPL_TREE_FILE_BYTES];
    host->swappiness = read_setting(tree, "/proc/sys/vm/swappiness");
    host->overcommit = read_setting(tree, "/proc/sys/vm/overcommit_memory");
    if (mpl_tree_text(tree, text, sizeof text, MEMINFO)) {
        read_meminfo(host, text);
        read_commit(&limits, text);
    }
    if (!take_out_devices(machine, tree))
        return false;
    mpl_cgroup_read(&limits);
    read_cpuset(&limits);
    read_rlimits(&limits);
    apply_limits(&limits);
    apply_swap(&limits);
    apply_quota(&limits);
    return !limits.failed && mpl_host_note_nodes(machine);
}
