/* SPDX-License-Identifier: MIT */
/* Each family of the data, with values that no configuration should have. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "memplan.h"
#include "model/family.h"
#include "support/configs.h"

enum { MAX_TEXT = 512, MAX_NAME = 128 };

/* A number where it is one that sizes can be made of: the rest is refused, or
 * is of a key that nothing is made of. None is true or false, and those below
 * 0 come first. */
static const char *const HOSTILE[] = {
    "-1", "-9223372036854775808", "1000000000", "18446744073709551615",
    "1e300", "0.5", "\"64\"", "\"\"", "[]", "[-1, \"x\", null]", "{}",
};
enum { NEGATIVE_COUNT = 2 };

/* Keys whose values need not be refused by their name. */
static const struct {
    const char *type;
    const char *key;
    const char *why;
} EXCEPTIONS[] = {
    {"bert-generation", "is_decoder", "no rule reads it"},
    {"gemma3n_text", "num_hidden_layers", "num_kv_shared_layers is refused"},
    {"gemma4_text", "num_hidden_layers", "num_kv_shared_layers is refused"},
    {"gemma4_text", "use_double_wide_mlp", "read with shared layers alone"},
    {"jamba", "attn_layer_offset", "compared: no layer is at -1"},
    {"jamba", "expert_layer_offset", "compared: no layer is at -1"},
    {"xlm", "use_lang_emb", "read where there are several languages"},
};

static bool is_exception(const char *type, const char *key)
{
    for (size_t at = 0; at < sizeof EXCEPTIONS / sizeof *EXCEPTIONS; at++)
        if (strcmp(type, EXCEPTIONS[at].type) == 0 &&
            strcmp(key, EXCEPTIONS[at].key) == 0)
            return true;
    return false;
}

/* {"model_type": TYPE, "a": {"b": VALUE}} for the key a.b. */
static void write_config(char *out, const char *type, const char *key,
                         const char *value)
{
    size_t used = (size_t)snprintf(out, MAX_TEXT, "{\"model_type\": \"%s\", ",
                                   type);
    size_t depth = 0;
    for (const char *at = key; *at != '\0'; depth++) {
        const size_t length = strcspn(at, ".");
        used += (size_t)snprintf(out + used, MAX_TEXT - used, "%s\"%.*s\": ",
                                 depth > 0 ? "{" : "", (int)length, at);
        at += length + (at[length] == '.');
    }
    used += (size_t)snprintf(out + used, MAX_TEXT - used, "%s", value);
    for (; depth > 0; depth--)
        used += (size_t)snprintf(out + used, MAX_TEXT - used, "}");
}

/* Bytes of the weights, or MEMPLAN_UNKNOWN where the model is refused, with
 * `error` saying why. */
static uint64_t read_bytes(const char *text, memplan_error *error)
{
    memplan_model *model = NULL;
    *error = (memplan_error){0};
    const memplan_status status = config_read_text(&model, text, error);
    if (status == MEMPLAN_OK) {
        const uint64_t bytes = model->weight_bytes;
        cr_expect(mpl_model_is_valid(model), "%s", text);
        memplan_model_free(model);
        return bytes;
    }
    cr_expect_null(model, "%s", text);
    cr_expect(status == MEMPLAN_E_CORRUPT || status == MEMPLAN_E_UNSUPPORTED ||
                  status == MEMPLAN_E_TOO_LARGE,
              "%s: %d: %s", text, (int)status, error->message);
    cr_expect(strncmp(error->message, "test: ", 6) == 0, "%s: %s", text,
              error->message);
    cr_expect_null(strstr(error->message, "is broken"), "%s", error->message);
    return MEMPLAN_UNKNOWN;
}

/* A spelling of a family's key, with what the family makes of its defaults. */
typedef struct subject {
    const char *type;
    const char *key;
    bool is_switch;
    uint64_t default_bytes;
} subject;

/* A number below 0 that no size is made of is as good as none, or as 0 where
 * a rule compares it. */
static bool is_harmless(const subject *of, uint64_t bytes)
{
    char text[MAX_TEXT];
    memplan_error error;
    write_config(text, of->type, of->key, "0");
    return bytes == of->default_bytes || bytes == read_bytes(text, &error);
}

static void check_value(const subject *of, const char *value, bool must_name)
{
    char text[MAX_TEXT];
    char quoted[MAX_NAME + 2];
    memplan_error error;
    write_config(text, of->type, of->key, value);
    const uint64_t bytes = read_bytes(text, &error);
    if (!must_name)
        return;
    (void)snprintf(quoted, sizeof quoted, "\"%s\"", of->key);
    if (bytes == MEMPLAN_UNKNOWN)
        cr_expect_not_null(strstr(error.message, quoted), "%s: %s", text,
                           error.message);
    else
        cr_expect(!of->is_switch && is_harmless(of, bytes), "%s: accepted",
                  text);
}

static void check_key(const subject *of)
{
    /* A family that refuses its defaults may name any key it needs first. */
    const bool is_named = of->default_bytes != MEMPLAN_UNKNOWN &&
                          !is_exception(of->type, of->key);
    for (size_t at = 0; at < sizeof HOSTILE / sizeof *HOSTILE; at++)
        check_value(of, HOSTILE[at],
                    is_named && (of->is_switch || at < NEGATIVE_COUNT));
}

/* The default is true or false. */
static bool is_switch(const mpl_key *key)
{
    const mpl_expression *const value = mpl_expression_at(key->value);
    return value != NULL && value->operation == MPL_OP_CONSTANT &&
           value->kind == MPL_VALUE_BOOL;
}

static void check_spellings(subject *of, const mpl_key *key)
{
    of->is_switch = is_switch(key);
    for (uint32_t at = 0; at < key->path_count; at++) {
        of->key = mpl_key_path(key, at);
        if (strncmp(of->key, "derived.", 8) != 0)
            check_key(of);
    }
}

Test(families, refuse_what_no_size_is_made_of)
{
    char text[MAX_TEXT];
    memplan_error error;
    uint32_t refused_count = 0;
    uint32_t switch_count = 0;
    for (uint32_t at = 1; at <= mpl_family_count; at++) {
        const mpl_family *const family = &mpl_families[at];
        subject of = {.type = mpl_word(family->name)};
        write_config(text, of.type, "unused", "0");
        of.default_bytes = read_bytes(text, &error);
        refused_count += of.default_bytes == MEMPLAN_UNKNOWN;
        for (uint32_t slot = 0; slot < family->key_count; slot++) {
            check_spellings(&of, mpl_key_at(family, slot));
            switch_count += of.is_switch;
        }
    }
    cr_expect_gt(mpl_family_count, 100);
    cr_expect_gt(switch_count, 300);
    cr_expect_lt(refused_count, 12, "%u", refused_count);
}

/* The search for a name halves the table. */
Test(families, are_found_by_each_of_their_names)
{
    cr_assert_gt(mpl_family_name_count, mpl_family_count);
    for (uint32_t at = 1; at <= mpl_family_name_count; at++) {
        const mpl_family_name *const row = &mpl_family_names[at];
        const char *const name = mpl_word(row->name);
        cr_expect(at == 1 ||
                      strcmp(mpl_word(mpl_family_names[at - 1].name), name) < 0,
                  "%s is out of order, or there twice", name);
        cr_expect_eq(mpl_family_find(name),
                     row->family > 0 ? &mpl_families[row->family] : NULL);
        cr_expect_eq(mpl_family_is_remote(name), row->family == 0, "%s", name);
    }
    cr_expect_null(mpl_family_find(""));
    cr_expect_null(mpl_family_find("zzz"));
    cr_expect_not(mpl_family_is_remote("llama"));
}
