/* SPDX-License-Identifier: MIT */
/* A machine with measured rates in place of stated ones. */
#include "machine/measure.h"

#include <stddef.h>
#include <time.h>

#include "base/checked.h"
#include "base/failure.h"
#include "machine/disk.h"
#include "machine/machine.h"

static const char MEASURED[] = "measured";

uint64_t mpl_now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

uint64_t mpl_rate_of(uint64_t bytes, uint64_t ns)
{
    uint64_t rate;
    return ns > 0 && mpl_mul_div(&rate, bytes, UINT64_C(1000000000), ns)
               ? rate
               : MEMPLAN_UNKNOWN;
}

static uint64_t spare_bytes(const memplan_machine *machine)
{
    const uint64_t available = machine->host.available_bytes.value;
    return available != MEMPLAN_UNKNOWN ? available : 0;
}

/* The host's rate is that of its nodes together: each is read by its own
 * processors. */
static void measure_nodes(memplan_machine *machine)
{
    uint64_t sum = 0;
    uint32_t count = 0;
    for (uint32_t at = 0; at < machine->node_count; at++) {
        mpl_numa_node *const node = &machine->nodes[at];
        if (!node->is_allowed || node->kind == MPL_MEMORY_DEVICE ||
            node->total_bytes == MEMPLAN_UNKNOWN)
            continue;
        const uint64_t rate = mpl_measure_node(machine->arena, node->index,
                                               spare_bytes(machine));
        if (rate == MEMPLAN_UNKNOWN)
            continue;
        node->read_bytes_per_second = (mpl_figure){rate, MEASURED};
        /* Far memories come with near ones: DRAM alone makes the host's. */
        if (node->kind == MPL_MEMORY_DRAM && mpl_add(&sum, sum, rate))
            count++;
    }
    if (machine->node_count == 0) {
        sum = mpl_measure_node(machine->arena, 0, spare_bytes(machine));
        count = sum != MEMPLAN_UNKNOWN;
    }
    if (count > 0)
        machine->host.read_bytes_per_second = (mpl_figure){sum, MEASURED};
}

memplan_status memplan_machine_measure(memplan_machine **out,
                                       const memplan_machine *machine,
                                       const char *disk_path,
                                       memplan_error *error)
{
    memplan_machine *const made = mpl_machine_copy(machine);
    if (made == NULL)
        return mpl_fail_memory(error);
    memplan_status status = MEMPLAN_OK;
    if (made->disk.path == NULL)
        status = mpl_disk_find(made, disk_path, error);
    if (status == MEMPLAN_OK)
        measure_nodes(made);
    if (status == MEMPLAN_OK && disk_path != NULL) {
        const uint64_t rate = mpl_measure_disk(disk_path);
        if (rate == MEMPLAN_UNKNOWN)
            status = mpl_fail(error, MEMPLAN_E_IO, MPL_NOWHERE,
                              "%.160s: its disk cannot be measured: no file "
                              "can be made or read there",
                              disk_path);
        else
            made->disk.read_bytes_per_second = (mpl_figure){rate, MEASURED};
    }
    if (status == MEMPLAN_OK)
        status = mpl_machine_finish(made, error);
    if (status != MEMPLAN_OK) {
        memplan_machine_free(made);
        return status;
    }
    *out = made;
    return MEMPLAN_OK;
}
