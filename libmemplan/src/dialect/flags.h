/* SPDX-License-Identifier: MIT */
/*
 * A plan's settings, one by one: "c=8192", "ngl=20", "no-mmap", a line each,
 * under llama.cpp's own names.
 */
#ifndef MPL_DIALECT_FLAGS_H
#define MPL_DIALECT_FLAGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "plan/plan.h"

typedef struct mpl_setting {
    char name[32];
    const char *value; /* "" where there is none */
    uint64_t value_length;
    const char *rest; /* private: what follows */
} mpl_setting;

/* The first setting of a plan, and each one after; false past the last:
 *
 *     mpl_setting at;
 *     for (bool is = mpl_setting_first(&at, plan); is;
 *          is = mpl_setting_next(&at)) …
 */
bool mpl_setting_first(mpl_setting *out, const memplan_plan *plan);
bool mpl_setting_next(mpl_setting *at);

/* The last setting of that name, short or long; false where there is none. */
bool mpl_setting_find(mpl_setting *out, const memplan_plan *plan,
                      const char *name);

/* Whether the plan is one that llama.cpp can be told to carry out. */
bool mpl_plan_has_flags(const memplan_plan *plan);

/* "-m model.gguf -c 8192 -ngl 20 …", quoted for a shell. Each flag and its
 * value follow `between`. */
void mpl_text_flags(mpl_text *text, const memplan_plan *plan, const char *model,
                    const char *between);

/* The program that takes them: "llama-server", "llama-cli" or
 * "llama-completion". */
const char *mpl_plan_program(const memplan_plan *plan);

/* The value of a whole plan in tokens, for all sequences: what -c means. */
uint64_t mpl_plan_cells(const memplan_plan *plan);

#endif
