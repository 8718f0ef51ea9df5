/* SPDX-License-Identifier: MIT */
/*
 * NVIDIA's GPUs by NVML. It reads what the driver keeps; no context is made
 * and no GPU is woken.
 *
 * Bandwidth is 2 transfers a clock * the bus's width: NVML's memory clock is
 * that of a double data rate on every kind of memory.
 */
#include <string.h>

#include "base/checked.h"
#include "machine/gpus.h"
#include "machine/link.h"
#include "machine/nvml.h"

enum { NVIDIA = 0x10de, MAX_GPUS = 256, MAX_SLICES = 16 };

/* A text of a call, in the arena; "" where the call fails; NULL: no memory. */
static const char *read_text(mpl_arena *arena, mpl_nvml_handle gpu,
                             int (*call)(mpl_nvml_handle, char *, unsigned))
{
    char text[NVML_TEXT_BYTES] = "";
    if (call == NULL || call(gpu, text, sizeof text) != NVML_SUCCESS)
        return "";
    text[sizeof text - 1] = '\0';
    return mpl_arena_strdup(arena, text);
}

const char *mpl_nvml_address(mpl_arena *arena, const mpl_nvml_pci *pci)
{
    return mpl_arena_format(arena, "%04x:%02x:%02x.0",
                            pci->domain & 0xffffffffU, pci->bus & 0xffU,
                            pci->device & 0x1fU);
}

static bool read_pci(const mpl_nvml *nvml, mpl_nvml_handle gpu,
                     mpl_arena *arena, mpl_report *report)
{
    mpl_nvml_pci pci;
    memset(&pci, 0, sizeof pci);
    if (nvml->pci == NULL || nvml->pci(gpu, &pci) != NVML_SUCCESS)
        return true;
    report->device_id = pci.device_and_vendor >> 16;
    report->pci = mpl_nvml_address(arena, &pci);
    return report->pci != NULL;
}

/* The second call tells what the driver keeps apart; the first counts that
 * as used. A GPU that has no memory of its own answers "not supported". */
static int read_memory(const mpl_nvml *nvml, mpl_nvml_handle gpu,
                       mpl_report *report)
{
    mpl_nvml_memory_2 second = {.version = NVML_MEMORY_2};
    mpl_nvml_memory first = {0};
    int result = NVML_NOT_SUPPORTED;
    if (nvml->memory_2 != NULL &&
        (result = nvml->memory_2(gpu, &second)) == NVML_SUCCESS) {
        report->total_bytes = second.total;
        report->free_bytes = second.free;
        report->reserved_bytes = second.reserved;
    } else if (nvml->memory != NULL &&
               (result = nvml->memory(gpu, &first)) == NVML_SUCCESS) {
        report->total_bytes = first.total;
        report->free_bytes = first.free;
    }
    return result;
}

static bool read_link(const mpl_nvml *nvml, mpl_nvml_handle gpu,
                      mpl_arena *arena, mpl_report *report)
{
    unsigned generation = 0;
    unsigned lanes = 0;
    if (nvml->generation == NULL || nvml->width == NULL ||
        nvml->generation(gpu, &generation) != NVML_SUCCESS ||
        nvml->width(gpu, &lanes) != NVML_SUCCESS)
        return true;
    report->link_bytes_per_second = mpl_link_pcie(generation, lanes);
    report->link = mpl_link_pcie_name(arena, generation, lanes);
    return report->link != NULL;
}

static void read_bandwidth(const mpl_nvml *nvml, mpl_nvml_handle gpu,
                           mpl_report *report)
{
    unsigned mega_hertz = 0;
    unsigned bits = 0;
    if (nvml->clock == NULL || nvml->bus_width == NULL ||
        nvml->clock(gpu, NVML_CLOCK_MEMORY, &mega_hertz) != NVML_SUCCESS ||
        nvml->bus_width(gpu, &bits) != NVML_SUCCESS || mega_hertz == 0 ||
        bits == 0 || mega_hertz > 1000000 || bits > 1000000)
        return;
    report->bandwidth_bytes_per_second =
        UINT64_C(2) * mega_hertz * UINT64_C(1000000) * bits / 8;
}

static void read_capability(const mpl_nvml *nvml, mpl_nvml_handle gpu,
                            mpl_report *report)
{
    int major = 0;
    int minor = 0;
    if (nvml->capability != NULL &&
        nvml->capability(gpu, &major, &minor) == NVML_SUCCESS && major > 0 &&
        major < 1000 && minor >= 0 && minor < 10)
        report->compute_capability = (uint32_t)(major * 10 + minor);
}

static bool read_names(const mpl_nvml *nvml, mpl_nvml_handle gpu,
                       mpl_arena *arena, mpl_report *report)
{
    report->name = read_text(arena, gpu, nvml->name);
    report->uuid = read_text(arena, gpu, nvml->uuid);
    return report->name != NULL && report->uuid != NULL;
}

/* The numbers in the older names of slices: "MIG-GPU-<uuid>/1/0". */
static void read_instances(const mpl_nvml *nvml, mpl_nvml_handle slice,
                           mpl_report *report)
{
    unsigned instance = 0;
    if (nvml->gpu_instance != NULL &&
        nvml->gpu_instance(slice, &instance) == NVML_SUCCESS)
        report->gpu_instance = instance;
    if (nvml->compute_instance != NULL &&
        nvml->compute_instance(slice, &instance) == NVML_SUCCESS)
        report->compute_instance = instance;
}

/* The slices of a GPU that MIG divides: devices of their own, and the GPU
 * itself is none then. */
static bool read_slices(const mpl_nvml *nvml, mpl_nvml_handle gpu,
                        mpl_topology *to, uint32_t parent)
{
    unsigned mode = 0;
    unsigned pending = 0;
    unsigned most = 0;
    if (nvml->mig_mode == NULL || nvml->mig_count == NULL ||
        nvml->mig_handle == NULL ||
        nvml->mig_mode(gpu, &mode, &pending) != NVML_SUCCESS || mode == 0 ||
        nvml->mig_count(gpu, &most) != NVML_SUCCESS)
        return true;
    to->reports[parent].is_divided = true;
    for (unsigned at = 0; at < most && at < MAX_SLICES; at++) {
        mpl_nvml_handle slice = NULL;
        if (nvml->mig_handle(gpu, at, &slice) != NVML_SUCCESS)
            continue;
        mpl_report *const report = mpl_topology_add_report(to, "nvml");
        if (report == NULL || !read_names(nvml, slice, to->arena, report))
            return false;
        const mpl_report *const whole = &to->reports[parent];
        (void)read_memory(nvml, slice, report);
        read_instances(nvml, slice, report);
        report->parent_uuid = whole->uuid;
        report->pci = whole->pci;
        report->vendor_id = NVIDIA;
        report->device_id = whole->device_id;
        report->compute_capability = whole->compute_capability;
        report->link = whole->link;
        report->link_bytes_per_second = whole->link_bytes_per_second;
        report->order = whole->order;
        report->slice = at;
    }
    return true;
}

static bool read_gpu(const mpl_nvml *nvml, unsigned index, mpl_topology *to)
{
    mpl_nvml_handle gpu = NULL;
    const int found = nvml->handle(index, &gpu);
    if (found != NVML_SUCCESS && found != NVML_GPU_IS_LOST)
        return true;
    const uint32_t place = to->report_count;
    mpl_report *const report = mpl_topology_add_report(to, "nvml");
    if (report == NULL)
        return false;
    report->vendor_id = NVIDIA;
    report->order = index;
    report->is_gone = found == NVML_GPU_IS_LOST;
    if (report->is_gone) {
        report->name = "NVIDIA GPU";
        return true;
    }
    if (!read_names(nvml, gpu, to->arena, report) ||
        !read_pci(nvml, gpu, to->arena, report) ||
        !read_link(nvml, gpu, to->arena, report))
        return false;
    const int result = read_memory(nvml, gpu, report);
    report->is_gone = result == NVML_GPU_IS_LOST;
    report->is_integrated = result == NVML_NOT_SUPPORTED;
    read_bandwidth(nvml, gpu, report);
    read_capability(nvml, gpu, report);
    return mpl_gpu_read_nvlinks(nvml, gpu, to, place) &&
           read_slices(nvml, gpu, to, place);
}

/* PCI shows a GPU that NVML should tell of. */
static bool has_gpu(const mpl_topology *topology)
{
    for (uint32_t at = 0; at < topology->report_count; at++)
        if (topology->reports[at].vendor_id == NVIDIA)
            return true;
    return false;
}

static bool is_claimed(const mpl_topology *topology, const char *pci)
{
    for (uint32_t at = 0; at < topology->report_count; at++)
        if (strcmp(topology->reports[at].source, "nvml") == 0 &&
            strcmp(topology->reports[at].pci, pci) == 0)
            return true;
    return false;
}

/* A lost GPU does not tell where it is; PCI may still show it, as the one
 * that no other claims. */
static void place_lost(mpl_topology *topology)
{
    for (uint32_t at = 0; at < topology->report_count; at++) {
        mpl_report *const lost = &topology->reports[at];
        if (!lost->is_gone || lost->pci[0] != '\0')
            continue;
        for (uint32_t other = 0; other < topology->report_count; other++) {
            const mpl_report *const seen = &topology->reports[other];
            if (seen->vendor_id == NVIDIA && seen->pci[0] != '\0' &&
                !is_claimed(topology, seen->pci)) {
                lost->pci = seen->pci;
                break;
            }
        }
    }
}

bool mpl_gpu_read_nvidia(memplan_machine *machine, mpl_topology *to,
                         const char *path)
{
    mpl_nvml nvml;
    const char *reason;
    const bool is_expected = has_gpu(to);
    if (path != NULL && path[0] == '\0')
        return true;
    if (!mpl_nvml_open(&nvml, path, &reason)) {
        if (reason == NULL && is_expected)
            reason = "there is no NVML library; what is free on the NVIDIA "
                     "GPUs is not known";
        return reason == NULL || mpl_machine_add_note(machine, "%s", reason);
    }
    unsigned count = 0;
    bool is_kept = true;
    if (nvml.count(&count) != NVML_SUCCESS)
        is_kept = mpl_machine_add_note(machine,
                                       "NVML does not say how many GPUs "
                                       "there are");
    for (unsigned at = 0; is_kept && at < count && at < MAX_GPUS; at++)
        is_kept = read_gpu(&nvml, at, to);
    mpl_nvml_close(&nvml);
    place_lost(to);
    return is_kept;
}
