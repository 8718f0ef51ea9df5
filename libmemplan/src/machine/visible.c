/* SPDX-License-Identifier: MIT */
/*
 * CUDA_VISIBLE_DEVICES   indices, UUIDs or their beginnings, MIG names; what
 *                        is listed is seen in the order of the list; the
 *                        first entry that names nothing ends it
 * CUDA_DEVICE_ORDER      PCI_BUS_ID, or FASTEST_FIRST where it is not set
 * ROCR_VISIBLE_DEVICES   the same for AMD's runtime: indices and UUIDs
 * HIP_VISIBLE_DEVICES    indices into what ROCR leaves; HIP takes CUDA's
 *                        variable where its own is not set
 *
 * A process sees one slice of a divided GPU: the first that is listed.
 */
#include "machine/visible.h"

#include <string.h>

#include "base/checked.h"

enum { ENTRY_BYTES = 96 };

/* Positions in machine->devices, in the engine's order. */
typedef struct selection {
    uint32_t *items;
    uint32_t count;
} selection;

static const mpl_device *at_position(const memplan_machine *machine,
                                     const selection *of, uint32_t index)
{
    return &machine->devices[of->items[index]];
}

static bool is_slice(const mpl_device *device)
{
    return device->parent_uuid[0] != '\0';
}

static bool is_candidate(const mpl_device *device, const char *vendor)
{
    return strcmp(device->vendor, vendor) == 0 &&
           (!device->is_left_out || device->is_divided);
}

/* Whole GPUs of a vendor; a divided one stands for its slices. */
static selection select_vendor(memplan_machine *machine, const char *vendor)
{
    selection all = {.items = mpl_arena_alloc(machine->arena,
                                              machine->device_count,
                                              sizeof(uint32_t))};
    for (uint32_t at = 0; all.items != NULL && at < machine->device_count;
         at++)
        if (is_candidate(&machine->devices[at], vendor) &&
            !is_slice(&machine->devices[at]))
            all.items[all.count++] = at;
    return all;
}

static uint64_t speed_of(const mpl_device *device)
{
    return device->fp16_flops_per_second.value == MEMPLAN_UNKNOWN
               ? 0
               : device->fp16_flops_per_second.value;
}

/* By the bus, or the fastest first where the order of the bus is not asked
 * for; equal ones stay in the order of the bus. */
static void sort_gpus(const memplan_machine *machine, selection *of,
                      bool by_bus)
{
    for (uint32_t at = 1; at < of->count; at++) {
        const uint32_t moved = of->items[at];
        const mpl_device *const device = &machine->devices[moved];
        uint32_t place = at;
        for (; place > 0; place--) {
            const mpl_device *const before =
                at_position(machine, of, place - 1);
            const bool is_less = by_bus
                                     ? strcmp(device->pci, before->pci) < 0
                                     : speed_of(device) > speed_of(before);
            if (!is_less)
                break;
            of->items[place] = of->items[place - 1];
        }
        of->items[place] = moved;
    }
}

/* CUDA measures speed in its own way; where GPUs differ, ours is a guess. */
static bool order_cuda(memplan_machine *machine, selection *of,
                       const char *order)
{
    sort_gpus(machine, of, true);
    if (order != NULL && strcmp(order, "PCI_BUS_ID") == 0)
        return true;
    bool differ = false;
    for (uint32_t at = 1; at < of->count; at++)
        differ |= strcmp(at_position(machine, of, at)->name,
                         at_position(machine, of, 0)->name) != 0;
    sort_gpus(machine, of, false);
    return !differ ||
           mpl_machine_add_note(
               machine, "CUDA numbers these GPUs the fastest first, by a "
                        "measure of its own; set CUDA_DEVICE_ORDER="
                        "PCI_BUS_ID to be sure of the numbers");
}

static uint32_t first_slice(const memplan_machine *machine,
                            const mpl_device *whole)
{
    for (uint32_t at = 0; at < machine->device_count; at++)
        if (is_slice(&machine->devices[at]) &&
            strcmp(machine->devices[at].parent_uuid, whole->uuid) == 0)
            return at;
    return UINT32_MAX;
}

/* A whole GPU as a device: itself, or its first slice; UINT32_MAX: none. */
static uint32_t as_device(const memplan_machine *machine, uint32_t position)
{
    const mpl_device *const device = &machine->devices[position];
    return device->is_divided ? first_slice(machine, device) : position;
}

static bool read_index(const char *entry, uint32_t *out)
{
    uint32_t index = 0;
    for (const char *at = entry; *at != '\0'; at++) {
        if (*at < '0' || *at > '9' || index > 100000)
            return false;
        index = index * 10 + (uint32_t)(*at - '0');
    }
    *out = index;
    return entry[0] != '\0';
}

/* "/1/0": the instances of a slice as its older name has them. */
static bool read_instances(const char *text, uint32_t *out_gpu,
                           uint32_t *out_compute)
{
    char first[ENTRY_BYTES];
    const char *const slash = strchr(text + 1, '/');
    if (slash == NULL)
        return false;
    memcpy(first, text + 1, (size_t)(slash - text - 1));
    first[slash - text - 1] = '\0';
    return read_index(first, out_gpu) && read_index(slash + 1, out_compute);
}

/* "MIG-GPU-<uuid>/1/0" names a slice by its GPU and its instances; where the
 * driver does not tell those, the GPU's only slice, or none. */
static uint32_t find_old_slice(const memplan_machine *machine,
                               const char *entry)
{
    const char *const slash = strchr(entry, '/');
    const size_t length = slash != NULL ? (size_t)(slash - entry - 4) : 0;
    uint32_t gpu = 0;
    uint32_t compute = 0;
    uint32_t found = UINT32_MAX;
    if (slash == NULL || slash < entry + 4 ||
        !read_instances(slash, &gpu, &compute))
        return UINT32_MAX;
    for (uint32_t at = 0; at < machine->device_count; at++) {
        const mpl_device *const device = &machine->devices[at];
        if (!is_slice(device) ||
            strncmp(device->parent_uuid, entry + 4, length) != 0 ||
            device->parent_uuid[length] != '\0')
            continue;
        if (device->gpu_instance == gpu && device->compute_instance == compute)
            return at;
        if (device->gpu_instance != UINT32_MAX)
            continue;
        if (found != UINT32_MAX)
            return UINT32_MAX;
        found = at;
    }
    return found;
}

/* A UUID or its beginning, if it is of one device alone. */
static uint32_t find_uuid(const memplan_machine *machine, const selection *of,
                          const char *entry)
{
    const size_t length = strlen(entry);
    uint32_t found = UINT32_MAX;
    for (uint32_t at = 0; at < machine->device_count; at++) {
        const mpl_device *const device = &machine->devices[at];
        bool is_ours = is_slice(device);
        for (uint32_t item = 0; item < of->count; item++)
            is_ours |= of->items[item] == at;
        if (!is_ours || strncmp(device->uuid, entry, length) != 0)
            continue;
        if (found != UINT32_MAX)
            return UINT32_MAX;
        found = at;
    }
    return found != UINT32_MAX ? as_device(machine, found)
                               : find_old_slice(machine, entry);
}

static uint32_t find_entry(const memplan_machine *machine,
                           const selection *of, const char *entry)
{
    uint32_t index;
    if (read_index(entry, &index))
        return index < of->count ? as_device(machine, of->items[index])
                                 : UINT32_MAX;
    return strncmp(entry, "GPU-", 4) == 0 || strncmp(entry, "MIG-", 4) == 0
               ? find_uuid(machine, of, entry)
               : UINT32_MAX;
}

static bool has_item(const selection *of, uint32_t item)
{
    for (uint32_t at = 0; at < of->count; at++)
        if (of->items[at] == item)
            return true;
    return false;
}

/* Copies the next entry, without spaces; moves past it. */
static void read_entry(const char **at, char *out)
{
    size_t length = 0;
    for (; **at != '\0' && **at != ','; (*at)++)
        if (**at != ' ' && length + 1 < ENTRY_BYTES)
            out[length++] = **at;
    out[length] = '\0';
}

/* What a variable leaves of a selection. */
static bool apply_list(memplan_machine *machine, selection *of,
                       const char *variable, const char *list)
{
    selection left = {.items = mpl_arena_alloc(machine->arena,
                                               machine->device_count,
                                               sizeof(uint32_t))};
    if (left.items == NULL)
        return false;
    bool is_kept = true;
    for (const char *at = list; *at != '\0' && is_kept;) {
        char entry[ENTRY_BYTES];
        read_entry(&at, entry);
        const uint32_t found = find_entry(machine, of, entry);
        if (found == UINT32_MAX) {
            if (strcmp(entry, "-1") != 0 && strcmp(entry, "NoDevFiles") != 0)
                is_kept = mpl_machine_add_note(
                    machine, "%s: \"%s\" names no device, which ends the "
                             "list: %u of them %s seen",
                    variable, entry, left.count,
                    left.count == 1 ? "is" : "are");
            break;
        }
        if (has_item(&left, found)) {
            left.count = 0; /* CUDA then sees none at all */
            is_kept = mpl_machine_add_note(
                machine, "%s: \"%s\" is listed twice: no device is seen",
                variable, entry);
            break;
        }
        left.items[left.count++] = found;
        at += *at == ',';
    }
    *of = left;
    return is_kept;
}

/* Slices in place of divided GPUs, and of slices the first alone. */
static void settle_slices(const memplan_machine *machine, selection *of)
{
    uint32_t kept = 0;
    bool has_slice = false;
    for (uint32_t at = 0; at < of->count; at++) {
        const uint32_t device = as_device(machine, of->items[at]);
        if (device == UINT32_MAX)
            continue;
        const bool is_one = is_slice(&machine->devices[device]);
        if (is_one && has_slice)
            continue;
        has_slice |= is_one;
        of->items[kept++] = device;
    }
    of->count = kept;
}

static bool select_nvidia(memplan_machine *machine, selection *out,
                          const memplan_machine_options *options)
{
    *out = select_vendor(machine, "nvidia");
    if (out->items == NULL ||
        !order_cuda(machine, out, options->cuda_device_order))
        return false;
    if (options->cuda_visible_devices != NULL &&
        !apply_list(machine, out, "CUDA_VISIBLE_DEVICES",
                    options->cuda_visible_devices))
        return false;
    settle_slices(machine, out);
    return true;
}

static bool select_amd(memplan_machine *machine, selection *out,
                       const memplan_machine_options *options, bool has_nvidia)
{
    *out = select_vendor(machine, "amd");
    if (out->items == NULL)
        return false;
    if (options->rocr_visible_devices != NULL &&
        !apply_list(machine, out, "ROCR_VISIBLE_DEVICES",
                    options->rocr_visible_devices))
        return false;
    if (options->hip_visible_devices != NULL)
        return apply_list(machine, out, "HIP_VISIBLE_DEVICES",
                          options->hip_visible_devices);
    if (options->cuda_visible_devices != NULL && !has_nvidia)
        return apply_list(machine, out, "CUDA_VISIBLE_DEVICES",
                          options->cuda_visible_devices);
    return true;
}

/* The devices in a new order: what is seen, then what no variable speaks of,
 * then what is hidden or left out. */
static bool reorder(memplan_machine *machine, const selection *nvidia,
                    const selection *amd)
{
    const uint32_t count = machine->device_count;
    mpl_device *const moved =
        mpl_arena_alloc(machine->arena, count, sizeof *moved);
    if (moved == NULL)
        return false;
    uint32_t to = 0;
    for (uint32_t at = 0; at < nvidia->count; at++)
        moved[to++] = machine->devices[nvidia->items[at]];
    for (uint32_t at = 0; at < amd->count; at++)
        moved[to++] = machine->devices[amd->items[at]];
    uint32_t hidden = 0;
    for (int is_out = 0; is_out < 2; is_out++) {
        for (uint32_t at = 0; at < count; at++) {
            mpl_device device = machine->devices[at];
            if (has_item(nvidia, at) || has_item(amd, at))
                continue;
            const bool is_hidden = is_candidate(&device, "nvidia") ||
                                   is_candidate(&device, "amd");
            hidden += is_out && is_hidden && !device.is_divided;
            device.is_left_out |= is_hidden;
            if (device.is_left_out == (is_out == 1))
                moved[to++] = device;
        }
    }
    machine->devices = moved;
    for (uint32_t at = 0; at < count; at++)
        moved[at].index = at;
    return hidden == 0 ||
           mpl_machine_add_note(machine, "%u device%s hidden from engines by "
                                         "the variables of their drivers, or "
                                         "by MIG",
                                hidden, hidden == 1 ? " is" : "s are");
}

bool mpl_visible_apply(memplan_machine *machine,
                       const memplan_machine_options *options)
{
    if (machine->device_count == 0)
        return true;
    selection nvidia;
    selection amd;
    if (!select_nvidia(machine, &nvidia, options))
        return false;
    bool has_nvidia = false;
    for (uint32_t at = 0; at < machine->device_count; at++)
        has_nvidia |= is_candidate(&machine->devices[at], "nvidia");
    return select_amd(machine, &amd, options, has_nvidia) &&
           reorder(machine, &nvidia, &amd);
}
