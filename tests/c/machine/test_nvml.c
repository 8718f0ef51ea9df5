/* SPDX-License-Identifier: MIT */
/* NVIDIA's GPUs as a library that is made for the test tells of them. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "machine/machine.h"
#include "machine/with_nvml.h"
#include "support/folder.h"

#define GIB (UINT64_C(1) << 30)

#define A100                                                              \
    "name=NVIDIA A100-SXM4-80GB|uuid=GPU-aaaa|pci=0:18:0|id=0x20b210de|"  \
    "total=85899345920|free=85000000000|reserved=600000000|gen=4|width=16|" \
    "clock=1593|bus=5120|cc=80"

Test(nvml, a_gpu_with_all_its_figures)
{
    folder tree;
    folder_make(&tree);
    memplan_machine *const machine = detect_with(&tree, FAKE_NVML, A100 "\n");
    cr_assert_eq(machine->device_count, 1);
    const mpl_device *const gpu = &machine->devices[0];
    cr_expect_str_eq(gpu->name, "NVIDIA A100-SXM4-80GB");
    cr_expect_str_eq(gpu->model, "a100-sxm-80gb");
    cr_expect_str_eq(gpu->pci, "0000:18:00.0");
    cr_expect_str_eq(gpu->uuid, "GPU-aaaa");
    cr_expect_str_eq(gpu->link, "PCIe 4.0 x16");
    cr_expect_eq(gpu->total_bytes.value, 80 * GIB);
    cr_expect_eq(gpu->free_bytes.value, UINT64_C(85000000000));
    cr_expect_eq(gpu->reserved_bytes.value, UINT64_C(600000000));
    cr_expect_eq(gpu->bandwidth_bytes_per_second.value,
                 UINT64_C(2039040000000), "2 * 1593 MHz * 5120 bits / 8");
    cr_expect_eq(gpu->link_bytes_per_second.value, UINT64_C(31507692307),
                 "16 GT/s * 16 lanes * 128 / 130 / 8");
    cr_expect_eq(gpu->compute_capability, 80);
    cr_expect_str_eq(gpu->free_bytes.source, "nvml");
    cr_expect_eq(machine->pools[0].capacity_bytes, UINT64_C(85000000000));
    memplan_machine_free(machine);
    folder_remove(&tree);
}

Test(nvml, free_memory_is_read_each_time)
{
    folder tree;
    folder_make(&tree);
    memplan_machine *machine = detect_with(
        &tree, FAKE_NVML, "name=Tesla T4|total=16106127360|free=15000000000\n");
    cr_expect_eq(machine->devices[0].free_bytes.value, UINT64_C(15000000000));
    memplan_machine_free(machine);
    machine = detect_with(&tree, FAKE_NVML,
                          "name=Tesla T4|total=16106127360|free=1000\n");
    cr_expect_eq(machine->devices[0].free_bytes.value, 1000);
    memplan_machine_free(machine);
    folder_remove(&tree);
}

Test(nvml, an_old_library_has_no_second_memory_call)
{
    folder tree;
    folder_make(&tree);
    memplan_machine *const machine =
        detect_with(&tree, FAKE_NVML_OLD, A100 "\n");
    cr_assert_eq(machine->device_count, 1);
    cr_expect_eq(machine->devices[0].total_bytes.value, 80 * GIB);
    cr_expect_eq(machine->devices[0].reserved_bytes.value, MEMPLAN_UNKNOWN);
    memplan_machine_free(machine);
    folder_remove(&tree);
}

/* Nothing of it is an error: the machine has no NVIDIA GPU that one can use,
 * and a note says why where there is a reason. */
Test(nvml, libraries_that_do_not_serve)
{
    static const struct {
        const char *library;
        const char *text;
        const char *note; /* NULL: none */
    } CASES[] = {
        {"/nowhere/libnvidia-ml.so.1", "", NULL},
        {FAKE_NVML_EMPTY, "", "lacks calls"},
        {FAKE_NVML, "init=9\n" A100 "\n", "driver is not loaded"},
        {FAKE_NVML, "init=18\n" A100 "\n", "different versions"},
        {FAKE_NVML, "init=999\n", "does not start"},
        {FAKE_NVML, "", NULL},
    };
    for (size_t at = 0; at < sizeof CASES / sizeof *CASES; at++) {
        folder tree;
        folder_make(&tree);
        memplan_machine *const machine =
            detect_with(&tree, CASES[at].library, CASES[at].text);
        cr_expect_eq(machine->device_count, 0, "case %zu", at);
        cr_expect_eq(machine->note_count, CASES[at].note != NULL, "case %zu",
                     at);
        if (machine->note_count > 0 && CASES[at].note != NULL)
            cr_expect_not_null(strstr(machine->notes[0], CASES[at].note),
                               "%s", machine->notes[0]);
        memplan_machine_free(machine);
        folder_remove(&tree);
    }
}

/* GB10 and Jetson: NVML answers "not supported"; the memory is the host's. */
Test(nvml, no_memory_of_its_own)
{
    folder tree;
    folder_make(&tree);
    memplan_machine *const machine = detect_with(
        &tree, FAKE_NVML,
        "name=NVIDIA GB10|uuid=GPU-b|pci=f:1:0|id=0x2e1210de|cc=121\n");
    cr_assert_eq(machine->device_count, 1);
    const mpl_device *const gpu = &machine->devices[0];
    cr_expect(gpu->is_unified);
    cr_expect_eq(gpu->total_bytes.value, 64 * GIB);
    cr_expect_eq(gpu->free_bytes.value, 56 * GIB);
    cr_assert_eq(machine->pool_count, 2);
    cr_expect_eq(machine->pools[0].budget, machine->pools[1].budget);
    cr_expect_eq(machine->budget_bytes[0], 56 * GIB, "spent once");
    memplan_machine_free(machine);
    folder_remove(&tree);
}

Test(nvml, mig_slices_are_the_devices)
{
    folder tree;
    folder_make(&tree);
    memplan_machine *const machine = detect_with(
        &tree, FAKE_NVML,
        A100 "|mig=1|slice0_total=42949672960|slice0_free=42000000000|"
             "slice2_total=10737418240|slice2_free=10000000000\n");
    cr_assert_eq(machine->device_count, 3, "two slices and the whole");
    cr_expect_str_eq(machine->devices[0].uuid, "MIG-GPU-aaaa-0");
    cr_expect_str_eq(machine->devices[0].parent_uuid, "GPU-aaaa");
    cr_expect_eq(machine->devices[0].total_bytes.value, 40 * GIB);
    cr_expect_eq(machine->devices[0].bandwidth_bytes_per_second.value,
                 MEMPLAN_UNKNOWN, "a share of the whole's, of unknown size");
    cr_expect_str_eq(machine->devices[1].uuid, "MIG-GPU-aaaa-2");
    cr_expect(machine->devices[2].is_left_out);
    memplan_machine_free(machine);
    folder_remove(&tree);
}

Test(nvml, a_lost_gpu_is_left_out)
{
    static const char *const LOST[] = {"|lost=1", "|lost=2"};
    for (size_t at = 0; at < sizeof LOST / sizeof *LOST; at++) {
        folder tree;
        char text[2048];
        folder_make(&tree);
        (void)snprintf(text, sizeof text,
                       "name=NVIDIA L4|uuid=GPU-l|pci=0:2:0|id=0x27b810de|"
                       "total=24000000000|free=23000000000\n" A100 "%s\n",
                       LOST[at]);
        (void)folder_write_text(
            &tree, "sys/bus/pci/devices/0000:02:00.0/class", "0x030200\n");
        (void)folder_write_text(
            &tree, "sys/bus/pci/devices/0000:02:00.0/vendor", "0x10de\n");
        (void)folder_write_text(
            &tree, "sys/bus/pci/devices/0000:02:00.0/device", "0x27b8\n");
        (void)folder_write_text(
            &tree, "sys/bus/pci/devices/0000:18:00.0/class", "0x030200\n");
        (void)folder_write_text(
            &tree, "sys/bus/pci/devices/0000:18:00.0/vendor", "0x10de\n");
        (void)folder_write_text(
            &tree, "sys/bus/pci/devices/0000:18:00.0/device", "0x20b2\n");
        memplan_machine *const machine = detect_with(&tree, FAKE_NVML, text);
        cr_assert_eq(machine->device_count, 2, "case %zu: %u", at,
                     machine->device_count);
        cr_expect_str_eq(machine->devices[0].model, "l4");
        cr_expect(machine->devices[1].is_left_out);
        cr_expect_eq(machine->pool_count, 2, "the L4 and the host");
        cr_assert_geq(machine->note_count, 1);
        cr_expect_not_null(strstr(machine->notes[0], "is lost"), "%s",
                           machine->notes[0]);
        memplan_machine_free(machine);
        folder_remove(&tree);
    }
}

Test(nvml, sixteen_gpus)
{
    folder tree;
    char text[8192] = "";
    folder_make(&tree);
    for (int gpu = 0; gpu < 16; gpu++)
        (void)snprintf(text + strlen(text), sizeof text - strlen(text),
                       "name=Tesla V100-SXM3-32GB|uuid=GPU-%02d|pci=0:%x:0|"
                       "id=0x1db810de|total=34359738368|free=%d\n",
                       gpu, 0x34 + gpu, 1000 + gpu);
    memplan_machine *const machine = detect_with(&tree, FAKE_NVML, text);
    cr_assert_eq(machine->device_count, 16);
    for (uint32_t gpu = 0; gpu < 16; gpu++) {
        cr_expect_eq(machine->devices[gpu].index, gpu);
        cr_expect_eq(machine->devices[gpu].free_bytes.value, 1000 + gpu);
    }
    memplan_machine_free(machine);
    folder_remove(&tree);
}

/* The limit is 100 ms for a detection, on this machine, with hwloc; the best
 * of nine, since others use its processors too. */
Test(nvml, eight_gpus_are_detected_fast)
{
    folder tree;
    char text[8192] = "";
    uint64_t best_ns = UINT64_MAX;
    folder_make(&tree);
    for (int gpu = 0; gpu < 8; gpu++)
        (void)snprintf(text + strlen(text), sizeof text - strlen(text),
                       "name=NVIDIA H100 80GB HBM3|uuid=GPU-%02d|pci=0:%x:0|"
                       "total=85520809984|free=85000000000|gen=5|width=16\n",
                       gpu, 0x34 + gpu);
    cr_assert_eq(setenv("FAKE_NVML",
                        folder_write_text(&tree, "nvml.txt", text), 1),
                 0);
    memplan_machine_options options = MEMPLAN_MACHINE_OPTIONS_INIT;
    options.nvml_path = FAKE_NVML;
    for (int run = 0; run < 9; run++) {
        struct timespec from;
        struct timespec to;
        memplan_machine *machine = NULL;
        clock_gettime(CLOCK_MONOTONIC, &from);
        cr_assert_eq(memplan_machine_detect(&machine, &options, NULL),
                     MEMPLAN_OK);
        clock_gettime(CLOCK_MONOTONIC, &to);
        cr_expect_eq(machine->device_count, 8);
        memplan_machine_free(machine);
        const uint64_t taken =
            (uint64_t)((to.tv_sec - from.tv_sec) * 1000000000 + to.tv_nsec -
                       from.tv_nsec);
        best_ns = taken < best_ns ? taken : best_ns;
    }
    cr_log_info("best %.1f ms", (double)best_ns / 1e6);
    cr_expect_lt(best_ns, UINT64_C(100000000), "%.1f ms",
                 (double)best_ns / 1e6);
    folder_remove(&tree);
}
