/* SPDX-License-Identifier: MIT */
/* Recorded machines of others: counts, memories, what is shared. */
#include <string.h>

#include "machine/machine.h"
#include "machine/shared.h"
#include "support/folder.h"

static const struct {
    const char *file;
    uint32_t device_count;
    uint64_t device_mib;
    bool is_unified;
    uint64_t host_mib;
    const char *pci;
    const char *model;
    const char *why;
} TOPOLOGIES[] = {
#define TOPOLOGY(...) {__VA_ARGS__},
#include "topologies.def"
#undef TOPOLOGY
};

static uint64_t mib_or_zero(mpl_figure bytes)
{
    return bytes.value == MEMPLAN_UNKNOWN ? 0 : bytes.value >> 20;
}

Test(corpus, machines_come_out_as_they_are)
{
    size_t run = 0;
    for (size_t at = 0; at < sizeof TOPOLOGIES / sizeof *TOPOLOGIES; at++) {
        char name[256];
        char path[512];
        (void)snprintf(name, sizeof name, "corpus/topologies/%s",
                       TOPOLOGIES[at].file);
        memplan_machine *machine = NULL;
        memplan_error error = {0};
        const char *const file = TOPOLOGIES[at].file;
        const char *const why = TOPOLOGIES[at].why;
        cr_assert_eq(memplan_machine_open(&machine,
                                          shared_path(path, sizeof path, name),
                                          &error),
                     MEMPLAN_OK, "%s", error.message);
        cr_expect_eq(machine->device_count, TOPOLOGIES[at].device_count,
                     "%s: %u devices: %s", file, machine->device_count, why);
        cr_expect_eq(mib_or_zero(machine->host.total_bytes),
                     TOPOLOGIES[at].host_mib, "%s: host %llu MiB: %s", file,
                     (unsigned long long)mib_or_zero(
                         machine->host.total_bytes),
                     why);
        if (machine->device_count > 0) {
            const mpl_device *const first = &machine->devices[0];
            cr_expect_eq(mib_or_zero(first->total_bytes),
                         TOPOLOGIES[at].device_mib, "%s: %llu MiB: %s", file,
                         (unsigned long long)mib_or_zero(first->total_bytes),
                         why);
            cr_expect_str_eq(first->pci, TOPOLOGIES[at].pci, "%s", file);
            cr_expect_str_eq(first->model, TOPOLOGIES[at].model, "%s", file);
        }
        for (uint32_t device = 0; device < machine->device_count; device++)
            cr_expect_eq(machine->devices[device].is_unified,
                         TOPOLOGIES[at].is_unified, "%s: %s", file, why);
        memplan_machine_free(machine);
        run++;
    }
    cr_expect_eq(run, 26);
}

/* xorshift64: the same flips on every machine. */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Every recorded machine with one bit flipped, and cut off: a machine, or a
 * status and a sentence. */
Test(corpus, damaged_files_fail_or_read)
{
    enum { FLIPS = 8, CUTS = 4, MOST_BYTES = 1 << 20 };
    static char text[MOST_BYTES];
    uint64_t state = UINT64_C(0x2545f4914f6cdd1d);
    folder files;
    folder_make(&files);
    for (size_t at = 0; at < sizeof TOPOLOGIES / sizeof *TOPOLOGIES; at++) {
        char name[256];
        char path[512];
        (void)snprintf(name, sizeof name, "corpus/topologies/%s",
                       TOPOLOGIES[at].file);
        FILE *const file = fopen(shared_path(path, sizeof path, name), "rb");
        cr_assert_not_null(file);
        const size_t size = fread(text, 1, sizeof text, file);
        fclose(file);
        for (int turn = 0; turn < FLIPS + CUTS; turn++) {
            const size_t place = (size_t)(next_random(&state) % size);
            const char bit = (char)(1 << (next_random(&state) % 8));
            const bool is_cut = turn >= FLIPS;
            memplan_machine *machine = NULL;
            memplan_error error = {0};
            text[place] = (char)(text[place] ^ (is_cut ? 0 : bit));
            const memplan_status status = memplan_machine_open(
                &machine,
                folder_write(&files, "damaged.xml", text,
                             is_cut ? place : size),
                &error);
            text[place] = (char)(text[place] ^ (is_cut ? 0 : bit));
            cr_expect(status == MEMPLAN_OK ||
                          strstr(error.message, "damaged.xml") != NULL,
                      "%s: byte %zu: %s", TOPOLOGIES[at].file, place,
                      error.message);
            cr_expect(!is_cut || status != MEMPLAN_OK, "%s: %zu bytes",
                      TOPOLOGIES[at].file, place);
            memplan_machine_free(machine);
        }
    }
    folder_remove(&files);
}

/* What unified devices and the host may spend together is the host's. */
Test(corpus, unified_memory_is_spent_once)
{
    char path[512];
    memplan_machine *machine = NULL;
    cr_assert_eq(
        memplan_machine_open(
            &machine,
            shared_path(path, sizeof path,
                        "corpus/topologies/flux-elcap-4xMI300A.xml"),
            NULL),
        MEMPLAN_OK);
    cr_assert_eq(machine->pool_count, 5);
    uint64_t sum = 0;
    for (uint32_t pool = 0; pool < machine->pool_count; pool++)
        cr_expect_eq(machine->pools[pool].budget, 0);
    for (uint32_t device = 0; device < 4; device++) {
        cr_expect_eq(machine->pools[device].capacity_bytes,
                     machine->nodes[device].total_bytes,
                     "each APU has the node beside it");
        sum += machine->pools[device].capacity_bytes;
    }
    cr_expect_eq(sum, machine->budget_bytes[0], "and together they have all");
    cr_expect_eq(machine->budget_bytes[0], machine->host.total_bytes.value);
    cr_expect_eq(machine->host.read_bytes_per_second.value, MEMPLAN_UNKNOWN,
                 "the nodes' rates are what the GPUs read");
    cr_assert_eq(machine->note_count, 3);
    cr_expect_not_null(strstr(machine->notes[0], "4x Instinct MI300A"));
    memplan_machine_free(machine);
}

/* A machine of which nobody knows the memory: no pool, and no plan. */
Test(corpus, memory_that_nobody_knows)
{
    char path[512];
    memplan_machine *machine = NULL;
    memplan_model *model = NULL;
    memplan_plan *plan = NULL;
    memplan_error error = {0};
    cr_assert_eq(
        memplan_machine_open(
            &machine,
            shared_path(path, sizeof path,
                        "corpus/topologies/hwloc-x86-Zen4-2xEpyc-9654.xml"),
            NULL),
        MEMPLAN_OK);
    cr_expect_eq(machine->pool_count, 0);
    cr_assert_eq(memplan_model_open(&model, "phi-4", NULL, &error), MEMPLAN_OK);
    cr_expect_eq(memplan_plan_create(&plan, model, machine, NULL, &error),
                 MEMPLAN_E_ARGUMENT);
    cr_expect_not_null(strstr(error.message, "nobody says"), "%s",
                       error.message);
    memplan_model_free(model);
    memplan_machine_free(machine);
}

Test(corpus, nodes_have_their_kind)
{
    char path[512];
    memplan_machine *machine = NULL;
    cr_assert_eq(
        memplan_machine_open(
            &machine,
            shared_path(path, sizeof path,
                        "corpus/topologies/mpibind-knl-snc4-flat-v1.xml"),
            NULL),
        MEMPLAN_OK);
    uint32_t hbm = 0;
    for (uint32_t at = 0; at < machine->node_count; at++)
        hbm += machine->nodes[at].kind == MPL_MEMORY_HBM;
    cr_expect_eq(machine->node_count, 8);
    cr_expect_eq(hbm, 4, "four nodes of MCDRAM");
    memplan_machine_free(machine);
}
