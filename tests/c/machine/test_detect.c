/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

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

/* Else it would be a disk of unknown size, on which everything fits. */
Test(detect, refuses_a_disk_that_is_not_there)
{
    memplan_machine *machine = NULL;
    memplan_error error = {0};
    memplan_machine_options options = MEMPLAN_MACHINE_OPTIONS_INIT;
    options.disk_path = "/nowhere/at/all";
    cr_expect_eq(memplan_machine_detect(&machine, &options, &error),
                 MEMPLAN_E_IO);
    cr_expect_null(machine);
    cr_expect_str_eq(error.message,
                     "/nowhere/at/all: no disk can be found by this path: No "
                     "such file or directory");
    cr_assert_eq(memplan_machine_detect(&machine, NULL, NULL), MEMPLAN_OK);
    memplan_machine *measured = NULL;
    cr_expect_eq(memplan_machine_measure(&measured, machine,
                                         options.disk_path, &error),
                 MEMPLAN_E_IO);
    cr_expect_null(measured);
    memplan_machine_free(machine);
}

/* A recorded tree with all that a workstation has. */
Test(detect, a_recorded_workstation)
{
    memplan_machine *machine = NULL;
    memplan_error error = {0};
    memplan_machine_options options = MEMPLAN_MACHINE_OPTIONS_INIT;
    options.root = MEMPLAN_TEST_ROOT "/machines/workstation";
    options.nvml_path = FAKE_NVML;
    cr_assert_eq(setenv("FAKE_NVML",
                        MEMPLAN_TEST_ROOT "/machines/workstation/nvml.txt",
                        1),
                 0);
    cr_assert_eq(memplan_machine_detect(&machine, &options, &error),
                 MEMPLAN_OK, "%s", error.message);
    const mpl_host *const host = &machine->host;
    const uint64_t mib = UINT64_C(1) << 20;
    cr_expect_eq(host->core_count, 4);
    cr_expect_eq(host->thread_count, 8);
    cr_expect_eq(host->isa_count, 4, "avx f16c fma avx2");
    cr_expect_eq(host->available_bytes.value, (49152 - 2560) * mib,
                 "48 GiB - (10 GiB - 7680 MiB of page cache and slab)");
    cr_expect_str_eq(host->available_bytes.source,
                     "cgroup v2 /user.slice memory.max");
    cr_expect_eq(host->lockable_bytes.value, 8 * mib);
    cr_expect_eq(host->swappiness.value, 60);
    cr_assert_eq(machine->device_count, 3, "two cards and the processor's");
    cr_expect_str_eq(machine->devices[0].model, "rtx-4090");
    cr_expect_eq(machine->devices[0].source_count, 3, "nvml pci catalogue");
    cr_expect_str_eq(machine->devices[1].link, "PCIe 4.0 x8");
    cr_expect_eq(machine->devices[1].free_bytes.value, UINT64_C(20000000000));
    cr_expect_str_eq(machine->devices[2].vendor, "intel");
    cr_expect(machine->devices[2].is_left_out);
    cr_expect_eq(machine->pool_count, 3, "two cards and the host");
    memplan_machine_free(machine);
}

/* Rates that a machine may have: 100 MB/s to 10 TB/s. */
Test(measure, memory_and_disk)
{
    memplan_machine *machine = NULL;
    memplan_machine *measured = NULL;
    memplan_error error = {0};
    cr_assert_eq(memplan_machine_detect(&machine, NULL, NULL), MEMPLAN_OK);
    cr_assert_eq(memplan_machine_measure(&measured, machine, "/tmp", &error),
                 MEMPLAN_OK, "%s", error.message);
    memplan_machine_free(machine);
    const mpl_figure memory = measured->host.read_bytes_per_second;
    const mpl_figure disk = measured->disk.read_bytes_per_second;
    cr_expect_str_eq(memory.source, "measured");
    cr_expect_str_eq(disk.source, "measured");
    cr_expect(memory.value > UINT64_C(100000000) &&
                  memory.value < UINT64_C(10000000000000),
              "%llu", (unsigned long long)memory.value);
    cr_expect(disk.value > UINT64_C(1000000) &&
                  disk.value < UINT64_C(10000000000000),
              "%llu", (unsigned long long)disk.value);
    cr_log_info("memory %.1f GB/s, disk %.2f GB/s", (double)memory.value / 1e9,
                (double)disk.value / 1e9);
    memplan_machine_free(measured);
}

Test(measure, a_path_that_is_not_there)
{
    memplan_machine *machine = NULL;
    memplan_machine *measured = NULL;
    memplan_error error = {0};
    cr_assert_eq(memplan_machine_parse(&machine, "16GiB ram", NULL),
                 MEMPLAN_OK);
    cr_expect_eq(memplan_machine_measure(&measured, machine,
                                         "/nowhere/at/all", &error),
                 MEMPLAN_E_IO);
    cr_expect_null(measured);
    memplan_machine_free(machine);
}
