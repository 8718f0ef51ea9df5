/* SPDX-License-Identifier: MIT */
/*
 * A plan: a placement with its ledger, its speed and its verdict. It has
 * copied what it needs, so that model and machine may go; dialects read it.
 */
#ifndef MPL_PLAN_PLAN_H
#define MPL_PLAN_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "engine/ledger.h"
#include "engine/price_list.h"
#include "machine/machine.h"
#include "memplan.h"
#include "model/model.h"

/* used = the sum of the pool's rows. */
typedef struct mpl_plan_pool {
    const char *key;  /* "0", "cpu", "disk" */
    const char *name; /* for people */
    mpl_pool_kind kind;
    uint32_t device_index; /* as the engine numbers it, or MPL_NO_INDEX */
    const char *vendor;    /* of a device, as mpl_device has it; "": unknown */
    uint32_t budget;       /* pools with one number share one memory */
    uint64_t capacity_bytes;             /* MEMPLAN_UNKNOWN: no limit known */
    uint64_t bandwidth_bytes_per_second; /* as mpl_pool has it */
    uint64_t link_bytes_per_second;
    bool is_measured;   /* memplan measured its bandwidth on this machine */
    bool is_measurable; /* it could: only that is missing */
    uint64_t used_bytes;
    uint64_t free_bytes;  /* also of what its budget has left, which others may
                             take too; MEMPLAN_UNKNOWN: no limit known */
    uint64_t short_bytes; /* beyond the capacity; in the last pool of a shared
                             budget, also what the budget lacks */
    const mpl_row *rows;  /* in the order of categories */
    uint64_t row_count;
} mpl_plan_pool;

typedef struct mpl_plan_unit {
    const char *name;
    mpl_unit_kind kind;
    uint32_t pool;         /* MPL_NO_INDEX: in parts on several */
    uint64_t weight_bytes; /* as placed */
} mpl_plan_unit;

typedef struct mpl_plan_fix {
    const char *kind;
    const char *text;
    const char *value;
    uint64_t bytes;
} mpl_plan_fix;

struct memplan_plan {
    mpl_arena *arena;
    const char *model_name;
    const char *model_source;
    const char *model_format;
    const char *model_repository; /* on the hub, where it is known, or "" */
    const char *architecture;
    const char *class_name; /* as mpl_model has it, or "" */
    uint64_t parameter_count;
    uint64_t model_weight_bytes;   /* in the model's own dtypes */
    uint64_t model_context_tokens; /* trained length, or MEMPLAN_UNKNOWN */
    const char *machine_name;
    const char *engine;
    const char *profile;
    const char *settings; /* in the engine's words, or "" */
    const char *dtype;
    const char *kv_dtype;
    const char *value_dtype; /* of the cache's values: most often kv_dtype */
    const char *packages;     /* that it needs to fit, for a sentence; or "" */
    const char *packages_pip; /* that it was counted with, or "" */
    const char *cache; /* how it is kept: "dynamic", "static", ..., or "" */
    uint64_t context_tokens;
    uint64_t prompt_tokens; /* read in one step where fewer could be, else 0 */
    uint64_t sequences;
    bool was_searched; /* false: priced as given */
    bool fits;
    bool is_optimal;
    uint64_t gap_parts_per_million;
    const char *claim; /* about the placement, or "" */
    const char *scope; /* among which placements: " that executes on a GPU" */
    uint64_t decode_ps_per_token; /* at least; or MEMPLAN_UNKNOWN */
    bool is_per_pass;             /* that is of a pass over all input */
    uint64_t prompt_ps_per_token; /* or MEMPLAN_UNKNOWN */
    mpl_plan_pool *pools;
    mpl_plan_unit *units; /* in execution order */
    const mpl_price_list *prices; /* of an engine of the units space that
                                     fits; else NULL */
    mpl_plan_fix *fixes;
    const char **notes;
    uint32_t pool_count;
    uint32_t unit_count;
    uint32_t fix_count;
    uint32_t note_count;
};

#endif
