/* SPDX-License-Identifier: MIT */
/*
 * Every allocation fails once: the call says so, leaves its out-parameter
 * alone and leaks nothing (the sanitizers look).
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "memplan.h"
#include "support/faults.h"
#include "support/folder.h"

static folder place;

static memplan_status parse_words(memplan_machine **out, memplan_error *error)
{
    return memplan_machine_parse(
        out, "2x rtx-4090 20GiB nvlink, gb10, epyc 9654, 64GiB ram, "
             "16 cores, pcie 4.0 x16, 500GB disk",
        error);
}

static memplan_status declare_alone(memplan_machine **out,
                                    memplan_error *error)
{
    return memplan_machine_declare(out, NULL, "0=20GB,1=20GB,cpu=60GB", error);
}

static memplan_status declare_over(memplan_machine **out, memplan_error *error)
{
    memplan_machine *base = NULL;
    const memplan_status status = parse_words(&base, error);
    if (status != MEMPLAN_OK)
        return status;
    const memplan_status laid =
        memplan_machine_declare(out, base, "0=40GB,cpu=60GB", error);
    memplan_machine_free(base);
    return laid;
}

static memplan_status open_xml(memplan_machine **out, memplan_error *error)
{
    return memplan_machine_open(out, folder_path(&place, "small.xml"), error);
}

static memplan_status open_profile(memplan_machine **out,
                                   memplan_error *error)
{
    return memplan_machine_open(out, folder_path(&place, "profile.json"),
                                error);
}

static memplan_status detect_tree(memplan_machine **out, memplan_error *error)
{
    memplan_machine_options options = MEMPLAN_MACHINE_OPTIONS_INIT;
    options.root = MEMPLAN_TEST_ROOT "/machines/workstation";
    options.nvml_path = FAKE_NVML;
    options.cuda_visible_devices = "0,7";
    options.disk_path = "/";
    return memplan_machine_detect(out, &options, error);
}

static void make_files(void)
{
    memplan_machine *machine = NULL;
    char *text = NULL;
    folder_make(&place);
    (void)folder_write_text(
        &place, "small.xml",
        "<topology version=\"2.0\"><object type=\"Machine\">"
        "<info name=\"CPUModel\" value=\"A\"/>"
        "<object type=\"NUMANode\" os_index=\"0\" "
        "local_memory=\"1073741824\" gp_index=\"4\"/>"
        "<object type=\"PU\" os_index=\"0\"/>"
        "<object type=\"PCIDev\" gp_index=\"8\" subtype=\"NVSwitch\" "
        "pci_busid=\"0000:61:00.0\" pci_type=\"0680 [10de:1ac2] [0000:0000] "
        "a1\"/>"
        "<object type=\"PCIDev\" gp_index=\"9\" pci_busid=\"0000:19:00.0\" "
        "pci_type=\"0302 [10de:1eb8] [10de:12a2] a1\"/>"
        "<object type=\"PCIDev\" gp_index=\"7\" pci_busid=\"0000:18:00.0\" "
        "pci_type=\"0302 [10de:1eb8] [10de:12a2] a1\" "
        "pci_link_speed=\"15.75\"><object type=\"OSDev\" name=\"cuda0\">"
        "<info name=\"GPUModel\" value=\"Tesla T4\"/></object></object>"
        "</object><distances2hetero nbobjs=\"3\" name=\"NVLinkBandwidth\">"
        "<indexes>PCIDev:7 PCIDev:8 PCIDev:9</indexes>"
        "<u64values>0 25000 25000 25000 0 25000 25000 25000 0</u64values>"
        "</distances2hetero>"
        "<cpukind cpuset=\"0x1\"/><cpukind cpuset=\"0x2\"/>"
        "</topology>");
    cr_assert_eq(parse_words(&machine, NULL), MEMPLAN_OK);
    cr_assert_eq(memplan_machine_render(&text, machine, "json", NULL, NULL),
                 MEMPLAN_OK);
    (void)folder_write_text(&place, "profile.json", text);
    memplan_text_free(text);
    memplan_machine_free(machine);
    const char *const nvml = folder_write_text(
        &place, "nvml.txt",
        "name=NVIDIA GeForce RTX 3090|uuid=GPU-a|pci=0:1:0|id=0x220410de|"
        "total=25769803776|nvlink=4:0:2:0,switch\n"
        "name=NVIDIA GeForce RTX 3090|uuid=GPU-b|pci=0:2:0|id=0x220410de|"
        "total=25769803776|nvlink=4:0:1:0,switch\n");
    cr_assert_eq(setenv("FAKE_NVML", nvml, 1),
                 0);
    /* What simdjson learns of the processor, once in a process, is not to be
     * refused. */
    cr_assert_eq(open_profile(&machine, NULL), MEMPLAN_OK);
    memplan_machine_free(machine);
}

static void remove_files(void)
{
    folder_remove(&place);
}

TestSuite(machine_faults, .init = make_files, .fini = remove_files,
          .timeout = 60);

static const struct {
    const char *name;
    memplan_status (*make)(memplan_machine **out, memplan_error *error);
} WAYS[] = {{"words", parse_words},      {"budgets", declare_alone},
            {"over a base", declare_over}, {"XML", open_xml},
            {"profile", open_profile},   {"tree", detect_tree}};

Test(machine_faults, each_allocation_fails_once)
{
    enum { MOST = 5000 };
    for (size_t way = 0; way < sizeof WAYS / sizeof *WAYS; way++) {
        bool has_failed = true;
        uint64_t n = 0;
        for (; has_failed && n < MOST; n++) {
            memplan_machine *machine = NULL;
            memplan_error error = {0};
            faults_arm(n);
            const memplan_status status = WAYS[way].make(&machine, &error);
            has_failed = faults_disarm();
            cr_expect_eq(status,
                         has_failed ? MEMPLAN_E_NO_MEMORY : MEMPLAN_OK,
                         "%s, allocation %llu: %d %s", WAYS[way].name,
                         (unsigned long long)n, status, error.message);
            cr_expect_eq(machine != NULL, status == MEMPLAN_OK);
            memplan_machine_free(machine);
        }
        cr_expect(n > 2 && n < MOST, "%s: %llu allocations", WAYS[way].name,
                  (unsigned long long)n);
    }
}
