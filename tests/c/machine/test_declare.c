/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include "machine/machine.h"

Test(declare, budgets_alone_are_the_machine)
{
    memplan_machine *machine = NULL;
    memplan_error error = {0};
    cr_assert_eq(memplan_machine_declare(&machine, NULL,
                                         "1=30GB, 0=20GB,cpu = 60 GB,"
                                         "disk=500GB",
                                         &error),
                 MEMPLAN_OK, "%s", error.message);
    cr_assert_eq(machine->pool_count, 4);
    const char *const keys[] = {"0", "1", "cpu", "disk"};
    const uint64_t capacities[] = {UINT64_C(20000000000),
                                   UINT64_C(30000000000),
                                   UINT64_C(60000000000),
                                   UINT64_C(500000000000)};
    for (uint32_t at = 0; at < 4; at++) {
        const mpl_pool *const pool = &machine->pools[at];
        cr_expect_str_eq(pool->key, keys[at]);
        cr_expect_eq(pool->capacity_bytes, capacities[at]);
        cr_expect_eq(machine->budget_bytes[pool->budget], capacities[at]);
        cr_expect_eq(pool->bandwidth_bytes_per_second, MEMPLAN_UNKNOWN);
    }
    cr_expect_eq(machine->note_count, 0);
    memplan_machine_free(machine);
}

Test(declare, keys_not_given_are_left_out)
{
    memplan_machine *base = NULL;
    memplan_machine *machine = NULL;
    cr_assert_eq(memplan_machine_declare(&base, NULL,
                                         "0=20GB,1=20GB,cpu=60GB", NULL),
                 MEMPLAN_OK);
    cr_assert_eq(memplan_machine_declare(&machine, base, "1=40GB", NULL),
                 MEMPLAN_OK);
    memplan_machine_free(base);
    cr_assert_eq(machine->pool_count, 1);
    cr_expect_str_eq(machine->pools[0].key, "1");
    cr_expect_eq(machine->pools[0].capacity_bytes, UINT64_C(40000000000));
    cr_expect_eq(machine->device_count, 2);
    cr_expect_str_eq(machine->devices[1].free_bytes.source, "declared");
    cr_expect_eq(machine->note_count, 1, "40 GB on a device of 20 GB");
    memplan_machine_free(machine);
}

Test(declare, unified_memory_is_one_budget)
{
    memplan_machine *base = NULL;
    memplan_machine *machine = NULL;
    cr_assert_eq(memplan_machine_declare(&base, NULL, "0=90GB,cpu=100GB",
                                         NULL),
                 MEMPLAN_OK);
    base->devices[0].is_unified = true;
    cr_assert_eq(memplan_machine_declare(&machine, base, "0=80GB,cpu=60GB",
                                         NULL),
                 MEMPLAN_OK);
    memplan_machine_free(base);
    cr_expect_eq(machine->pools[0].budget, machine->pools[1].budget);
    cr_expect_eq(machine->budget_bytes[machine->pools[0].budget],
                 UINT64_C(80000000000));
    memplan_machine_free(machine);
}

Test(declare, refusals_name_the_place)
{
    const struct {
        const char *budgets;
        memplan_status status;
        uint64_t offset;
        const char *message;
    } cases[] = {
        {"", MEMPLAN_E_ARGUMENT, 0, "KEY=AMOUNT"},
        {"0=20GB,", MEMPLAN_E_ARGUMENT, 7, "KEY=AMOUNT"},
        {"0=20GB,gpu=4GB", MEMPLAN_E_ARGUMENT, 7, "\"gpu\""},
        {"0=20GB,0=4GB", MEMPLAN_E_ARGUMENT, 7, "twice"},
        {"0=20gb", MEMPLAN_E_ARGUMENT, 2, "20GiB"},
        {"0=-1", MEMPLAN_E_ARGUMENT, 2, "negative"},
        {"cpu=17EiB", MEMPLAN_E_ARGUMENT, 4, "EiB"},
        {"cpu=16384PiB", MEMPLAN_E_TOO_LARGE, 4, "64 bits"},
        {"65536=1GB", MEMPLAN_E_ARGUMENT, 0, "65536"},
        {"99999999999999999999=1GB", MEMPLAN_E_ARGUMENT, 0, "index"},
    };
    for (size_t at = 0; at < sizeof cases / sizeof *cases; at++) {
        memplan_machine *machine = NULL;
        memplan_error error = {0};
        cr_expect_eq(memplan_machine_declare(&machine, NULL,
                                             cases[at].budgets, &error),
                     cases[at].status, "%s", cases[at].budgets);
        cr_expect_null(machine);
        cr_expect_eq(error.offset, cases[at].offset, "%s: %llu: %s",
                     cases[at].budgets, (unsigned long long)error.offset,
                     error.message);
        cr_expect_not_null(strstr(error.message, cases[at].message), "%s: %s",
                           cases[at].budgets, error.message);
    }
    memplan_machine *base = NULL;
    memplan_machine *machine = NULL;
    memplan_error error = {0};
    cr_assert_eq(memplan_machine_declare(&base, NULL, "0=20GB", NULL),
                 MEMPLAN_OK);
    cr_expect_eq(memplan_machine_declare(&machine, base, "3=1GB", &error),
                 MEMPLAN_E_NOT_FOUND);
    cr_expect_str_eq(error.message, "budgets: device 3: the machine has 1 "
                                    "device");
    memplan_machine_free(base);
}
