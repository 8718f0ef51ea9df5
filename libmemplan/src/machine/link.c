/* SPDX-License-Identifier: MIT */
/*
 * PCI Express base specification: transfers a second and lane, and how many
 * of the bits on the line are data.
 *
 *     bytes = transfers * data bits / line bits / 8
 *
 * NVLink by NVIDIA's data sheets, which state both directions of all links of
 * a GPU together: P100 160 GB/s of 4, V100 300 of 6, A100 600 of 12, H100 900
 * of 18, B200 1,800 of 18.
 */
#include "machine/link.h"

#include <stddef.h>
#include <string.h>

#include "base/checked.h"
#include "memplan.h"

static const struct {
    const char *name;
    const char *speed; /* as the kernel begins it */
    uint64_t mega_transfers;
    uint64_t data_bits;
    uint64_t line_bits;
} PCIE[] = {
    {"1.0", "2.5 ", 2500, 8, 10},      {"2.0", "5.0 ", 5000, 8, 10},
    {"3.0", "8.0 ", 8000, 128, 130},   {"4.0", "16.0 ", 16000, 128, 130},
    {"5.0", "32.0 ", 32000, 128, 130}, {"6.0", "64.0 ", 64000, 242, 256},
};
enum { GENERATIONS = sizeof PCIE / sizeof *PCIE, MAX_LANES = 32 };

uint64_t mpl_link_pcie(uint32_t generation, uint32_t lanes)
{
    if (generation < 1 || generation > GENERATIONS || lanes < 1 ||
        lanes > MAX_LANES)
        return MEMPLAN_UNKNOWN;
    return PCIE[generation - 1].mega_transfers * UINT64_C(1000000) *
           PCIE[generation - 1].data_bits * lanes /
           (PCIE[generation - 1].line_bits * 8);
}

const char *mpl_link_pcie_name(mpl_arena *arena, uint32_t generation,
                               uint32_t lanes)
{
    if (mpl_link_pcie(generation, lanes) == MEMPLAN_UNKNOWN)
        return "";
    return mpl_arena_format(arena, "PCIe %s x%u", PCIE[generation - 1].name,
                            lanes);
}

const char *mpl_link_rate_name(mpl_arena *arena, uint64_t bytes_per_second)
{
    /* Two links may have one rate: the wider one is the likelier GPU. */
    for (uint32_t lanes = 16; lanes >= 1; lanes /= 2) {
        for (uint32_t generation = 1; generation <= GENERATIONS;
             generation++) {
            const uint64_t rate = mpl_link_pcie(generation, lanes);
            if (bytes_per_second >= rate - rate / 32 &&
                bytes_per_second <= rate + rate / 32)
                return mpl_link_pcie_name(arena, generation, lanes);
        }
    }
    return "";
}

static const struct {
    const char *name;
    uint64_t giga_bytes;
} NVLINK[] = {
    {"NVLink", 0}, /* NVML's number 0 is none */
    {"NVLink 1.0", 20}, {"NVLink 2.0", 25}, {"NVLink 2.2", 25},
    {"NVLink 3.0", 25}, {"NVLink 3.1", 25}, {"NVLink 4.0", 25},
    {"NVLink 5.0", 50},
};
enum { NVLINKS = sizeof NVLINK / sizeof *NVLINK };

uint64_t mpl_link_nvlink(uint32_t version)
{
    return version > 0 && version < NVLINKS
               ? NVLINK[version].giga_bytes * UINT64_C(1000000000)
               : MEMPLAN_UNKNOWN;
}

const char *mpl_link_nvlink_name(uint32_t version)
{
    return NVLINK[version < NVLINKS ? version : 0].name;
}

uint64_t mpl_link_rate_read(const char *text)
{
    uint64_t rate = 0;
    int decimals = -1;
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '.' && decimals < 0) {
            decimals = 0;
            continue;
        }
        if (*at < '0' || *at > '9')
            return MEMPLAN_UNKNOWN;
        if (decimals == 9)
            continue;
        if (!mpl_mul(&rate, rate, 10) ||
            !mpl_add(&rate, rate, (uint64_t)(*at - '0')))
            return MEMPLAN_UNKNOWN;
        decimals += decimals >= 0;
    }
    for (int at = decimals < 0 ? 0 : decimals; at < 9; at++)
        if (!mpl_mul(&rate, rate, 10))
            return MEMPLAN_UNKNOWN;
    return rate > 0 ? rate : MEMPLAN_UNKNOWN;
}

uint32_t mpl_link_generation_read(const char *text)
{
    for (uint32_t at = 0; at < GENERATIONS; at++)
        if (strncmp(text, PCIE[at].speed, strlen(PCIE[at].speed)) == 0)
            return at + 1;
    return 0;
}
