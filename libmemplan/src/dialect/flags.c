/* SPDX-License-Identifier: MIT */
#include "dialect/flags.h"

#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/failure.h"
#include "dialect/dialect.h"

typedef enum flag_kind {
    VALUE,  /* -ngl 20 */
    SWITCH, /* -cmoe; the setting may say 0 or 1 */
    LIST,   /* a list that llama.cpp separates by commas */
    OURS    /* memplan's own: no flag */
} flag_kind;

typedef struct flag_row {
    const char *name;
    const char *flag;
    flag_kind kind;
} flag_row;

/* Names that are not VALUE under "--name". */
static const flag_row ROWS[] = {
    {"c", "-c", VALUE},
    {"b", "-b", VALUE},
    {"ub", "-ub", VALUE},
    {"np", "-np", VALUE},
    {"ngl", "-ngl", VALUE},
    {"ts", "-ts", LIST},
    {"tensor-split", "--tensor-split", LIST},
    {"sm", "-sm", VALUE},
    {"mg", "-mg", VALUE},
    {"dev", "-dev", LIST},
    {"device", "--device", LIST},
    {"ot", "-ot", VALUE},
    {"ncmoe", "-ncmoe", VALUE},
    {"ncffn", "-ncffn", VALUE},
    {"ctk", "-ctk", VALUE},
    {"ctv", "-ctv", VALUE},
    {"fa", "-fa", VALUE},
    {"lm", "-lm", VALUE},
    {"cram", "-cram", VALUE},
    {"ctxcp", "-ctxcp", VALUE},
    {"mm", "-mm", VALUE},
    {"kvu", "-kvu", SWITCH},
    {"kv-unified", "--kv-unified", SWITCH},
    {"no-kvu", "-no-kvu", SWITCH},
    {"no-kv-unified", "--no-kv-unified", SWITCH},
    {"cmoe", "-cmoe", SWITCH},
    {"cpu-moe", "--cpu-moe", SWITCH},
    {"nkvo", "-nkvo", SWITCH},
    {"no-kv-offload", "--no-kv-offload", SWITCH},
    {"kvo", "-kvo", SWITCH},
    {"kv-offload", "--kv-offload", SWITCH},
    {"swa-full", "--swa-full", SWITCH},
    {"no-mmap", "-lm none", SWITCH}, /* the old switches are gone */
    {"mmap", "-lm mmap", SWITCH},
    {"mlock", "-lm mlock", SWITCH},
    {"rpc", "--rpc", LIST},
    {"md", "-md", VALUE},
    {"devd", "-devd", LIST},
    {"device-draft", "--device-draft", LIST},
    {"ngld", "-ngld", VALUE},
    {"ctkd", "-ctkd", VALUE},
    {"ctvd", "-ctvd", VALUE},
    {"nr", "-nr", SWITCH},
    {"no-repack", "--no-repack", SWITCH},
    {"repack", "--repack", SWITCH},
    {"no-host", "--no-host", SWITCH},
    {"no-op-offload", "--no-op-offload", SWITCH},
    {"op-offload", "--op-offload", SWITCH},
    {"fitt", "", OURS},
    {"fit-target", "", OURS},
    {"fitc", "", OURS},
    {"fit-ctx", "", OURS},
    {"mtp", "--spec-type draft-mtp", SWITCH},
    {"frontend", "", OURS},
    {"n-outputs-max", "", OURS},
    {"measure", "", OURS},
    {"explain", "", OURS},
    {"devices", "", OURS},
    {"backend", "", OURS},
    {"cpu-features", "", OURS},
};
enum { ROW_COUNT = sizeof ROWS / sizeof *ROWS };

/* Long names of settings that this file asks for by their short ones. */
static const char *const ALIASES[][2] = {
    {"c", "ctx-size"},       {"np", "parallel"},        {"ngl", "gpu-layers"},
    {"ngl", "n-gpu-layers"}, {"b", "batch-size"},       {"ub", "ubatch-size"},
    {"ts", "tensor-split"},  {"ctk", "cache-type-k"},   {"ctv", "cache-type-v"},
    {"kvu", "kv-unified"},   {"ot", "override-tensor"}, {"cmoe", "cpu-moe"},
    {"ncmoe", "n-cpu-moe"},  {"mg", "main-gpu"},        {"fa", "flash-attn"},
    {"md", "model-draft"},
};
enum { ALIAS_COUNT = sizeof ALIASES / sizeof *ALIASES };

static const char SERVER[] = "llama-server";
static const struct {
    const char *frontend;
    const char *program;
} PROGRAMS[] = {{"cli", "llama-cli"}, {"tool", "llama-completion"}};
enum { PROGRAM_COUNT = sizeof PROGRAMS / sizeof *PROGRAMS };

static bool read_setting(mpl_setting *out, const char *at)
{
    while (*at == '\n')
        at++;
    if (*at == '\0')
        return false;
    const size_t length = strcspn(at, "\n");
    const char *const start = at + strspn(at, "-");
    const size_t dashes = (size_t)(start - at);
    const size_t name = mpl_min(strcspn(start, "=\n"), length - dashes);
    (void)snprintf(out->name, sizeof out->name, "%.*s", (int)name, start);
    const bool has_value = start[name] == '=';
    out->value = start + name + has_value;
    out->value_length = length - dashes - name - has_value;
    out->rest = at + length;
    return true;
}

bool mpl_setting_first(mpl_setting *out, const memplan_plan *plan)
{
    return read_setting(out, plan->settings);
}

bool mpl_setting_next(mpl_setting *at)
{
    return read_setting(at, at->rest);
}

static bool means(const char *given, const char *name)
{
    if (strcmp(given, name) == 0)
        return true;
    for (uint32_t at = 0; at < ALIAS_COUNT; at++)
        if (strcmp(ALIASES[at][0], name) == 0 &&
            strcmp(ALIASES[at][1], given) == 0)
            return true;
    return false;
}

bool mpl_setting_find(mpl_setting *out, const memplan_plan *plan,
                      const char *name)
{
    bool is_found = false;
    mpl_setting at;
    for (bool is = mpl_setting_first(&at, plan); is;
         is = mpl_setting_next(&at)) {
        if (!means(at.name, name))
            continue;
        *out = at;
        is_found = true;
    }
    return is_found;
}

bool mpl_plan_has_flags(const memplan_plan *plan)
{
    return strcmp(plan->engine, "llama.cpp") == 0;
}

static flag_row find_row(const mpl_setting *setting, char flag[40])
{
    for (uint32_t at = 0; at < ROW_COUNT; at++)
        if (strcmp(ROWS[at].name, setting->name) == 0)
            return ROWS[at];
    (void)snprintf(flag, 40, "--%s", setting->name);
    return (flag_row){setting->name, flag, VALUE};
}

/* A word as a POSIX shell reads it back; '\'' stands for a quote. */
static void add_word(mpl_text *text, const char *word, uint64_t length,
                     bool is_list)
{
    static const char SAFE[] = "abcdefghijklmnopqrstuvwxyz0123456789_-./:,=+@%"
                               "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    bool is_safe = length > 0;
    for (uint64_t at = 0; at < length; at++)
        is_safe &= word[at] != '\0' && strchr(SAFE, word[at]) != NULL;
    if (!is_safe)
        mpl_text_add(text, "'");
    for (uint64_t at = 0; at < length; at++) {
        const bool is_bar = is_list && (word[at] == '/' || word[at] == ';');
        if (word[at] == '\'')
            mpl_text_add(text, "'\\''");
        else
            mpl_text_add_bytes(text, is_bar ? "," : &word[at], 1);
    }
    if (!is_safe)
        mpl_text_add(text, "'");
}

static void add_number(mpl_text *text, const char *between, const char *flag,
                       uint64_t number)
{
    mpl_text_format(text, "%s%s %llu", between, flag,
                    (unsigned long long)number);
}

uint64_t mpl_plan_cells(const memplan_plan *plan)
{
    mpl_setting found;
    uint64_t cells;
    if (mpl_setting_find(&found, plan, "kvu") ||
        !mpl_mul(&cells, plan->context_tokens, plan->sequences))
        return plan->context_tokens;
    return cells;
}

/* A cache type that no setting says: the request did. llama.cpp's own default
 * needs no flag. */
static void add_cache_type(mpl_text *text, const memplan_plan *plan,
                           const char *setting, const char *type,
                           const char *between)
{
    mpl_setting found;
    if (strcmp(type, "fp16") == 0 || strcmp(type, "none") == 0 ||
        mpl_setting_find(&found, plan, setting))
        return;
    mpl_text_format(text, "%s-%s %s", between, setting,
                    strcmp(type, "fp32") == 0 ? "f32" : type);
}

const char *mpl_plan_program(const memplan_plan *plan)
{
    mpl_setting found;
    for (uint32_t at = 0; at < PROGRAM_COUNT; at++)
        if (mpl_setting_find(&found, plan, "frontend") &&
            found.value_length == strlen(PROGRAMS[at].frontend) &&
            memcmp(found.value, PROGRAMS[at].frontend, found.value_length) == 0)
            return PROGRAMS[at].program;
    return SERVER;
}

/* Four slots, unless it is told: the others have one. */
static bool runs_server(const memplan_plan *plan)
{
    return strcmp(mpl_plan_program(plan), SERVER) == 0;
}

void mpl_text_flags(mpl_text *text, const memplan_plan *plan, const char *model,
                    const char *between)
{
    mpl_setting found;
    mpl_setting at;
    mpl_text_format(text, "%s-m ", between);
    add_word(text, model, strlen(model), false);
    if (!mpl_setting_find(&found, plan, "c"))
        add_number(text, between, "-c", mpl_plan_cells(plan));
    if (!mpl_setting_find(&found, plan, "np") &&
        (plan->sequences != 1 || runs_server(plan)))
        add_number(text, between, "-np", plan->sequences);
    add_cache_type(text, plan, "ctk", plan->kv_dtype, between);
    add_cache_type(text, plan, "ctv", plan->value_dtype, between);
    for (bool is = mpl_setting_first(&at, plan); is;
         is = mpl_setting_next(&at)) {
        char flag[40];
        const flag_row row = find_row(&at, flag);
        const bool is_off = at.value_length == 1 && at.value[0] == '0';
        if (row.kind == OURS || (row.kind == SWITCH && is_off))
            continue;
        mpl_text_format(text, "%s%s", between, row.flag);
        if (row.kind == SWITCH)
            continue;
        mpl_text_add(text, " ");
        add_word(text, at.value, at.value_length, row.kind == LIST);
    }
    if (plan->is_per_pass) /* else a server refuses /embedding */
        mpl_text_format(text, "%s--embeddings", between);
    if (mpl_setting_find(&found, plan, "md")) /* a model alone drafts nothing */
        mpl_text_format(text, "%s--spec-type draft-simple", between);
}

MPL_PLAN_WRITER(mpl_plan_write_llamacpp)
{
    (void)style;
    if (!mpl_plan_has_flags(plan))
        return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                        "a plan for %s is no command line of llama.cpp; plan "
                        "for the engine llama.cpp",
                        plan->engine);
    mpl_text_add(text, mpl_plan_program(plan));
    mpl_text_flags(text, plan, plan->model_source, " ");
    mpl_text_add(text, "\n");
    return MEMPLAN_OK;
}
