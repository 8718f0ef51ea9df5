/* SPDX-License-Identifier: MIT */
/*
 * What makers state of their GPUs: memory, its bandwidth, fp16 rate. The rows
 * are in gpus_nvidia.def and gpus_others.def, each with its source; the links
 * of cards are in gpu_links.def, what CUDA calls them in gpu_capabilities.def.
 */
#ifndef MPL_DATA_GPU_CATALOGUE_H
#define MPL_DATA_GPU_CATALOGUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/nearest.h"

typedef enum mpl_gpu_memory {
    MPL_GPU_SEPARATE, /* its own, behind a link */
    MPL_GPU_COHERENT, /* its own, and the host may address it: GH200 */
    MPL_GPU_UNIFIED,  /* the host's */
    MPL_GPU_MINOR     /* the host's, beside a processor that is the rival:
                         planned on where the user names it */
} mpl_gpu_memory;

typedef struct mpl_gpu_model {
    const char *key;    /* "rtx-4090" */
    const char *vendor; /* "nvidia" */
    const char *words;  /* "rtx 4090" */
    const char *pci_ids;
    uint32_t vendor_id;
    mpl_gpu_memory memory;
    uint64_t memory_bytes;               /* unified: at most, or unknown */
    uint64_t bandwidth_bytes_per_second;
    uint64_t fp16_flops_per_second; /* or MEMPLAN_UNKNOWN */
    const char *source;
} mpl_gpu_model;

typedef struct mpl_gpu_link {
    uint32_t generation; /* of PCI Express */
    uint32_t lanes;
    const char *name; /* "PCIe 4.0 x16" */
    const char *keys; /* of the catalogue, parted by spaces */
} mpl_gpu_link;

typedef struct mpl_gpu_nvlink {
    uint64_t bytes_per_second; /* all of a GPU's, in one direction */
    bool is_bridge;            /* joins two cards, not all */
    const char *keys;
} mpl_gpu_nvlink;

/* The NVLinks that a GPU has; NULL: none, or not known. */
const mpl_gpu_nvlink *mpl_gpu_nvlink_of(const char *key);

/* The rows of NVLinks in their order; NULL past the last one. */
const mpl_gpu_nvlink *mpl_gpu_nvlink_at(uint32_t index);

/* The link that a card has itself, which its slot may not reach; NULL: not
 * known, or not one that all hosts use. */
const mpl_gpu_link *mpl_gpu_card_link(const mpl_gpu_model *model);

/* CUDA's, 90 for 9.0; 0: not NVIDIA's. */
uint32_t mpl_gpu_compute_capability(const mpl_gpu_model *model);

/* The rows of links in their order; NULL past the last one. */
const mpl_gpu_link *mpl_gpu_link_at(uint32_t index);

/* The rows in their order; NULL past the last one. */
const mpl_gpu_model *mpl_gpu_at(uint32_t index);

/*
 * The model of a GPU that was found. `name` is what a driver calls it, or "";
 * ids are 0 and bytes MEMPLAN_UNKNOWN where nobody told them. Where several
 * models answer alike, the one with less memory, then the slower one: a
 * plan must not count on what may not be there. NULL: none.
 */
const mpl_gpu_model *mpl_gpu_match(uint32_t vendor_id, uint32_t device_id,
                                   const char *name, uint64_t memory_bytes);

/* A word of some key, such as "780m". */
bool mpl_gpu_has_word(const char *word);

/*
 * The model that a user means: a key, the words of one ("4090", "RTX 4070 Ti
 * Super", "rtx4090", "m2 max"), or the name of what it is in ("dgx spark").
 * NULL: none, or several; `near` then has names to offer, and *out_several
 * says which of both it is. `near` may be NULL.
 */
const mpl_gpu_model *mpl_gpu_find(const char *wanted, mpl_nearest *near,
                                  bool *out_several);

#endif
