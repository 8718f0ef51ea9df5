/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>

#include "machine/machine.h"

/* MemTotal never changes between two readings; what is available does. */
Test(detect, agrees_with_meminfo)
{
    uint64_t total_kib = 0;
    FILE *const file = fopen("/proc/meminfo", "r");
    cr_assert_not_null(file);
    cr_assert_eq(fscanf(file, "MemTotal: %" SCNu64, &total_kib), 1);
    fclose(file);

    memplan_machine *machine = NULL;
    memplan_error error = {0};
    memplan_machine_options options = MEMPLAN_MACHINE_OPTIONS_INIT;
    options.disk_path = "/";
    cr_assert_eq(memplan_machine_detect(&machine, &options, &error),
                 MEMPLAN_OK, "%s", error.message);
    memplan_machine_info info = {sizeof info};
    memplan_machine_describe(machine, &info);
    cr_expect_eq(info.total_bytes, total_kib * 1024);
    cr_expect_gt(info.available_bytes, 0);
    cr_expect_leq(info.available_bytes, info.total_bytes);
    cr_expect_gt(info.thread_count, 0);
    cr_expect_str_eq(machine->pools[machine->pool_count - 1].key, "disk");
    memplan_machine_free(machine);
}
