/* SPDX-License-Identifier: MIT */
/* Numbering as engines see it, on four GPUs of two kinds and one in slices. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine/machine.h"
#include "support/folder.h"

/* By the bus: two T4, an A100, an L4. */
#define FOUR_GPUS                                                          \
    "name=Tesla T4|uuid=GPU-aa11|pci=0:10:0|total=16106127360|free=1\n"    \
    "name=Tesla T4|uuid=GPU-aa22|pci=0:11:0|total=16106127360|free=2\n"    \
    "name=NVIDIA A100-SXM4-80GB|uuid=GPU-bb33|pci=0:12:0|"                 \
    "total=85899345920|free=3\n"                                           \
    "name=NVIDIA L4|uuid=GPU-cc44|pci=0:13:0|total=24152899584|free=4\n"

#define SLICED                                                              \
    "name=NVIDIA A100-SXM4-80GB|uuid=GPU-dd|pci=0:10:0|total=85899345920|"  \
    "free=1|mig=1|slice0_total=42949672960|slice0_free=10|"                 \
    "slice1_total=21474836480|slice1_free=20\n"

#define NUMBERED                                                            \
    "name=NVIDIA A100-SXM4-80GB|uuid=GPU-dd|pci=0:10:0|total=85899345920|"  \
    "free=1|mig=1|slice0_total=42949672960|slice0_free=10|slice0_gi=1|"     \
    "slice0_ci=0|slice1_total=21474836480|slice1_free=20|slice1_gi=5|"      \
    "slice1_ci=0\n"

/* The free bytes of the pools in their order, "|" before what is hidden. */
static const struct {
    const char *why;
    const char *gpus;
    const char *cuda;
    const char *order;
    const char *expect;
    const char *note; /* NULL: none */
} CASES[] = {
    {"unset: the fastest first", FOUR_GPUS, NULL, NULL, "3 4 1 2",
     "fastest first"},
    {"by the bus", FOUR_GPUS, NULL, "PCI_BUS_ID", "1 2 3 4", NULL},
    {"indices, in their order", FOUR_GPUS, "2,0", "PCI_BUS_ID", "3 1",
     "2 devices are hidden"},
    {"indices count in the engine's order", FOUR_GPUS, "0", NULL, "3",
     "fastest first"},
    {"a UUID", FOUR_GPUS, "GPU-cc44", "PCI_BUS_ID", "4", "3 devices"},
    {"the beginning of one", FOUR_GPUS, "GPU-bb", "PCI_BUS_ID", "3",
     "3 devices"},
    {"the beginning of two names nothing", FOUR_GPUS, "GPU-aa",
     "PCI_BUS_ID", "", "\"GPU-aa\" names no device"},
    {"an empty list", FOUR_GPUS, "", "PCI_BUS_ID", "", "4 devices"},
    {"-1 ends the list quietly", FOUR_GPUS, "1,-1,0", "PCI_BUS_ID", "2",
     "3 devices"},
    {"what is not there ends it", FOUR_GPUS, "0,9,1", "PCI_BUS_ID", "1",
     "\"9\" names no device"},
    {"twice is none", FOUR_GPUS, "0,1,0", "PCI_BUS_ID", "", "twice"},
    {"one slice is seen", SLICED, NULL, NULL, "10", "MIG"},
    {"the slice that is named", SLICED, "MIG-GPU-dd-1", NULL, "20", "MIG"},
    {"a divided GPU is its first slice", SLICED, "0", NULL, "10", "MIG"},
    {"the older name of a slice", NUMBERED, "MIG-GPU-dd/5/0", NULL, "20",
     "MIG"},
    {"an instance that is not there", NUMBERED, "MIG-GPU-dd/5/1", NULL, "",
     "names no device"},
    {"an older name that is cut", NUMBERED, "MIG-GPU-dd/5", NULL, "",
     "names no device"},
    {"an older name, and no driver that tells instances", SLICED,
     "MIG-GPU-dd/1/0", NULL, "", "names no device"},
};

Test(visible, devices_as_cuda_numbers_them)
{
    size_t run = 0;
    for (size_t at = 0; at < sizeof CASES / sizeof *CASES; at++, run++) {
        folder tree;
        folder_make(&tree);
        (void)folder_write_text(&tree, "proc/meminfo",
                                "MemTotal: 67108864 kB\n"
                                "MemAvailable: 58720256 kB\n");
        setenv("FAKE_NVML",
               folder_write_text(&tree, "nvml.txt", CASES[at].gpus), 1);
        memplan_machine_options options = MEMPLAN_MACHINE_OPTIONS_INIT;
        options.root = tree.path;
        options.nvml_path = FAKE_NVML;
        options.cuda_visible_devices = CASES[at].cuda;
        options.cuda_device_order = CASES[at].order;
        memplan_machine *machine = NULL;
        cr_assert_eq(memplan_machine_detect(&machine, &options, NULL),
                     MEMPLAN_OK);
        char seen[256] = "";
        for (uint32_t pool = 0; pool + 1 < machine->pool_count; pool++) {
            const mpl_device *const device =
                &machine->devices[machine->pools[pool].device];
            cr_expect_eq(device->index, pool, "%s", CASES[at].why);
            (void)snprintf(seen + strlen(seen), sizeof seen - strlen(seen),
                           "%s%llu", pool > 0 ? " " : "",
                           (unsigned long long)device->free_bytes.value);
        }
        cr_expect_str_eq(seen, CASES[at].expect, "%s: %s", CASES[at].why,
                         seen);
        bool has_note = CASES[at].note == NULL && machine->note_count == 0;
        for (uint32_t note = 0; note < machine->note_count; note++)
            has_note |= CASES[at].note != NULL &&
                        strstr(machine->notes[note], CASES[at].note) != NULL;
        cr_expect(has_note, "%s: %u notes, the first: %s", CASES[at].why,
                  machine->note_count,
                  machine->note_count > 0 ? machine->notes[0] : "");
        memplan_machine_free(machine);
        folder_remove(&tree);
    }
    cr_expect_eq(run, 18);
}

/* A file of the PCI device of one GPU. */
static void write_gpu_file(const folder *tree, int gpu, const char *file,
                           const char *text)
{
    char name[96];
    (void)snprintf(name, sizeof name, "sys/bus/pci/devices/0000:0%d:00.0/%s",
                   gpu + 1, file);
    (void)folder_write_text(tree, name, text);
}

/* Three GPUs of AMD's, of which 100, 200 and 300 bytes are free. */
static void write_gpus(const folder *tree)
{
    static const char *const FILES[][2] = {
        {"class", "0x038000\n"},
        {"vendor", "0x1002\n"},
        {"device", "0x74a1\n"},
        {"mem_info_vram_total", "205992755200\n"},
        {"mem_info_gtt_total", "34359738368\n"}};
    (void)folder_write_text(tree, "proc/meminfo",
                            "MemTotal: 67108864 kB\n"
                            "MemAvailable: 58720256 kB\n");
    for (int gpu = 0; gpu < 3; gpu++) {
        char text[64];
        for (size_t at = 0; at < sizeof FILES / sizeof *FILES; at++)
            write_gpu_file(tree, gpu, FILES[at][0], FILES[at][1]);
        (void)snprintf(text, sizeof text, "%llu\n",
                       205992755200ULL - 100ULL * (unsigned)(gpu + 1));
        write_gpu_file(tree, gpu, "mem_info_vram_used", text);
        (void)snprintf(text, sizeof text, "0%c34\n", "abc"[gpu]);
        write_gpu_file(tree, gpu, "unique_id", text);
    }
}

/* ROCR first, and HIP counts in what it leaves. */
Test(visible, devices_as_hip_numbers_them)
{
    static const struct {
        const char *rocr;
        const char *hip;
        const char *cuda;
        const char *expect;
    } HIP[] = {{NULL, NULL, NULL, "100 200 300"},
               {"2,0", NULL, NULL, "300 100"},
               {"2,0", "1", NULL, "100"},
               {"GPU-0b", NULL, NULL, "200"},
               {NULL, "1", NULL, "200"},
               {NULL, NULL, "2", "300"},
               {NULL, "1", "2", "200"}};
    folder tree;
    folder_make(&tree);
    write_gpus(&tree);
    for (size_t at = 0; at < sizeof HIP / sizeof *HIP; at++) {
        memplan_machine_options options = MEMPLAN_MACHINE_OPTIONS_INIT;
        options.root = tree.path;
        options.rocr_visible_devices = HIP[at].rocr;
        options.hip_visible_devices = HIP[at].hip;
        options.cuda_visible_devices = HIP[at].cuda;
        memplan_machine *machine = NULL;
        cr_assert_eq(memplan_machine_detect(&machine, &options, NULL),
                     MEMPLAN_OK);
        char seen[256] = "";
        for (uint32_t pool = 0; pool + 1 < machine->pool_count; pool++)
            (void)snprintf(
                seen + strlen(seen), sizeof seen - strlen(seen), "%s%llu",
                pool > 0 ? " " : "",
                (unsigned long long)machine->pools[pool].capacity_bytes);
        cr_expect_str_eq(seen, HIP[at].expect, "case %zu: %s", at, seen);
        memplan_machine_free(machine);
    }
    folder_remove(&tree);
}

/* A processor's GPU: 512 MiB carved out, the rest shared, nothing twice. */
Test(amd, carve_out_comes_on_top)
{
    folder tree;
    folder_make(&tree);
    (void)folder_write_text(&tree, "proc/meminfo",
                            "MemTotal: 33554432 kB\n"
                            "MemAvailable: 25165824 kB\n");
    static const char *const FILES[][2] = {
        {"class", "0x030000\n"},
        {"vendor", "0x1002\n"},
        {"device", "0x1586\n"},
        {"mem_info_vram_total", "536870912\n"},
        {"mem_info_vram_used", "134217728\n"},
        {"mem_info_gtt_total", "17179869184\n"}};
    for (size_t at = 0; at < sizeof FILES / sizeof *FILES; at++) {
        char name[96];
        (void)snprintf(name, sizeof name,
                       "sys/bus/pci/devices/0000:c5:00.0/%s", FILES[at][0]);
        (void)folder_write_text(&tree, name, FILES[at][1]);
    }
    memplan_machine_options options = MEMPLAN_MACHINE_OPTIONS_INIT;
    options.root = tree.path;
    memplan_machine *machine = NULL;
    cr_assert_eq(memplan_machine_detect(&machine, &options, NULL),
                 MEMPLAN_OK);
    cr_assert_eq(machine->device_count, 1);
    const mpl_device *const gpu = &machine->devices[0];
    const uint64_t mib = UINT64_C(1) << 20;
    cr_expect(gpu->is_unified);
    cr_expect_str_eq(gpu->model, "radeon-8060s");
    cr_expect_eq(gpu->carve_out_bytes.value, 384 * mib, "512 - 128 used");
    cr_expect_eq(gpu->total_bytes.value, (16384 + 512) * mib,
                 "what it may map, and the carve-out");
    cr_expect_eq(gpu->free_bytes.value, (16384 + 384) * mib);
    cr_expect_eq(machine->budget_bytes[0], (24576 + 384) * mib,
                 "the host's 24 GiB, and what is left of the carve-out");
    memplan_machine_free(machine);
    folder_remove(&tree);
}
