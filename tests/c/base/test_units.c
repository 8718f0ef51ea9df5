/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include "memplan.h"

Test(units, parse_and_format)
{
    uint64_t bytes = 0;
    cr_expect_eq(memplan_bytes_parse(&bytes, "1.5 GiB", NULL), MEMPLAN_OK);
    cr_expect_eq(bytes, UINT64_C(1610612736));
    char text[16];
    cr_expect_eq(memplan_bytes_format(text, sizeof text, bytes), 7);
    cr_expect_str_eq(text, "1.5 GiB");
}

Test(units, refuse_both_readings)
{
    memplan_error error;
    uint64_t bytes = 7;
    cr_expect_eq(memplan_bytes_parse(&bytes, "20gb", &error),
                 MEMPLAN_E_ARGUMENT);
    cr_expect_eq(bytes, 7, "untouched on failure");
    cr_expect_not_null(strstr(error.message, "20GB"), "%s", error.message);
    cr_expect_not_null(strstr(error.message, "20GiB"), "%s", error.message);
}
