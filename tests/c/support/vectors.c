/* SPDX-License-Identifier: MIT */
#include "support/vectors.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

void vectors_run(const char *file, void (*check)(const vector_case *))
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/vectors/%s", MEMPLAN_TEST_ROOT, file);
    mpl_json *json = NULL;
    memplan_error error = {0};
    cr_assert_eq(mpl_json_open(&json, path, 1 << 24, &error), MEMPLAN_OK, "%s",
                 error.message);
    const mpl_json_value root = mpl_json_root(json);
    uint64_t expected = 0;
    cr_assert(mpl_json_u64(mpl_json_get(root, "cases_expected"), &expected),
              "%s: no cases_expected", file);
    uint64_t count = 0;
    mpl_json_walk walk = mpl_json_begin(mpl_json_get(root, "cases"));
    for (; mpl_json_next(&walk); count++) {
        const vector_case one = {
            .name = mpl_json_string(mpl_json_get(walk.value, "name"), NULL),
            .given = mpl_json_get(walk.value, "given"),
            .expect = mpl_json_get(walk.value, "expect"),
        };
        cr_assert_not_null(one.name, "%s: case %llu has no name", file,
                           (unsigned long long)count);
        cr_assert_not_null(
            mpl_json_string(mpl_json_get(walk.value, "why"), NULL),
            "%s: \"%s\" has no why", file, one.name);
        cr_assert_neq(mpl_json_type_of(one.expect), MPL_JSON_NONE,
                      "%s: \"%s\" expects nothing", file, one.name);
        check(&one);
    }
    cr_expect_eq(count, expected, "%s: ran %llu cases of %llu", file,
                 (unsigned long long)count, (unsigned long long)expected);
    mpl_json_free(json);
}

uint64_t vectors_u64(mpl_json_value value)
{
    uint64_t number = 0;
    if (mpl_json_u64(value, &number))
        return number;
    const char *const digits = mpl_json_string(value, NULL);
    cr_assert_not_null(digits, "a vector's number is %s",
                       mpl_json_type_name(value));
    return strtoull(digits, NULL, 10);
}
