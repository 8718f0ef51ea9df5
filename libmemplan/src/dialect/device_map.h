/* SPDX-License-Identifier: MIT */
/*
 * A placement as Transformers takes it: modules to devices. A module whose
 * units all share a device stands for them; the longest name that matches a
 * parameter decides, so every parameter is covered.
 */
#ifndef MPL_DIALECT_DEVICE_MAP_H
#define MPL_DIALECT_DEVICE_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/json_writer.h"
#include "plan/plan.h"

typedef struct mpl_map_entry {
    const char *name; /* the first `length` bytes; 0: all of the model */
    uint64_t length;
    uint32_t pool;
} mpl_map_entry;

/* The shortest map, in the order of execution. NULL: no memory. */
const mpl_map_entry *mpl_device_map(mpl_arena *arena, const memplan_plan *plan,
                                    uint32_t *out_count);

/* Whether this plan's engine takes such a map. */
bool mpl_plan_has_device_map(const memplan_plan *plan);

/* The same as a status; `what` is wanted of the plan. */
memplan_status mpl_check_device_map(const memplan_plan *plan, const char *what,
                                    memplan_error *error);

/* As members "device_map" and "max_memory" of an object, or as a whole text
 * where `key` is NULL. A map that found no memory fails the text. */
void mpl_json_device_map(mpl_json_writer *out, const char *key,
                         const memplan_plan *plan);
/* False, with nothing written, where "auto" holds with no budgets. */
bool mpl_json_max_memory(mpl_json_writer *out, const char *key,
                         const memplan_plan *plan);

#endif
