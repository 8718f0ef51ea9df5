/* SPDX-License-Identifier: MIT */
/*
 * The machine as a handle: made, finished into pools and budgets, read.
 *
 * A budget is one physical memory. Pools that share a budget may together
 * spend budget_bytes and no more, so memory that a device shares with the
 * host is never spent twice.
 */
#include "machine/machine.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/failure.h"
#include "base/sized.h"

static void forget_host(mpl_host *host)
{
    mpl_figure *const figures[] = {
        &host->total_bytes,      &host->available_bytes,
        &host->limit_bytes,      &host->swap_total_bytes,
        &host->swap_free_bytes,  &host->hugepage_bytes,
        &host->lockable_bytes,   &host->swappiness,
        &host->overcommit,       &host->read_bytes_per_second,
    };
    for (size_t at = 0; at < sizeof figures / sizeof *figures; at++)
        *figures[at] = MPL_FIGURE_UNKNOWN;
    host->cpu_model = "";
}

memplan_machine *mpl_machine_create(void)
{
    mpl_arena *const arena = mpl_arena_create();
    memplan_machine *const machine =
        arena != NULL ? mpl_arena_alloc(arena, 1, sizeof *machine) : NULL;
    if (machine == NULL) {
        mpl_arena_free(arena);
        return NULL;
    }
    machine->arena = arena;
    machine->name = "";
    forget_host(&machine->host);
    machine->disk.free_bytes = MPL_FIGURE_UNKNOWN;
    machine->disk.read_bytes_per_second = MPL_FIGURE_UNKNOWN;
    return machine;
}

mpl_device mpl_device_blank(uint32_t index)
{
    return (mpl_device){.name = "",
                        .vendor = "",
                        .link = "",
                        .parent_uuid = "",
                        .model = "",
                        .pci = "",
                        .uuid = "",
                        .index = index,
                        .numa_index = UINT32_MAX,
                        .gpu_instance = UINT32_MAX,
                        .compute_instance = UINT32_MAX,
                        .total_bytes = MPL_FIGURE_UNKNOWN,
                        .free_bytes = MPL_FIGURE_UNKNOWN,
                        .reserved_bytes = MPL_FIGURE_UNKNOWN,
                        .carve_out_bytes = MPL_FIGURE_UNKNOWN,
                        .host_mapped_bytes = MPL_FIGURE_UNKNOWN,
                        .bandwidth_bytes_per_second = MPL_FIGURE_UNKNOWN,
                        .link_bytes_per_second = MPL_FIGURE_UNKNOWN,
                        .fp16_flops_per_second = MPL_FIGURE_UNKNOWN};
}

bool mpl_machine_add_note(memplan_machine *machine, const char *format, ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args);
    va_end(args);
    /* A machine that is read back, or laid over, has its notes already. */
    for (uint32_t at = 0; at < machine->note_count; at++)
        if (strcmp(machine->notes[at], line) == 0)
            return true;
    char *const note = mpl_arena_strdup(machine->arena, line);
    const char **const notes =
        mpl_arena_grow(machine->arena, machine->notes, machine->note_count,
                       &machine->note_capacity, sizeof *notes);
    if (note == NULL || notes == NULL)
        return false;
    machine->notes = notes;
    notes[machine->note_count++] = note;
    return true;
}

/* What is free, or all of it where nobody knows. */
static uint64_t spendable(mpl_figure free_bytes, mpl_figure total_bytes)
{
    return free_bytes.value != MEMPLAN_UNKNOWN ? free_bytes.value
           : total_bytes.value != MEMPLAN_UNKNOWN ? total_bytes.value
                                                  : 0;
}

static uint64_t slowest_link(const memplan_machine *machine)
{
    uint64_t slowest = MEMPLAN_UNKNOWN; /* the largest number */
    for (uint32_t at = 0; at < machine->device_count; at++)
        if (!machine->devices[at].is_left_out)
            slowest = mpl_min(slowest,
                              machine->devices[at].link_bytes_per_second.value);
    return slowest;
}

static mpl_pool device_pool(memplan_machine *machine, uint32_t position)
{
    const mpl_device *const device = &machine->devices[position];
    return (mpl_pool){
        .key = mpl_arena_format(machine->arena, "%u", device->index),
        .name = device->name[0] != '\0'
                    ? mpl_arena_format(machine->arena, "GPU %u: %s",
                                       device->index, device->name)
                    : mpl_arena_format(machine->arena, "GPU %u",
                                       device->index),
        .kind = MPL_POOL_DEVICE,
        .device = position,
        .capacity_bytes = spendable(device->free_bytes, device->total_bytes),
        .bandwidth_bytes_per_second = device->bandwidth_bytes_per_second.value,
        .link_bytes_per_second = device->link_bytes_per_second.value,
    };
}

/* Nobody says how much memory the host has. That is not none: it is no pool,
 * as where budgets do not name it. */
static bool is_host_silent(const mpl_host *host)
{
    return host->total_bytes.value == MEMPLAN_UNKNOWN &&
           host->available_bytes.value == MEMPLAN_UNKNOWN;
}

/* Says where a capacity is a total because nobody knows what is free. */
static bool note_totals(memplan_machine *machine)
{
    bool is_any = false;
    for (uint32_t at = 0; at < machine->device_count; at++) {
        const mpl_device *const device = &machine->devices[at];
        if (device->is_left_out)
            continue;
        if (device->free_bytes.value == MEMPLAN_UNKNOWN &&
            device->total_bytes.value == MEMPLAN_UNKNOWN &&
            !mpl_machine_add_note(machine,
                                  "GPU %u: nobody says how much memory it "
                                  "has; none of it is planned on",
                                  device->index))
            return false;
        is_any |= device->free_bytes.value == MEMPLAN_UNKNOWN &&
                  device->total_bytes.value != MEMPLAN_UNKNOWN;
    }
    if (!machine->host.is_left_out &&
        machine->host.total_bytes.value == MEMPLAN_UNKNOWN &&
        machine->host.available_bytes.value == MEMPLAN_UNKNOWN &&
        !mpl_machine_add_note(machine,
                              "nobody says how much memory the host has; "
                              "none of it is planned on"))
        return false;
    return !is_any ||
           mpl_machine_add_note(machine,
                                "what is free on the devices is not known; "
                                "all of their memory counts");
}

/*
 * The first budget is the host's; a unified device joins it. Its size is what
 * the host may use, or more where the user declared more for one pool.
 */
static void make_budgets(memplan_machine *machine)
{
    const mpl_host *const host = &machine->host;
    uint64_t shared = spendable(host->available_bytes, host->total_bytes);
    machine->budget_count = 1;
    for (uint32_t at = 0; at < machine->pool_count; at++) {
        mpl_pool *const pool = &machine->pools[at];
        const bool is_shared =
            pool->kind == MPL_POOL_HOST ||
            (pool->kind == MPL_POOL_DEVICE &&
             machine->devices[pool->device].is_unified);
        if (is_shared) {
            pool->budget = 0;
            const bool is_unknown =
                host->total_bytes.value == MEMPLAN_UNKNOWN &&
                host->available_bytes.value == MEMPLAN_UNKNOWN;
            const bool is_declared =
                pool->kind == MPL_POOL_DEVICE &&
                strcmp(machine->devices[pool->device].free_bytes.source,
                       "declared") == 0;
            if (is_unknown || is_declared)
                shared = mpl_max(shared, pool->capacity_bytes);
        } else {
            pool->budget = machine->budget_count++;
            machine->budget_bytes[pool->budget] = pool->capacity_bytes;
        }
    }
    /* A carve-out is not in the host's memory: it comes on top. */
    for (uint32_t at = 0; at < machine->device_count; at++) {
        const mpl_device *const device = &machine->devices[at];
        if (device->is_unified && !device->is_left_out &&
            device->carve_out_bytes.value != MEMPLAN_UNKNOWN)
            (void)mpl_add(&shared, shared, device->carve_out_bytes.value);
    }
    machine->budget_bytes[0] = shared;
}

memplan_status mpl_machine_finish(memplan_machine *machine,
                                  memplan_error *error)
{
    const uint64_t most = (uint64_t)machine->device_count + 2;
    machine->pools =
        mpl_arena_alloc(machine->arena, most, sizeof *machine->pools);
    machine->budget_bytes =
        mpl_arena_alloc(machine->arena, most + 1, sizeof(uint64_t));
    if (machine->pools == NULL || machine->budget_bytes == NULL)
        return mpl_fail_memory(error);

    for (uint32_t at = 0; at < machine->device_count; at++) {
        if (machine->devices[at].is_left_out)
            continue;
        const mpl_pool pool = device_pool(machine, at);
        if (pool.key == NULL || pool.name == NULL)
            return mpl_fail_memory(error);
        machine->pools[machine->pool_count++] = pool;
    }
    const mpl_host *const host = &machine->host;
    const uint64_t link = slowest_link(machine);
    if (!host->is_left_out && !is_host_silent(host))
        machine->pools[machine->pool_count++] = (mpl_pool){
            .key = "cpu",
            .name = "host memory",
            .kind = MPL_POOL_HOST,
            .device = UINT32_MAX,
            .capacity_bytes =
                spendable(host->available_bytes, host->total_bytes),
            .bandwidth_bytes_per_second = host->read_bytes_per_second.value,
            .link_bytes_per_second = link,
        };
    const uint64_t disk_rate = machine->disk.read_bytes_per_second.value;
    if (machine->disk.path != NULL)
        machine->pools[machine->pool_count++] = (mpl_pool){
            .key = "disk",
            .name = "disk",
            .kind = MPL_POOL_DISK,
            .device = UINT32_MAX,
            .capacity_bytes = machine->disk.free_bytes.value,
            .bandwidth_bytes_per_second = disk_rate,
            .link_bytes_per_second = disk_rate,
        };
    make_budgets(machine);
    return note_totals(machine) ? MEMPLAN_OK : mpl_fail_memory(error);
}

void memplan_machine_free(memplan_machine *machine)
{
    if (machine != NULL)
        mpl_arena_free(machine->arena);
}

memplan_status memplan_machine_describe(const memplan_machine *machine,
                                        memplan_machine_info *out_info)
{
    const mpl_host *const host = &machine->host;
    const memplan_machine_info info = {
        .name = machine->name,
        .total_bytes = host->total_bytes.value,
        .available_bytes = host->available_bytes.value,
        .limit_bytes = host->limit_bytes.value,
        .swap_free_bytes = host->swap_free_bytes.value,
        .cpu_model = host->cpu_model,
        .core_count = host->core_count,
        .thread_count = host->thread_count,
        .device_count = machine->device_count,
        .numa_count = machine->node_count,
        .note_count = machine->note_count,
    };
    return mpl_copy_row(out_info, &info, sizeof info);
}

memplan_status memplan_machine_device(const memplan_machine *machine,
                                      uint64_t index,
                                      memplan_device_info *out_info)
{
    if (index >= machine->device_count)
        return MEMPLAN_E_ARGUMENT;
    const mpl_device *const device = &machine->devices[index];
    const memplan_device_info info = {
        .name = device->name,
        .vendor = device->vendor,
        .pci = device->pci,
        .index = device->index,
        .total_bytes = device->total_bytes.value,
        .free_bytes = device->free_bytes.value,
        .is_unified = device->is_unified,
        .numa_index = device->numa_index == UINT32_MAX ? MEMPLAN_UNKNOWN
                                                       : device->numa_index,
        .bandwidth_bytes_per_second = device->bandwidth_bytes_per_second.value,
        .link_bytes_per_second = device->link_bytes_per_second.value,
    };
    return mpl_copy_row(out_info, &info, sizeof info);
}

const char *memplan_machine_note(const memplan_machine *machine,
                                 uint64_t index)
{
    return index < machine->note_count ? machine->notes[index] : NULL;
}
