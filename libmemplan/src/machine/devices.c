/* SPDX-License-Identifier: MIT */
/*
 * Unified memory: the device's memory is the host's, so its size is that of
 * the host's node beside it (on a machine with several) or of all of it, parted
 * among the devices that have it in common, plus what firmware carved out for
 * it. What drivers call its "VRAM" is the same memory again.
 *
 * Shares of one memory never sum to more than it. So a plan that keeps every
 * device to its share, and all of them and the host to the host's total, can
 * be had: what the host takes finds room on nodes that are not full.
 */
#include "machine/devices.h"

#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/failure.h"

static const mpl_numa_node *find_node(const memplan_machine *machine,
                                      uint32_t index)
{
    for (uint32_t at = 0; at < machine->node_count; at++)
        if (machine->nodes[at].index == index)
            return &machine->nodes[at];
    return NULL;
}

/* The node whose memory is a unified device's own; NULL: all of the host's. */
static const mpl_numa_node *own_node(const memplan_machine *machine,
                                     const mpl_device *device)
{
    const mpl_numa_node *const node = find_node(machine, device->numa_index);
    return machine->node_count > 1 && node != NULL &&
                   node->kind != MPL_MEMORY_DEVICE &&
                   node->total_bytes != MEMPLAN_UNKNOWN
               ? node
               : NULL;
}

/* Unless a budget names it: a GPU inside a processor is planned on where the
 * catalogue knows it for one that gains, or the user wants it. */
static bool is_planned(const mpl_device *device)
{
    return !device->is_gone &&
           (device->is_named ||
            (device->model[0] != '\0' && !device->is_minor));
}

/* Unified devices that a plan may use, on one node. */
static uint64_t count_sharers(const memplan_machine *machine,
                              const mpl_numa_node *node)
{
    uint64_t count = 0;
    for (uint32_t at = 0; at < machine->device_count; at++) {
        const mpl_device *const device = &machine->devices[at];
        count += device->is_unified && is_planned(device) &&
                 own_node(machine, device) == node;
    }
    return count;
}

/* Memory of the host that a unified device may use, and who says so. */
static mpl_figure shared_memory(const memplan_machine *machine,
                                const mpl_device *device)
{
    const mpl_numa_node *const node = own_node(machine, device);
    const uint64_t sharers = mpl_max(1, count_sharers(machine, node));
    mpl_figure shared = node != NULL
                            ? (mpl_figure){node->total_bytes, "hwloc"}
                            : machine->host.total_bytes;
    if (shared.value != MEMPLAN_UNKNOWN)
        shared.value /= sharers;
    return device->host_mapped_bytes.value < shared.value
               ? device->host_mapped_bytes
               : shared;
}

/* Metal lets one process use two thirds of the memory of a small machine and
 * three quarters of a large one, unless the user raises the limit. */
static uint64_t metal_working_set(uint64_t total_bytes)
{
    return total_bytes <= UINT64_C(36) << 30 ? total_bytes / 3 * 2
                                             : total_bytes / 4 * 3;
}

/* What the device may use of the host's memory, and beside it what was carved
 * out for it; the driver's own total is that carve-out's size. */
static void settle_unified(const memplan_machine *machine, mpl_device *device)
{
    const mpl_figure shared = shared_memory(machine, device);
    const uint64_t available = machine->host.available_bytes.value;
    const bool is_carved = device->carve_out_bytes.value != MEMPLAN_UNKNOWN;
    const uint64_t carved = is_carved ? device->total_bytes.value : 0;
    const uint64_t carved_free = is_carved ? device->carve_out_bytes.value : 0;
    device->free_bytes = MPL_FIGURE_UNKNOWN;
    device->total_bytes = shared;
    if (shared.value != MEMPLAN_UNKNOWN)
        (void)mpl_add(&device->total_bytes.value, shared.value, carved);
    if (strcmp(device->vendor, "apple") == 0 &&
        shared.value != MEMPLAN_UNKNOWN)
        device->free_bytes =
            (mpl_figure){mpl_min(metal_working_set(shared.value), available),
                         "Metal's default working set"};
    else if (available != MEMPLAN_UNKNOWN)
        device->free_bytes =
            (mpl_figure){mpl_min(available, shared.value) + carved_free,
                         machine->host.available_bytes.source};
    /* A copy inside one memory reads each byte and writes it. */
    if (device->bandwidth_bytes_per_second.value != MEMPLAN_UNKNOWN) {
        device->link_bytes_per_second = (mpl_figure){
            device->bandwidth_bytes_per_second.value / 2,
            "assumed: half of the memory's rate"};
        device->link = "one memory";
    }
}

/* A maker's figure is not all there: drivers keep a part. */
static void settle_stated(mpl_device *device)
{
    if (device->free_bytes.value == MEMPLAN_UNKNOWN &&
        device->total_bytes.value != MEMPLAN_UNKNOWN &&
        strcmp(device->total_bytes.source, "catalogue") == 0)
        device->free_bytes =
            (mpl_figure){device->total_bytes.value -
                             device->total_bytes.value / 64,
                         "catalogue, less 1/64 for the driver"};
}

/* The driver says a size of memory that is the host's own. */
static bool is_counted_again(const mpl_device *device)
{
    return device->is_unified && is_planned(device) &&
           device->total_bytes.value != MEMPLAN_UNKNOWN &&
           device->total_bytes.source[0] != '\0' &&
           device->carve_out_bytes.value == MEMPLAN_UNKNOWN;
}

static bool is_same_note(const mpl_device *a, const mpl_device *b)
{
    return is_counted_again(b) && strcmp(a->name, b->name) == 0 &&
           a->total_bytes.value == b->total_bytes.value &&
           strcmp(a->total_bytes.source, b->total_bytes.source) == 0;
}

/* Once for all devices of which the same is said. */
static bool note_unified(memplan_machine *machine)
{
    for (uint32_t at = 0; at < machine->device_count; at++) {
        const mpl_device *const device = &machine->devices[at];
        uint32_t count = 0;
        bool is_told = false;
        for (uint32_t other = 0; other < machine->device_count; other++) {
            const bool is_same = is_same_note(device, &machine->devices[other]);
            is_told |= is_same && other < at;
            count += is_same;
        }
        if (!is_counted_again(device) || is_told)
            continue;
        char times[16] = "";
        char amount[32];
        if (count > 1)
            (void)snprintf(times, sizeof times, "%ux ", count);
        memplan_bytes_format(amount, sizeof amount, device->total_bytes.value);
        if (!mpl_machine_add_note(
                machine, "%s%s: %s says %s of device memory%s; it is the "
                         "host's own memory and counts once",
                times, device->name, device->total_bytes.source, amount,
                count > 1 ? " each" : ""))
            return false;
    }
    return true;
}

/* What attributes say of a node is what its fastest reader gets, which is the
 * GPU where one shares it. */
static bool forget_host_rate(memplan_machine *machine)
{
    mpl_figure *const rate = &machine->host.read_bytes_per_second;
    if (strcmp(rate->source, "hwloc memory attribute") != 0)
        return true;
    for (uint32_t at = 0; at < machine->device_count; at++)
        if (machine->devices[at].is_unified) {
            *rate = MPL_FIGURE_UNKNOWN;
            return mpl_machine_add_note(
                machine, "the rates of the NUMA nodes are what GPUs read of "
                         "them; how fast the processors do is not known");
        }
    return true;
}

/* Engines do not run on an integrated GPU that no row of the catalogue
 * names, nor gain by one beside its processor unless the user wants it, nor
 * reach one that fell off its bus. */
static bool settle_left_out(memplan_machine *machine, mpl_device *device)
{
    if (device->is_gone) {
        device->is_left_out = true;
        return mpl_machine_add_note(machine,
                                    "%s %s is lost: the driver does not reach "
                                    "it; it is left out",
                                    device->name, device->pci);
    }
    if (device->is_divided) {
        device->is_left_out = true;
        return mpl_machine_add_note(machine,
                                    "%s %s is divided by MIG: its slices are "
                                    "the devices",
                                    device->name, device->pci);
    }
    if (!device->is_unified || is_planned(device))
        return true;
    device->is_left_out = true;
    return mpl_machine_add_note(
        machine, "%s %s is an integrated GPU that shares the host's memory; "
                 "it is left out of plans unless a budget names it",
        device->name[0] != '\0' ? device->name : device->vendor, device->pci);
}

/* NVIDIA, AMD, Intel, others: a machine with GPUs of two vendors runs an
 * engine on those of one. Those left out come last. */
static uint32_t order_class(const mpl_device *device)
{
    static const char *const VENDORS[] = {"nvidia", "amd", "intel"};
    uint32_t rank = 0;
    while (rank < 3 && strcmp(VENDORS[rank], device->vendor) != 0)
        rank++;
    return rank + (device->is_left_out ? 8 : 0) + (device->is_unified ? 4 : 0);
}

static bool comes_before(const mpl_device *a, const mpl_device *b)
{
    const uint32_t class_a = order_class(a);
    const uint32_t class_b = order_class(b);
    if (class_a != class_b)
        return class_a < class_b;
    if (a->order != b->order)
        return a->order < b->order;
    if (a->slice != b->slice)
        return a->slice < b->slice;
    return strcmp(a->pci, b->pci) < 0;
}

static void sort_devices(memplan_machine *machine)
{
    for (uint32_t at = 1; at < machine->device_count; at++) {
        const mpl_device moved = machine->devices[at];
        uint32_t place = at;
        for (; place > 0 && comes_before(&moved, &machine->devices[place - 1]);
             place--)
            machine->devices[place] = machine->devices[place - 1];
        machine->devices[place] = moved;
    }
    for (uint32_t at = 0; at < machine->device_count; at++)
        machine->devices[at].index = at;
}

memplan_status mpl_devices_settle(memplan_machine *machine,
                                  memplan_error *error)
{
    if (!note_unified(machine) || !forget_host_rate(machine))
        return mpl_fail_memory(error);
    for (uint32_t at = 0; at < machine->device_count; at++) {
        mpl_device *const device = &machine->devices[at];
        if (device->is_unified)
            settle_unified(machine, device);
        else
            settle_stated(device);
        if (!settle_left_out(machine, device))
            return mpl_fail_memory(error);
    }
    sort_devices(machine);
    return MEMPLAN_OK;
}
