/* SPDX-License-Identifier: MIT */
#include "base/json.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static memplan_status parse(mpl_json **out, const char *text,
                            memplan_error *error)
{
    const size_t length = strlen(text);
    uint8_t *const padded = calloc(1, length + 64);
    memcpy(padded, text, length);
    const memplan_status status = mpl_json_parse(out, padded, length, error);
    free(padded);
    return status;
}

Test(json, reads_values)
{
    mpl_json *json = NULL;
    cr_assert_eq(parse(&json,
                       "{\"a\": [1, 2.5, \"x\", null, true], \"b\": "
                       "18446744073709551615, \"c\": NaN}",
                       NULL),
                 MEMPLAN_OK);
    const mpl_json_value root = mpl_json_root(json);
    uint64_t number = 0;
    cr_expect(mpl_json_u64(mpl_json_get(root, "b"), &number));
    cr_expect_eq(number, UINT64_MAX);
    cr_expect_eq(mpl_json_count(mpl_json_get(root, "a")), 5);
    cr_expect_eq(mpl_json_type_of(mpl_json_get(root, "c")), MPL_JSON_NULL);
    mpl_json_walk walk = mpl_json_begin(root);
    cr_expect(mpl_json_next(&walk));
    cr_expect_str_eq(walk.key, "a");
    cr_expect(mpl_json_next(&walk));
    cr_expect(mpl_json_next(&walk));
    cr_expect_not(mpl_json_next(&walk));
    mpl_json_free(json);
}

Test(json, names_the_place)
{
    mpl_json *json = NULL;
    memplan_error error;
    cr_expect_eq(parse(&json, "{\"a\": 1,\n \"b\": tru}", &error),
                 MEMPLAN_E_CORRUPT);
    cr_expect_eq(error.line, 2, "%s", error.message);
    cr_expect_null(json);
}

/* A million levels, closed or not: an error, whatever the stack. */
Test(json, deep_nesting_is_refused)
{
    const size_t depth = 1000000;
    char *const text = calloc(1, 2 * depth + 1);
    mpl_json *json = NULL;
    memplan_error error = {0};
    memset(text, '[', depth);
    cr_expect_eq(parse(&json, text, &error), MEMPLAN_E_CORRUPT);
    memset(text + depth, ']', depth);
    cr_expect_eq(parse(&json, text, &error), MEMPLAN_E_TOO_LARGE);
    cr_expect_str_eq(error.message, "JSON nested more than 512 deep");
    cr_expect_eq(json, NULL);
    free(text);
}
