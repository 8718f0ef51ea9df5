/* SPDX-License-Identifier: MIT */
/* The tables of dialects, and the way in. */
#include "dialect/dialect.h"

#include <string.h>

#include "base/failure.h"
#include "base/nearest.h"
#include "base/sized.h"

enum { DEFAULT_WIDTH = 80, LEAST_WIDTH = 72, MOST_WIDTH = 240 };

typedef struct model_dialect {
    const char *name;
    MPL_MODEL_WRITER((*write));
} model_dialect;

static const model_dialect MODEL_DIALECTS[] = {
    {"table", mpl_model_write_table},
    {"json", mpl_model_write_json},
    {"svg", mpl_model_write_svg},
};
enum { MODEL_DIALECT_COUNT = sizeof MODEL_DIALECTS / sizeof *MODEL_DIALECTS };

typedef struct machine_dialect {
    const char *name;
    MPL_MACHINE_WRITER((*write));
} machine_dialect;

static const machine_dialect MACHINE_DIALECTS[] = {
    {"table", mpl_machine_write_table},
    {"json", mpl_machine_write_json},
    {"svg", mpl_machine_write_svg},
};
enum {
    MACHINE_DIALECT_COUNT = sizeof MACHINE_DIALECTS / sizeof *MACHINE_DIALECTS
};

typedef struct plan_dialect {
    const char *name;
    const char *purpose;
    MPL_PLAN_WRITER((*write));
} plan_dialect;

static const plan_dialect PLAN_DIALECTS[] = {
    {"table", "what a person reads", mpl_plan_write_table},
    {"json", "what a program reads: schema memplan.plan/1",
     mpl_plan_write_json},
    {"device_map", "Transformers' device_map, as JSON",
     mpl_plan_write_device_map},
    {"max_memory", "Transformers' max_memory, in bytes, as JSON",
     mpl_plan_write_max_memory},
    {"llamacpp", "llama.cpp's command line", mpl_plan_write_llamacpp},
    {"ollama", "an Ollama Modelfile", mpl_plan_write_ollama},
    {"compose", "a service of a compose file, with its memory limit",
     mpl_plan_write_compose},
    {"svg", "a picture for a page, light or dark", mpl_plan_write_svg},
};
enum { PLAN_DIALECT_COUNT = sizeof PLAN_DIALECTS / sizeof *PLAN_DIALECTS };

static memplan_status read_style(mpl_style *out,
                                 const memplan_render_options *options,
                                 memplan_error *error)
{
    memplan_render_options known;
    const memplan_status status =
        mpl_copy_options(&known, sizeof known, options, error);
    if (status != MEMPLAN_OK)
        return status;
    *out = (mpl_style){
        .width = known.width == 0            ? DEFAULT_WIDTH
                 : known.width < LEAST_WIDTH ? LEAST_WIDTH
                 : known.width > MOST_WIDTH  ? MOST_WIDTH
                                             : known.width,
        .use_colour = known.use_colour != 0,
        .use_unicode = known.use_unicode != 0,
        .without_bars = known.without_bars != 0,
        .with_tensors = known.with_tensors != 0,
        .with_rules = known.with_rules != 0,
    };
    return MEMPLAN_OK;
}

mpl_paint mpl_style_paint(const mpl_style *style, mpl_text *text)
{
    return (mpl_paint){text, style->width, style->use_colour,
                       style->use_unicode, style->without_bars};
}

/* Names the nearest dialect, or all where none is near. */
static memplan_status fail_name(memplan_error *error, const char *what,
                                const char *name, const char *const *names,
                                uint32_t count)
{
    char list[MPL_WORDS_SIZE];
    const char *const near = memplan_word_nearest(name, names, count);
    return mpl_fail(error, MEMPLAN_E_ARGUMENT, MPL_NOWHERE,
                    "\"%.40s\" is no dialect of a %s; %s %s", name, what,
                    near != NULL ? "the nearest is" : "there are",
                    mpl_words_join(list, near != NULL ? &near : names,
                                   near != NULL ? 1 : count, "\"", "and"));
}

/* Hands the text over, or gives it up where the writer failed. */
static memplan_status finish(memplan_status status, mpl_text *text, char **out,
                             memplan_error *error)
{
    if (status == MEMPLAN_OK)
        return mpl_text_finish(text, out, error);
    mpl_text_discard(text);
    return status;
}

memplan_status memplan_model_render(char **out, const memplan_model *model,
                                    const char *dialect,
                                    const memplan_render_options *options,
                                    memplan_error *error)
{
    mpl_style style;
    mpl_text text = {0};
    const char *names[MODEL_DIALECT_COUNT];
    memplan_status status = read_style(&style, options, error);
    if (status != MEMPLAN_OK)
        return status;
    for (uint32_t at = 0; at < MODEL_DIALECT_COUNT; at++) {
        const model_dialect *const row = &MODEL_DIALECTS[at];
        if (strcmp(row->name, dialect) == 0) {
            status = row->write(&text, model, &style, error);
            return finish(status, &text, out, error);
        }
        names[at] = row->name;
    }
    return fail_name(error, "model", dialect, names, MODEL_DIALECT_COUNT);
}

memplan_status memplan_machine_render(char **out,
                                      const memplan_machine *machine,
                                      const char *dialect,
                                      const memplan_render_options *options,
                                      memplan_error *error)
{
    mpl_style style;
    mpl_text text = {0};
    const char *names[MACHINE_DIALECT_COUNT];
    memplan_status status = read_style(&style, options, error);
    if (status != MEMPLAN_OK)
        return status;
    for (uint32_t at = 0; at < MACHINE_DIALECT_COUNT; at++) {
        const machine_dialect *const row = &MACHINE_DIALECTS[at];
        if (strcmp(row->name, dialect) == 0) {
            status = row->write(&text, machine, &style, error);
            return finish(status, &text, out, error);
        }
        names[at] = row->name;
    }
    return fail_name(error, "machine", dialect, names, MACHINE_DIALECT_COUNT);
}

memplan_status memplan_plan_render(char **out, const memplan_plan *plan,
                                   const char *dialect,
                                   const memplan_render_options *options,
                                   memplan_error *error)
{
    mpl_style style;
    mpl_text text = {0};
    const char *names[PLAN_DIALECT_COUNT];
    memplan_status status = read_style(&style, options, error);
    if (status != MEMPLAN_OK)
        return status;
    for (uint32_t at = 0; at < PLAN_DIALECT_COUNT; at++) {
        const plan_dialect *const row = &PLAN_DIALECTS[at];
        if (strcmp(row->name, dialect) == 0) {
            status = row->write(&text, plan, &style, error);
            return finish(status, &text, out, error);
        }
        names[at] = row->name;
    }
    return fail_name(error, "plan", dialect, names, PLAN_DIALECT_COUNT);
}

const char *mpl_plan_dialect_at(uint32_t index, const char **out_purpose)
{
    if (index >= PLAN_DIALECT_COUNT)
        return NULL;
    *out_purpose = PLAN_DIALECTS[index].purpose;
    return PLAN_DIALECTS[index].name;
}
