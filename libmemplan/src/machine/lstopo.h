/* SPDX-License-Identifier: MIT */
/* The state of reading an lstopo XML: lstopo.c opens objects, lstopo_facts.c
 * reads what is said of them, lstopo_matrix.c the links between them. */
#ifndef MPL_MACHINE_LSTOPO_H
#define MPL_MACHINE_LSTOPO_H

#include "machine/bitmap.h"
#include "machine/topology.h"
#include "machine/xml.h"

/* More than any machine has; keeps a hostile file from growing tables. */
enum {
    MPL_LSTOPO_MAX_NODES = 4096,
    MPL_LSTOPO_MAX_REPORTS = 1024,
    MPL_LSTOPO_MAX_KINDS = 64,
    MPL_LSTOPO_MAX_ENDS = 2048,
    MPL_LSTOPO_MAX_MATRIX = 64,
    MPL_LSTOPO_MAX_JOINTS = 8192
};

/* The longest value of an info that is kept; longer ones are left out. */
enum { TEXT_BYTES = 512 };

typedef enum mpl_lstopo_type {
    MPL_LSTOPO_OTHER,
    MPL_LSTOPO_MACHINE,
    MPL_LSTOPO_PACKAGE,
    MPL_LSTOPO_CORE,
    MPL_LSTOPO_PU,
    MPL_LSTOPO_NUMA_NODE,
    MPL_LSTOPO_MEMORY_CACHE,
    MPL_LSTOPO_PCI_DEVICE,
    MPL_LSTOPO_OS_DEVICE
} mpl_lstopo_type;

/* Of a matrix of distances. */
typedef enum mpl_lstopo_part {
    MPL_LSTOPO_NO_PART,
    MPL_LSTOPO_MATRIX,  /* the whole, if it is one of links */
    MPL_LSTOPO_INDEXES, /* some of its objects */
    MPL_LSTOPO_VALUES   /* some of its values, row by row */
} mpl_lstopo_part;

/* What a matrix of links may name: a GPU's object, or an NVSwitch. */
typedef struct mpl_lstopo_end {
    uint64_t gp_index;
    uint32_t report; /* of a GPU; UINT32_MAX: a switch */
    const char *pci; /* of a switch */
} mpl_lstopo_end;

typedef struct mpl_lstopo_matrix {
    const char *name; /* "NVLink", "XGMI"; NULL: none is open */
    uint32_t count;   /* objects */
    uint32_t index_count;
    uint32_t value_count;
    uint64_t gp_indexes[MPL_LSTOPO_MAX_MATRIX];
    uint64_t values[MPL_LSTOPO_MAX_MATRIX * MPL_LSTOPO_MAX_MATRIX];
} mpl_lstopo_matrix;

/* An open object: what its infos belong to. Positions, since tables move;
 * UINT32_MAX: none. */
typedef struct mpl_lstopo_frame {
    mpl_lstopo_type type;
    uint32_t node;      /* of a NUMANode */
    uint32_t near_node; /* the node beside its processors */
    uint32_t report;    /* of a PCIDev that is a GPU, or of an OSDev in one */
    mpl_lstopo_part part;
    bool is_kind;       /* a cpukind */
    bool is_backend;    /* an OSDev of a programming interface */
} mpl_lstopo_frame;

/* What is said of reading wins over what is said of reading and writing. */
typedef enum mpl_lstopo_attribute {
    MPL_LSTOPO_NO_ATTRIBUTE,
    MPL_LSTOPO_BANDWIDTH,
    MPL_LSTOPO_LATENCY
} mpl_lstopo_attribute;

typedef struct mpl_lstopo {
    mpl_xml xml;
    mpl_topology *topology;
    uint64_t *gp_indexes; /* of nodes, by position */
    uint64_t gp_capacity;
    uint64_t machine_memory_bytes; /* format 1, without NUMA */
    mpl_bitmap allowed_cpus;
    mpl_bitmap allowed_nodes;
    mpl_bitmap kind_cpus[MPL_LSTOPO_MAX_KINDS];
    uint32_t depth;
    bool has_allowed_cpus;
    bool has_allowed_nodes;
    mpl_bitmap core_firsts; /* the first thread of each core */
    uint32_t kind_count;
    const char *kind_names[MPL_LSTOPO_MAX_KINDS];
    uint64_t
        kind_speeds[MPL_LSTOPO_MAX_KINDS]; /* comparable with each other only */
    mpl_lstopo_attribute attribute;
    bool is_of_reading;     /* the attribute */
    mpl_bitmap read_rates;  /* nodes, by position, of which such a one is */
    mpl_bitmap read_delays; /* known already */
    mpl_lstopo_end *ends;
    uint64_t end_capacity;
    uint32_t end_count;
    mpl_lstopo_matrix matrix;
    mpl_lstopo_frame frames[MPL_XML_MAX_DEPTH];
} mpl_lstopo;

/* An <info>: of the innermost open object, or of a kind of cores. */
memplan_status mpl_lstopo_info(mpl_lstopo *from, memplan_error *error);

/* A <cpukind>, a <memattr>, a <memattr_value>. */
memplan_status mpl_lstopo_kind(mpl_lstopo *from, mpl_lstopo_frame *made,
                               memplan_error *error);
void mpl_lstopo_attribute_name(mpl_lstopo *from);
void mpl_lstopo_attribute_value(mpl_lstopo *from);

/* Remembers an object that links may end at. False: no memory. */
bool mpl_lstopo_add_end(mpl_lstopo *from, uint32_t report, const char *pci);

/* An element of a matrix, as it opens and as it closes. */
void mpl_lstopo_matrix_open(mpl_lstopo *from, mpl_lstopo_frame *made);
memplan_status mpl_lstopo_matrix_close(mpl_lstopo *from, mpl_lstopo_part part,
                                       memplan_error *error);

/* Kinds of cores, once all are known. False: no memory. */
bool mpl_lstopo_finish_kinds(mpl_lstopo *from);

#endif
