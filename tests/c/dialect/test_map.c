/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <string.h>

#include "dialect/sample_plan.h"
#include "memplan.h"

static memplan_map *map_of(mpl_plan_unit *units, uint32_t count,
                           memplan_map_info *out_info)
{
    sample_plan sample;
    memplan_error error = {0};
    memplan_map *map = NULL;
    sample_plan_make(&sample, units, count);
    cr_assert_eq(memplan_plan_map(&map, &sample.plan, &error), MEMPLAN_OK, "%s",
                 error.message);
    *out_info = (memplan_map_info){.size = sizeof *out_info};
    memplan_map_describe(map, out_info);
    return map;
}

/* Pools 0 to 3 are devices 0 and 1, host memory, the disk. */
Test(map, names_and_devices_stand_side_by_side)
{
    mpl_plan_unit units[] = {
        {.name = "m.a", .pool = 1},   {.name = "m.b.0", .pool = 0},
        {.name = "m.b.1", .pool = 0}, {.name = "m.\"c\"", .pool = 2},
        {.name = "head", .pool = 3},
    };
    static const char NAMES[] = "m.a\0m.b\0m.\"c\"\0head";
    static const int64_t DEVICES[] = {1, 0, -1, -2};
    memplan_map_info info;
    memplan_map *const map = map_of(units, 5, &info);
    cr_assert_eq(info.module_count, 4);
    cr_expect_eq(info.offloaded_count, 2);
    cr_assert_eq(info.names_bytes, sizeof NAMES);
    cr_expect_eq(memcmp(info.names, NAMES, sizeof NAMES), 0);
    cr_expect_eq(memcmp(info.devices, DEVICES, sizeof DEVICES), 0);
    memplan_map_free(map);
    memplan_map_free(NULL);
}

Test(map, one_pool_is_the_empty_name)
{
    mpl_plan_unit units[] = {{.name = "m.a", .pool = 2},
                             {.name = "head", .pool = 2}};
    memplan_map_info info;
    memplan_map *const map = map_of(units, 2, &info);
    cr_assert_eq(info.module_count, 1);
    cr_expect_eq(info.names_bytes, 1);
    cr_expect_str_eq(info.names, "");
    cr_expect_eq(info.devices[0], -1);
    memplan_map_free(map);
}

Test(map, another_engine_has_none)
{
    sample_plan sample;
    memplan_error error = {0};
    memplan_map *map = NULL;
    sample_plan_make(&sample, NULL, 0);
    sample.plan.engine = "llama.cpp";
    cr_expect_eq(memplan_plan_map(&map, &sample.plan, &error),
                 MEMPLAN_E_UNSUPPORTED);
    cr_expect_eq(map, NULL);
    cr_expect_str_eq(
        error.message,
        "a plan for llama.cpp has no device_map; plan for transformers");
}
