/* SPDX-License-Identifier: MIT */
/* Rates of links between a device and the host, in bytes a second and one
 * direction, after the line's encoding. */
#ifndef MPL_MACHINE_LINK_H
#define MPL_MACHINE_LINK_H

#include <stdint.h>

#include "base/arena.h"

/* PCIe of a generation (1 to 6) and a width in lanes, or MEMPLAN_UNKNOWN. */
uint64_t mpl_link_pcie(uint32_t generation, uint32_t lanes);

/* "PCIe 4.0 x16"; "" where the numbers are none; NULL: no memory. */
const char *mpl_link_pcie_name(mpl_arena *arena, uint32_t generation,
                               uint32_t lanes);

/* The name of the PCIe link of that rate, within a few percent; "" if none;
 * NULL: no memory. */
const char *mpl_link_rate_name(mpl_arena *arena, uint64_t bytes_per_second);

/* One NVLink of a version as NVML numbers them: its rate, or
 * MEMPLAN_UNKNOWN; and "NVLink 4.0", or "NVLink". */
uint64_t mpl_link_nvlink(uint32_t version);
const char *mpl_link_nvlink_name(uint32_t version);

/* "15.753846" 10^9 bytes a second, as lstopo writes it; 0 and junk are
 * unknown. */
uint64_t mpl_link_rate_read(const char *text);

/* "16.0 GT/s PCIe", as the kernel writes it: the generation, or 0. */
uint32_t mpl_link_generation_read(const char *text);

#endif
