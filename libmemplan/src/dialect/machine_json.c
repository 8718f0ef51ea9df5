/* SPDX-License-Identifier: MIT */
/*
 * A machine as JSON: schema memplan.machine/1, tests/schema/machine.json. It
 * is also the profile that memplan_machine_open() reads. "said_by" tells who
 * said each figure.
 */
#include <stddef.h>

#include "base/json_writer.h"
#include "dialect/dialect.h"
#include "machine/machine.h"

typedef struct named_figure {
    const char *key;
    mpl_figure figure;
} named_figure;

static void write_figures(mpl_json_writer *out, const named_figure *figures,
                          uint32_t count)
{
    for (uint32_t at = 0; at < count; at++)
        mpl_json_number(out, figures[at].key,
                        figures[at].figure.value == MPL_NO_LIMIT
                            ? MEMPLAN_UNKNOWN
                            : figures[at].figure.value);
}

static void write_said_by(mpl_json_writer *out, const named_figure *figures,
                          uint32_t count)
{
    mpl_json_open_object(out, "said_by");
    for (uint32_t at = 0; at < count; at++)
        if (figures[at].figure.value != MEMPLAN_UNKNOWN)
            mpl_json_text(out, figures[at].key, figures[at].figure.source);
    mpl_json_close(out);
}

static const char *memory_kind_name(mpl_memory_kind kind)
{
    static const char *const NAMES[] = {
        [MPL_MEMORY_DRAM] = "dram",     [MPL_MEMORY_HBM] = "hbm",
        [MPL_MEMORY_CXL] = "cxl",       [MPL_MEMORY_NVM] = "nvm",
        [MPL_MEMORY_DEVICE] = "device",
    };
    return NAMES[kind];
}

static void write_limits(mpl_json_writer *out, const mpl_host *host)
{
    mpl_json_open_array(out, "limits");
    for (uint32_t at = 0; at < host->limit_count; at++) {
        const mpl_limit *const limit = &host->limits[at];
        mpl_json_open_object(out, NULL);
        mpl_json_text(out, "source", limit->source);
        mpl_json_number(out, "limit_bytes", limit->limit_bytes);
        mpl_json_number(out, "used_bytes", limit->used_bytes);
        mpl_json_number(out, "reclaimable_bytes", limit->reclaimable_bytes);
        mpl_json_flag(out, "is_soft", limit->is_soft);
        mpl_json_close(out);
    }
    mpl_json_close(out);
}

static void write_host(mpl_json_writer *out, const memplan_machine *machine)
{
    const mpl_host *const host = &machine->host;
    const named_figure figures[] = {
        {"total_bytes", host->total_bytes},
        {"available_bytes", host->available_bytes},
        {"limit_bytes", host->limit_bytes},
        {"swap_total_bytes", host->swap_total_bytes},
        {"swap_free_bytes", host->swap_free_bytes},
        {"hugepage_bytes", host->hugepage_bytes},
        {"lockable_bytes", host->lockable_bytes},
        {"swappiness", host->swappiness},
        {"overcommit", host->overcommit},
        {"read_bytes_per_second", host->read_bytes_per_second},
    };
    const uint32_t count = sizeof figures / sizeof *figures;
    mpl_json_open_object(out, "host");
    write_figures(out, figures, count);
    write_said_by(out, figures, count);
    write_limits(out, host);
    mpl_json_open_array(out, "numa");
    for (uint32_t at = 0; at < machine->node_count; at++) {
        const mpl_numa_node *const node = &machine->nodes[at];
        mpl_json_open_object(out, NULL);
        mpl_json_number(out, "index", node->index);
        mpl_json_text(out, "kind", memory_kind_name(node->kind));
        mpl_json_number(out, "total_bytes", node->total_bytes);
        mpl_json_flag(out, "is_allowed", node->is_allowed);
        mpl_json_number(out, "read_bytes_per_second",
                        node->read_bytes_per_second.value);
        mpl_json_number(out, "latency_ns", node->latency_ns.value);
        mpl_json_close(out);
    }
    mpl_json_close(out);
    mpl_json_close(out);
}

/* Counts of 0 are not known. */
static uint64_t known_count(uint64_t count)
{
    return count == 0 ? MEMPLAN_UNKNOWN : count;
}

static void write_cpu(mpl_json_writer *out, const mpl_host *host)
{
    mpl_json_open_object(out, "cpu");
    mpl_json_text(out, "model", host->cpu_model);
    mpl_json_number(out, "packages", known_count(host->package_count));
    mpl_json_number(out, "cores", known_count(host->core_count));
    mpl_json_number(out, "threads", known_count(host->thread_count));
    mpl_json_open_array(out, "isa");
    for (uint32_t at = 0; at < host->isa_count; at++)
        mpl_json_text(out, NULL, host->isa[at]);
    mpl_json_close(out);
    mpl_json_open_array(out, "kinds");
    for (uint32_t at = 0; at < host->kind_count; at++) {
        const mpl_cpu_kind *const kind = &host->kinds[at];
        mpl_json_open_object(out, NULL);
        mpl_json_text(out, "name", kind->name);
        mpl_json_number(out, "cores", kind->core_count);
        mpl_json_number(out, "threads", kind->thread_count);
        mpl_json_number(out, "efficiency", kind->efficiency);
        mpl_json_close(out);
    }
    mpl_json_close(out);
    mpl_json_close(out);
}

static void write_device(mpl_json_writer *out, const mpl_device *device)
{
    const named_figure figures[] = {
        {"total_bytes", device->total_bytes},
        {"free_bytes", device->free_bytes},
        {"reserved_bytes", device->reserved_bytes},
        {"carve_out_bytes", device->carve_out_bytes},
        {"bandwidth_bytes_per_second", device->bandwidth_bytes_per_second},
        {"link_bytes_per_second", device->link_bytes_per_second},
        {"fp16_flops_per_second", device->fp16_flops_per_second},
    };
    const uint32_t count = sizeof figures / sizeof *figures;
    mpl_json_open_object(out, NULL);
    mpl_json_text(out, "name", device->name);
    mpl_json_number(out, "index", device->index);
    mpl_json_text(out, "vendor", device->vendor);
    mpl_json_text(out, "model", device->model);
    write_figures(out, figures, count);
    mpl_json_flag(out, "is_unified", device->is_unified);
    mpl_json_flag(out, "is_left_out", device->is_left_out);
    mpl_json_text(out, "pci", device->pci);
    mpl_json_text(out, "uuid", device->uuid);
    mpl_json_text(out, "link", device->link);
    mpl_json_number(out, "numa_index",
                    device->numa_index == UINT32_MAX ? MEMPLAN_UNKNOWN
                                                     : device->numa_index);
    mpl_json_number(out, "compute_capability",
                    known_count(device->compute_capability));
    mpl_json_open_array(out, "sources");
    for (uint32_t at = 0; at < device->source_count; at++)
        mpl_json_text(out, NULL, device->sources[at]);
    mpl_json_close(out);
    write_said_by(out, figures, count);
    mpl_json_close(out);
}

static void write_disk(mpl_json_writer *out, const mpl_disk *disk)
{
    const named_figure figures[] = {
        {"free_bytes", disk->free_bytes},
        {"read_bytes_per_second", disk->read_bytes_per_second},
    };
    const uint32_t count = sizeof figures / sizeof *figures;
    if (disk->path == NULL) {
        mpl_json_null(out, "disk");
        return;
    }
    mpl_json_open_object(out, "disk");
    mpl_json_text(out, "path", disk->path);
    write_figures(out, figures, count);
    write_said_by(out, figures, count);
    mpl_json_close(out);
}

static void write_peers(mpl_json_writer *out, const memplan_machine *machine)
{
    mpl_json_open_array(out, "peers");
    for (uint32_t at = 0; at < machine->peer_count; at++) {
        const mpl_peer *const peer = &machine->peers[at];
        const named_figure figure = {"bytes_per_second",
                                     peer->bytes_per_second};
        out->is_inline = true;
        mpl_json_open_object(out, NULL);
        mpl_json_number(out, "from", machine->devices[peer->from].index);
        mpl_json_number(out, "to", machine->devices[peer->to].index);
        mpl_json_text(out, "name", peer->name);
        write_figures(out, &figure, 1);
        write_said_by(out, &figure, 1);
        mpl_json_close(out);
        out->is_inline = false;
    }
    mpl_json_close(out);
}

MPL_MACHINE_WRITER(mpl_machine_write_json)
{
    mpl_json_writer out = {.text = text};
    (void)style;
    (void)error;
    mpl_json_open_object(&out, NULL);
    mpl_json_text(&out, "schema", "memplan.machine/1");
    mpl_json_text(&out, "name", machine->name);
    write_host(&out, machine);
    write_cpu(&out, &machine->host);
    mpl_json_open_array(&out, "devices");
    for (uint32_t at = 0; at < machine->device_count; at++)
        write_device(&out, &machine->devices[at]);
    mpl_json_close(&out);
    write_peers(&out, machine);
    write_disk(&out, &machine->disk);
    mpl_json_open_array(&out, "notes");
    for (uint32_t at = 0; at < machine->note_count; at++)
        mpl_json_text(&out, NULL, machine->notes[at]);
    mpl_json_close(&out);
    mpl_json_close(&out);
    mpl_text_add(text, "\n");
    return MEMPLAN_OK;
}
