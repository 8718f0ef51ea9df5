/* SPDX-License-Identifier: MIT */
/* Hostile topologies: a status and a place, never more. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "machine/machine.h"
#include "machine/topology.h"
#include "machine/xml.h"

static const char SMALL[] =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
    "<!DOCTYPE topology SYSTEM \"hwloc2.dtd\">\n"
    "<topology version=\"2.0\">\n"
    " <object type=\"Machine\" os_index=\"0\" allowed_cpuset=\"0x00000003\" "
    "allowed_nodeset=\"0x00000001\">\n"
    "  <info name=\"CPUModel\" value=\"A &amp; B\"/>\n"
    "  <object type=\"NUMANode\" os_index=\"0\" local_memory=\"1073741824\" "
    "gp_index=\"4\"/>\n"
    "  <object type=\"Core\" cpuset=\"0x00000003\"><object type=\"PU\" "
    "os_index=\"0\"/><object type=\"PU\" os_index=\"1\"/></object>\n"
    "  <object type=\"PCIDev\" pci_busid=\"0000:18:00.0\" pci_type=\"0302 "
    "[10de:1eb8] [10de:12a2] a1\" pci_link_speed=\"15.753846\">\n"
    "   <object type=\"OSDev\" name=\"cuda0\" subtype=\"CUDA\">"
    "<info name=\"GPUModel\" value=\"Tesla T4\"/>"
    "<info name=\"CUDAGlobalMemorySize\" value=\"15472384\"/></object>\n"
    "  </object>\n"
    " </object>\n"
    " <memattr name=\"ReadBandwidth\" flags=\"5\"><memattr_value "
    "target_obj_gp_index=\"4\" value=\"1000\"/></memattr>\n"
    "</topology>\n";

static memplan_status read_text(const char *text, size_t size,
                                memplan_machine **out, memplan_error *error)
{
    memplan_machine *const machine = mpl_machine_create();
    mpl_topology topology = mpl_topology_blank(machine);
    memplan_status status =
        mpl_topology_read_xml(&topology, text, size, error);
    mpl_topology_take(machine, &topology);
    if (status == MEMPLAN_OK)
        status = mpl_topology_join(machine, &topology, error);
    if (status == MEMPLAN_OK)
        status = mpl_machine_finish(machine, error);
    if (status == MEMPLAN_OK && out != NULL)
        *out = machine;
    else
        memplan_machine_free(machine);
    return status;
}

Test(xml, small_topology)
{
    memplan_machine *machine = NULL;
    memplan_error error = {0};
    cr_assert_eq(read_text(SMALL, sizeof SMALL - 1, &machine, &error),
                 MEMPLAN_OK, "%s", error.message);
    cr_expect_str_eq(machine->host.cpu_model, "A & B");
    cr_expect_eq(machine->host.thread_count, 2);
    cr_expect_eq(machine->nodes[0].read_bytes_per_second.value,
                 UINT64_C(1000) << 20);
    cr_assert_eq(machine->device_count, 1);
    cr_expect_eq(machine->devices[0].total_bytes.value,
                 UINT64_C(15472384) * 1024);
    cr_expect_str_eq(machine->devices[0].link, "PCIe 3.0 x16");
    cr_expect_eq(machine->devices[0].numa_index, 0);
    memplan_machine_free(machine);
}

Test(xml, every_prefix_fails_inside_itself)
{
    for (size_t size = 0; size + 2 < sizeof SMALL; size++) {
        memplan_error error = {0};
        /* A copy of the exact size, so that a sanitizer sees a read past. */
        char *const prefix = malloc(size + 1);
        memcpy(prefix, SMALL, size);
        char *const exact = size > 0 ? realloc(prefix, size) : prefix;
        cr_expect_eq(read_text(exact, size, NULL, &error), MEMPLAN_E_CORRUPT,
                     "%zu bytes", size);
        cr_expect_leq(error.offset, size);
        free(exact);
    }
}

Test(xml, every_flipped_bit_fails_or_reads)
{
    char text[sizeof SMALL];
    for (size_t at = 0; at + 1 < sizeof SMALL; at++) {
        for (int bit = 0; bit < 8; bit++) {
            memcpy(text, SMALL, sizeof SMALL);
            text[at] = (char)(text[at] ^ (1 << bit));
            memplan_machine *machine = NULL;
            memplan_error error = {0};
            const memplan_status status =
                read_text(text, sizeof text - 1, &machine, &error);
            cr_expect(status == MEMPLAN_OK || error.message[0] != '\0');
            memplan_machine_free(machine);
        }
    }
}

Test(xml, refusals_name_the_place)
{
    static const struct {
        const char *text;
        memplan_status status;
        const char *message;
    } CASES[] = {
        {"", MEMPLAN_E_CORRUPT, "no element"},
        {"<topology version=\"2.0\"/>", MEMPLAN_E_CORRUPT, "processor"},
        {"<topology version=\"4.0\"></topology>", MEMPLAN_E_UNSUPPORTED,
         "\"4.0\""},
        {"<topology version=\"20\"></topology>", MEMPLAN_E_UNSUPPORTED,
         "\"20\""},
        {"<html></html>", MEMPLAN_E_CORRUPT, "\"html\""},
        {"<topology></topo>", MEMPLAN_E_CORRUPT, "inside another"},
        {"<topology></topology><a/>", MEMPLAN_E_CORRUPT, "outermost"},
        {"<topology></topology>x", MEMPLAN_E_CORRUPT, "outside"},
        {"</topology>", MEMPLAN_E_CORRUPT, "never began"},
        {"<topology a=b></topology>", MEMPLAN_E_CORRUPT, "name=\"value\""},
        {"<topology a=\"<\"></topology>", MEMPLAN_E_CORRUPT, "a <"},
        {"<!DOCTYPE t [<!ENTITY a \"b\">]><topology/>", MEMPLAN_E_CORRUPT,
         "DOCTYPE"},
    };
    for (size_t at = 0; at < sizeof CASES / sizeof *CASES; at++) {
        memplan_error error = {0};
        cr_expect_eq(read_text(CASES[at].text, strlen(CASES[at].text), NULL,
                               &error),
                     CASES[at].status, "%s: %s", CASES[at].text,
                     error.message);
        cr_expect_not_null(strstr(error.message, CASES[at].message),
                           "%s: %s", CASES[at].text, error.message);
    }
}

Test(xml, depth_is_bounded)
{
    enum { DEPTH = 200000 };
    char *const text = calloc(1, 3 * DEPTH + 32);
    strcpy(text, "<topology>");
    for (size_t at = 0; at < DEPTH; at++)
        memcpy(text + 10 + 3 * at, "<a>", 3);
    memplan_error error = {0};
    cr_expect_eq(read_text(text, 10 + 3 * (size_t)DEPTH, NULL, &error),
                 MEMPLAN_E_CORRUPT);
    cr_expect_not_null(strstr(error.message, "128 deep"), "%s",
                       error.message);
    free(text);
}

Test(xml, files_above_the_cap_are_not_read)
{
    char path[] = "/tmp/memplan_enormous_XXXXXX";
    const int descriptor = mkstemp(path);
    cr_assert_geq(descriptor, 0);
    cr_assert_eq(ftruncate(descriptor, (off_t)1 << 40), 0);
    close(descriptor);
    memplan_machine *machine = NULL;
    memplan_error error = {0};
    cr_expect_eq(memplan_machine_open(&machine, path, &error),
                 MEMPLAN_E_TOO_LARGE, "%s", error.message);
    cr_expect_null(machine);
    unlink(path);
}
