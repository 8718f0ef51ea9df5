/* SPDX-License-Identifier: MIT */
/* One part of a machine in words: "2x rtx-4090 20GiB". */
#ifndef MPL_MACHINE_DESCRIPTION_PART_H
#define MPL_MACHINE_DESCRIPTION_PART_H

#include <stdbool.h>
#include <stdint.h>

#include "memplan.h"

enum { MPL_PART_NAME_BYTES = 128 };

typedef enum mpl_part_role {
    MPL_PART_UNNAMED,
    MPL_PART_HOST,
    MPL_PART_GPU,
    MPL_PART_DISK,
    MPL_PART_CORES,
    MPL_PART_THREADS,
    MPL_PART_PCIE,
    MPL_PART_NVLINK
} mpl_part_role;

/* What one part says. */
typedef struct mpl_part {
    const char *start; /* in the text: for messages */
    uint64_t offset;
    int length;
    mpl_part_role role;
    uint32_t count;  /* "2x"; 1 where it is not said */
    uint64_t bytes;  /* or MEMPLAN_UNKNOWN */
    uint64_t rate;   /* bytes a second, or MEMPLAN_UNKNOWN */
    bool has_count;  /* it is said */
    bool has_nvlink; /* of GPUs: "2x rtx-3090 nvlink" */
    char name[MPL_PART_NAME_BYTES]; /* words that are neither */
} mpl_part;

/* Reads the part at `*at` of a text and moves past it and what parts it from
 * the next; `*at` is NULL after the last one. MEMPLAN_OK, _ARGUMENT. */
memplan_status mpl_part_read(mpl_part *out, const char *text, const char **at,
                             memplan_error *error);

/* Nothing was said. */
bool mpl_part_is_blank(const mpl_part *part);

/* "machine: "2x rtx": RULE", with the place. */
memplan_status mpl_part_fail(const mpl_part *part, memplan_status status,
                             const char *rule, memplan_error *error);

#endif
