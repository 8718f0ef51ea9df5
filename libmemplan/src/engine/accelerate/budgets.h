/* SPDX-License-Identifier: MIT */
/* The budgets of devices in Accelerate's order: by number, mps, cpu, disk. */
#ifndef MPL_ENGINE_ACCELERATE_BUDGETS_H
#define MPL_ENGINE_ACCELERATE_BUDGETS_H

#include "base/arena.h"
#include "engine/accelerate/amount.h"
#include "memplan/accelerate.h"

typedef enum mpl_budget_kind {
    MPL_BUDGET_DEVICE, /* numbered */
    MPL_BUDGET_MPS,
    MPL_BUDGET_CPU,
    MPL_BUDGET_DISK
} mpl_budget_kind;

typedef struct mpl_budget {
    const char *key; /* "0", "mps", "cpu", "disk" */
    int64_t index;   /* of a numbered device */
    mpl_amount limit;
    mpl_budget_kind kind;
    bool is_given; /* false: a disk that nobody named */
} mpl_budget;

typedef struct mpl_budgets {
    mpl_budget *items;
    uint32_t count;
} mpl_budgets;

/* Reads a JSON object: keys as above, values bytes or texts that
 * memplan_accelerate_bytes_parse() reads. Puts a disk last if there is none. */
memplan_status mpl_budgets_read(mpl_budgets *out, mpl_arena *arena,
                                const char *json, memplan_error *error);

#endif
