/* SPDX-License-Identifier: MIT */
/*
 * A library that stands for NVML. What it says is in the text file that
 * FAKE_NVML names, read anew at each call, so that a test can change it:
 *
 *     init=9                          what nvmlInit returns
 *     name=Tesla T4|total=1024|...    one line a GPU
 *
 * nvlink=4:0:18:0,switch,npu,off lists a GPU's links, all of NVML's version
 * number 4: to the GPU at 0:18:0, to a switch, to a POWER processor, and one
 * that is not active; speed= is what the driver says of each in 10^6 bytes a
 * second.
 *
 * A field that is absent is not supported. Built three times: as it is, as an
 * old version (FAKE_OLD: no second memory call, no types of links' ends), and
 * without what every version has (FAKE_EMPTY).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine/nvml.h"

#define EXPORT __attribute__((visibility("default")))

enum { MAX_LINES = 64, LINE_BYTES = 1024, SLICES = 8 };

/* Handles are numbers: 1 + GPU, or 1000 + 10 * GPU + slice. */
static long number_of(mpl_nvml_handle handle)
{
    return (long)(uintptr_t)handle;
}

static mpl_nvml_handle handle_of(long number)
{
    return (mpl_nvml_handle)(uintptr_t)number;
}

/* The line of a GPU, or of "init". */
static int read_line(long wanted, char *out)
{
    const char *const path = getenv("FAKE_NVML");
    FILE *const file = path != NULL ? fopen(path, "r") : NULL;
    char line[LINE_BYTES];
    long gpu = -1;
    int found = 0;
    if (file == NULL)
        return 0;
    while (!found && fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        const int is_init = strncmp(line, "init=", 5) == 0;
        if (!is_init)
            gpu++;
        found = wanted < 0 ? is_init : !is_init && gpu == wanted;
        if (found)
            strcpy(out, line);
    }
    fclose(file);
    return found;
}

static int read_field(long gpu, const char *key, char *out, size_t size)
{
    char line[LINE_BYTES];
    if (!read_line(gpu, line))
        return 0;
    const size_t length = strlen(key);
    for (char *at = line; at != NULL;) {
        char *const next = strchr(at, '|');
        if (next != NULL)
            *next = '\0';
        if (strncmp(at, key, length) == 0 && at[length] == '=') {
            (void)snprintf(out, size, "%s", at + length + 1);
            return 1;
        }
        at = next != NULL ? next + 1 : NULL;
    }
    return 0;
}

static long gpu_of(mpl_nvml_handle handle)
{
    const long number = number_of(handle);
    return number >= 1000 ? (number - 1000) / 10 : number - 1;
}

/* A number of a GPU, or of a slice: "total" is "slice0_total" there. */
static int read_number(mpl_nvml_handle handle, const char *key,
                       unsigned long long *out)
{
    char name[64];
    char text[64];
    if (number_of(handle) >= 1000)
        (void)snprintf(name, sizeof name, "slice%ld_%s",
                       (number_of(handle) - 1000) % 10, key);
    else
        (void)snprintf(name, sizeof name, "%s", key);
    if (read_field(gpu_of(handle), "lost", text, sizeof text))
        return NVML_GPU_IS_LOST;
    if (!read_field(gpu_of(handle), name, text, sizeof text))
        return NVML_NOT_SUPPORTED;
    *out = strtoull(text, NULL, 0);
    return NVML_SUCCESS;
}

static int read_unsigned(mpl_nvml_handle handle, const char *key,
                         unsigned *out)
{
    unsigned long long value = 0;
    const int result = read_number(handle, key, &value);
    if (result == NVML_SUCCESS)
        *out = (unsigned)value;
    return result;
}

EXPORT int nvmlShutdown(void);
EXPORT int nvmlShutdown(void)
{
    return NVML_SUCCESS;
}

#ifndef FAKE_EMPTY

EXPORT int nvmlInit_v2(void);
EXPORT int nvmlInit_v2(void)
{
    char line[LINE_BYTES];
    return read_line(-1, line) ? atoi(line + 5) : NVML_SUCCESS;
}

EXPORT int nvmlDeviceGetCount_v2(unsigned *out);
EXPORT int nvmlDeviceGetCount_v2(unsigned *out)
{
    char line[LINE_BYTES];
    for (*out = 0; *out < MAX_LINES && read_line((long)*out, line);)
        (*out)++;
    return NVML_SUCCESS;
}

EXPORT int nvmlDeviceGetHandleByIndex_v2(unsigned index, mpl_nvml_handle *out);
EXPORT int nvmlDeviceGetHandleByIndex_v2(unsigned index, mpl_nvml_handle *out)
{
    char text[8];
    if (read_field(index, "lost", text, sizeof text) && text[0] == '2')
        return NVML_GPU_IS_LOST; /* 1: only its memory is */
    *out = handle_of((long)index + 1);
    return NVML_SUCCESS;
}

EXPORT int nvmlDeviceGetName(mpl_nvml_handle gpu, char *out, unsigned size);
EXPORT int nvmlDeviceGetName(mpl_nvml_handle gpu, char *out, unsigned size)
{
    return read_field(gpu_of(gpu), "name", out, size) ? NVML_SUCCESS
                                                      : NVML_NOT_SUPPORTED;
}

EXPORT int nvmlDeviceGetUUID(mpl_nvml_handle gpu, char *out, unsigned size);
EXPORT int nvmlDeviceGetUUID(mpl_nvml_handle gpu, char *out, unsigned size)
{
    char uuid[80];
    if (!read_field(gpu_of(gpu), "uuid", uuid, sizeof uuid))
        return NVML_NOT_SUPPORTED;
    if (number_of(gpu) >= 1000)
        (void)snprintf(out, size, "MIG-%s-%ld", uuid,
                       (number_of(gpu) - 1000) % 10);
    else
        (void)snprintf(out, size, "%s", uuid);
    return NVML_SUCCESS;
}

EXPORT int nvmlDeviceGetPciInfo_v3(mpl_nvml_handle gpu, mpl_nvml_pci *out);
EXPORT int nvmlDeviceGetPciInfo_v3(mpl_nvml_handle gpu, mpl_nvml_pci *out)
{
    char text[32];
    if (!read_field(gpu_of(gpu), "pci", text, sizeof text))
        return NVML_NOT_SUPPORTED;
    memset(out, 0, sizeof *out);
    (void)sscanf(text, "%x:%x:%x", &out->domain, &out->bus, &out->device);
    (void)read_unsigned(gpu, "id", &out->device_and_vendor);
    return NVML_SUCCESS;
}

EXPORT int nvmlDeviceGetMemoryInfo(mpl_nvml_handle gpu, mpl_nvml_memory *out);
EXPORT int nvmlDeviceGetMemoryInfo(mpl_nvml_handle gpu, mpl_nvml_memory *out)
{
    const int result = read_number(gpu, "total", &out->total);
    if (result == NVML_SUCCESS)
        (void)read_number(gpu, "free", &out->free);
    return result;
}

#ifndef FAKE_OLD
EXPORT int nvmlDeviceGetMemoryInfo_v2(mpl_nvml_handle gpu,
                                      mpl_nvml_memory_2 *out);
EXPORT int nvmlDeviceGetMemoryInfo_v2(mpl_nvml_handle gpu,
                                      mpl_nvml_memory_2 *out)
{
    if (out->version != NVML_MEMORY_2)
        return 25; /* argument version mismatch */
    const int result = read_number(gpu, "total", &out->total);
    if (result != NVML_SUCCESS)
        return result;
    (void)read_number(gpu, "free", &out->free);
    (void)read_number(gpu, "reserved", &out->reserved);
    return NVML_SUCCESS;
}
#endif

EXPORT int nvmlDeviceGetMaxPcieLinkGeneration(mpl_nvml_handle gpu,
                                              unsigned *out);
EXPORT int nvmlDeviceGetMaxPcieLinkGeneration(mpl_nvml_handle gpu,
                                              unsigned *out)
{
    return read_unsigned(gpu, "gen", out);
}

EXPORT int nvmlDeviceGetCurrPcieLinkWidth(mpl_nvml_handle gpu, unsigned *out);
EXPORT int nvmlDeviceGetCurrPcieLinkWidth(mpl_nvml_handle gpu, unsigned *out)
{
    return read_unsigned(gpu, "width", out);
}

EXPORT int nvmlDeviceGetMaxClockInfo(mpl_nvml_handle gpu, int clock,
                                     unsigned *out);
EXPORT int nvmlDeviceGetMaxClockInfo(mpl_nvml_handle gpu, int clock,
                                     unsigned *out)
{
    return clock == NVML_CLOCK_MEMORY ? read_unsigned(gpu, "clock", out)
                                      : NVML_NOT_SUPPORTED;
}

EXPORT int nvmlDeviceGetMemoryBusWidth(mpl_nvml_handle gpu, unsigned *out);
EXPORT int nvmlDeviceGetMemoryBusWidth(mpl_nvml_handle gpu, unsigned *out)
{
    return read_unsigned(gpu, "bus", out);
}

EXPORT int nvmlDeviceGetCudaComputeCapability(mpl_nvml_handle gpu, int *major,
                                              int *minor);
EXPORT int nvmlDeviceGetCudaComputeCapability(mpl_nvml_handle gpu, int *major,
                                              int *minor)
{
    unsigned value = 0;
    const int result = read_unsigned(gpu, "cc", &value);
    *major = (int)(value / 10);
    *minor = (int)(value % 10);
    return result;
}

EXPORT int nvmlDeviceGetMigMode(mpl_nvml_handle gpu, unsigned *mode,
                                unsigned *pending);
EXPORT int nvmlDeviceGetMigMode(mpl_nvml_handle gpu, unsigned *mode,
                                unsigned *pending)
{
    *pending = 0;
    return read_unsigned(gpu, "mig", mode);
}

EXPORT int nvmlDeviceGetMaxMigDeviceCount(mpl_nvml_handle gpu, unsigned *out);
EXPORT int nvmlDeviceGetMaxMigDeviceCount(mpl_nvml_handle gpu, unsigned *out)
{
    (void)gpu;
    *out = SLICES;
    return NVML_SUCCESS;
}

EXPORT int nvmlDeviceGetMigDeviceHandleByIndex(mpl_nvml_handle gpu,
                                               unsigned index,
                                               mpl_nvml_handle *out);
EXPORT int nvmlDeviceGetMigDeviceHandleByIndex(mpl_nvml_handle gpu,
                                               unsigned index,
                                               mpl_nvml_handle *out)
{
    unsigned long long total;
    const mpl_nvml_handle slice =
        handle_of(1000 + 10 * gpu_of(gpu) + (long)index);
    if (read_number(slice, "total", &total) != NVML_SUCCESS)
        return 6; /* not found */
    *out = slice;
    return NVML_SUCCESS;
}

EXPORT int nvmlDeviceGetGpuInstanceId(mpl_nvml_handle gpu, unsigned *out);
EXPORT int nvmlDeviceGetGpuInstanceId(mpl_nvml_handle gpu, unsigned *out)
{
    return read_unsigned(gpu, "gi", out);
}

EXPORT int nvmlDeviceGetComputeInstanceId(mpl_nvml_handle gpu, unsigned *out);
EXPORT int nvmlDeviceGetComputeInstanceId(mpl_nvml_handle gpu, unsigned *out)
{
    return read_unsigned(gpu, "ci", out);
}

/* The end of one of a GPU's links, as it is written. */
static int read_link(mpl_nvml_handle gpu, unsigned link, char *out)
{
    char links[LINE_BYTES];
    if (number_of(gpu) >= 1000 ||
        !read_field(gpu_of(gpu), "nvlink", links, sizeof links))
        return NVML_NOT_SUPPORTED;
    char *at = strchr(links, ':');
    for (unsigned skipped = 0; at != NULL && skipped < link; skipped++)
        at = strchr(at + 1, ',');
    if (at == NULL)
        return 2; /* invalid argument */
    at[1 + strcspn(at + 1, ",")] = '\0';
    (void)snprintf(out, 64, "%s", at + 1);
    return NVML_SUCCESS;
}

EXPORT int nvmlDeviceGetNvLinkState(mpl_nvml_handle gpu, unsigned link,
                                    unsigned *out);
EXPORT int nvmlDeviceGetNvLinkState(mpl_nvml_handle gpu, unsigned link,
                                    unsigned *out)
{
    char end[64];
    const int result = read_link(gpu, link, end);
    if (result == NVML_SUCCESS)
        *out = strcmp(end, "off") != 0;
    return result;
}

EXPORT int nvmlDeviceGetNvLinkVersion(mpl_nvml_handle gpu, unsigned link,
                                      unsigned *out);
EXPORT int nvmlDeviceGetNvLinkVersion(mpl_nvml_handle gpu, unsigned link,
                                      unsigned *out)
{
    (void)link;
    return read_unsigned(gpu, "nvlink", out);
}

EXPORT int nvmlDeviceGetNvLinkRemotePciInfo_v2(mpl_nvml_handle gpu,
                                               unsigned link,
                                               mpl_nvml_pci *out);
EXPORT int nvmlDeviceGetNvLinkRemotePciInfo_v2(mpl_nvml_handle gpu,
                                               unsigned link,
                                               mpl_nvml_pci *out)
{
    char end[64];
    const int result = read_link(gpu, link, end);
    if (result != NVML_SUCCESS)
        return result;
    memset(out, 0, sizeof *out);
    if (strcmp(end, "npu") == 0) {
        out->domain = 4;
        out->device_and_vendor = 0x04ea1014;
    } else if (strcmp(end, "switch") == 0) {
        out->bus = 0x61 + link;
        out->device_and_vendor = 0x1ac210de;
    } else {
        (void)sscanf(end, "%x:%x:%x", &out->domain, &out->bus, &out->device);
        out->device_and_vendor = 0x20b210de;
    }
    return NVML_SUCCESS;
}

#ifndef FAKE_OLD
EXPORT int nvmlDeviceGetNvLinkRemoteDeviceType(mpl_nvml_handle gpu,
                                               unsigned link, unsigned *out);
EXPORT int nvmlDeviceGetNvLinkRemoteDeviceType(mpl_nvml_handle gpu,
                                               unsigned link, unsigned *out)
{
    char end[64];
    const int result = read_link(gpu, link, end);
    if (result == NVML_SUCCESS)
        *out = strcmp(end, "switch") == 0 ? NVML_END_SWITCH
               : strcmp(end, "npu") == 0  ? NVML_END_NPU
                                          : NVML_END_GPU;
    return result;
}
#endif

EXPORT int nvmlDeviceGetFieldValues(mpl_nvml_handle gpu, int count,
                                    mpl_nvml_field *fields);
EXPORT int nvmlDeviceGetFieldValues(mpl_nvml_handle gpu, int count,
                                    mpl_nvml_field *fields)
{
    for (int at = 0; at < count; at++) {
        fields[at].value_type = NVML_VALUE_UNSIGNED;
        fields[at].result =
            fields[at].id == NVML_FIELD_LINK_MEGABYTES
                ? read_unsigned(gpu, "speed", &fields[at].value.number)
                : NVML_NOT_SUPPORTED;
    }
    return NVML_SUCCESS;
}

#endif
