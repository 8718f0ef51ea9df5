/* SPDX-License-Identifier: MIT */
/*
 * What a topology says of a machine, in our words; and what each source says
 * of each GPU. Three readers fill it: topology.c (hwloc, this machine; the
 * only file that includes hwloc.h), lstopo.c (an XML file) and kernel_tree.c
 * (a recorded file tree).
 */
#ifndef MPL_MACHINE_TOPOLOGY_H
#define MPL_MACHINE_TOPOLOGY_H

#include "machine/machine.h"
#include "machine/tree.h"

/* What one source says of one GPU. Texts are never NULL. */
typedef struct mpl_report {
    const char *source; /* "pci", "cuda", "nvml", "rsmi", "amdgpu", ... */
    const char *pci;    /* "0000:01:00.0", or "" */
    const char *uuid;   /* or "" */
    const char *parent_uuid; /* of a MIG instance, or "" */
    const char *name;   /* or "" */
    const char *link;   /* "PCIe 4.0 x16", or "" */
    uint32_t vendor_id; /* PCI's; 0: not told */
    uint32_t device_id;
    uint32_t numa_index; /* or UINT32_MAX */
    uint32_t order;      /* the source's own number, or UINT32_MAX */
    uint32_t compute_capability;
    bool is_integrated; /* the source says so */
    bool is_gone;       /* fell off the bus */
    bool is_divided;    /* by MIG: its slices are the devices */
    uint32_t slice;     /* of a divided GPU: its number */
    uint32_t gpu_instance; /* of a slice, or UINT32_MAX */
    uint32_t compute_instance;
    uint64_t total_bytes;
    uint64_t free_bytes;
    uint64_t reserved_bytes;
    uint64_t carve_out_bytes; /* integrated: what is free of that which was
                                 taken from the host for it */
    uint64_t host_mapped_bytes; /* of host memory that it may map (GTT) */
    uint64_t bandwidth_bytes_per_second;
    uint64_t link_bytes_per_second;
} mpl_report;

/* What one source says of one link that a GPU has to another, or to a switch
 * that joins several, in one direction. Ends are PCI addresses. */
typedef struct mpl_joint {
    const char *source; /* "nvml", "amdgpu", "hwloc" */
    const char *name;   /* "NVLink 4.0", "XGMI" */
    const char *from;   /* a GPU */
    const char *to;     /* a GPU or a switch; "" for a switch without one */
    uint64_t bytes_per_second; /* or MEMPLAN_UNKNOWN */
    uint32_t lanes;            /* links of one kind; 0: not told */
    bool is_to_switch;
} mpl_joint;

typedef struct mpl_topology {
    mpl_arena *arena; /* of the machine: everything here lives in it */
    mpl_numa_node *nodes;
    mpl_report *reports;
    mpl_joint *joints;
    mpl_cpu_kind *kinds;
    const char *cpu_model;
    const char *product; /* of the board's maker: "NVIDIA_DGX_Spark" */
    const char *system;  /* "Linux", "Darwin" */
    uint64_t node_capacity;
    uint64_t report_capacity;
    uint64_t joint_capacity;
    uint32_t node_count;
    uint32_t report_count;
    uint32_t joint_count;
    uint32_t kind_count;
    uint32_t package_count;
    uint32_t core_count;
    uint32_t thread_count;     /* that may be used */
    uint32_t all_thread_count; /* that the machine has */
} mpl_topology;

/* An empty report; a node of no known size. */
mpl_report mpl_report_blank(const char *source);
mpl_numa_node mpl_node_blank(uint32_t index);

/* Room for one more, blank and counted; NULL: no memory. */
mpl_report *mpl_topology_add_report(mpl_topology *topology,
                                    const char *source);
mpl_numa_node *mpl_topology_add_node(mpl_topology *topology, uint32_t index);

/* Keeps one more link. False: no memory. */
bool mpl_topology_add_joint(mpl_topology *topology, mpl_joint joint);

/* A node's kind from the subtype that hwloc gives it; NULL is DRAM. */
mpl_memory_kind mpl_node_kind(const char *subtype);

/* A copy without spaces around it; NULL: no memory. */
const char *mpl_text_trimmed(mpl_arena *arena, const char *text);

/* One fact that a GPU's object carries, under hwloc's name for it. */
bool mpl_report_fact(mpl_arena *arena, mpl_report *report, const char *name,
                     const char *value);

/* "00000000:01:00.0" and "0000:01:00.0" are one address. */
bool mpl_pci_is_same(const char *a, const char *b);

/* The vendor and the class say that this is a GPU an engine may run on: a
 * display controller or accelerator of NVIDIA, AMD or Intel. */
bool mpl_pci_is_gpu(uint32_t class_id, uint32_t vendor_id);

/* The vendor and the place say that it is a part of the processor: an Intel
 * display on bus 0, or one of AMD's processors by its device id. */
bool mpl_pci_is_integrated(const mpl_report *report);

/* An empty topology in the machine's arena. */
mpl_topology mpl_topology_blank(memplan_machine *machine);

/* A GPU that no bus shows, but the board or the processor names: GB10,
 * Jetson, Apple. False: no memory. */
bool mpl_topology_add_board(mpl_topology *topology);

/* This machine, by hwloc. */
memplan_status mpl_topology_detect(mpl_topology *topology,
                                   memplan_error *error);

/* An lstopo XML of format 1, 2 or 3. */
memplan_status mpl_topology_read_xml(mpl_topology *topology, const char *text,
                                     uint64_t size, memplan_error *error);

/* A recorded file tree. */
memplan_status mpl_topology_read_tree(mpl_topology *topology,
                                      const mpl_tree *tree,
                                      memplan_error *error);

/* Nodes that the NVIDIA driver says are a GPU's memory. False: no memory. */
bool mpl_topology_add_gpu_nodes(mpl_topology *topology, const mpl_tree *tree);

/* Gives nodes and processors to the machine; the host's total is what the
 * nodes have. */
void mpl_topology_take(memplan_machine *machine, const mpl_topology *topology);

/* Gives the devices to the machine, whose host is known: reports of one GPU
 * become one device, joined by PCI address, then UUID. */
memplan_status mpl_topology_join(memplan_machine *machine,
                                 const mpl_topology *topology,
                                 memplan_error *error);

/* Gives the links between devices to the machine, whose devices stand in
 * their order. */
memplan_status mpl_topology_join_peers(memplan_machine *machine,
                                       const mpl_topology *topology,
                                       memplan_error *error);

#endif
