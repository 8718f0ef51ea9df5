/* SPDX-License-Identifier: MIT */
/*
 * A machine: its devices, its host and its disk, joined from what hwloc, the
 * kernel and the drivers say; and the pools that a plan may spend.
 *
 * Every figure that can be missing is MEMPLAN_UNKNOWN where it is. A `source`
 * beside a figure says who said so: "/proc/meminfo", "cgroup v2 /a/b
 * memory.max", "nvml", "hwloc", "catalogue", "declared", "measured".
 */
#ifndef MPL_MACHINE_MACHINE_H
#define MPL_MACHINE_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "memplan.h"

/* A figure and who said so. */
typedef struct mpl_figure {
    uint64_t value;     /* MEMPLAN_UNKNOWN: nobody */
    const char *source; /* "" where unknown */
} mpl_figure;

typedef enum mpl_memory_kind {
    MPL_MEMORY_DRAM,
    MPL_MEMORY_HBM,
    MPL_MEMORY_CXL,
    MPL_MEMORY_NVM,
    MPL_MEMORY_DEVICE /* a GPU's memory that the kernel shows as a node */
} mpl_memory_kind;

typedef struct mpl_numa_node {
    uint32_t index; /* the kernel's number */
    mpl_memory_kind kind;
    uint64_t total_bytes;
    bool is_allowed;
    mpl_figure read_bytes_per_second;
    mpl_figure latency_ns;
} mpl_numa_node;

typedef struct mpl_device {
    const char *name;
    const char *vendor; /* "nvidia", "amd", "intel", "apple", "" */
    const char *link;   /* for people: "PCIe 4.0 x16", or "" */
    const char *parent_uuid; /* of the GPU that a MIG instance is part of */
    const char *model;  /* the catalogue's key, or "" */
    const char *pci;    /* "0000:01:00.0", or "" */
    const char *uuid;   /* or "" */
    uint32_t index;     /* as the engine numbers it */
    uint32_t numa_index; /* or UINT32_MAX */
    bool is_unified;    /* its memory is the host's: one budget */
    bool is_left_out;   /* no pool: nobody may plan on it */
    bool is_minor;      /* a part of a processor that is its rival */
    bool is_named;      /* by the user: planned on, whatever it is */
    bool is_gone;       /* the driver does not reach it */
    bool is_divided;    /* by MIG: its slices are devices, it is none */
    uint32_t slice;     /* a slice's number in its GPU */
    uint32_t gpu_instance; /* a slice's, or UINT32_MAX */
    uint32_t compute_instance;
    uint32_t order;     /* as its own driver numbers it, or UINT32_MAX */
    mpl_figure total_bytes;
    mpl_figure free_bytes;
    mpl_figure reserved_bytes; /* by driver and firmware, never to be had */
    mpl_figure carve_out_bytes; /* unified: of free, what firmware took from
                                   the host for it alone */
    mpl_figure host_mapped_bytes; /* of the host's, the most that it may use */
    mpl_figure bandwidth_bytes_per_second;
    mpl_figure link_bytes_per_second; /* to and from the host */
    mpl_figure fp16_flops_per_second;
    const char *const *sources; /* everybody that reported it */
    uint32_t source_count;
    uint32_t compute_capability; /* 90 for 9.0; 0: not NVIDIA, or unknown */
} mpl_device;

/* One limit on the memory of this process: a cgroup's, or an rlimit. */
typedef struct mpl_limit {
    const char *source;         /* "cgroup v2 /a/b memory.max" */
    uint64_t limit_bytes;
    uint64_t used_bytes;        /* of it; MEMPLAN_UNKNOWN: not told */
    uint64_t reclaimable_bytes; /* of used: page cache and slab */
    bool is_soft;               /* memory.high: slowed down, not refused */
    bool is_tightest;
} mpl_limit;

/* Cores of one kind, on machines with several. */
typedef struct mpl_cpu_kind {
    uint32_t core_count;
    uint32_t thread_count;
    uint32_t efficiency; /* 0: the slowest kind */
    const char *name;    /* "IntelCore", "Cortex-X925", or "" */
} mpl_cpu_kind;

typedef struct mpl_host {
    mpl_figure total_bytes;
    mpl_figure available_bytes; /* limits taken into account */
    mpl_figure limit_bytes;     /* the tightest */
    mpl_figure swap_total_bytes;
    mpl_figure swap_free_bytes; /* limits taken into account */
    mpl_figure hugepage_bytes;  /* set aside: not to be had as small pages */
    mpl_figure lockable_bytes;  /* RLIMIT_MEMLOCK; MPL_NO_LIMIT: any */
    mpl_figure swappiness;      /* 0 to 200 */
    mpl_figure overcommit;      /* 0 heuristic, 1 always, 2 never */
    mpl_figure read_bytes_per_second; /* all nodes, all threads */
    const mpl_limit *limits;
    const mpl_cpu_kind *kinds; /* empty where all cores are alike */
    const char *cpu_model;
    const char *const *isa; /* "avx2", "avx512f", "amx", "neon", "sve" */
    uint32_t limit_count;
    uint32_t kind_count;
    uint32_t package_count;
    uint32_t core_count;   /* 0: not known */
    uint32_t thread_count; /* that this process may use; 0: not known */
    uint32_t isa_count;
    bool is_left_out; /* no pool: nobody may plan on it */
} mpl_host;

/* A rlimit or cgroup that sets none. */
#define MPL_NO_LIMIT (MEMPLAN_UNKNOWN - 1)

/* The disk that may hold offloaded weights. */
typedef struct mpl_disk {
    const char *path; /* NULL: no disk */
    mpl_figure free_bytes;
    mpl_figure read_bytes_per_second;
} mpl_disk;

/* A link between two devices beside their links to the host, in one
 * direction. */
typedef struct mpl_peer {
    uint32_t from; /* position in devices */
    uint32_t to;
    mpl_figure bytes_per_second;
    const char *name; /* "NVLink 4.0 x18", "XGMI" */
} mpl_peer;

typedef enum mpl_pool_kind {
    MPL_POOL_DEVICE,
    MPL_POOL_HOST,
    MPL_POOL_DISK
} mpl_pool_kind;

/* One memory that a plan may spend. */
typedef struct mpl_pool {
    const char *key;  /* "0", "cpu", "disk" */
    const char *name; /* for people */
    mpl_pool_kind kind;
    uint32_t device;  /* position in devices, or UINT32_MAX */
    uint32_t budget;  /* pools with one number share one memory */
    uint64_t capacity_bytes; /* MEMPLAN_UNKNOWN: no limit known (disk) */
    uint64_t bandwidth_bytes_per_second; /* reading it where it is used */
    uint64_t link_bytes_per_second; /* device: to and from the host; host:
                                       to the slowest linked device; disk: its
                                       read rate */
} mpl_pool;

struct memplan_machine {
    mpl_arena *arena;
    const char *name;
    mpl_host host;
    mpl_disk disk;
    mpl_numa_node *nodes;
    mpl_device *devices; /* by index */
    mpl_pool *pools;     /* devices by index, then cpu, then disk */
    uint64_t *budget_bytes; /* what the pools of a budget may spend together */
    mpl_peer *peers;
    const char **notes;
    uint64_t note_capacity;
    uint32_t node_count;
    uint32_t device_count;
    uint32_t pool_count;
    uint32_t budget_count;
    uint32_t peer_count;
    uint32_t note_count;
    bool is_here; /* detected where the library runs: it can be measured */
};

#define MPL_FIGURE_UNKNOWN ((mpl_figure){MEMPLAN_UNKNOWN, ""})

/* A device of which nothing is known but its index. */
mpl_device mpl_device_blank(uint32_t index);

/* An empty machine with its arena, all figures unknown; NULL: no memory. */
memplan_machine *mpl_machine_create(void);

/* A copy with an arena of its own, not finished; NULL: no memory. */
memplan_machine *mpl_machine_copy(const memplan_machine *machine);

/* Adds a note in plain words; printf's way, no %f. False: no memory. */
bool mpl_machine_add_note(memplan_machine *machine, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * Makes the pools and budgets of a machine whose parts are known: a pool a
 * device (its free bytes), the host (its available bytes), and the disk where
 * one is given; none for what is left out. Where nobody knows what is free,
 * all of it counts, and a note says so. Unified devices and the host share
 * one budget. Runs once, at the end.
 */
memplan_status mpl_machine_finish(memplan_machine *machine,
                                  memplan_error *error);

#endif
