/* SPDX-License-Identifier: MIT */
/*
 * A machine copied into an arena of its own, so that what is laid over it
 * lives on when the first one is freed. Pools and budgets are not copied:
 * mpl_machine_finish() makes them anew.
 *
 * A refused allocation is sticky, and checked once, at the end.
 */
#include <string.h>

#include "machine/machine.h"

typedef struct copier {
    mpl_arena *arena;
    bool failed;
} copier;

static void copy_text(copier *to, const char **text)
{
    if (*text == NULL)
        return;
    *text = mpl_arena_strdup(to->arena, *text);
    to->failed |= *text == NULL;
}

static void copy_figure(copier *to, mpl_figure *figure)
{
    copy_text(to, &figure->source);
}

/* The items, moved into the arena; NULL where there is none. */
static void *copy_items(copier *to, const void *items, uint64_t count,
                        uint64_t item_bytes)
{
    if (count == 0)
        return NULL;
    void *const made = mpl_arena_alloc(to->arena, count, item_bytes);
    if (made == NULL)
        to->failed = true;
    else
        memcpy(made, items, (size_t)(count * item_bytes));
    return made;
}

static const char *const *copy_words(copier *to, const char *const *words,
                                     uint32_t count)
{
    const char **const made = copy_items(to, words, count, sizeof *words);
    for (uint32_t at = 0; made != NULL && at < count; at++)
        copy_text(to, &made[at]);
    return made;
}

static void copy_host(copier *to, mpl_host *host)
{
    mpl_figure *const figures[] = {
        &host->total_bytes,      &host->available_bytes,
        &host->limit_bytes,      &host->swap_total_bytes,
        &host->swap_free_bytes,  &host->hugepage_bytes,
        &host->lockable_bytes,   &host->swappiness,
        &host->overcommit,       &host->read_bytes_per_second,
    };
    for (size_t at = 0; at < sizeof figures / sizeof *figures; at++)
        copy_figure(to, figures[at]);
    copy_text(to, &host->cpu_model);
    host->isa = copy_words(to, host->isa, host->isa_count);

    mpl_limit *const limits =
        copy_items(to, host->limits, host->limit_count, sizeof *limits);
    for (uint32_t at = 0; limits != NULL && at < host->limit_count; at++)
        copy_text(to, &limits[at].source);
    host->limits = limits;

    mpl_cpu_kind *const kinds =
        copy_items(to, host->kinds, host->kind_count, sizeof *kinds);
    for (uint32_t at = 0; kinds != NULL && at < host->kind_count; at++)
        copy_text(to, &kinds[at].name);
    host->kinds = kinds;
}

static void copy_device(copier *to, mpl_device *device)
{
    const char **const texts[] = {
        &device->name, &device->vendor, &device->link, &device->parent_uuid,
        &device->model, &device->pci,   &device->uuid,
    };
    for (size_t at = 0; at < sizeof texts / sizeof *texts; at++)
        copy_text(to, texts[at]);
    mpl_figure *const figures[] = {
        &device->total_bytes,
        &device->free_bytes,
        &device->reserved_bytes,
        &device->carve_out_bytes,
        &device->host_mapped_bytes,
        &device->bandwidth_bytes_per_second,
        &device->link_bytes_per_second,
        &device->fp16_flops_per_second,
    };
    for (size_t at = 0; at < sizeof figures / sizeof *figures; at++)
        copy_figure(to, figures[at]);
    device->sources = copy_words(to, device->sources, device->source_count);
}

static void copy_parts(copier *to, memplan_machine *machine)
{
    copy_text(to, &machine->name);
    copy_host(to, &machine->host);
    copy_text(to, &machine->disk.path);
    copy_figure(to, &machine->disk.free_bytes);
    copy_figure(to, &machine->disk.read_bytes_per_second);

    machine->nodes = copy_items(to, machine->nodes, machine->node_count,
                                sizeof *machine->nodes);
    for (uint32_t at = 0; machine->nodes != NULL && at < machine->node_count;
         at++) {
        copy_figure(to, &machine->nodes[at].read_bytes_per_second);
        copy_figure(to, &machine->nodes[at].latency_ns);
    }
    machine->devices = copy_items(to, machine->devices, machine->device_count,
                                  sizeof *machine->devices);
    for (uint32_t at = 0;
         machine->devices != NULL && at < machine->device_count; at++)
        copy_device(to, &machine->devices[at]);
    machine->peers = copy_items(to, machine->peers, machine->peer_count,
                                sizeof *machine->peers);
    for (uint32_t at = 0; machine->peers != NULL && at < machine->peer_count;
         at++) {
        copy_figure(to, &machine->peers[at].bytes_per_second);
        copy_text(to, &machine->peers[at].name);
    }
    machine->notes =
        (const char **)(uintptr_t)copy_words(to, machine->notes,
                                             machine->note_count);
    machine->note_capacity = machine->note_count;
}

memplan_machine *mpl_machine_copy(const memplan_machine *machine)
{
    memplan_machine *const made = mpl_machine_create();
    if (made == NULL)
        return NULL;
    copier to = {.arena = made->arena};
    *made = *machine;
    made->arena = to.arena;
    made->pools = NULL;
    made->budget_bytes = NULL;
    made->pool_count = 0;
    made->budget_count = 0;
    copy_parts(&to, made);
    if (to.failed) {
        mpl_arena_free(to.arena);
        return NULL;
    }
    return made;
}
