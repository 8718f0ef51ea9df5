/* SPDX-License-Identifier: MIT */
/*
 * One device per GPU, whoever reports it.
 *
 * Reports are of one GPU when they give one PCI address; failing that, one
 * UUID; failing both, one name from different sources. Of each figure the
 * source that is nearest to the hardware is taken, in the order of SOURCES;
 * the catalogue fills what nobody told.
 */
#include <string.h>

#include "base/checked.h"
#include "base/failure.h"
#include "data/gpu_catalogue.h"
#include "machine/devices.h"
#include "machine/link.h"
#include "machine/topology.h"

static const char CATALOGUE[] = "catalogue";
static const char CARD_LINK[] = "catalogue: the card's own link";

/* Nearest to the hardware first. */
static const char *const SOURCES[] = {"nvml", "amdgpu", "xe",        "i915",
                                      "rsmi", "cuda",   "ze",        "opencl",
                                      "pci",  "driver", "numa node", "board"};
enum { SOURCE_COUNT = sizeof SOURCES / sizeof *SOURCES };

static uint32_t rank_of(const mpl_report *report)
{
    uint32_t rank = 0;
    while (rank < SOURCE_COUNT && strcmp(SOURCES[rank], report->source) != 0)
        rank++;
    return rank;
}

static bool same_gpu(const mpl_report *a, const mpl_report *b)
{
    if (a->uuid[0] != '\0' && strcmp(a->uuid, b->uuid) == 0)
        return true;
    if (a->parent_uuid[0] != '\0' || b->parent_uuid[0] != '\0')
        return false; /* a MIG instance has its parent's address */
    if (strchr(a->pci, ':') != NULL && strchr(b->pci, ':') != NULL)
        return mpl_pci_is_same(a->pci, b->pci);
    return a->pci[0] == '\0' && b->pci[0] == '\0' && a->uuid[0] == '\0' &&
           b->uuid[0] == '\0' && strcmp(a->source, b->source) != 0 &&
           strcmp(a->name, b->name) == 0;
}

/* Reports of one GPU, the best source first. */
typedef struct group {
    const mpl_report **reports;
    uint32_t count;
} group;

static void add_to_group(group *of, const mpl_report *report)
{
    uint32_t at = of->count++;
    for (; at > 0 && rank_of(of->reports[at - 1]) > rank_of(report); at--)
        of->reports[at] = of->reports[at - 1];
    of->reports[at] = report;
}

static bool take_figure(mpl_figure *to, uint64_t value, const char *source)
{
    if (to->value != MEMPLAN_UNKNOWN || value == MEMPLAN_UNKNOWN)
        return false;
    *to = (mpl_figure){value, source};
    return true;
}

static void take_text(const char **to, const char *text)
{
    if ((*to)[0] == '\0')
        *to = text;
}

static void take_report(mpl_device *device, const mpl_report *report)
{
    take_text(&device->name, report->name);
    take_text(&device->pci, report->pci);
    take_text(&device->uuid, report->uuid);
    take_text(&device->parent_uuid, report->parent_uuid);
    take_text(&device->link, report->link);
    if (device->numa_index == UINT32_MAX)
        device->numa_index = report->numa_index;
    if (device->compute_capability == 0)
        device->compute_capability = report->compute_capability;
    device->is_unified |= report->is_integrated;
    device->is_gone |= report->is_gone;
    device->is_divided |= report->is_divided;
    device->slice = report->slice;
    device->gpu_instance = report->gpu_instance;
    device->compute_instance = report->compute_instance;
    /* Total and free go together: two sources count differently. */
    if (take_figure(&device->total_bytes, report->total_bytes, report->source))
        device->free_bytes = (mpl_figure){
            report->free_bytes,
            report->free_bytes != MEMPLAN_UNKNOWN ? report->source : ""};
    (void)take_figure(&device->reserved_bytes, report->reserved_bytes,
                      report->source);
    (void)take_figure(&device->carve_out_bytes, report->carve_out_bytes,
                      report->source);
    (void)take_figure(&device->host_mapped_bytes, report->host_mapped_bytes,
                      report->source);
    (void)take_figure(&device->bandwidth_bytes_per_second,
                      report->bandwidth_bytes_per_second, report->source);
    (void)take_figure(&device->link_bytes_per_second,
                      report->link_bytes_per_second, report->source);
}

static const char *vendor_name(uint32_t vendor_id)
{
    return vendor_id == 0x10de   ? "nvidia"
           : vendor_id == 0x1002 ? "amd"
           : vendor_id == 0x8086 ? "intel"
                                 : "";
}

/* "TU104GL [Tesla T4]": what stands in the brackets is what people say. */
static const char *short_name(mpl_arena *arena, const char *name)
{
    const char *const open = strchr(name, '[');
    const char *const close = open != NULL ? strchr(open, ']') : NULL;
    if (close == NULL || close[1] != '\0' || close == open + 1)
        return name;
    return mpl_arena_copy(arena, open + 1, (uint64_t)(close - open - 1));
}

/* No slot makes a card's own link faster: it bounds what nobody told. */
static void take_card_link(mpl_device *device, const mpl_gpu_model *model)
{
    const mpl_gpu_link *const link = mpl_gpu_card_link(model);
    if (link != NULL &&
        take_figure(&device->link_bytes_per_second,
                    mpl_link_pcie(link->generation, link->lanes), CARD_LINK))
        take_text(&device->link, link->name);
}

/* What nobody told is what the maker states. */
void mpl_device_take_model(mpl_device *device, const mpl_gpu_model *model)
{
    device->model = model->key;
    take_text(&device->vendor, model->vendor);
    device->is_unified |= model->memory >= MPL_GPU_UNIFIED;
    device->is_minor |= model->memory == MPL_GPU_MINOR;
    if (device->compute_capability == 0)
        device->compute_capability = mpl_gpu_compute_capability(model);
    if (!device->is_unified)
        (void)take_figure(&device->total_bytes, model->memory_bytes, CATALOGUE);
    else if (model->memory_bytes < device->host_mapped_bytes.value)
        device->host_mapped_bytes =
            (mpl_figure){model->memory_bytes, CATALOGUE};
    (void)take_figure(&device->bandwidth_bytes_per_second,
                      model->bandwidth_bytes_per_second, CATALOGUE);
    (void)take_figure(&device->fp16_flops_per_second,
                      model->fp16_flops_per_second, CATALOGUE);
    /* NVLink-C2C: 900 GB/s in both directions together. */
    if (model->memory == MPL_GPU_COHERENT) {
        device->link_bytes_per_second =
            (mpl_figure){UINT64_C(450000000000), CATALOGUE};
        device->link = "NVLink-C2C";
    }
    take_card_link(device, model);
}

static memplan_status make_device(memplan_machine *machine, mpl_device *device,
                                  const group *of, memplan_error *error)
{
    const char **const sources = mpl_arena_alloc(
        machine->arena, (uint64_t)of->count + 1, sizeof *sources);
    if (sources == NULL)
        return mpl_fail_memory(error);
    uint32_t vendor_id = 0;
    uint32_t device_id = 0;
    *device = mpl_device_blank(0);
    device->order = UINT32_MAX;
    for (uint32_t at = 0; at < of->count; at++) {
        const mpl_report *const report = of->reports[at];
        take_report(device, report);
        sources[device->source_count++] = report->source;
        vendor_id = vendor_id != 0 ? vendor_id : report->vendor_id;
        device_id = device_id != 0 ? device_id : report->device_id;
        /* CUDA's number is the engines' own; others only resemble it. */
        if (strcmp(report->source, "cuda") == 0 || device->order == UINT32_MAX)
            device->order = report->order;
    }
    device->vendor = vendor_name(vendor_id);
    /* A slice of a GPU has a share of its parent's figures, not them all. */
    const mpl_gpu_model *const model =
        device->parent_uuid[0] == '\0'
            ? mpl_gpu_match(vendor_id, device_id, device->name,
                            device->is_unified ? MEMPLAN_UNKNOWN
                                               : device->total_bytes.value)
            : NULL;
    if (model != NULL) {
        mpl_device_take_model(device, model);
        sources[device->source_count++] = CATALOGUE;
    }
    device->sources = sources;
    if (device->name[0] == '\0' && model != NULL)
        device->name = model->key;
    device->name = short_name(machine->arena, device->name);
    if (device->name != NULL && device->link[0] == '\0' &&
        device->link_bytes_per_second.value != MEMPLAN_UNKNOWN)
        device->link = mpl_link_rate_name(machine->arena,
                                          device->link_bytes_per_second.value);
    return device->name != NULL && device->link != NULL
               ? MEMPLAN_OK
               : mpl_fail_memory(error);
}

/* Groups the reports; `out` has room for one group a report. */
static memplan_status group_reports(mpl_arena *arena,
                                    const mpl_topology *topology, group *out,
                                    uint32_t *out_count, memplan_error *error)
{
    uint32_t count = 0;
    for (uint32_t at = 0; at < topology->report_count; at++) {
        const mpl_report *const report = &topology->reports[at];
        uint32_t place = 0;
        while (place < count && !same_gpu(out[place].reports[0], report))
            place++;
        if (place == count) {
            /* One source reports a GPU at most twice: room for all. */
            out[count].reports = mpl_arena_alloc(arena, 2 * SOURCE_COUNT,
                                                 sizeof *out[count].reports);
            if (out[count].reports == NULL)
                return mpl_fail_memory(error);
            count++;
        }
        if (out[place].count < 2 * SOURCE_COUNT)
            add_to_group(&out[place], report);
    }
    *out_count = count;
    return MEMPLAN_OK;
}

static memplan_status join_devices(memplan_machine *machine,
                                   const mpl_topology *topology,
                                   memplan_error *error)
{
    const uint32_t most = topology->report_count;
    group *const groups = mpl_arena_alloc(machine->arena, most, sizeof *groups);
    machine->devices =
        mpl_arena_alloc(machine->arena, most, sizeof *machine->devices);
    if (groups == NULL || machine->devices == NULL)
        return mpl_fail_memory(error);
    uint32_t count = 0;
    memplan_status status =
        group_reports(machine->arena, topology, groups, &count, error);
    for (uint32_t at = 0; at < count && status == MEMPLAN_OK; at++)
        status =
            make_device(machine, &machine->devices[machine->device_count++],
                        &groups[at], error);
    return status;
}

/* Memory that host programs may use: not a device's, and not what keeps its
 * content without power, which is a disk to us. */
static bool is_host_memory(const mpl_numa_node *node)
{
    return node->is_allowed && node->kind != MPL_MEMORY_DEVICE &&
           node->kind != MPL_MEMORY_NVM;
}

/* The sum of a figure over the host's nodes; unknown unless all tell it. */
static void sum_nodes(memplan_machine *machine)
{
    uint64_t total = 0;
    uint64_t rate = 0;
    uint32_t sized = 0;
    uint32_t rated = 0;
    for (uint32_t at = 0; at < machine->node_count; at++) {
        const mpl_numa_node *const node = &machine->nodes[at];
        if (!is_host_memory(node) || node->total_bytes == MEMPLAN_UNKNOWN)
            continue;
        sized += mpl_add(&total, total, node->total_bytes);
        rated += node->read_bytes_per_second.value != MEMPLAN_UNKNOWN &&
                 mpl_add(&rate, rate, node->read_bytes_per_second.value);
    }
    if (sized > 0)
        machine->host.total_bytes = (mpl_figure){total, "hwloc"};
    if (sized > 0 && rated == sized)
        machine->host.read_bytes_per_second =
            (mpl_figure){rate, "hwloc memory attribute"};
}

static void sort_nodes(memplan_machine *machine)
{
    for (uint32_t at = 1; at < machine->node_count; at++) {
        const mpl_numa_node moved = machine->nodes[at];
        uint32_t place = at;
        for (; place > 0 && machine->nodes[place - 1].index > moved.index;
             place--)
            machine->nodes[place] = machine->nodes[place - 1];
        machine->nodes[place] = moved;
    }
}

void mpl_topology_take(memplan_machine *machine, const mpl_topology *topology)
{
    mpl_host *const host = &machine->host;
    machine->nodes = topology->nodes;
    machine->node_count = topology->node_count;
    host->cpu_model = topology->cpu_model;
    host->kinds = topology->kinds;
    host->kind_count = topology->kind_count;
    host->package_count = topology->package_count;
    host->core_count = topology->core_count;
    host->thread_count = topology->thread_count;
    sort_nodes(machine);
    sum_nodes(machine);
}

memplan_status mpl_topology_join(memplan_machine *machine,
                                 const mpl_topology *topology,
                                 memplan_error *error)
{
    const memplan_status status = join_devices(machine, topology, error);
    return status == MEMPLAN_OK ? mpl_devices_settle(machine, error) : status;
}
