/* SPDX-License-Identifier: MIT */
/* Links between GPUs: by NVML, by AMD's compute driver, by lstopo's matrices,
 * and through a profile. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine/machine.h"
#include "machine/shared.h"
#include "machine/with_nvml.h"
#include "support/folder.h"

#define GPU(bus_, links_)                                                   \
    "name=NVIDIA A100-SXM4-80GB|uuid=GPU-" bus_ "|pci=0:" bus_ ":0|"          \
    "id=0x20b210de|total=85899345920|free=85000000000|gen=4|width=16|" links_ \
    "\n"

/* The link of two devices by their positions, or NULL. */
static const mpl_peer *find(const memplan_machine *machine, uint32_t from,
                            uint32_t to)
{
    for (uint32_t at = 0; at < machine->peer_count; at++)
        if (machine->peers[at].from == from && machine->peers[at].to == to)
            return &machine->peers[at];
    return NULL;
}

static void expect_link(const memplan_machine *machine, uint32_t from,
                        uint32_t to, const char *name, uint64_t giga_bytes)
{
    const mpl_peer *const peer = find(machine, from, to);
    cr_assert_not_null(peer, "%u to %u", from, to);
    cr_expect_str_eq(peer->name, name, "%u to %u: %s", from, to, peer->name);
    cr_expect_eq(peer->bytes_per_second.value,
                 giga_bytes == 0 ? MEMPLAN_UNKNOWN
                                 : giga_bytes * UINT64_C(1000000000),
                 "%u to %u: %llu", from, to,
                 (unsigned long long)peer->bytes_per_second.value);
}

/* 2 links of 25 GB/s; the third GPU has none. */
Test(peers, two_links_are_twice_the_rate)
{
    folder tree;
    folder_make(&tree);
    memplan_machine *const machine = detect_with(
        &tree, FAKE_NVML,
        GPU("18", "nvlink=4:0:19:0,0:19:0,off")
            GPU("19", "nvlink=4:0:18:0,0:18:0,off") GPU("1a", "gen=4"));
    cr_assert_eq(machine->device_count, 3);
    cr_expect_eq(machine->peer_count, 2);
    expect_link(machine, 0, 1, "NVLink 3.0 x2", 50);
    expect_link(machine, 1, 0, "NVLink 3.0 x2", 50);
    cr_expect_str_eq(machine->peers[0].bytes_per_second.source, "nvml");
    memplan_machine_free(machine);
    folder_remove(&tree);
}

/* Behind switches each reaches each, at the rate of the narrower: 3 * 25 and
 * 2 * 25. An older driver does not say what a switch is; two GPUs have it in
 * common. */
Test(peers, switches_join_all_that_reach_them)
{
    static const char *const LIBRARIES[] = {FAKE_NVML, FAKE_NVML_OLD};
    for (size_t at = 0; at < 2; at++) {
        folder tree;
        folder_make(&tree);
        memplan_machine *const machine = detect_with(
            &tree, LIBRARIES[at],
            GPU("18", "nvlink=6:switch,switch,switch")
                GPU("19", "nvlink=6:switch,switch,switch")
                    GPU("1a", "nvlink=6:switch,switch,off"));
        cr_expect_eq(machine->peer_count, 6);
        expect_link(machine, 0, 1, "NVLink 4.0 x3", 75);
        expect_link(machine, 0, 2, "NVLink 4.0 x2", 50);
        expect_link(machine, 2, 1, "NVLink 4.0 x2", 50);
        memplan_machine_free(machine);
        folder_remove(&tree);
    }
}

/* What a version's rate is, what the driver says below it, and what nobody
 * says. */
Test(peers, rates_of_links)
{
    static const struct {
        const char *version;
        const char *name;
        uint64_t giga_bytes;
    } CASES[] = {
        {"1", "NVLink 1.0 x1", 20},
        {"2", "NVLink 2.0 x1", 25},
        {"7", "NVLink 5.0 x1", 50},
        {"7|speed=40000", "NVLink 5.0 x1", 40},
        {"6|speed=26562", "NVLink 4.0 x1", 25},
        {"99", "NVLink x1", 0},
        {"99|speed=80000", "NVLink x1", 80},
    };
    for (size_t at = 0; at < sizeof CASES / sizeof *CASES; at++) {
        folder tree;
        char text[2048];
        const char *const bar = strchr(CASES[at].version, '|');
        const int digits = bar != NULL ? (int)(bar - CASES[at].version)
                                       : (int)strlen(CASES[at].version);
        folder_make(&tree);
        (void)snprintf(text, sizeof text,
                       "name=A|uuid=GPU-a|pci=0:1:0|total=1|nvlink=%.*s:0:2:0"
                       "%s\nname=A|uuid=GPU-b|pci=0:2:0|total=1|nvlink=%.*s:"
                       "0:1:0%s\n",
                       digits, CASES[at].version, bar != NULL ? bar : "",
                       digits, CASES[at].version, bar != NULL ? bar : "");
        memplan_machine *const machine = detect_with(&tree, FAKE_NVML, text);
        cr_expect_eq(machine->peer_count, 2, "case %zu", at);
        expect_link(machine, 0, 1, CASES[at].name, CASES[at].giga_bytes);
        memplan_machine_free(machine);
        folder_remove(&tree);
    }
}

/* On POWER the links to the processor are the link to the host, also where
 * the driver does not tell what is at their end; they join no GPUs. */
Test(peers, links_to_the_processor)
{
    static const char *const LIBRARIES[] = {FAKE_NVML, FAKE_NVML_OLD};
    for (size_t at = 0; at < 2; at++) {
        folder tree;
        folder_make(&tree);
        memplan_machine *const machine =
            detect_with(&tree, LIBRARIES[at],
                        GPU("18", "nvlink=2:npu,npu,npu")
                            GPU("19", "nvlink=2:npu,npu,npu"));
        cr_expect_eq(machine->peer_count, 0);
        cr_expect_str_eq(machine->devices[0].link, "NVLink 2.0 x3");
        cr_expect_eq(machine->devices[0].link_bytes_per_second.value,
                     UINT64_C(75000000000));
        memplan_machine_free(machine);
        folder_remove(&tree);
    }
}

/* Slices of a GPU do not reach the other; the order of CUDA moves links with
 * their devices, and a link to a GPU that nobody sees is none. */
Test(peers, slices_and_hidden_gpus)
{
    folder tree;
    folder_make(&tree);
    memplan_machine *machine = detect_with(
        &tree, FAKE_NVML,
        GPU("18", "nvlink=4:0:19:0|mig=1|slice0_total=42949672960")
            GPU("19", "nvlink=4:0:18:0,0:77:0"));
    cr_expect_eq(machine->peer_count, 0);
    memplan_machine_free(machine);

    memplan_machine_options options = MEMPLAN_MACHINE_OPTIONS_INIT;
    (void)folder_write_text(&tree, "nvml.txt",
                            GPU("18", "gen=4") GPU("19", "nvlink=4:0:1a:0")
                                GPU("1a", "nvlink=4:0:19:0"));
    options.root = tree.path;
    options.nvml_path = FAKE_NVML;
    options.cuda_visible_devices = "2,0";
    cr_assert_eq(memplan_machine_detect(&machine, &options, NULL), MEMPLAN_OK);
    cr_expect_eq(machine->peer_count, 2);
    expect_link(machine, 0, 2, "NVLink 3.0 x1", 25);
    cr_expect_str_eq(machine->devices[2].pci, "0000:19:00.0");
    cr_expect(machine->devices[2].is_left_out);
    memplan_machine_free(machine);
    folder_remove(&tree);
}

static void write_gpu(const folder *at, const char *pci)
{
    static const struct {
        const char *file;
        const char *text;
    } FILES[] = {{"class", "0x038000\n"},
                 {"vendor", "0x1002\n"},
                 {"device", "0x74a1\n"},
                 {"mem_info_vram_total", "206141652992\n"},
                 {"mem_info_vram_used", "0\n"}};
    for (size_t file = 0; file < sizeof FILES / sizeof *FILES; file++) {
        char path[128];
        (void)snprintf(path, sizeof path, "sys/bus/pci/devices/%s/%s", pci,
                       FILES[file].file);
        (void)folder_write_text(at, path, FILES[file].text);
    }
}

/* location_id 0x0500 is bus 5, 0x2600 bus 26. Type 2 is PCI Express. */
Test(peers, xgmi_by_the_compute_driver)
{
    folder tree;
    folder_make(&tree);
    write_gpu(&tree, "0000:05:00.0");
    write_gpu(&tree, "0000:26:00.0");
#define NODES "sys/class/kfd/kfd/topology/nodes/"
    (void)folder_write_text(&tree, NODES "0/properties",
                            "cpu_cores_count 96\nlocation_id 0\ndomain 0\n");
    (void)folder_write_text(&tree, NODES "0/io_links/0/properties",
                            "type 11\nnode_from 0\nnode_to 1\n");
    (void)folder_write_text(&tree, NODES "1/properties",
                            "simd_count 1216\nlocation_id 1280\ndomain 0\n");
    (void)folder_write_text(&tree, NODES "1/io_links/0/properties",
                            "type 2\nnode_from 1\nnode_to 0\n"
                            "max_bandwidth 64000\n");
    (void)folder_write_text(&tree, NODES "1/io_links/1/properties",
                            "type 11\nversion_major 0\nnode_from 1\n"
                            "node_to 2\nmax_bandwidth 64000\n");
    (void)folder_write_text(&tree, NODES "2/properties",
                            "simd_count 1216\nlocation_id 9728\ndomain 0\n");
    (void)folder_write_text(&tree, NODES "2/io_links/1/properties",
                            "type 11\nnode_from 2\nnode_to 1\n"
                            "max_bandwidth 0\n");
    (void)folder_write_text(&tree, NODES "2/io_links/2/properties",
                            "type 11\nnode_from 2\nnode_to 9\n");
    memplan_machine *const machine = detect_with(&tree, "", "");
    cr_assert_eq(machine->device_count, 2);
    cr_expect_eq(machine->peer_count, 2);
    expect_link(machine, 0, 1, "XGMI", 64);
    expect_link(machine, 1, 0, "XGMI", 0);
    cr_expect_str_eq(machine->peers[0].bytes_per_second.source, "amdgpu");
    memplan_machine_free(machine);
    folder_remove(&tree);
}

/* 16 GPUs of 6 links to 12 switches, one of which PCI shows no more; 8 GPUs
 * of MI250X, where hwloc knows no rate. Both survive a profile. */
Test(peers, matrices_of_recorded_machines)
{
    static const struct {
        const char *file;
        uint32_t device_count;
        const char *name;
        uint64_t giga_bytes;
    } CASES[] = {
        {"hwloc-nvidiaDGX2-16xV100.xml", 16, "NVLink", 150},
        {"hwloc3-format/hwloc-nvidiaDGX2.xml", 16, "NVLink", 150},
        {"mpibind-tioga-8xMI250X-gcd.xml", 8, "XGMI", 0},
        {"flux-elcap-4xMI300A.xml", 4, "XGMI", 0},
    };
    folder files;
    folder_make(&files);
    for (size_t at = 0; at < sizeof CASES / sizeof *CASES; at++) {
        char name[256];
        char path[512];
        char *json = NULL;
        memplan_machine *machine = NULL;
        memplan_error error = {0};
        (void)snprintf(name, sizeof name, "corpus/topologies/%s",
                       CASES[at].file);
        cr_assert_eq(memplan_machine_open(&machine,
                                          shared_path(path, sizeof path, name),
                                          &error),
                     MEMPLAN_OK, "%s", error.message);
        cr_assert_eq(memplan_machine_render(&json, machine, "json", NULL,
                                            &error),
                     MEMPLAN_OK);
        const char *const profile =
            folder_write_text(&files, "node.json", json);
        for (int turn = 0; turn < 2; turn++) {
            const uint32_t count = CASES[at].device_count;
            cr_expect_eq(machine->peer_count, count * (count - 1), "%s: %u",
                         name, machine->peer_count);
            expect_link(machine, 0, count - 1, CASES[at].name,
                        CASES[at].giga_bytes);
            expect_link(machine, count - 1, 0, CASES[at].name,
                        CASES[at].giga_bytes);
            memplan_machine_free(machine);
            machine = NULL;
            if (turn == 0)
                cr_assert_eq(memplan_machine_open(&machine, profile, &error),
                             MEMPLAN_OK, "%s", error.message);
        }
        memplan_text_free(json);
    }
    folder_remove(&files);
}

#define MATRIX(count_, indexes_, values_)                                    \
    "<topology version=\"2.0\"><object type=\"Machine\"><object type=\"PU\" " \
    "os_index=\"0\"/>"                                                        \
    "<object type=\"PCIDev\" gp_index=\"7\" pci_busid=\"0000:01:00.0\" "     \
    "pci_type=\"0302 [10de:1db8] [0000:0000] a1\"/>"                         \
    "<object type=\"PCIDev\" gp_index=\"8\" pci_busid=\"0000:02:00.0\" "     \
    "pci_type=\"0302 [10de:1db8] [0000:0000] a1\"/></object>"                \
    "<distances2 type=\"PCIDev\" nbobjs=\"" count_                             \
    "\" name=\"NVLinkBandwidth\" indexing=\"gp\"><indexes>" indexes_          \
    "</indexes><u64values>" values_ "</u64values></distances2></topology>"

Test(peers, matrices_that_are_not_whole)
{
    static const struct {
        const char *text;
        memplan_status status;
        uint32_t peer_count;
    } CASES[] = {
        {MATRIX("2", "7 8", "0 5 5 0"), MEMPLAN_OK, 2},
        {MATRIX("2", "PCIDev:7 PCIDev:8", "0 5 0 0"), MEMPLAN_OK, 1},
        {MATRIX("2", "7 9", "0 5 5 0"), MEMPLAN_OK, 0},
        {MATRIX("2", "7 x", "0 5 5 0"), MEMPLAN_OK, 0},
        {MATRIX("2", "7", "0 5 5 0"), MEMPLAN_E_CORRUPT, 0},
        {MATRIX("2", "7 8 8", "0 5 5 0"), MEMPLAN_E_CORRUPT, 0},
        {MATRIX("2", "7 8", "0 5 5"), MEMPLAN_E_CORRUPT, 0},
        {MATRIX("2", "7 8", "0 5 5 0 0"), MEMPLAN_E_CORRUPT, 0},
        {MATRIX("0", "", ""), MEMPLAN_OK, 0},
        {MATRIX("4294967297", "7 8", "0 5 5 0"), MEMPLAN_OK, 0},
    };
    folder files;
    folder_make(&files);
    for (size_t at = 0; at < sizeof CASES / sizeof *CASES; at++) {
        memplan_machine *machine = NULL;
        memplan_error error = {0};
        cr_expect_eq(memplan_machine_open(
                         &machine,
                         folder_write_text(&files, "m.xml", CASES[at].text),
                         &error),
                     CASES[at].status, "case %zu: %s", at, error.message);
        if (machine != NULL)
            cr_expect_eq(machine->peer_count, CASES[at].peer_count,
                         "case %zu: %u", at, machine->peer_count);
        memplan_machine_free(machine);
    }
    folder_remove(&files);
}

/* A profile's links name its devices. */
Test(peers, profiles_name_devices_that_are_there)
{
    memplan_machine *machine = NULL;
    memplan_error error = {0};
    folder files;
    folder_make(&files);
    cr_expect_eq(
        memplan_machine_open(
            &machine,
            folder_write_text(&files, "p.json",
                              "{\"schema\": \"memplan.machine/1\", "
                              "\"devices\": [{\"name\": \"a\"}], \"peers\": "
                              "[{\"from\": 0, \"to\": 1}]}"),
            &error),
        MEMPLAN_E_CORRUPT);
    cr_expect_not_null(strstr(error.message, "\"to\" is not the index"), "%s",
                       error.message);
    folder_remove(&files);
}
