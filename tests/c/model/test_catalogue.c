/* SPDX-License-Identifier: MIT */
/* Models by name, with nothing on disk. */
#include <criterion/criterion.h>
#include <string.h>

#include "memplan.h"
#include "model/catalogue.h"
#include "model/model.h"
#include "support/vectors.h"

static const char *text_of(mpl_json_value from, const char *key)
{
    return mpl_json_string(mpl_json_get(from, key), NULL);
}

static void check_row(const vector_case *one)
{
    memplan_model *model = NULL;
    memplan_error error = {0};
    const memplan_status status =
        memplan_model_open(&model, text_of(one->given, "name"), NULL, &error);
    cr_assert_eq(status, MEMPLAN_OK, "%s: %s", one->name, error.message);
    memplan_model_info info = MEMPLAN_MODEL_INFO_INIT;
    memplan_model_describe(model, &info);
    const uint64_t wanted =
        vectors_u64(mpl_json_get(one->expect, "parameters"));
    cr_expect_eq(info.parameter_count, wanted, "%s: %llu, not %llu", one->name,
                 (unsigned long long)info.parameter_count,
                 (unsigned long long)wanted);
    cr_expect_eq(info.layer_count,
                 vectors_u64(mpl_json_get(one->expect, "layers")), "%s",
                 one->name);
    cr_expect_eq(info.context_tokens,
                 vectors_u64(mpl_json_get(one->expect, "context_tokens")), "%s",
                 one->name);
    cr_expect_str_eq(info.architecture, text_of(one->expect, "architecture"));
    cr_expect_str_eq(info.format, "catalogue");
    cr_expect_str_eq(info.name, one->name);
    cr_expect(mpl_model_is_valid(model), "%s", one->name);
    memplan_model_free(model);
}

Test(catalogue, rows_have_the_parameters_that_were_published)
{
    vectors_run("catalogue.json", check_row);
}

Test(catalogue, every_row_is_in_the_vectors)
{
    uint64_t rows = 0;
    while (mpl_catalogue_at(rows) != NULL)
        rows++;
    mpl_json *json = NULL;
    cr_assert_eq(mpl_json_open(&json,
                               MEMPLAN_TEST_ROOT "/vectors/catalogue.json",
                               1 << 20, NULL),
                 MEMPLAN_OK);
    cr_expect_eq(rows,
                 mpl_json_count(mpl_json_get(mpl_json_root(json), "cases")));
    mpl_json_free(json);
}

static void check_spelling(const vector_case *one)
{
    const mpl_catalogue_row *row = NULL;
    memplan_error error = {0};
    const memplan_status status =
        mpl_catalogue_find(&row, text_of(one->given, "name"), &error);
    const char *const wanted = text_of(one->expect, "row");
    if (wanted != NULL) {
        cr_assert_eq(status, MEMPLAN_OK, "%s: %s", one->name, error.message);
        cr_expect_str_eq(row->name, wanted, "%s", one->name);
        return;
    }
    cr_expect_eq(status, MEMPLAN_E_NOT_FOUND, "%s", one->name);
    cr_expect_null(row);
    cr_expect(strstr(error.message, text_of(one->expect, "nearest")) != NULL,
              "%s: %s", one->name, error.message);
}

Test(catalogue, tolerates_spellings)
{
    vectors_run("model_names.json", check_spelling);
}

/* Two rows that one spelling means would make the second unreachable. */
Test(catalogue, each_name_and_repository_means_its_own_row)
{
    for (uint64_t at = 0; mpl_catalogue_at(at) != NULL; at++) {
        const mpl_catalogue_row *const row = mpl_catalogue_at(at);
        const mpl_catalogue_row *found = NULL;
        cr_expect_eq(mpl_catalogue_find(&found, row->name, NULL), MEMPLAN_OK);
        cr_expect_eq(found, row, "%s", row->name);
        cr_expect_eq(mpl_catalogue_find(&found, row->source, NULL), MEMPLAN_OK);
        cr_expect_eq(found, row, "%s", row->source);
    }
}
