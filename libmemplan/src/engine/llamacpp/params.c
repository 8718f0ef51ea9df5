/* SPDX-License-Identifier: MIT */
/*
 * The rows of settings.def, by kind: each kind reads its own sort of value
 * into the field that the row names.
 */
#include "engine/llamacpp/params.h"

#include <stddef.h>
#include <string.h>

#include "base/failure.h"
#include "base/nearest.h"
#include "engine/llamacpp/settings.h"

static const mpl_llama_params DEFAULTS = {.n_batch = 2048,
                                          .n_ubatch = 512,
                                          .n_seq = 1,
                                          .ngl = MPL_LLAMA_NGL_AUTO,
                                          .cache_ram_mib = 8192,
                                          .checkpoint_count = 32,
                                          .fit_ctx = 4096,
                                          .draft_ngl = MPL_LLAMA_NGL_AUTO,
                                          .draft_type_k = MPL_DTYPE_FP16,
                                          .draft_type_v = MPL_DTYPE_FP16,
                                          .draft_max = 3,
                                          .type_k = MPL_DTYPE_FP16,
                                          .type_v = MPL_DTYPE_FP16};

typedef enum setting_kind {
    KIND_U32,
    KIND_MIB,
    KIND_SWITCH,
    KIND_OFF,
    KIND_TEXT,
    KIND_LAYERS,
    KIND_TYPE,
    KIND_WORD,
    KIND_SPLITS,
    KIND_OVERRIDES,
    KIND_LOAD,
    KIND_EXPERTS,
    KIND_N_EXPERTS,
    KIND_N_FFN
} setting_kind;

typedef struct setting {
    const char *name;
    setting_kind kind;
    uint32_t field;
    const char *text;
} setting;

static const setting SETTINGS[] = {
#define SETTING(name, kind, field, text)                                       \
    {name, KIND_##kind, (uint32_t)offsetof(mpl_llama_params, field), text},
#include "engine/llamacpp/settings.def"
#undef SETTING
};
enum { SETTING_COUNT = sizeof SETTINGS / sizeof SETTINGS[0] };

typedef struct word {
    uint32_t field;
    const char *text;
    uint32_t value;
} word;

#define WORD(field, text, value)                                               \
    {                                                                          \
        (uint32_t) offsetof(mpl_llama_params, field), text, value              \
    }

static const word WORDS[] = {
    WORD(flash, "auto", MPL_FA_AUTO),
    WORD(flash, "on", MPL_FA_ON),
    WORD(flash, "off", MPL_FA_OFF),
    WORD(flash, "1", MPL_FA_ON),
    WORD(flash, "0", MPL_FA_OFF),
    WORD(split, "layer", MPL_SPLIT_LAYER),
    WORD(split, "none", MPL_SPLIT_NONE),
    WORD(split, "row", MPL_SPLIT_ROW),
    WORD(split, "tensor", MPL_SPLIT_TENSOR),
    WORD(load, "auto", MPL_LOAD_AUTO),
    WORD(load, "none", MPL_LOAD_NONE),
    WORD(load, "mmap", MPL_LOAD_MMAP),
    WORD(load, "mlock", MPL_LOAD_MLOCK),
    WORD(load, "mmap+mlock", MPL_LOAD_MMAP_MLOCK),
    WORD(load, "dio", MPL_LOAD_DIO),
    WORD(frontend, "server", MPL_FRONTEND_SERVER),
    WORD(frontend, "cli", MPL_FRONTEND_CLI),
    WORD(frontend, "tool", MPL_FRONTEND_TOOL),
    WORD(measure, "load", MPL_MEASURE_LOAD),
    WORD(measure, "fit", MPL_MEASURE_FIT),
};
enum { WORD_COUNT = sizeof WORDS / sizeof WORDS[0] };

/* Cache types that llama.cpp's command line takes. */
static const struct {
    const char *name;
    mpl_dtype dtype;
} TYPES[] = {{"f32", MPL_DTYPE_FP32},      {"fp32", MPL_DTYPE_FP32},
             {"f16", MPL_DTYPE_FP16},      {"fp16", MPL_DTYPE_FP16},
             {"bf16", MPL_DTYPE_BF16},     {"q8_0", MPL_DTYPE_Q8_0},
             {"q4_0", MPL_DTYPE_Q4_0},     {"q4_1", MPL_DTYPE_Q4_1},
             {"iq4_nl", MPL_DTYPE_IQ4_NL}, {"q5_0", MPL_DTYPE_Q5_0},
             {"q5_1", MPL_DTYPE_Q5_1}};
enum { TYPE_COUNT = sizeof TYPES / sizeof TYPES[0] };

/* One entry on its way into the parameters. */
typedef struct setting_entry {
    mpl_llama_params *out;
    mpl_arena *arena;
    const setting *row;
    const char *name;
    const char *value; /* NULL: none given */
    memplan_error *error;
} setting_entry;

bool mpl_llama_setting_entry(uint32_t index, mpl_entry *out)
{
    if (index >= SETTING_COUNT)
        return false;
    *out = (mpl_entry){SETTINGS[index].name, SETTINGS[index].text};
    return true;
}

bool mpl_llama_cache_type_entry(uint32_t index, mpl_entry *out)
{
    if (index >= TYPE_COUNT)
        return false;
    *out = (mpl_entry){TYPES[index].name, ""};
    return true;
}

static memplan_status bad_value(const setting_entry *entry, const char *rule)
{
    return mpl_fail(entry->error, MEMPLAN_E_ARGUMENT, MPL_NOWHERE,
                    "setting \"%s\": \"%s\" is not %s", entry->name,
                    entry->value != NULL ? entry->value : "", rule);
}

static bool read_u32(const char *text, uint32_t *out)
{
    uint64_t value = 0;
    if (text == NULL || *text == '\0')
        return false;
    for (const char *at = text; *at != '\0'; at++) {
        if (*at < '0' || *at > '9')
            return false;
        value = value * 10 + (uint64_t)(*at - '0');
        if (value > INT32_MAX)
            return false;
    }
    *out = (uint32_t)value;
    return true;
}

static memplan_status set_layers(const setting_entry *entry, int32_t *out)
{
    const char *value = entry->value;
    uint32_t layers = 0;
    if (value != NULL &&
        (strcmp(value, "auto") == 0 || strcmp(value, "-1") == 0))
        *out = MPL_LLAMA_NGL_AUTO;
    else if (value != NULL &&
             (strcmp(value, "all") == 0 || strcmp(value, "-2") == 0))
        *out = MPL_LLAMA_NGL_ALL;
    else if (read_u32(value, &layers))
        *out = (int32_t)layers;
    else
        return bad_value(entry, "a number of layers, auto or all");
    return MEMPLAN_OK;
}

/* Says which words there are; digits only stand for some of them. */
static memplan_status bad_word(const setting_entry *entry)
{
    const char *words[WORD_COUNT];
    char list[MPL_WORDS_SIZE];
    uint32_t count = 0;
    for (uint32_t i = 0; i < WORD_COUNT; i++)
        if (WORDS[i].field == entry->row->field && WORDS[i].text[0] > '9')
            words[count++] = WORDS[i].text;
    return bad_value(entry, mpl_words_join(list, words, count, "", "or"));
}

static memplan_status set_word(const setting_entry *entry, uint32_t *out)
{
    for (uint32_t i = 0; i < WORD_COUNT; i++)
        if (WORDS[i].field == entry->row->field && entry->value != NULL &&
            strcmp(WORDS[i].text, entry->value) == 0) {
            *out = WORDS[i].value;
            return MEMPLAN_OK;
        }
    return bad_word(entry);
}

static memplan_status set_type(const setting_entry *entry, uint32_t *out)
{
    for (uint32_t i = 0; i < TYPE_COUNT; i++)
        if (entry->value != NULL && strcmp(TYPES[i].name, entry->value) == 0) {
            *out = TYPES[i].dtype;
            return MEMPLAN_OK;
        }
    return bad_value(entry, "a cache type of llama.cpp: f32, f16, bf16, q8_0, "
                            "q4_0, q4_1, iq4_nl, q5_0 or q5_1");
}

static memplan_status set_switch(const setting_entry *entry, bool is_on,
                                 bool *out)
{
    const char *value = entry->value;
    const bool yes = value == NULL || strcmp(value, "1") == 0 ||
                     strcmp(value, "on") == 0 || strcmp(value, "true") == 0;
    const bool no = value != NULL &&
                    (strcmp(value, "0") == 0 || strcmp(value, "off") == 0 ||
                     strcmp(value, "false") == 0);
    if (!yes && !no)
        return bad_value(entry, "0 or 1");
    *out = yes ? is_on : !is_on;
    return MEMPLAN_OK;
}

/* The mode that llama.cpp's old switches stand for. */
static memplan_status set_load(const setting_entry *entry)
{
    bool is_on = false;
    const memplan_status status = set_switch(entry, true, &is_on);
    if (status != MEMPLAN_OK || !is_on)
        return status;
    const char *name = entry->row->name;
    entry->out->load = strcmp(name, "no-mmap") == 0 ? MPL_LOAD_NONE
                       : strcmp(name, "mmap") == 0  ? MPL_LOAD_MMAP
                                                    : MPL_LOAD_MLOCK;
    return MEMPLAN_OK;
}

/* -cmoe, -ncmoe N, -ncffn N. */
static memplan_status add_override(const setting_entry *entry)
{
    mpl_llama_override override = {MPL_OVERRIDE_EXPERTS, 0, 0, "", "CPU"};
    bool is_on = true;
    if (entry->row->kind == KIND_EXPERTS) {
        const memplan_status status = set_switch(entry, true, &is_on);
        if (status != MEMPLAN_OK || !is_on)
            return status;
    } else {
        if (!read_u32(entry->value, &override.layer_count))
            return bad_value(entry, "a number of layers");
        override.kind = entry->row->kind == KIND_N_EXPERTS
                            ? MPL_OVERRIDE_LAYER_EXPERTS
                            : MPL_OVERRIDE_LAYER_FFN;
        if (override.layer_count == 0)
            return MEMPLAN_OK;
    }
    return mpl_llama_override_add(entry->out, entry->arena, &override,
                                  entry->error);
}

static memplan_status set_text(const setting_entry *entry, const char **out)
{
    *out = mpl_arena_strdup(entry->arena,
                            entry->value != NULL ? entry->value : "");
    return *out != NULL ? MEMPLAN_OK : mpl_fail_memory(entry->error);
}

static memplan_status set_row(const setting_entry *entry)
{
    char *field = (char *)entry->out + entry->row->field;
    uint32_t *number = (uint32_t *)(void *)field;
    mpl_llama_params *out = entry->out;
    switch (entry->row->kind) {
    case KIND_MIB:
        if (entry->value != NULL && strcmp(entry->value, "-1") == 0) {
            *number = UINT32_MAX;
            return MEMPLAN_OK;
        }
        return read_u32(entry->value, number)
                   ? MEMPLAN_OK
                   : bad_value(entry, "a number of MiB");
    case KIND_U32:
        return read_u32(entry->value, number)
                   ? MEMPLAN_OK
                   : bad_value(entry, "a whole number below 2^31");
    case KIND_SWITCH:
        return set_switch(entry, true, (bool *)(void *)field);
    case KIND_OFF:
        return set_switch(entry, false, (bool *)(void *)field);
    case KIND_TEXT:
        return set_text(entry, (const char **)(void *)field);
    case KIND_LAYERS:
        out->has_ngl |= field == (char *)&out->ngl;
        return set_layers(entry, (int32_t *)(void *)field);
    case KIND_TYPE:
        return set_type(entry, number);
    case KIND_WORD:
        return set_word(entry, number);
    case KIND_SPLITS:
        out->has_split = true;
        return mpl_llama_splits_read(out, entry->value, entry->error);
    case KIND_OVERRIDES:
        return mpl_llama_overrides_add(out, entry->arena, entry->value,
                                       entry->error);
    case KIND_LOAD:
        return set_load(entry);
    case KIND_EXPERTS:
    case KIND_N_EXPERTS:
    case KIND_N_FFN:
        return add_override(entry);
    }
    return MEMPLAN_OK;
}

static memplan_status unknown_name(const setting_entry *entry)
{
    const char *names[SETTING_COUNT];
    for (uint32_t i = 0; i < SETTING_COUNT; i++)
        names[i] = SETTINGS[i].name;
    const char *near = memplan_word_nearest(entry->name, names, SETTING_COUNT);
    return mpl_fail(entry->error, MEMPLAN_E_ARGUMENT, MPL_NOWHERE,
                    "setting \"%s\": none that memory depends on%s%s%s",
                    entry->name, near != NULL ? ", perhaps \"" : "",
                    near != NULL ? near : "", near != NULL ? "\"" : "");
}

/* `text` is "name" or "name=value", and is cut in place. */
static memplan_status add_entry(mpl_llama_params *out, mpl_arena *arena,
                                char *text, memplan_error *error)
{
    text += strspn(text, " \t\r");
    text += strspn(text, "-");
    if (*text == '\0')
        return MEMPLAN_OK;
    char *equals = strchr(text, '=');
    if (equals != NULL)
        *equals = '\0';
    setting_entry entry = {
        out, arena, NULL, text, equals != NULL ? equals + 1 : NULL, error};
    for (uint32_t i = 0; i < SETTING_COUNT && entry.row == NULL; i++)
        if (strcmp(SETTINGS[i].name, text) == 0)
            entry.row = &SETTINGS[i];
    if (entry.row == NULL)
        return unknown_name(&entry);
    const memplan_status status = set_row(&entry);
    out->has_ctx |= entry.row->field == offsetof(mpl_llama_params, n_ctx);
    out->has_cache_ram |=
        entry.row->field == offsetof(mpl_llama_params, cache_ram_mib);
    return status;
}

memplan_status mpl_llama_params_add(mpl_llama_params *out, mpl_arena *arena,
                                    const char *settings, memplan_error *error)
{
    if (settings == NULL)
        return MEMPLAN_OK;
    char *text = mpl_arena_strdup(arena, settings);
    if (text == NULL)
        return mpl_fail_memory(error);
    char *next = text;
    const bool has_lines = strchr(text, '\n') != NULL;
    while (next != NULL) {
        char *entry = next;
        next = mpl_llama_entry_cut(entry, has_lines);
        const memplan_status status = add_entry(out, arena, entry, error);
        if (status != MEMPLAN_OK)
            return status;
    }
    return MEMPLAN_OK;
}

memplan_status mpl_llama_params_read(mpl_llama_params *out, mpl_arena *arena,
                                     const mpl_request *request,
                                     const char *settings, memplan_error *error)
{
    *out = DEFAULTS;
    const uint64_t sequences = mpl_min(request->sequences, INT32_MAX);
    uint64_t tokens = 0;
    if (!mpl_mul(&tokens, request->context_tokens, sequences) ||
        tokens > INT32_MAX)
        return mpl_fail(error, MEMPLAN_E_TOO_LARGE, MPL_NOWHERE,
                        "context of %llu tokens in %llu sequences: llama.cpp "
                        "holds at most 2^31 - 1",
                        (unsigned long long)request->context_tokens,
                        (unsigned long long)request->sequences);
    if (request->cache != NULL || request->encoder_tokens != 0)
        return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                        "%s is for transformers; llama.cpp's cache is set by "
                        "ctk, ctv, nkvo and swa-full",
                        request->cache != NULL ? "a cache's name"
                                               : "a number of encoder tokens");
    out->n_seq = (uint32_t)sequences;
    out->n_ctx = (uint32_t)tokens;
    if (request->prompt_tokens > 0) {
        out->n_ubatch = (uint32_t)mpl_min(request->prompt_tokens, INT32_MAX);
        out->n_batch = (uint32_t)mpl_max(out->n_batch, out->n_ubatch);
    }
    if (request->kv_dtype != NULL) {
        setting_entry entry = {
            out, arena, &SETTINGS[0], "kv_dtype", request->kv_dtype, error};
        memplan_status status = set_type(&entry, &out->type_k);
        if (status != MEMPLAN_OK)
            return status;
        out->type_v = out->type_k;
    }
    return mpl_llama_params_add(out, arena, settings, error);
}
