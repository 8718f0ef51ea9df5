/* SPDX-License-Identifier: MIT */
/*
 * A machine one is not on: from a file, which is an lstopo XML or a JSON
 * profile, or in words. A text that names a file is the file.
 */
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/failure.h"
#include "base/input.h"
#include "machine/description.h"
#include "machine/machine.h"
#include "machine/profile.h"
#include "machine/topology.h"

/* The largest machines come to some megabytes. */
static const uint64_t MAX_FILE_BYTES = UINT64_C(64) << 20;

static memplan_status read_topology(memplan_machine *machine,
                                    const mpl_input *input,
                                    memplan_error *error)
{
    mpl_topology topology = mpl_topology_blank(machine);
    memplan_status status = mpl_topology_read_xml(
        &topology, (const char *)input->data, input->size_bytes, error);
    if (status == MEMPLAN_OK && !mpl_topology_add_board(&topology))
        status = mpl_fail_memory(error);
    if (status != MEMPLAN_OK)
        return status;
    mpl_topology_take(machine, &topology);
    status = mpl_topology_join(machine, &topology, error);
    if (status == MEMPLAN_OK)
        status = mpl_topology_join_peers(machine, &topology, error);
    return status == MEMPLAN_OK ? mpl_machine_finish(machine, error) : status;
}

static memplan_status read_file(memplan_machine *machine,
                                const mpl_input *input, memplan_error *error)
{
    uint64_t at = 0;
    while (at < input->size_bytes && strchr(" \t\r\n", input->data[at]) &&
           input->data[at] != '\0')
        at++;
    if (at < input->size_bytes && input->data[at] == '<')
        return read_topology(machine, input, error);
    if (at < input->size_bytes && input->data[at] == '{')
        return mpl_profile_read(machine, input->data, input->size_bytes,
                                error);
    return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, at,
                    "neither an lstopo XML nor a JSON profile");
}

/* "60GB/s" is a rate: its slash makes no path. */
static bool has_path_slash(const char *text)
{
    for (const char *at = strchr(text, '/'); at != NULL;
         at = strchr(at + 1, '/')) {
        const bool is_rate = at > text && at[-1] == 'B' && at[1] == 's' &&
                             strchr(", \t", at[2]) != NULL; /* or the end */
        if (!is_rate)
            return true;
    }
    return false;
}

/* A path that does not exist is not a description: "node7.xml", "a/b". */
static bool looks_like_path(const char *text)
{
    const char *const dot = strrchr(text, '.');
    return has_path_slash(text) ||
           (dot != NULL &&
            (strcmp(dot, ".xml") == 0 || strcmp(dot, ".json") == 0));
}

static memplan_status open_file(memplan_machine *machine, const char *path,
                                memplan_error *error)
{
    mpl_input input = {.descriptor = -1};
    memplan_status status =
        mpl_input_read_all(&input, path, MAX_FILE_BYTES, error);
    if (status != MEMPLAN_OK)
        return status;
    status = read_file(machine, &input, error);
    mpl_input_close(&input);
    if (status != MEMPLAN_OK)
        mpl_fail_in(error, path);
    return status;
}

/* Makes an empty machine, lets `fill` have it, and gives it to the caller. */
static memplan_status make(memplan_machine **out, const char *text,
                           memplan_status (*fill)(memplan_machine *,
                                                  const char *,
                                                  memplan_error *),
                           memplan_error *error)
{
    memplan_machine *const machine = mpl_machine_create();
    if (machine == NULL)
        return mpl_fail_memory(error);
    machine->name = mpl_arena_strdup(machine->arena, text);
    const memplan_status status = machine->name != NULL
                                      ? fill(machine, text, error)
                                      : mpl_fail_memory(error);
    if (status != MEMPLAN_OK) {
        memplan_machine_free(machine);
        return status;
    }
    *out = machine;
    return MEMPLAN_OK;
}

memplan_status memplan_machine_parse(memplan_machine **out, const char *text,
                                     memplan_error *error)
{
    return make(out, text, mpl_description_read, error);
}

memplan_status memplan_machine_open(memplan_machine **out, const char *path,
                                    memplan_error *error)
{
    const bool is_file = looks_like_path(path) || access(path, F_OK) == 0;
    return is_file ? make(out, path, open_file, error)
                   : memplan_machine_parse(out, path, error);
}
