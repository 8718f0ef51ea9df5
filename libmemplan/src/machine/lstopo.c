/* SPDX-License-Identifier: MIT */
/*
 * A topology that lstopo recorded, formats 1 to 3:
 *
 *     <topology version="2.0">
 *       <object type="Machine" ... > <info name= value= /> <object ...> ...
 *       <memattr name="ReadBandwidth"> <memattr_value ... /> </memattr>
 *       <cpukind cpuset= > ... </cpukind>
 *
 * Objects nest. A PCIDev may hold the OSDev of several programming interfaces;
 * each becomes a report with the PCIDev's address. In format 1 an object's
 * subtype is an info named "Type", and a machine without NUMA has its memory
 * on the Machine itself. In format 3 the infos of the whole, such as the
 * system's name, stand beside the objects and not in the Machine.
 */
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/failure.h"
#include "machine/link.h"
#include "machine/lstopo.h"

static memplan_status too_many(const mpl_lstopo *from, int most,
                               const char *what, memplan_error *error)
{
    return mpl_fail(error, MEMPLAN_E_TOO_LARGE, from->xml.at,
                    "XML: more than %d %s", most, what);
}

static mpl_lstopo_type read_type(const mpl_lstopo *from)
{
    static const struct {
        const char *name;
        mpl_lstopo_type type;
    } TYPES[] = {{"Machine", MPL_LSTOPO_MACHINE},
                 {"Package", MPL_LSTOPO_PACKAGE},
                 {"Socket", MPL_LSTOPO_PACKAGE},
                 {"Core", MPL_LSTOPO_CORE},
                 {"PU", MPL_LSTOPO_PU},
                 {"NUMANode", MPL_LSTOPO_NUMA_NODE},
                 {"PCIDev", MPL_LSTOPO_PCI_DEVICE},
                 {"OSDev", MPL_LSTOPO_OS_DEVICE},
                 {"MemCache", MPL_LSTOPO_MEMORY_CACHE}};
    char name[32];
    if (mpl_xml_attribute(&from->xml, "type", name, sizeof name))
        for (size_t at = 0; at < sizeof TYPES / sizeof *TYPES; at++)
            if (strcmp(TYPES[at].name, name) == 0)
                return TYPES[at].type;
    return MPL_LSTOPO_OTHER;
}

static uint32_t read_index(const mpl_lstopo *from)
{
    uint64_t index;
    return mpl_xml_number(&from->xml, "os_index", &index) &&
                   index < MPL_BITMAP_BITS
               ? (uint32_t)index
               : UINT32_MAX;
}

/* Several nodes beside one object's processors: none of them is nearest. */
#define SEVERAL_NODES (UINT32_MAX - 1)

/* In format 2 a node stands beside the processors that it is near to, inside
 * the object that holds both (and inside a memory-side cache, if any). */
static void place_node(mpl_lstopo *from, const mpl_numa_node *node)
{
    uint32_t at = from->depth;
    while (at > 0 && from->frames[at - 1].type == MPL_LSTOPO_MEMORY_CACHE)
        at--;
    if (at == 0 || node->kind == MPL_MEMORY_DEVICE)
        return;
    mpl_lstopo_frame *const owner = &from->frames[at - 1];
    owner->near_node =
        owner->near_node == UINT32_MAX ? node->index : SEVERAL_NODES;
}

/* The node that an object is near to, or UINT32_MAX. In format 1 a node is
 * around its processors. */
static uint32_t near_node(const mpl_lstopo *from)
{
    for (uint32_t at = from->depth; at-- > 0;) {
        const mpl_lstopo_frame *const around = &from->frames[at];
        if (around->near_node == SEVERAL_NODES)
            break;
        if (around->near_node != UINT32_MAX)
            return around->near_node;
        if (around->node != UINT32_MAX)
            return from->topology->nodes[around->node].index;
    }
    return UINT32_MAX;
}

static memplan_status open_node(mpl_lstopo *from, mpl_lstopo_frame *made,
                                memplan_error *error)
{
    mpl_topology *const topology = from->topology;
    if (topology->node_count == MPL_LSTOPO_MAX_NODES)
        return too_many(from, MPL_LSTOPO_MAX_NODES, "NUMA nodes", error);
    const uint32_t index = read_index(from);
    uint64_t *const gp =
        mpl_arena_grow(topology->arena, from->gp_indexes, topology->node_count,
                       &from->gp_capacity, sizeof *gp);
    if (gp == NULL)
        return mpl_fail_memory(error);
    from->gp_indexes = gp;
    gp[topology->node_count] = MEMPLAN_UNKNOWN;
    (void)mpl_xml_number(&from->xml, "gp_index", &gp[topology->node_count]);
    made->node = topology->node_count;
    mpl_numa_node *const node = mpl_topology_add_node(
        topology, index != UINT32_MAX ? index : topology->node_count);
    if (node == NULL)
        return mpl_fail_memory(error);
    uint64_t bytes;
    if (mpl_xml_number(&from->xml, "local_memory", &bytes) && bytes > 0)
        node->total_bytes = bytes;
    node->is_allowed = !from->has_allowed_nodes ||
                       mpl_bitmap_has(&from->allowed_nodes, node->index);
    char subtype[32];
    if (mpl_xml_attribute(&from->xml, "subtype", subtype, sizeof subtype))
        node->kind = mpl_node_kind(subtype);
    place_node(from, node);
    return MEMPLAN_OK;
}

/* An NVSwitch: hwloc says so even where PCI no longer answers; to PCI it is
 * a bridge of NVIDIA's. */
static bool is_switch(const mpl_lstopo *from, unsigned class_id,
                      unsigned vendor_id)
{
    enum { BRIDGE = 0x06, NVIDIA = 0x10de };
    char subtype[16] = "";
    (void)mpl_xml_attribute(&from->xml, "subtype", subtype, sizeof subtype);
    return strcmp(subtype, "NVSwitch") == 0 ||
           (class_id >> 8 == BRIDGE && vendor_id == NVIDIA);
}

/* "0302 [10de:1eb8] [10de:12a2] a1": class, vendor and device. */
static memplan_status open_pci(mpl_lstopo *from, mpl_lstopo_frame *made,
                               memplan_error *error)
{
    char type[64];
    char address[32];
    unsigned class_id = 0;
    unsigned vendor_id = 0;
    unsigned device_id = 0;
    if (!mpl_xml_attribute(&from->xml, "pci_type", type, sizeof type) ||
        !mpl_xml_attribute(&from->xml, "pci_busid", address, sizeof address) ||
        sscanf(type, "%4x [%4x:%4x]", &class_id, &vendor_id, &device_id) != 3)
        return MEMPLAN_OK;
    if (is_switch(from, class_id, vendor_id)) {
        const char *const pci =
            mpl_arena_strdup(from->topology->arena, address);
        return pci != NULL && mpl_lstopo_add_end(from, UINT32_MAX, pci)
                   ? MEMPLAN_OK
                   : mpl_fail_memory(error);
    }
    if (!mpl_pci_is_gpu(class_id, vendor_id))
        return MEMPLAN_OK;
    if (from->topology->report_count == MPL_LSTOPO_MAX_REPORTS)
        return too_many(from, MPL_LSTOPO_MAX_REPORTS, "GPUs", error);
    const uint32_t numa_index = near_node(from);
    made->report = from->topology->report_count;
    mpl_report *const report = mpl_topology_add_report(from->topology, "pci");
    if (report == NULL)
        return mpl_fail_memory(error);
    report->pci = mpl_arena_strdup(from->topology->arena, address);
    report->vendor_id = vendor_id;
    report->device_id = device_id;
    report->numa_index = numa_index;
    char rate[32];
    if (mpl_xml_attribute(&from->xml, "pci_link_speed", rate, sizeof rate))
        report->link_bytes_per_second = mpl_link_rate_read(rate);
    if (report->pci == NULL ||
        !mpl_lstopo_add_end(from, made->report, report->pci))
        return mpl_fail_memory(error);
    report->is_integrated = mpl_pci_is_integrated(report);
    return MEMPLAN_OK;
}

/* "cuda3", "opencl0d3": the interface, and its number. */
static const char *read_backend(const char *name, uint32_t *out_order)
{
    static const char *const BACKENDS[] = {"cuda", "nvml", "rsmi", "opencl",
                                           "ze"};
    for (size_t at = 0; at < sizeof BACKENDS / sizeof *BACKENDS; at++) {
        const size_t length = strlen(BACKENDS[at]);
        unsigned first = 0;
        unsigned second = 0;
        if (strncmp(name, BACKENDS[at], length) != 0)
            continue;
        const int count = sscanf(name + length, "%5ud%5u", &first, &second);
        *out_order = count == 2   ? first * 1000 + second
                     : count == 1 ? first
                                  : UINT32_MAX;
        if (count >= 1)
            return BACKENDS[at];
    }
    return NULL;
}

static memplan_status open_os_device(mpl_lstopo *from, mpl_lstopo_frame *made,
                                     memplan_error *error)
{
    char name[64];
    uint32_t order = UINT32_MAX;
    if (!mpl_xml_attribute(&from->xml, "name", name, sizeof name))
        return MEMPLAN_OK;
    const char *const backend = read_backend(name, &order);
    if (backend == NULL)
        return MEMPLAN_OK;
    /* Inside a PCIDev that is no GPU it is no GPU: OpenCL on a processor. */
    const mpl_lstopo_frame *const parent =
        from->depth > 0 ? &from->frames[from->depth - 1] : NULL;
    if (parent != NULL && parent->type == MPL_LSTOPO_PCI_DEVICE &&
        parent->report == UINT32_MAX)
        return MEMPLAN_OK;
    if (from->topology->report_count == MPL_LSTOPO_MAX_REPORTS)
        return too_many(from, MPL_LSTOPO_MAX_REPORTS, "GPUs", error);
    const uint32_t numa_index = near_node(from);
    made->is_backend = true;
    made->report = from->topology->report_count;
    mpl_report *const report = mpl_topology_add_report(from->topology, backend);
    if (report == NULL)
        return mpl_fail_memory(error);
    report->order = order;
    report->numa_index = numa_index;
    if (parent != NULL && parent->type == MPL_LSTOPO_PCI_DEVICE) {
        const mpl_report *const pci = &from->topology->reports[parent->report];
        report->pci = pci->pci;
        report->vendor_id = pci->vendor_id;
        report->device_id = pci->device_id;
    }
    return mpl_lstopo_add_end(from, made->report, report->pci)
               ? MEMPLAN_OK
               : mpl_fail_memory(error);
}

static void read_allowed(mpl_lstopo *from)
{
    char text[MPL_BITMAP_TEXT_BYTES];
    if (mpl_xml_attribute(&from->xml, "allowed_cpuset", text, sizeof text))
        from->has_allowed_cpus = mpl_bitmap_read(&from->allowed_cpus, text);
    if (mpl_xml_attribute(&from->xml, "allowed_nodeset", text, sizeof text))
        from->has_allowed_nodes = mpl_bitmap_read(&from->allowed_nodes, text);
    (void)mpl_xml_number(&from->xml, "local_memory",
                         &from->machine_memory_bytes);
}

/* Remembers a core by its first thread. */
static void note_core(mpl_lstopo *from)
{
    char text[MPL_BITMAP_TEXT_BYTES];
    mpl_bitmap cpus;
    if (!mpl_xml_attribute(&from->xml, "cpuset", text, sizeof text) ||
        !mpl_bitmap_read(&cpus, text))
        return;
    for (uint32_t bit = 0; bit < MPL_BITMAP_BITS; bit++)
        if (mpl_bitmap_has(&cpus, bit)) {
            from->core_firsts.words[bit / 32] |= UINT32_C(1) << (bit % 32);
            return;
        }
}

static memplan_status open_object(mpl_lstopo *from, mpl_lstopo_frame *made,
                                  memplan_error *error)
{
    mpl_topology *const topology = from->topology;
    made->type = read_type(from);
    switch (made->type) {
    case MPL_LSTOPO_MACHINE:
        read_allowed(from);
        return MEMPLAN_OK;
    case MPL_LSTOPO_PACKAGE:
        topology->package_count++;
        return MEMPLAN_OK;
    case MPL_LSTOPO_CORE:
        topology->core_count++;
        note_core(from);
        return MEMPLAN_OK;
    case MPL_LSTOPO_PU:
        topology->all_thread_count++;
        topology->thread_count +=
            !from->has_allowed_cpus ||
            mpl_bitmap_has(&from->allowed_cpus, read_index(from));
        return MEMPLAN_OK;
    case MPL_LSTOPO_NUMA_NODE:
        return open_node(from, made, error);
    case MPL_LSTOPO_PCI_DEVICE:
        return open_pci(from, made, error);
    case MPL_LSTOPO_OS_DEVICE:
        return open_os_device(from, made, error);
    case MPL_LSTOPO_MEMORY_CACHE:
    case MPL_LSTOPO_OTHER:
        break;
    }
    return MEMPLAN_OK;
}

/* Formats have a major number; format 1 names none. */
static memplan_status check_version(const mpl_lstopo *from,
                                    memplan_error *error)
{
    char version[32] = "1.0";
    if (strcmp(from->xml.name, "topology") != 0)
        return mpl_fail(error, MEMPLAN_E_CORRUPT, 0,
                        "XML: outermost element \"%s\": not a topology",
                        from->xml.name);
    (void)mpl_xml_attribute(&from->xml, "version", version, sizeof version);
    if (version[0] < '1' || version[0] > '3' || version[1] != '.')
        return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, from->xml.attributes.at,
                        "XML: topology format \"%.20s\": formats 1 to 3 are "
                        "read; lstopo writes an older one with "
                        "--export-xml-flags v2",
                        version);
    return MEMPLAN_OK;
}

static memplan_status open_element(mpl_lstopo *from, memplan_error *error)
{
    mpl_lstopo_frame made = {
        .node = UINT32_MAX, .near_node = UINT32_MAX, .report = UINT32_MAX};
    const char *const name = from->xml.name;
    memplan_status status = MEMPLAN_OK;
    if (from->depth == 0)
        status = check_version(from, error);
    else if (strcmp(name, "object") == 0)
        status = open_object(from, &made, error);
    else if (strcmp(name, "info") == 0)
        status = mpl_lstopo_info(from, error);
    else if (strcmp(name, "cpukind") == 0)
        status = mpl_lstopo_kind(from, &made, error);
    else if (strcmp(name, "memattr") == 0)
        mpl_lstopo_attribute_name(from);
    else if (strcmp(name, "memattr_value") == 0)
        mpl_lstopo_attribute_value(from);
    else
        mpl_lstopo_matrix_open(from, &made);
    from->frames[from->depth++] = made;
    return status;
}

static memplan_status close_element(mpl_lstopo *from, memplan_error *error)
{
    const mpl_lstopo_part part = from->frames[--from->depth].part;
    return mpl_lstopo_matrix_close(from, part, error);
}

static memplan_status finish(mpl_lstopo *from, memplan_error *error)
{
    mpl_topology *const topology = from->topology;
    if (topology->all_thread_count == 0)
        return mpl_fail(
            error, MEMPLAN_E_CORRUPT, 0,
            "XML: a topology without any processor (PU)");
    if (topology->node_count == 0 && from->machine_memory_bytes > 0) {
        mpl_numa_node *const node = mpl_topology_add_node(topology, 0);
        if (node == NULL)
            return mpl_fail_memory(error);
        node->total_bytes = from->machine_memory_bytes;
    }
    return mpl_lstopo_finish_kinds(from) ? MEMPLAN_OK : mpl_fail_memory(error);
}

memplan_status mpl_topology_read_xml(mpl_topology *topology, const char *text,
                                     uint64_t size, memplan_error *error)
{
    mpl_lstopo *const from = mpl_arena_alloc(topology->arena, 1, sizeof *from);
    if (from == NULL)
        return mpl_fail_memory(error);
    from->topology = topology;
    mpl_xml_begin(&from->xml, text, size);
    for (;;) {
        mpl_xml_event event;
        memplan_status status = mpl_xml_next(&from->xml, &event, error);
        if (status != MEMPLAN_OK)
            return status;
        if (event == MPL_XML_END)
            return finish(from, error);
        status = event == MPL_XML_CLOSE ? close_element(from, error)
                                        : open_element(from, error);
        if (status != MEMPLAN_OK)
            return status;
    }
}
