/* SPDX-License-Identifier: MIT */
/*
 * What users and files say of machines. The first byte tells who reads the
 * rest: an lstopo XML, a profile, words, budgets over a base, the variables of
 * drivers. What is accepted is written as a profile, which must come back as
 * it went.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine/description.h"
#include "machine/machine.h"
#include "machine/profile.h"
#include "machine/topology.h"
#include "machine/visible.h"
#include "target.h"

enum { PADDING_BYTES = 64 };

static void must(int is_right, const char *what)
{
    if (is_right)
        return;
    (void)fprintf(stderr, "fuzz: %s\n", what);
    abort();
}

static memplan_status read_xml(memplan_machine *machine, const char *text,
                               size_t size, memplan_error *error)
{
    mpl_topology topology = mpl_topology_blank(machine);
    memplan_status status =
        mpl_topology_read_xml(&topology, text, size, error);
    if (status != MEMPLAN_OK)
        return status;
    must(mpl_topology_add_board(&topology), "no memory");
    mpl_topology_take(machine, &topology);
    status = mpl_topology_join(machine, &topology, error);
    if (status == MEMPLAN_OK)
        status = mpl_topology_join_peers(machine, &topology, error);
    return status == MEMPLAN_OK ? mpl_machine_finish(machine, error) : status;
}

/* Two GPUs, one of them in two slices, and one of AMD's. */
static memplan_status read_variables(memplan_machine *machine, char *text,
                                     memplan_error *error)
{
    static const struct {
        const char *vendor;
        const char *uuid;
        const char *parent;
    } GPUS[] = {{"nvidia", "GPU-8f2a", ""},
                {"nvidia", "GPU-8f2b", ""},
                {"nvidia", "MIG-1", "GPU-8f2b"},
                {"nvidia", "MIG-2", "GPU-8f2b"},
                {"amd", "GPU-11", ""}};
    enum { COUNT = sizeof GPUS / sizeof *GPUS };
    memplan_machine_options options = MEMPLAN_MACHINE_OPTIONS_INIT;
    const char **const variables[] = {
        &options.cuda_visible_devices, &options.cuda_device_order,
        &options.hip_visible_devices, &options.rocr_visible_devices};
    for (size_t at = 0; at < 4 && text != NULL; at++) {
        char *const end = strchr(text, '\n');
        *variables[at] = text;
        if (end != NULL)
            *end = '\0';
        text = end != NULL ? end + 1 : NULL;
    }
    machine->devices =
        mpl_arena_alloc(machine->arena, COUNT, sizeof(mpl_device));
    must(machine->devices != NULL, "no memory");
    for (uint32_t at = 0; at < COUNT; at++) {
        mpl_device *const device = &machine->devices[machine->device_count++];
        *device = mpl_device_blank(at);
        device->vendor = GPUS[at].vendor;
        device->uuid = GPUS[at].uuid;
        device->parent_uuid = GPUS[at].parent;
        device->is_divided = at == 1;
        device->is_left_out = at == 1;
        device->total_bytes = (mpl_figure){1000, "nvml"};
    }
    must(mpl_visible_apply(machine, &options), "no memory");
    return mpl_machine_finish(machine, error);
}

static memplan_status read_any(memplan_machine **out, uint8_t reader,
                               char *text, size_t size, memplan_error *error)
{
    memplan_machine *const machine = *out;
    switch (reader % 5) {
    case 0:
        return read_xml(machine, text, size, error);
    case 1:
        return mpl_profile_read(machine, (const uint8_t *)text, size, error);
    case 2:
        return mpl_description_read(machine, text, error);
    case 3:
        must(mpl_description_read(machine, "2x rtx-3090 nvlink, 64GiB ram",
                                  error) == MEMPLAN_OK,
             "a base");
        memplan_machine *laid = NULL;
        const memplan_status status =
            memplan_machine_declare(&laid, machine, text, error);
        if (status == MEMPLAN_OK) {
            memplan_machine_free(machine);
            *out = laid;
        }
        return status;
    default:
        return read_variables(machine, text, error);
    }
}

static void check(const memplan_machine *machine)
{
    must(machine->pool_count <= machine->device_count + 2, "too many pools");
    for (uint32_t at = 0; at < machine->pool_count; at++)
        must(machine->pools[at].budget < machine->budget_count &&
                 (machine->pools[at].device == UINT32_MAX ||
                  machine->pools[at].device < machine->device_count),
             "a pool of nothing");
    for (uint32_t at = 0; at < machine->peer_count; at++)
        must(machine->peers[at].from < machine->device_count &&
                 machine->peers[at].to < machine->device_count,
             "a link of nothing");
}

/* Rendered, read and rendered again. */
static void check_round(const memplan_machine *machine)
{
    static const char *const OTHERS[] = {"table", "svg"};
    char *text = NULL;
    must(memplan_machine_render(&text, machine, "json", NULL, NULL) ==
             MEMPLAN_OK,
         "no JSON");
    const size_t size = strlen(text);
    uint8_t *const copy = calloc(1, size + PADDING_BYTES);
    memplan_machine *const back = mpl_machine_create();
    memplan_error error = {0};
    must(copy != NULL && back != NULL, "no memory");
    memcpy(copy, text, size);
    if (mpl_profile_read(back, copy, size, &error) != MEMPLAN_OK) {
        (void)fprintf(stderr, "%s\n%s", error.message, text);
        must(0, "a profile that is refused");
    }
    char *again = NULL;
    must(memplan_machine_render(&again, back, "json", NULL, NULL) ==
                 MEMPLAN_OK &&
             strcmp(text, again) == 0,
         "a profile that comes back as another");
    memplan_text_free(again);
    memplan_text_free(text);
    for (size_t at = 0; at < sizeof OTHERS / sizeof *OTHERS; at++) {
        must(memplan_machine_render(&text, machine, OTHERS[at], NULL, NULL) ==
                 MEMPLAN_OK,
             OTHERS[at]);
        memplan_text_free(text);
    }
    memplan_machine_free(back);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    memplan_machine *machine = mpl_machine_create();
    char *const text = calloc(1, size + PADDING_BYTES);
    must(machine != NULL && text != NULL, "no memory");
    memcpy(text, data + 1, size - 1);
    memplan_error error = {0};
    const memplan_status status =
        read_any(&machine, data[0], text, size - 1, &error);
    if (status == MEMPLAN_OK) {
        check(machine);
        check_round(machine);
    } else {
        must(error.status == status && error.message[0] != '\0',
             "a failure without a message");
    }
    memplan_machine_free(machine);
    free(text);
    return 0;
}
