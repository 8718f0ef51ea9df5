/* SPDX-License-Identifier: MIT */
/*
 * A list of devices is made in three steps: the machine's or the described
 * ones, servers first; those that -dev names, in its order; and what the CPU
 * is beside them.
 */
#include "engine/llamacpp/devices.h"

#include <string.h>

#include "base/failure.h"
#include "engine/llamacpp/settings.h"

static const char LIST_SEPARATORS[] = "/;,";

/* The pool of the device at `position`, or MPL_NO_INDEX. */
static uint32_t pool_of(const memplan_machine *machine, uint32_t position)
{
    for (uint32_t i = 0; i < machine->pool_count; i++)
        if (machine->pools[i].kind == MPL_POOL_DEVICE &&
            machine->pools[i].device == position)
            return i;
    return MPL_NO_INDEX;
}

static memplan_status add(mpl_llama_devices *out,
                          const mpl_llama_device *device, memplan_error *error)
{
    if (out->all_count == MPL_LLAMA_MAX_DEVICES)
        return mpl_fail(error, MEMPLAN_E_ARGUMENT, MPL_NOWHERE,
                        "more than %d devices, which llama.cpp does not take",
                        MPL_LLAMA_MAX_DEVICES);
    out->all[out->all_count++] = *device;
    return MEMPLAN_OK;
}

/* ---- The machine's ----------------------------------------------------- */

static mpl_llama_backend_kind backend_of(const mpl_device *device,
                                         const mpl_llama_params *params)
{
    if (params->backend != NULL)
        return mpl_llama_backend_find(params->backend);
    return device->vendor[0] != '\0' ? mpl_llama_backend_find(device->vendor)
                                     : MPL_LLAMA_CUDA;
}

static uint64_t known_or(uint64_t value, uint64_t otherwise)
{
    return value != MEMPLAN_UNKNOWN ? value : otherwise;
}

static memplan_status add_machine(mpl_llama_devices *out, mpl_arena *arena,
                                  const memplan_machine *machine,
                                  const mpl_llama_params *params,
                                  memplan_error *error)
{
    uint32_t numbers[MPL_LLAMA_BACKEND_COUNT] = {0};
    for (uint32_t i = 0; i < machine->device_count; i++) {
        const mpl_device *from = &machine->devices[i];
        const mpl_llama_backend_kind kind = backend_of(from, params);
        const uint32_t pool = pool_of(machine, i);
        if (kind == MPL_LLAMA_BACKEND_COUNT || kind == MPL_LLAMA_CPU)
            return mpl_fail(error, MEMPLAN_E_ARGUMENT, MPL_NOWHERE,
                            "device \"%s\": no backend of llama.cpp for it; "
                            "set backend to CUDA, ROCm, MTL, Vulkan, SYCL or "
                            "RPC",
                            from->name);
        if (pool == MPL_NO_INDEX)
            continue;
        const mpl_llama_backend *backend = &MPL_LLAMA_BACKENDS[kind];
        const uint64_t capacity =
            known_or(machine->pools[pool].capacity_bytes, 0);
        const uint64_t free = known_or(from->free_bytes.value, capacity);
        const mpl_llama_device device = {
            .name =
                mpl_arena_format(arena, "%s%u", backend->name, numbers[kind]++),
            .backend = backend,
            .kind = kind,
            .pool = pool,
            .lacks_mmap = from->is_unified &&
                          (kind == MPL_LLAMA_CUDA || kind == MPL_LLAMA_VULKAN),
            .compute_capability = from->compute_capability,
            .free_bytes = free,
            .total_bytes = known_or(from->total_bytes.value, free)};
        if (device.name == NULL)
            return mpl_fail_memory(error);
        const memplan_status status = add(out, &device, error);
        if (status != MEMPLAN_OK)
            return status;
    }
    return MEMPLAN_OK;
}

/* ---- Described: "CUDA0:24GiB:22GiB/RPC0:8GiB" -------------------------- */

static memplan_status read_device(mpl_llama_device *out, char *text,
                                  const memplan_machine *machine,
                                  uint32_t position, memplan_error *error)
{
    char *total = mpl_llama_item_cut(text, ":");
    char *free = total != NULL ? mpl_llama_item_cut(total, ":") : NULL;
    out->name = text;
    out->kind = mpl_llama_backend_find(text);
    out->pool = pool_of(machine, position);
    if (out->kind == MPL_LLAMA_BACKEND_COUNT || out->kind == MPL_LLAMA_CPU)
        return mpl_fail(error, MEMPLAN_E_ARGUMENT, MPL_NOWHERE,
                        "setting \"devices\": \"%s\" names no backend: CUDA, "
                        "ROCm, MTL, Vulkan, SYCL or RPC with a number",
                        text);
    if (out->pool == MPL_NO_INDEX)
        return mpl_fail(error, MEMPLAN_E_ARGUMENT, MPL_NOWHERE,
                        "setting \"devices\": \"%s\" is device %u, of which "
                        "the machine has %u",
                        text, position, machine->device_count);
    out->backend = &MPL_LLAMA_BACKENDS[out->kind];
    const uint64_t capacity = machine->pools[out->pool].capacity_bytes;
    out->total_bytes = capacity;
    memplan_status status = MEMPLAN_OK;
    if (total != NULL)
        status = memplan_bytes_parse(&out->total_bytes, total, error);
    out->free_bytes = out->total_bytes;
    if (status == MEMPLAN_OK && free != NULL)
        status = memplan_bytes_parse(&out->free_bytes, free, error);
    if (position < machine->device_count) {
        const mpl_device *device = &machine->devices[position];
        out->compute_capability = device->compute_capability;
        out->lacks_mmap = device->is_unified && (out->kind == MPL_LLAMA_CUDA ||
                                                 out->kind == MPL_LLAMA_VULKAN);
    }
    return status;
}

static memplan_status add_described(mpl_llama_devices *out, mpl_arena *arena,
                                    const memplan_machine *machine,
                                    const mpl_llama_params *params,
                                    memplan_error *error)
{
    char *next = mpl_arena_strdup(arena, params->devices);
    if (next == NULL)
        return mpl_fail_memory(error);
    while (next != NULL && *next != '\0') {
        char *text = next;
        next = mpl_llama_item_cut(text, LIST_SEPARATORS);
        mpl_llama_device device = {0};
        memplan_status status =
            read_device(&device, text, machine, out->all_count, error);
        if (status == MEMPLAN_OK)
            status = add(out, &device, error);
        if (status != MEMPLAN_OK)
            return status;
    }
    return MEMPLAN_OK;
}

/* ---- The list ---------------------------------------------------------- */

/* Servers first, in their order, then the others. */
static void order(mpl_llama_devices *out)
{
    for (uint32_t pass = 0; pass < 2; pass++)
        for (uint32_t i = 0; i < out->all_count; i++)
            if ((out->all[i].kind == MPL_LLAMA_RPC) == (pass == 0))
                out->items[out->count++] = out->all[i];
}

/* -dev: the named ones in the order named; "none": no device. */
static memplan_status choose(mpl_llama_devices *out, mpl_arena *arena,
                             const char *names, memplan_error *error)
{
    char *next = mpl_arena_strdup(arena, names);
    if (next == NULL)
        return mpl_fail_memory(error);
    out->count = 0;
    if (strcmp(names, "none") == 0)
        return MEMPLAN_OK;
    while (next != NULL) {
        char *name = next;
        next = mpl_llama_item_cut(name, LIST_SEPARATORS);
        uint32_t at = 0;
        while (at < out->all_count && strcmp(out->all[at].name, name) != 0)
            at++;
        if (at == out->all_count || out->count == MPL_LLAMA_MAX_DEVICES)
            return mpl_fail(error, MEMPLAN_E_ARGUMENT, MPL_NOWHERE,
                            "setting \"dev\": invalid device: %s", name);
        out->items[out->count++] = out->all[at];
    }
    return MEMPLAN_OK;
}

static void read_cpu(mpl_llama_devices *out, const memplan_machine *machine,
                     const mpl_llama_params *params)
{
    if (params->cpu_features == NULL) {
        for (uint32_t i = 0; i < machine->host.isa_count; i++)
            mpl_llama_cpu_add(&out->cpu, machine->host.isa[i],
                              strlen(machine->host.isa[i]));
        return;
    }
    const char *at = params->cpu_features;
    while (*at != '\0') {
        const size_t length = strcspn(at, "/;,+ ");
        mpl_llama_cpu_add(&out->cpu, at, length);
        at += length;
        at += strspn(at, "/;,+ ");
    }
}

memplan_status mpl_llama_devices_read(mpl_llama_devices *out, mpl_arena *arena,
                                      const memplan_machine *machine,
                                      const mpl_llama_params *params,
                                      memplan_error *error)
{
    *out = (mpl_llama_devices){.count = 0};
    memplan_status status =
        params->devices != NULL
            ? add_described(out, arena, machine, params, error)
            : add_machine(out, arena, machine, params, error);
    if (status != MEMPLAN_OK)
        return status;
    order(out);
    if (params->device_names != NULL)
        status = choose(out, arena, params->device_names, error);
    if (status != MEMPLAN_OK)
        return status;
    read_cpu(out, machine, params);
    if (params->split != MPL_SPLIT_NONE || out->count == 0)
        return MEMPLAN_OK;
    if (params->main_gpu >= out->count)
        return mpl_fail(error, MEMPLAN_E_ARGUMENT, MPL_NOWHERE,
                        "setting \"mg\": invalid value for main_gpu: %u "
                        "(available devices: %u)",
                        params->main_gpu, out->count);
    out->items[0] = out->items[params->main_gpu];
    out->count = 1;
    return MEMPLAN_OK;
}
