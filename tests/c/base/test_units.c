/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <locale.h>
#include <string.h>

#include "memplan.h"
#include "support/vectors.h"

static void check_parse(const vector_case *one, const char *text)
{
    const uint64_t untouched = 77;
    uint64_t bytes = untouched;
    memplan_error error = {0};
    const memplan_status status = memplan_bytes_parse(&bytes, text, &error);
    const char *const wanted =
        mpl_json_string(mpl_json_get(one->expect, "status"), NULL);
    if (wanted == NULL) {
        cr_expect_eq(status, MEMPLAN_OK, "%s: %s", one->name, error.message);
        cr_expect_eq(bytes, vectors_u64(mpl_json_get(one->expect, "bytes")),
                     "%s: %llu", one->name, (unsigned long long)bytes);
        return;
    }
    const char *const says =
        mpl_json_string(mpl_json_get(one->expect, "says"), NULL);
    cr_expect_str_eq(memplan_status_name(status), wanted, "%s", one->name);
    cr_expect_not_null(strstr(error.message, says), "%s: \"%s\" lacks \"%s\"",
                       one->name, error.message, says);
    cr_expect_eq(bytes, untouched, "%s: written on failure", one->name);
    cr_expect_eq(error.status, status, "%s", one->name);
    cr_expect_leq(error.offset, strlen(text), "%s", one->name);
}

static void check_case(const vector_case *one)
{
    const char *const text =
        mpl_json_string(mpl_json_get(one->given, "parse"), NULL);
    if (text != NULL) {
        check_parse(one, text);
        return;
    }
    char amount[32];
    (void)memplan_bytes_format(amount, sizeof amount,
                               vectors_u64(mpl_json_get(one->given, "format")));
    cr_expect_str_eq(
        amount, mpl_json_string(mpl_json_get(one->expect, "text"), NULL), "%s",
        one->name);
}

Test(units, vectors)
{
    vectors_run("bytes.json", check_case);
}

Test(units, format_is_cut_and_terminated)
{
    char text[4] = "###";
    cr_expect_eq(memplan_bytes_format(text, sizeof text, 1536), 7);
    cr_expect_str_eq(text, "1.5");
    cr_expect_eq(memplan_bytes_format(NULL, 0, 1536), 7);
}

Test(units, no_error_wanted)
{
    uint64_t bytes = 0;
    cr_expect_eq(memplan_bytes_parse(&bytes, "24G", NULL), MEMPLAN_E_ARGUMENT);
}

Test(units, format_then_parse_is_close)
{
    /* Printed with one decimal: within a twentieth of the unit. */
    uint64_t bytes = 1;
    for (int step = 0; step < 55; step++, bytes += bytes / 2 + 3) {
        char text[32];
        uint64_t back = 0;
        (void)memplan_bytes_format(text, sizeof text, bytes);
        cr_assert_eq(memplan_bytes_parse(&back, text, NULL), MEMPLAN_OK, "%s",
                     text);
        const uint64_t gap = back > bytes ? back - bytes : bytes - back;
        cr_expect_leq(gap, bytes / 20 + 1, "%s", text);
    }
}
