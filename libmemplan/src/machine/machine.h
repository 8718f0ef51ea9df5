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
    const char *model;  /* the catalogue's key, or "" */
    const char *pci;    /* "0000:01:00.0", or "" */
    const char *uuid;   /* or "" */
    uint32_t index;     /* as the engine numbers it */
    uint32_t numa_index; /* or UINT32_MAX */
    bool is_unified;    /* its memory is the host's: one budget */
    mpl_figure total_bytes;
    mpl_figure free_bytes;
    mpl_figure bandwidth_bytes_per_second;
    mpl_figure link_bytes_per_second; /* to and from the host */
    mpl_figure fp16_flops_per_second;
    const char *const *sources; /* everybody that reported it */
    uint32_t source_count;
    uint32_t compute_capability; /* 90 for 9.0; 0: not NVIDIA, or unknown */
} mpl_device;

typedef struct mpl_host {
    mpl_figure total_bytes;
    mpl_figure available_bytes; /* limits taken into account */
    mpl_figure limit_bytes;
    mpl_figure swap_free_bytes;
    mpl_figure read_bytes_per_second; /* all nodes, all threads */
    const char *cpu_model;
    uint32_t core_count;
    uint32_t thread_count; /* that this process may use */
    const char *const *isa;
    uint32_t isa_count;
} mpl_host;

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
    uint64_t link_bytes_per_second;      /* from here to a device */
} mpl_pool;

struct memplan_machine {
    mpl_arena *arena;
    const char *name;
    mpl_host host;
    mpl_numa_node *nodes;
    mpl_device *devices; /* by index */
    mpl_pool *pools;     /* devices by index, then cpu, then disk */
    uint64_t *budget_bytes; /* what the pools of a budget may spend together */
    const char **notes;
    uint32_t node_count;
    uint32_t device_count;
    uint32_t pool_count;
    uint32_t budget_count;
    uint32_t note_count;
};

/* An empty machine with its arena, all figures unknown; NULL: no memory. */
memplan_machine *mpl_machine_create(void);

/*
 * Makes the pools and budgets of a machine whose parts are known: a pool a
 * device (its free bytes), the host (its available bytes), and the disk where
 * one is given. A unified device and the host share one budget.
 */
memplan_status mpl_machine_finish(memplan_machine *machine,
                                  memplan_error *error);

#endif
