/* SPDX-License-Identifier: MIT */
/*
 * The few entry points of NVIDIA's management library that we use, as its
 * documentation gives them. It is loaded when it is asked for; that it is not
 * there is normal.
 */
#ifndef MPL_MACHINE_NVML_H
#define MPL_MACHINE_NVML_H

#include <stdbool.h>
#include <stdint.h>

enum {
    NVML_SUCCESS = 0,
    NVML_NOT_SUPPORTED = 3,
    NVML_DRIVER_NOT_LOADED = 9,
    NVML_GPU_IS_LOST = 15,
    NVML_VERSION_MISMATCH = 18,
    NVML_CLOCK_MEMORY = 2,
    NVML_TEXT_BYTES = 96,
    NVML_MAX_LINKS = 64, /* beyond any GPU's; the driver refuses the first
                            that is not there */
    NVML_ENABLED = 1,
    NVML_END_GPU = 0, /* what an NVLink goes to */
    NVML_END_NPU = 1,
    NVML_END_SWITCH = 2,
    NVML_FIELD_LINK_MEGABYTES = 90, /* a second, of each active link */
    NVML_VALUE_UNSIGNED = 1
};

typedef struct mpl_nvml_device *mpl_nvml_handle;

typedef struct mpl_nvml_memory {
    unsigned long long total;
    unsigned long long free;
    unsigned long long used;
} mpl_nvml_memory;

/* Of the second version of the call; `version` says so. */
typedef struct mpl_nvml_memory_2 {
    unsigned version;
    unsigned long long total;
    unsigned long long reserved;
    unsigned long long free;
    unsigned long long used;
} mpl_nvml_memory_2;
#define NVML_MEMORY_2 ((unsigned)sizeof(mpl_nvml_memory_2) | 2U << 24)

typedef struct mpl_nvml_pci {
    char bus_legacy[16];
    unsigned domain;
    unsigned bus;
    unsigned device;
    unsigned device_and_vendor; /* the device's id above the vendor's */
    unsigned subsystem;
    char bus_id[32];
} mpl_nvml_pci;

/* One answer of the call that reads many figures. */
typedef struct mpl_nvml_field {
    unsigned id;
    unsigned scope;
    long long timestamp;
    long long latency_us;
    int value_type;
    int result;
    union {
        unsigned number;
        unsigned long long raw;
    } value;
} mpl_nvml_field;

/*   member    type    symbols, the newest first */
#define MPL_NVML_CALLS(CALL)                                                  \
    CALL(init, int (*)(void), "nvmlInit_v2", "nvmlInit")                      \
    CALL(shutdown, int (*)(void), "nvmlShutdown", NULL)                       \
    CALL(count, int (*)(unsigned *), "nvmlDeviceGetCount_v2",                 \
         "nvmlDeviceGetCount")                                                \
    CALL(handle, int (*)(unsigned, mpl_nvml_handle *),                        \
         "nvmlDeviceGetHandleByIndex_v2", "nvmlDeviceGetHandleByIndex")       \
    CALL(name, int (*)(mpl_nvml_handle, char *, unsigned),                    \
         "nvmlDeviceGetName", NULL)                                           \
    CALL(uuid, int (*)(mpl_nvml_handle, char *, unsigned),                    \
         "nvmlDeviceGetUUID", NULL)                                           \
    CALL(pci, int (*)(mpl_nvml_handle, mpl_nvml_pci *),                       \
         "nvmlDeviceGetPciInfo_v3", NULL)                                     \
    CALL(memory, int (*)(mpl_nvml_handle, mpl_nvml_memory *),                 \
         "nvmlDeviceGetMemoryInfo", NULL)                                     \
    CALL(memory_2, int (*)(mpl_nvml_handle, mpl_nvml_memory_2 *),             \
         "nvmlDeviceGetMemoryInfo_v2", NULL)                                  \
    CALL(generation, int (*)(mpl_nvml_handle, unsigned *),                    \
         "nvmlDeviceGetMaxPcieLinkGeneration", NULL)                          \
    CALL(width, int (*)(mpl_nvml_handle, unsigned *),                         \
         "nvmlDeviceGetCurrPcieLinkWidth", NULL)                              \
    CALL(clock, int (*)(mpl_nvml_handle, int, unsigned *),                    \
         "nvmlDeviceGetMaxClockInfo", NULL)                                   \
    CALL(bus_width, int (*)(mpl_nvml_handle, unsigned *),                     \
         "nvmlDeviceGetMemoryBusWidth", NULL)                                 \
    CALL(capability, int (*)(mpl_nvml_handle, int *, int *),                  \
         "nvmlDeviceGetCudaComputeCapability", NULL)                          \
    CALL(mig_mode, int (*)(mpl_nvml_handle, unsigned *, unsigned *),          \
         "nvmlDeviceGetMigMode", NULL)                                        \
    CALL(mig_count, int (*)(mpl_nvml_handle, unsigned *),                     \
         "nvmlDeviceGetMaxMigDeviceCount", NULL)                              \
    CALL(mig_handle, int (*)(mpl_nvml_handle, unsigned, mpl_nvml_handle *),   \
         "nvmlDeviceGetMigDeviceHandleByIndex", NULL)                         \
    CALL(gpu_instance, int (*)(mpl_nvml_handle, unsigned *),                  \
         "nvmlDeviceGetGpuInstanceId", NULL)                                  \
    CALL(compute_instance, int (*)(mpl_nvml_handle, unsigned *),              \
         "nvmlDeviceGetComputeInstanceId", NULL)                              \
    CALL(link_state, int (*)(mpl_nvml_handle, unsigned, unsigned *),          \
         "nvmlDeviceGetNvLinkState", NULL)                                    \
    CALL(link_version, int (*)(mpl_nvml_handle, unsigned, unsigned *),        \
         "nvmlDeviceGetNvLinkVersion", NULL)                                  \
    CALL(link_end, int (*)(mpl_nvml_handle, unsigned, mpl_nvml_pci *),        \
         "nvmlDeviceGetNvLinkRemotePciInfo_v2",                               \
         "nvmlDeviceGetNvLinkRemotePciInfo")                                  \
    CALL(link_end_type, int (*)(mpl_nvml_handle, unsigned, unsigned *),       \
         "nvmlDeviceGetNvLinkRemoteDeviceType", NULL)                         \
    CALL(fields, int (*)(mpl_nvml_handle, int, mpl_nvml_field *),             \
         "nvmlDeviceGetFieldValues", NULL)

/* A call that the library does not have is NULL. */
typedef struct mpl_nvml {
    void *library;
#define NVML_MEMBER(member_, type_, ...) \
    __extension__ __typeof__(type_) member_;
    MPL_NVML_CALLS(NVML_MEMBER)
#undef NVML_MEMBER
} mpl_nvml;

/* Loads the library; `path` NULL: where the system has it. False: it is not
 * there, or lacks what one cannot do without; *out_reason then says why, or
 * is NULL where it is simply absent. */
bool mpl_nvml_open(mpl_nvml *out, const char *path, const char **out_reason);

void mpl_nvml_close(mpl_nvml *nvml);

#endif
