/* SPDX-License-Identifier: MIT */
/*
 * Links between devices, once devices stand in their order.
 *
 * What a source says of one pair in one direction is added up: two NVLinks
 * are twice the rate. A pair is taken from one source alone, the first that
 * speaks of it. What goes to a switch reaches every device that has links to
 * a switch too, at the rate of the narrower end:
 *
 *     rate(a, b) = min(links of a to switches, links of b to switches)
 *
 * An end that is no device is a switch where the source says so, or where two
 * devices have it in common. Slices of a GPU that MIG divides have no links.
 */
#include <string.h>

#include "base/checked.h"
#include "base/failure.h"
#include "machine/topology.h"

/* More than one system has, and few enough for a table of pairs. */
enum { MAX_DEVICES = 256 };

typedef struct pair {
    const char *source; /* NULL: no link */
    const char *name;
    uint64_t bytes_per_second;
    uint32_t lanes;
} pair;

typedef struct table {
    pair *pairs;    /* from * count + to */
    pair *switches; /* of each device, to switches */
    uint32_t count;
} table;

static uint32_t find_device(const memplan_machine *machine, const char *pci)
{
    for (uint32_t at = 0; pci[0] != '\0' && at < machine->device_count; at++) {
        const mpl_device *const device = &machine->devices[at];
        if (device->parent_uuid[0] == '\0' && !device->is_divided &&
            device->pci[0] != '\0' && mpl_pci_is_same(device->pci, pci))
            return at;
    }
    return UINT32_MAX;
}

/* Another device has a link to the same end. */
static bool is_common(const mpl_topology *topology, const mpl_joint *joint)
{
    for (uint32_t at = 0; joint->to[0] != '\0' && at < topology->joint_count;
         at++) {
        const mpl_joint *const other = &topology->joints[at];
        if (mpl_pci_is_same(other->to, joint->to) &&
            !mpl_pci_is_same(other->from, joint->from))
            return true;
    }
    return false;
}

static void add_up(pair *to, const mpl_joint *joint)
{
    if (to->source == NULL)
        *to = (pair){.source = joint->source, .name = joint->name};
    else if (strcmp(to->source, joint->source) != 0)
        return;
    to->lanes += joint->lanes;
    if (joint->bytes_per_second == MEMPLAN_UNKNOWN ||
        !mpl_add(&to->bytes_per_second, to->bytes_per_second,
                 joint->bytes_per_second))
        to->bytes_per_second = MEMPLAN_UNKNOWN;
}

static void add_joint(table *to, const memplan_machine *machine,
                      const mpl_topology *topology, const mpl_joint *joint)
{
    const uint32_t from = find_device(machine, joint->from);
    const uint32_t end =
        joint->is_to_switch ? UINT32_MAX : find_device(machine, joint->to);
    if (from == UINT32_MAX || from == end)
        return;
    if (end != UINT32_MAX)
        add_up(&to->pairs[from * to->count + end], joint);
    else if (joint->is_to_switch || is_common(topology, joint))
        add_up(&to->switches[from], joint);
}

static pair narrower(const pair *a, const pair *b)
{
    if (a->bytes_per_second == MEMPLAN_UNKNOWN)
        return *a;
    return b->bytes_per_second == MEMPLAN_UNKNOWN ||
                   b->bytes_per_second < a->bytes_per_second
               ? *b
               : *a;
}

/* The link of two devices; no source: there is none. */
static pair link_of(const table *of, uint32_t from, uint32_t to)
{
    const pair *const direct = &of->pairs[from * of->count + to];
    const pair *const up = &of->switches[from];
    const pair *const down = &of->switches[to];
    if (direct->source != NULL)
        return *direct;
    return up->source != NULL && down->source != NULL ? narrower(up, down)
                                                      : (pair){.source = NULL};
}

static bool keep_peer(memplan_machine *machine, uint32_t from, uint32_t to,
                      const pair *link)
{
    const bool is_known = link->bytes_per_second != MEMPLAN_UNKNOWN;
    const char *const name =
        link->lanes > 0 ? mpl_arena_format(machine->arena, "%s x%u",
                                           link->name, link->lanes)
                        : link->name;
    machine->peers[machine->peer_count++] = (mpl_peer){
        .from = from,
        .to = to,
        .bytes_per_second =
            is_known ? (mpl_figure){link->bytes_per_second, link->source}
                     : MPL_FIGURE_UNKNOWN,
        .name = name};
    return name != NULL;
}

memplan_status mpl_topology_join_peers(memplan_machine *machine,
                                       const mpl_topology *topology,
                                       memplan_error *error)
{
    const uint32_t count = machine->device_count;
    if (topology->joint_count == 0 || count > MAX_DEVICES)
        return MEMPLAN_OK;
    table links = {
        .pairs = mpl_arena_alloc(machine->arena, (uint64_t)count * count,
                                 sizeof *links.pairs),
        .switches =
            mpl_arena_alloc(machine->arena, count, sizeof *links.switches),
        .count = count};
    machine->peers = mpl_arena_alloc(machine->arena, (uint64_t)count * count,
                                     sizeof *machine->peers);
    if (links.pairs == NULL || links.switches == NULL ||
        machine->peers == NULL)
        return mpl_fail_memory(error);
    for (uint32_t at = 0; at < topology->joint_count; at++)
        add_joint(&links, machine, topology, &topology->joints[at]);
    for (uint32_t from = 0; from < count; from++)
        for (uint32_t to = 0; to < count; to++) {
            const pair link = link_of(&links, from, to);
            if (from != to && link.source != NULL &&
                !keep_peer(machine, from, to, &link))
                return mpl_fail_memory(error);
        }
    return MEMPLAN_OK;
}
