/* SPDX-License-Identifier: MIT */
/* What limits host memory: small trees, one file a line. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "machine/machine.h"
#include "support/folder.h"

enum { MAX_FILES = 16 };
#define MIB (UINT64_C(1) << 20)

typedef struct tree_file {
    const char *path;
    const char *text;
} tree_file;

/* A machine of 8 GiB with 6 GiB available, and a mount of each version. */
static const tree_file BASE[] = {
    {"proc/meminfo", "MemTotal:  8388608 kB\nMemFree:  1048576 kB\n"
                     "MemAvailable:  6291456 kB\nSwapTotal:  4194304 kB\n"
                     "SwapFree:  4194304 kB\nHugePages_Total:  2\n"
                     "Hugepagesize:  1048576 kB\n"},
    {"sys/devices/system/cpu/online", "0-7\n"},
};

static const char V2_MOUNT[] =
    "31 23 0:28 / /sys/fs/cgroup rw,relatime shared:4 - cgroup2 cgroup2 rw\n";
static const char V1_MOUNT[] =
    "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
    "32 31 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "33 31 0:30 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n";
static const char HYBRID_MOUNT[] =
    "32 31 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
static const char CONTAINER_MOUNT[] =
    "31 23 0:28 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n";
static const char SPACE_MOUNT[] =
    "31 23 0:28 /a\\040b /sys/fs/my\\040groups rw - cgroup2 cgroup2 rw\n";

static const struct {
    const char *name;
    const char *why;
    tree_file files[MAX_FILES];
    uint64_t available_mib;
    uint64_t limit_mib; /* 0: none */
    const char *limit_source;
    uint64_t swap_mib;
    uint32_t threads;
} CASES[] = {
    {"no cgroup", "MemAvailable as it stands", {{NULL, NULL}}, 6144, 0, "",
     4096, 8},
    {"v2, max", "the word max is no limit",
     {{"proc/self/cgroup", "0::/a\n"},
      {"proc/self/mountinfo", V2_MOUNT},
      {"sys/fs/cgroup/a/memory.max", "max\n"},
      {"sys/fs/cgroup/a/memory.current", "1073741824\n"},
      {"sys/fs/cgroup/a/cpu.max", "max 100000\n"}},
     6144, 0, "", 4096, 8},
    {"v2, one group", "2048 - 512 used",
     {{"proc/self/cgroup", "0::/a\n"},
      {"proc/self/mountinfo", V2_MOUNT},
      {"sys/fs/cgroup/a/memory.max", "2147483648\n"},
      {"sys/fs/cgroup/a/memory.current", "536870912\n"},
      {"sys/fs/cgroup/a/memory.swap.max", "1073741824\n"},
      {"sys/fs/cgroup/a/memory.swap.current", "268435456\n"},
      {"sys/fs/cgroup/a/cpu.max", "150000 100000\n"}},
     1536, 2048, "cgroup v2 /a memory.max", 768, 2},
    {"v2, the tightest in the middle", "/a/b allows 1024 - 256; /a 4096; "
     "/a/b/c 2048",
     {{"proc/self/cgroup", "0::/a/b/c\n"},
      {"proc/self/mountinfo", V2_MOUNT},
      {"sys/fs/cgroup/a/memory.max", "4294967296\n"},
      {"sys/fs/cgroup/a/memory.current", "536870912\n"},
      {"sys/fs/cgroup/a/b/memory.max", "1073741824\n"},
      {"sys/fs/cgroup/a/b/memory.current", "268435456\n"},
      {"sys/fs/cgroup/a/b/c/memory.max", "2147483648\n"},
      {"sys/fs/cgroup/a/b/c/memory.current", "134217728\n"}},
     768, 1024, "cgroup v2 /a/b memory.max", 4096, 8},
    {"v2, page cache dominates", "2048 - (1900 - 1000 - 500 - 100); shared "
     "memory in file is not given back",
     {{"proc/self/cgroup", "0::/a\n"},
      {"proc/self/mountinfo", V2_MOUNT},
      {"sys/fs/cgroup/a/memory.max", "2147483648\n"},
      {"sys/fs/cgroup/a/memory.current", "1992294400\n"},
      {"sys/fs/cgroup/a/memory.stat",
       "anon 104857600\nfile 1782579200\nshmem 209715200\n"
       "inactive_file 1048576000\nactive_file 524288000\n"
       "slab_reclaimable 104857600\n"}},
     1748, 2048, "cgroup v2 /a memory.max", 4096, 8},
    {"v2, memory.high below memory.max", "1024 - 512: above it one is slowed "
     "down",
     {{"proc/self/cgroup", "0::/a\n"},
      {"proc/self/mountinfo", V2_MOUNT},
      {"sys/fs/cgroup/a/memory.max", "2147483648\n"},
      {"sys/fs/cgroup/a/memory.high", "1073741824\n"},
      {"sys/fs/cgroup/a/memory.current", "536870912\n"}},
     512, 1024, "cgroup v2 /a memory.high", 4096, 8},
    {"v2, used above the limit", "nothing is left, and no less",
     {{"proc/self/cgroup", "0::/a\n"},
      {"proc/self/mountinfo", V2_MOUNT},
      {"sys/fs/cgroup/a/memory.max", "1073741824\n"},
      {"sys/fs/cgroup/a/memory.current", "2147483648\n"}},
     0, 1024, "cgroup v2 /a memory.max", 4096, 8},
    {"v2, in a container", "the mount shows the group as its root",
     {{"proc/self/cgroup", "0::/docker/abc\n"},
      {"proc/self/mountinfo", CONTAINER_MOUNT},
      {"sys/fs/cgroup/memory.max", "1073741824\n"},
      {"sys/fs/cgroup/memory.current", "0\n"}},
     1024, 1024, "cgroup v2 / memory.max", 4096, 8},
    {"v2, in a container with a namespace", "the group is / already",
     {{"proc/self/cgroup", "0::/\n"},
      {"proc/self/mountinfo", CONTAINER_MOUNT},
      {"sys/fs/cgroup/memory.max", "1073741824\n"},
      {"sys/fs/cgroup/memory.current", "0\n"}},
     1024, 1024, "cgroup v2 / memory.max", 4096, 8},
    {"v2, a root that only begins alike",
     "/docker/abcd is not below /docker/abc",
     {{"proc/self/cgroup", "0::/docker/abcd\n"},
      {"proc/self/mountinfo", CONTAINER_MOUNT},
      {"sys/fs/cgroup/memory.max", "1073741824\n"},
      {"sys/fs/cgroup/memory.current", "0\n"},
      {"sys/fs/cgroupd/memory.max", "1048576\n"}},
     1024, 1024, "cgroup v2 / memory.max", 4096, 8},
    {"v2, spaces in names", "mountinfo writes them as \\040",
     {{"proc/self/cgroup", "0::/a b/c\n"},
      {"proc/self/mountinfo", SPACE_MOUNT},
      {"sys/fs/my groups/c/memory.max", "1073741824\n"},
      {"sys/fs/my groups/c/memory.current", "0\n"}},
     1024, 1024, "cgroup v2 /c memory.max", 4096, 8},
    {"v1", "3072 - (1024 - 512); swap 4096 - 3072; 400 ms of each 200",
     {{"proc/self/cgroup", "4:memory:/a\n2:cpu,cpuacct:/a\n1:name=systemd:/\n"},
      {"proc/self/mountinfo", V1_MOUNT},
      {"sys/fs/cgroup/memory/a/memory.limit_in_bytes", "3221225472\n"},
      {"sys/fs/cgroup/memory/a/memory.usage_in_bytes", "1073741824\n"},
      {"sys/fs/cgroup/memory/a/memory.memsw.limit_in_bytes", "4294967296\n"},
      {"sys/fs/cgroup/memory/a/memory.stat",
       "cache 1\ntotal_inactive_file 268435456\n"
       "total_active_file 268435456\n"},
      {"sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "400000\n"},
      {"sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "200000\n"}},
     2560, 3072, "cgroup v1 /a memory.limit_in_bytes", 1024, 2},
    {"v1, no limit", "version 1 writes the largest page multiple, and -1",
     {{"proc/self/cgroup", "4:memory:/a\n2:cpu,cpuacct:/a\n"},
      {"proc/self/mountinfo", V1_MOUNT},
      {"sys/fs/cgroup/memory/a/memory.limit_in_bytes",
       "9223372036854771712\n"},
      {"sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "-1\n"}},
     6144, 0, "", 4096, 8},
    {"hybrid", "memory is under version 1, and version 2 is there too",
     {{"proc/self/cgroup", "4:memory:/a\n0::/b\n"},
      {"proc/self/mountinfo", HYBRID_MOUNT},
      {"sys/fs/cgroup/memory/a/memory.limit_in_bytes", "2147483648\n"},
      {"sys/fs/cgroup/memory/a/memory.usage_in_bytes", "0\n"},
      {"sys/fs/cgroup/unified/b/cgroup.procs", "1\n"}},
     2048, 2048, "cgroup v1 /a memory.limit_in_bytes", 4096, 8},
    {"only /proc/mounts", "an older recording",
     {{"proc/self/cgroup", "0::/a\n"},
      {"proc/mounts", "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n"},
      {"sys/fs/cgroup/a/memory.max", "1073741824\n"},
      {"sys/fs/cgroup/a/memory.current", "0\n"}},
     1024, 1024, "cgroup v2 /a memory.max", 4096, 8},
    {"files vanish", "memory.current and memory.stat are gone: the limit "
     "stands",
     {{"proc/self/cgroup", "0::/a\n"},
      {"proc/self/mountinfo", V2_MOUNT},
      {"sys/fs/cgroup/a/memory.max", "1073741824\n"}},
     1024, 1024, "cgroup v2 /a memory.max", 4096, 8},
    {"the group vanished", "its folder is gone; its parent's limit stands",
     {{"proc/self/cgroup", "0::/a/b\n"},
      {"proc/self/mountinfo", V2_MOUNT},
      {"sys/fs/cgroup/a/memory.max", "1073741824\n"},
      {"sys/fs/cgroup/a/memory.current", "0\n"}},
     1024, 1024, "cgroup v2 /a memory.max", 4096, 8},
    {"RLIMIT_AS", "3 GiB less 1 GiB in use",
     {{"proc/self/limits",
       "Limit                     Soft Limit           Hard Limit\n"
       "Max locked memory         8388608              8388608   bytes\n"
       "Max address space         3221225472           unlimited bytes\n"},
      {"proc/self/status", "Name:\tx\nVmSize:\t 1048576 kB\n"}},
     2048, 3072, "RLIMIT_AS", 4096, 8},
    {"no overcommit", "a commit limit of 4 GiB, 1 of them committed",
     {{"proc/sys/vm/overcommit_memory", "2\n"},
      {"proc/meminfo", "MemTotal: 8388608 kB\nMemAvailable: 6291456 kB\n"
                       "SwapTotal: 4194304 kB\nSwapFree: 4194304 kB\n"
                       "HugePages_Total: 2\nHugepagesize: 1048576 kB\n"
                       "CommitLimit: 4194304 kB\n"
                       "Committed_AS: 1048576 kB\n"}},
     3072, 4096, "/proc/meminfo CommitLimit (vm.overcommit_memory is 2)",
     4096, 8},
    {"cpuset", "node 1 is not allowed: 4096 - (3072 - 1024 of page cache); "
     "threads 0 to 3",
     {{"proc/self/status", "Name:\tx\nCpus_allowed_list:\t0-3\n"
                           "Mems_allowed_list:\t0\n"},
      {"sys/devices/system/node/node0/meminfo",
       "Node 0 MemTotal:  4194304 kB\nNode 0 MemFree:  1048576 kB\n"
       "Node 0 FilePages:  1572864 kB\nNode 0 Shmem:  524288 kB\n"},
      {"sys/devices/system/node/node1/meminfo",
       "Node 1 MemTotal:  4194304 kB\nNode 1 MemFree:  4194304 kB\n"}},
     2048, 4096, "cpuset: the nodes that it allows", 4096, 4},
};

static void write_files(const folder *at, const tree_file *files,
                        size_t count)
{
    for (size_t file = 0; file < count && files[file].path != NULL; file++)
        (void)folder_write_text(at, files[file].path, files[file].text);
}

static memplan_machine *detect_in(const folder *at)
{
    memplan_machine *machine = NULL;
    memplan_error error = {0};
    memplan_machine_options options = MEMPLAN_MACHINE_OPTIONS_INIT;
    options.root = at->path;
    options.nvml_path = "";
    cr_assert_eq(memplan_machine_detect(&machine, &options, &error),
                 MEMPLAN_OK, "%s", error.message);
    return machine;
}

Test(host, limits_of_a_process)
{
    size_t run = 0;
    for (size_t at = 0; at < sizeof CASES / sizeof *CASES; at++, run++) {
        folder tree;
        folder_make(&tree);
        write_files(&tree, BASE, sizeof BASE / sizeof *BASE);
        write_files(&tree, CASES[at].files, MAX_FILES);
        memplan_machine *const machine = detect_in(&tree);
        const mpl_host *const host = &machine->host;
        const char *const name = CASES[at].name;
        const char *const why = CASES[at].why;
        cr_expect_eq(host->total_bytes.value, 8192 * MIB, "%s", name);
        cr_expect_eq(host->hugepage_bytes.value, 2048 * MIB, "%s", name);
        cr_expect_eq(host->available_bytes.value,
                     CASES[at].available_mib * MIB, "%s: %llu MiB: %s", name,
                     (unsigned long long)(host->available_bytes.value / MIB),
                     why);
        cr_expect_eq(host->limit_bytes.value,
                     CASES[at].limit_mib == 0 ? MEMPLAN_UNKNOWN
                                              : CASES[at].limit_mib * MIB,
                     "%s: %s", name, why);
        cr_expect_str_eq(host->limit_bytes.source, CASES[at].limit_source,
                         "%s: %s", name, host->limit_bytes.source);
        cr_expect_eq(host->swap_free_bytes.value, CASES[at].swap_mib * MIB,
                     "%s: %s", name, why);
        cr_expect_eq(host->thread_count, CASES[at].threads,
                     "%s: %u threads: %s", name, host->thread_count, why);
        memplan_machine_free(machine);
        folder_remove(&tree);
    }
    cr_expect_eq(run, 20);
}

/* A folder where a file should be cannot be read by anybody. */
Test(host, an_unreadable_limit_is_a_note)
{
    folder tree;
    folder_make(&tree);
    write_files(&tree, BASE, sizeof BASE / sizeof *BASE);
    (void)folder_write_text(&tree, "proc/self/cgroup", "0::/a\n");
    (void)folder_write_text(&tree, "proc/self/mountinfo", V2_MOUNT);
    (void)folder_write_text(&tree, "sys/fs/cgroup/a/memory.max/x", "");
    memplan_machine *const machine = detect_in(&tree);
    cr_expect_eq(machine->host.limit_bytes.value, MEMPLAN_UNKNOWN);
    cr_assert_eq(machine->note_count, 1);
    cr_expect_str_eq(machine->notes[0],
                     "cgroup /a: memory.max cannot be read; a limit there is "
                     "not known");
    memplan_machine_free(machine);
    folder_remove(&tree);
}

/* 90 GiB of GPU memory are in MemTotal of a POWER9 with six GPUs. */
Test(host, gpu_memory_is_not_the_hosts)
{
    folder tree;
    folder_make(&tree);
    (void)folder_write_text(&tree, "proc/meminfo",
                            "MemTotal: 12582912 kB\n"
                            "MemAvailable: 9437184 kB\n");
    (void)folder_write_text(&tree, "sys/devices/system/node/node0/meminfo",
                            "Node 0 MemTotal: 8388608 kB\n"
                            "Node 0 MemFree: 5242880 kB\n");
    (void)folder_write_text(&tree, "sys/devices/system/node/node255/meminfo",
                            "Node 255 MemTotal: 4194304 kB\n"
                            "Node 255 MemFree: 4194304 kB\n");
    (void)folder_write_text(
        &tree, "proc/driver/nvidia/gpus/0004:05:00.0/numa_status",
        "Node:      255\nStatus:    online\n");
    memplan_machine *const machine = detect_in(&tree);
    cr_expect_eq(machine->host.total_bytes.value, 8192 * MIB);
    cr_expect_eq(machine->host.available_bytes.value, 5120 * MIB,
                 "9216 - 4096 free in the GPU's node");
    cr_assert_eq(machine->device_count, 1);
    cr_expect_eq(machine->devices[0].total_bytes.value, 4096 * MIB);
    cr_expect_str_eq(machine->devices[0].pci, "0004:05:00.0");
    memplan_machine_free(machine);
    folder_remove(&tree);
}
