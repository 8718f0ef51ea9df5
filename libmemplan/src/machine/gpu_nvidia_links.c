/* SPDX-License-Identifier: MIT */
/*
 * NVLinks by NVML: each active link of a GPU goes to another GPU, to a switch,
 * or to a POWER processor, and is then the GPU's link to the host.
 *
 * A link's rate is its version's; where the driver tells less than that, the
 * link runs below it. The driver's figure counts what the line's encoding
 * takes, so it is never taken as more.
 */
#include <string.h>

#include "base/checked.h"
#include "machine/gpus.h"
#include "machine/link.h"

enum { IBM = 0x1014 };

static uint64_t told_rate(const mpl_nvml *nvml, mpl_nvml_handle gpu)
{
    mpl_nvml_field field;
    memset(&field, 0, sizeof field);
    field.id = NVML_FIELD_LINK_MEGABYTES;
    return nvml->fields != NULL &&
                   nvml->fields(gpu, 1, &field) == NVML_SUCCESS &&
                   field.result == NVML_SUCCESS &&
                   field.value_type == NVML_VALUE_UNSIGNED &&
                   field.value.number > 0
               ? field.value.number * UINT64_C(1000000)
               : MEMPLAN_UNKNOWN;
}

static bool is_active(const mpl_nvml *nvml, mpl_nvml_handle gpu, unsigned link,
                      bool *out_is_last)
{
    unsigned state = 0;
    const int result = nvml->link_state(gpu, link, &state);
    *out_is_last = result != NVML_SUCCESS;
    return result == NVML_SUCCESS && state == NVML_ENABLED;
}

/* Where a link goes: an address, or "" for a switch that has none to us. */
static bool read_end(const mpl_nvml *nvml, mpl_nvml_handle gpu, unsigned link,
                     mpl_arena *arena, unsigned *out_type, const char **out)
{
    enum { NOT_TOLD = 255 };
    mpl_nvml_pci pci;
    memset(&pci, 0, sizeof pci);
    *out = "";
    *out_type = NOT_TOLD;
    if (nvml->link_end_type != NULL &&
        nvml->link_end_type(gpu, link, out_type) != NVML_SUCCESS)
        *out_type = NOT_TOLD;
    if (*out_type == NVML_END_SWITCH || nvml->link_end == NULL ||
        nvml->link_end(gpu, link, &pci) != NVML_SUCCESS)
        return true;
    if ((pci.device_and_vendor & 0xffffU) == IBM)
        *out_type = NVML_END_NPU;
    *out = mpl_nvml_address(arena, &pci);
    return *out != NULL;
}

/* NVLinks to the processor stand in for the PCI link. */
static bool take_host_links(mpl_topology *to, uint32_t position,
                            const mpl_joint *one, uint32_t lanes)
{
    mpl_report *const report = &to->reports[position];
    uint64_t rate;
    if (lanes == 0 || one->bytes_per_second == MEMPLAN_UNKNOWN ||
        !mpl_mul(&rate, one->bytes_per_second, lanes))
        return true;
    report->link_bytes_per_second = rate;
    report->link = mpl_arena_format(to->arena, "%s x%u", one->name, lanes);
    return report->link != NULL;
}

bool mpl_gpu_read_nvlinks(const mpl_nvml *nvml, mpl_nvml_handle gpu,
                          mpl_topology *to, uint32_t position)
{
    mpl_joint one = {.source = "nvml",
                     .from = to->reports[position].pci,
                     .bytes_per_second = MEMPLAN_UNKNOWN,
                     .lanes = 1};
    uint32_t host_lanes = 0;
    bool is_last = nvml->link_state == NULL || one.from[0] == '\0';
    for (unsigned link = 0; !is_last && link < NVML_MAX_LINKS; link++) {
        unsigned type;
        unsigned version = 0;
        if (!is_active(nvml, gpu, link, &is_last))
            continue;
        if (one.name == NULL) { /* all links of a GPU are of one version */
            if (nvml->link_version != NULL)
                (void)nvml->link_version(gpu, link, &version);
            one.name = mpl_link_nvlink_name(version);
            one.bytes_per_second =
                mpl_min(mpl_link_nvlink(version), told_rate(nvml, gpu));
        }
        if (!read_end(nvml, gpu, link, to->arena, &type, &one.to))
            return false;
        host_lanes += type == NVML_END_NPU;
        one.is_to_switch = type == NVML_END_SWITCH;
        if (type != NVML_END_NPU && (one.is_to_switch || one.to[0] != '\0') &&
            !mpl_topology_add_joint(to, one))
            return false;
    }
    return take_host_links(to, position, &one, host_lanes);
}
