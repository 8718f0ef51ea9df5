/* SPDX-License-Identifier: MIT */
/* Each family of the data, with values that no configuration should have. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "data/families.h"
#include "memplan.h"
#include "model/family_text.h"
#include "support/configs.h"

enum { MAX_TEXT = 512, MAX_NAME = 128 };

/* A number where it is one that sizes can be made of: the rest is refused, or
 * is of a key that nothing is made of. */
static const char *const HOSTILE[] = {
    "-1", "-9223372036854775808", "1000000000", "18446744073709551615",
    "1e300", "0.5", "\"64\"", "\"\"", "[]", "[-1, \"x\", null]", "{}",
};

static void copy_word(char *out, const mpl_line *word)
{
    (void)snprintf(out, MAX_NAME, "%.*s", (int)word->length, word->text);
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

/* Bytes of the weights, or MEMPLAN_UNKNOWN where the model is refused. */
static uint64_t read_bytes(const char *text)
{
    memplan_model *model = NULL;
    memplan_error error = {0};
    const memplan_status status = config_read_text(&model, text, &error);
    if (status == MEMPLAN_OK) {
        const uint64_t bytes = model->weight_bytes;
        cr_expect(mpl_model_is_valid(model), "%s", text);
        memplan_model_free(model);
        return bytes;
    }
    cr_expect_null(model, "%s", text);
    cr_expect(status == MEMPLAN_E_CORRUPT || status == MEMPLAN_E_UNSUPPORTED ||
                  status == MEMPLAN_E_TOO_LARGE,
              "%s: %d: %s", text, (int)status, error.message);
    cr_expect(strncmp(error.message, "test: ", 6) == 0, "%s: %s", text,
              error.message);
    cr_expect_null(strstr(error.message, "is broken"), "%s", error.message);
    return MEMPLAN_UNKNOWN;
}

static void check_key(const char *type, const char *key)
{
    char text[MAX_TEXT];
    for (size_t at = 0; at < sizeof HOSTILE / sizeof *HOSTILE; at++) {
        write_config(text, type, key, HOSTILE[at]);
        (void)read_bytes(text);
    }
}

Test(families, refuse_what_no_size_is_made_of)
{
    const char *at = mpl_families_begin;
    char type[MAX_NAME] = "";
    char key[MAX_NAME];
    char text[MAX_TEXT];
    uint32_t family_count = 0;
    mpl_line line;
    mpl_line word;
    while (mpl_line_next(&line, &at, mpl_families_end)) {
        if (line.indent > 0 || !mpl_line_word(&line, &word))
            continue;
        if (mpl_line_is(&word, "family") && mpl_line_word(&line, &word)) {
            copy_word(type, &word);
            write_config(text, type, "unused", "0");
            (void)read_bytes(text);
            family_count++;
        } else if (mpl_line_is(&word, "key") && mpl_line_word(&line, &word)) {
            copy_word(key, &word);
            key[strcspn(key, "[")] = '\0';
            if (strncmp(key, "derived.", 8) != 0)
                check_key(type, key);
        }
    }
    cr_expect_gt(family_count, 100);
}
