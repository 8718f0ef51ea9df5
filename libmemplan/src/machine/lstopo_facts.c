/* SPDX-License-Identifier: MIT */
/* What an lstopo XML says of objects: infos, kinds of cores, attributes of
 * memories. */
#include <string.h>

#include "base/checked.h"
#include "base/failure.h"
#include "machine/lstopo.h"

/* An info of a NUMA node: its kind in format 1, or the GPU whose memory it
 * is. */
static memplan_status read_node_info(mpl_lstopo *from, uint32_t position,
                                     const char *name, const char *value,
                                     memplan_error *error)
{
    mpl_numa_node *const node = &from->topology->nodes[position];
    if (strcmp(name, "Type") == 0)
        node->kind = mpl_node_kind(value);
    if (strcmp(name, "PCIBusID") != 0 || node->kind != MPL_MEMORY_DEVICE)
        return MEMPLAN_OK;
    if (from->topology->report_count == MPL_LSTOPO_MAX_REPORTS)
        return mpl_fail(error, MEMPLAN_E_TOO_LARGE, from->xml.at,
                        "XML: more than %d GPUs", MPL_LSTOPO_MAX_REPORTS);
    mpl_report *const report =
        mpl_topology_add_report(from->topology, "numa node");
    if (report == NULL)
        return mpl_fail_memory(error);
    report->pci = mpl_arena_strdup(from->topology->arena, value);
    report->vendor_id = 0x10de; /* no other driver shows its memory so */
    report->total_bytes = node->total_bytes;
    return report->pci != NULL ? MEMPLAN_OK : mpl_fail_memory(error);
}

static bool read_machine_info(mpl_topology *topology, const char *name,
                              const char *value)
{
    if (strcmp(name, "CPUModel") == 0 && topology->cpu_model[0] == '\0')
        topology->cpu_model = mpl_text_trimmed(topology->arena, value);
    else if (strcmp(name, "DMIProductName") == 0)
        topology->product = mpl_arena_strdup(topology->arena, value);
    else if (strcmp(name, "OSName") == 0)
        topology->system = mpl_arena_strdup(topology->arena, value);
    return topology->cpu_model != NULL && topology->product != NULL &&
           topology->system != NULL;
}

/* An info of a kind of cores: its name, or how fast it is. */
static bool read_kind_info(mpl_lstopo *from, const char *name,
                           const char *value)
{
    const uint32_t last = from->kind_count - 1;
    if (strcmp(name, "CoreType") == 0) {
        from->kind_names[last] = mpl_arena_strdup(from->topology->arena, value);
        if (from->kind_speeds[last] == 0 && strcmp(value, "IntelCore") == 0)
            from->kind_speeds[last] = 1; /* above IntelAtom */
    }
    if (strcmp(name, "FrequencyMaxMHz") == 0 ||
        strcmp(name, "LinuxCapacity") == 0)
        (void)mpl_xml_number(&from->xml, "value", &from->kind_speeds[last]);
    return from->kind_names[last] != NULL;
}

memplan_status mpl_lstopo_info(mpl_lstopo *from, memplan_error *error)
{
    char name[64];
    char value[TEXT_BYTES];
    if (from->depth == 0 ||
        !mpl_xml_attribute(&from->xml, "name", name, sizeof name) ||
        !mpl_xml_attribute(&from->xml, "value", value, sizeof value))
        return MEMPLAN_OK;
    const mpl_lstopo_frame *const owner = &from->frames[from->depth - 1];
    bool is_kept = true;
    if (owner->is_kind)
        is_kept = read_kind_info(from, name, value);
    else if (owner->type == MPL_LSTOPO_NUMA_NODE)
        return read_node_info(from, owner->node, name, value, error);
    else if (owner->type == MPL_LSTOPO_PACKAGE ||
             owner->type == MPL_LSTOPO_MACHINE || from->depth == 1)
        is_kept = read_machine_info(from->topology, name, value);
    else if (owner->report != UINT32_MAX &&
             (owner->type == MPL_LSTOPO_PCI_DEVICE || owner->is_backend))
        is_kept = mpl_report_fact(from->topology->arena,
                                  &from->topology->reports[owner->report], name,
                                  value);
    return is_kept ? MEMPLAN_OK : mpl_fail_memory(error);
}

memplan_status mpl_lstopo_kind(mpl_lstopo *from, mpl_lstopo_frame *made,
                               memplan_error *error)
{
    char text[MPL_BITMAP_TEXT_BYTES];
    if (from->kind_count == MPL_LSTOPO_MAX_KINDS)
        return mpl_fail(error, MEMPLAN_E_TOO_LARGE, from->xml.at,
                        "XML: more than %d kinds of cores",
                        MPL_LSTOPO_MAX_KINDS);
    from->kind_names[from->kind_count] = "";
    if (mpl_xml_attribute(&from->xml, "cpuset", text, sizeof text) &&
        mpl_bitmap_read(&from->kind_cpus[from->kind_count], text)) {
        made->is_kind = true;
        from->kind_count++;
    }
    return MEMPLAN_OK;
}

void mpl_lstopo_attribute_name(mpl_lstopo *from)
{
    static const struct {
        const char *name;
        mpl_lstopo_attribute attribute;
        bool is_of_reading;
    } ATTRIBUTES[] = {{"ReadBandwidth", MPL_LSTOPO_BANDWIDTH, true},
                      {"Bandwidth", MPL_LSTOPO_BANDWIDTH, false},
                      {"ReadLatency", MPL_LSTOPO_LATENCY, true},
                      {"Latency", MPL_LSTOPO_LATENCY, false}};
    char name[64];
    from->attribute = MPL_LSTOPO_NO_ATTRIBUTE;
    if (!mpl_xml_attribute(&from->xml, "name", name, sizeof name))
        return;
    for (size_t at = 0; at < sizeof ATTRIBUTES / sizeof *ATTRIBUTES; at++)
        if (strcmp(ATTRIBUTES[at].name, name) == 0) {
            from->attribute = ATTRIBUTES[at].attribute;
            from->is_of_reading = ATTRIBUTES[at].is_of_reading;
        }
}

/* Whether a value is worth more than what is known: the first one is, one of
 * reading, and else the better. `of_reading` are nodes of which one is. */
static bool is_wanted(const mpl_lstopo *from, mpl_bitmap *of_reading,
                      uint32_t node, bool is_first, bool is_better)
{
    const bool has_read = mpl_bitmap_has(of_reading, node);
    if (!from->is_of_reading)
        return !has_read && (is_first || is_better);
    of_reading->words[node / 32] |= UINT32_C(1) << (node % 32);
    return !has_read || is_better;
}

/* Bandwidths are in MiB/s and latencies in ns. Where several initiators are
 * named, the nearest one counts: the highest rate, the lowest delay. */
static void take_attribute(mpl_lstopo *from, uint32_t at, uint64_t value)
{
    static const char SOURCE[] = "hwloc memory attribute";
    mpl_numa_node *const node = &from->topology->nodes[at];
    mpl_figure *const rate = &node->read_bytes_per_second;
    mpl_figure *const delay = &node->latency_ns;
    uint64_t bytes;
    if (from->attribute == MPL_LSTOPO_LATENCY) {
        if (is_wanted(from, &from->read_delays, at, false,
                      value < delay->value)) /* unknown is the largest */
            *delay = (mpl_figure){value, SOURCE};
    } else if (mpl_mul(&bytes, value, UINT64_C(1) << 20) &&
               is_wanted(from, &from->read_rates, at,
                         rate->value == MEMPLAN_UNKNOWN, bytes > rate->value)) {
        *rate = (mpl_figure){bytes, SOURCE};
    }
}

void mpl_lstopo_attribute_value(mpl_lstopo *from)
{
    uint64_t gp;
    uint64_t value;
    if (from->attribute == MPL_LSTOPO_NO_ATTRIBUTE ||
        !mpl_xml_number(&from->xml, "target_obj_gp_index", &gp) ||
        !mpl_xml_number(&from->xml, "value", &value) || value == 0)
        return;
    for (uint32_t at = 0; at < from->topology->node_count; at++)
        if (from->gp_indexes[at] == gp)
            take_attribute(from, at, value);
}

/* Kinds of cores matter where there are several; the slowest is number 0. */
bool mpl_lstopo_finish_kinds(mpl_lstopo *from)
{
    mpl_topology *const topology = from->topology;
    if (from->kind_count < 2)
        return true;
    topology->kinds = mpl_arena_alloc(topology->arena, from->kind_count,
                                      sizeof *topology->kinds);
    if (topology->kinds == NULL)
        return false;
    for (uint32_t at = 0; at < from->kind_count; at++) {
        mpl_bitmap cores = from->kind_cpus[at];
        for (uint32_t word = 0; word < MPL_BITMAP_BITS / 32; word++)
            cores.words[word] &= from->core_firsts.words[word];
        uint32_t rank = 0;
        for (uint32_t other = 0; other < from->kind_count; other++)
            rank += from->kind_speeds[other] < from->kind_speeds[at];
        topology->kinds[topology->kind_count++] = (mpl_cpu_kind){
            .core_count = mpl_bitmap_count(&cores),
            .thread_count = mpl_bitmap_count(&from->kind_cpus[at]),
            .efficiency = rank,
            .name = from->kind_names[at]};
    }
    return true;
}
