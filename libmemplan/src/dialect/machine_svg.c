/* SPDX-License-Identifier: MIT */
/* A machine as a picture: what is in use of each memory. */
#include <stdio.h>

#include "base/checked.h"
#include "dialect/dialect.h"
#include "dialect/svg.h"
#include "machine/machine.h"

static void add_name(mpl_svg *svg, const char *name)
{
    if (name[0] == '\0')
        return;
    mpl_svg_text(svg, MPL_SVG_MARGIN + MPL_SVG_LABEL_WIDTH, svg->y + 8,
                 MPL_SVG_START, MPL_INK_FAINT, false, name);
    svg->y += 16;
}

static void add_memory(mpl_svg *svg, const char *label, const char *name,
                       uint64_t free_bytes, uint64_t total_bytes)
{
    const bool is_known =
        free_bytes != MEMPLAN_UNKNOWN && total_bytes != MEMPLAN_UNKNOWN;
    const uint64_t whole =
        total_bytes != MEMPLAN_UNKNOWN ? total_bytes : free_bytes;
    const mpl_svg_slice used = {
        MPL_INK_USED, is_known ? mpl_sub_floor(total_bytes, free_bytes) : 0,
        "in use"};
    char amount[32];
    char line[80];
    (void)memplan_bytes_format(amount, sizeof amount,
                               is_known ? free_bytes : whole);
    int length = snprintf(line, sizeof line, "%s", amount);
    if (is_known) {
        (void)memplan_bytes_format(amount, sizeof amount, total_bytes);
        (void)snprintf(line + length, sizeof line - (size_t)length,
                       " free of %s", amount);
    }
    const mpl_svg_bar bar = {.label = label,
                             .amount = line,
                             .slices = &used,
                             .slice_count = 1,
                             .label_width = MPL_SVG_LABEL_WIDTH,
                             .whole = whole,
                             .limit_bytes = MEMPLAN_UNKNOWN};
    mpl_svg_row(svg, &bar);
    add_name(svg, name);
}

/* What a device has of the host's memory: of the same whole, so that nobody
 * takes it for more. */
static void add_share(mpl_svg *svg, const char *label, const mpl_device *device,
                      uint64_t host_bytes)
{
    const uint64_t most = device->free_bytes.value != MEMPLAN_UNKNOWN
                              ? device->free_bytes.value
                              : device->total_bytes.value;
    const mpl_svg_slice others = {MPL_INK_USED, mpl_sub_floor(host_bytes, most),
                                  "not for it"};
    char amount[32];
    char line[80];
    (void)memplan_bytes_format(amount, sizeof amount, most);
    (void)snprintf(line, sizeof line, "up to %s, shared", amount);
    const mpl_svg_bar bar = {.label = label,
                             .amount = line,
                             .slices = &others,
                             .slice_count = 1,
                             .label_width = MPL_SVG_LABEL_WIDTH,
                             .whole = mpl_max(host_bytes, most),
                             .limit_bytes = MEMPLAN_UNKNOWN};
    mpl_svg_row(svg, &bar);
    add_name(svg, device->name);
}

MPL_MACHINE_WRITER(mpl_machine_write_svg)
{
    const mpl_host *const host = &machine->host;
    const uint64_t row = MPL_SVG_ROW_HEIGHT + 16;
    const uint64_t height =
        2 * MPL_SVG_MARGIN + 26 + row * (machine->device_count + (uint64_t)1);
    mpl_svg svg = mpl_svg_open(text, height, machine->name);
    mpl_svg_text(&svg, MPL_SVG_MARGIN, svg.y + 14, MPL_SVG_START, MPL_INK_PLAIN,
                 true, machine->name);
    svg.y += 26;
    add_memory(&svg, "memory", host->cpu_model, host->available_bytes.value,
               host->total_bytes.value);
    for (uint32_t at = 0; at < machine->device_count; at++) {
        const mpl_device *const device = &machine->devices[at];
        char label[24];
        (void)snprintf(label, sizeof label, "GPU %u", device->index);
        if (device->is_unified && host->total_bytes.value != MEMPLAN_UNKNOWN)
            add_share(&svg, label, device, host->total_bytes.value);
        else
            add_memory(&svg, label, device->name, device->free_bytes.value,
                       device->total_bytes.value);
    }
    mpl_svg_close(&svg);
    (void)style;
    (void)error;
    return MEMPLAN_OK;
}
