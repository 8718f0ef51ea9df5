/* SPDX-License-Identifier: MIT */
/*
 * A dialect: a model, a machine or a plan as somebody's input or reading.
 * Each is one file and one row of the tables in dialect.c.
 */
#ifndef MPL_DIALECT_DIALECT_H
#define MPL_DIALECT_DIALECT_H

#include "base/json_writer.h"
#include "base/text.h"
#include "dialect/paint.h"
#include "memplan.h"

/* How to draw, defaults filled in. */
typedef struct mpl_style {
    uint64_t width;
    bool use_colour;
    bool use_unicode;
    bool without_bars;
    bool with_tensors;
    bool with_rules;
} mpl_style;

/* A pen for a text in that style. */
mpl_paint mpl_style_paint(const mpl_style *style, mpl_text *text);

/* The dialects of plans in their order; NULL past the last one. */
const char *mpl_plan_dialect_at(uint32_t index, const char **out_purpose);

/* Writers add to a text. They return MEMPLAN_OK, or fail because a plan
 * cannot be said in that dialect. A text that ran out of memory is noticed
 * once, by who finishes it. */
#define MPL_MODEL_WRITER(name)                                                 \
    memplan_status name(mpl_text *text, const memplan_model *model,            \
                        const mpl_style *style, memplan_error *error)
#define MPL_MACHINE_WRITER(name)                                               \
    memplan_status name(mpl_text *text, const memplan_machine *machine,        \
                        const mpl_style *style, memplan_error *error)
#define MPL_PLAN_WRITER(name)                                                  \
    memplan_status name(mpl_text *text, const memplan_plan *plan,              \
                        const mpl_style *style, memplan_error *error)

MPL_MODEL_WRITER(mpl_model_write_table);
MPL_MODEL_WRITER(mpl_model_write_json);
MPL_MODEL_WRITER(mpl_model_write_svg);

MPL_MACHINE_WRITER(mpl_machine_write_table);
MPL_MACHINE_WRITER(mpl_machine_write_json);
MPL_MACHINE_WRITER(mpl_machine_write_svg);

MPL_PLAN_WRITER(mpl_plan_write_table);
MPL_PLAN_WRITER(mpl_plan_write_json);
MPL_PLAN_WRITER(mpl_plan_write_device_map);
MPL_PLAN_WRITER(mpl_plan_write_max_memory);
MPL_PLAN_WRITER(mpl_plan_write_svg);
MPL_PLAN_WRITER(mpl_plan_write_llamacpp);
MPL_PLAN_WRITER(mpl_plan_write_ollama);
MPL_PLAN_WRITER(mpl_plan_write_compose);

#endif
