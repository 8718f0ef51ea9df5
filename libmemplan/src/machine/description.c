/* SPDX-License-Identifier: MIT */
/*
 * A machine in words, parted by commas, in any order:
 *
 *     2x rtx-4090             a GPU of the catalogue, "N x" of it
 *     rtx-4090 20GiB          with another amount of memory
 *     2x rtx-3090 nvlink      joined by NVLink
 *     24GB gpu                a GPU of which only that is known
 *     gb10 128GB              its memory is the host's, and said with it
 *     64GiB ram 80GB/s        the host's memory, and how fast it is read
 *     500GB disk 3GB/s        a disk for offloaded weights
 *     16 cores, 32 threads
 *     epyc 9654               a processor: its name, and no figure
 *     pcie 4.0 x16            the link of all GPUs
 *     nvlink 50GB/s           all GPUs by NVLink, and its rate one way
 *
 * What is said is marked as declared; what the catalogue adds, as its own.
 */
#include "machine/description.h"

#include <string.h>

#include "base/checked.h"
#include "base/failure.h"
#include "data/gpu_catalogue.h"
#include "machine/description_part.h"
#include "machine/devices.h"
#include "machine/link.h"
#include "machine/topology.h"

static const char DECLARED[] = "declared";

enum { MAX_DEVICES = 256 };

/* What is known once all parts are read. */
typedef struct draft {
    memplan_machine *machine;
    uint64_t unified_bytes; /* said of GPUs that use the host's; 0: none */
    uint64_t nvlink_rate;   /* one way, or MEMPLAN_UNKNOWN */
    bool has_nvlink[MAX_DEVICES]; /* by the order in which they are said */
    mpl_part pcie;                /* blank: not said */
} draft;

static memplan_status fail_model(const mpl_part *of, bool is_several,
                                 const mpl_nearest *near, memplan_error *error)
{
    if (of->name[0] == '\0')
        return mpl_part_fail(of, MEMPLAN_E_ARGUMENT,
                             "of what? write 64GiB ram, 24GB gpu or 500GB "
                             "disk",
                             error);
    if (near->count == 0)
        return mpl_fail(error, MEMPLAN_E_NOT_FOUND, of->offset,
                        "machine: \"%.60s\" is no GPU of the catalogue; a GPU "
                        "may be its memory: 24GB gpu",
                        of->name);
    char names[MPL_WORDS_SIZE];
    return mpl_fail(
        error, MEMPLAN_E_NOT_FOUND, of->offset,
        "machine: \"%.60s\" %s; is it %s?", of->name,
        is_several ? "is the name of several GPUs"
                   : "is no GPU of the catalogue",
        mpl_words_join(names, near->words, near->count, "", "or"));
}

/* NULL and MEMPLAN_OK: a GPU without a name. */
static memplan_status find_model(const mpl_part *of, const mpl_gpu_model **out,
                                 memplan_error *error)
{
    mpl_nearest near = {.count = 0};
    bool is_several = false;
    *out = NULL;
    if (of->role == MPL_PART_GPU && of->name[0] == '\0')
        return of->bytes != MEMPLAN_UNKNOWN
                   ? MEMPLAN_OK
                   : mpl_part_fail(of, MEMPLAN_E_ARGUMENT,
                                   "a GPU without a name needs its memory: "
                                   "24GB gpu",
                                   error);
    *out = mpl_gpu_find(of->name, &near, &is_several);
    return *out != NULL ? MEMPLAN_OK
                        : fail_model(of, is_several, &near, error);
}

/* A GPU of the host's memory: what is said with it is that memory's size,
 * and the most that it may use. */
static memplan_status take_unified_bytes(draft *to, mpl_device *device,
                                         const mpl_part *of,
                                         memplan_error *error)
{
    device->host_mapped_bytes = (mpl_figure){of->bytes, DECLARED};
    return mpl_add(&to->unified_bytes, to->unified_bytes, of->bytes)
               ? MEMPLAN_OK
               : mpl_part_fail(of, MEMPLAN_E_TOO_LARGE, "too much memory",
                               error);
}

static memplan_status add_gpu(draft *to, const mpl_part *of,
                              const mpl_gpu_model *model, memplan_error *error)
{
    memplan_machine *const machine = to->machine;
    mpl_device *const device = &machine->devices[machine->device_count];
    const bool is_said = of->bytes != MEMPLAN_UNKNOWN;
    const bool is_unified =
        model != NULL && model->memory >= MPL_GPU_UNIFIED;
    to->has_nvlink[machine->device_count] |= of->has_nvlink;
    *device = mpl_device_blank(machine->device_count++);
    device->order = device->index;
    device->is_named = true;
    if (is_said && !is_unified) {
        device->total_bytes = (mpl_figure){of->bytes, DECLARED};
        device->free_bytes = device->total_bytes;
    }
    if (of->rate != MEMPLAN_UNKNOWN)
        device->bandwidth_bytes_per_second = (mpl_figure){of->rate, DECLARED};
    if (model == NULL)
        return MEMPLAN_OK;
    device->name = model->key;
    mpl_device_take_model(device, model);
    return is_said && is_unified ? take_unified_bytes(to, device, of, error)
                                 : MEMPLAN_OK;
}

/* "ryzen 9 7950x", "i9-13900k": a name that tells no figure. */
static bool is_processor(const char *name)
{
    static const char *const BEGINNINGS[] = {
        "ryzen", "threadripper", "epyc", "opteron", "xeon", "i3-",
        "i5-",   "i7-",          "i9-",  "core ultra", "graviton",
        "ampere altra", "power9", "power10", "grace"};
    static const char *const MAKERS[] = {"amd ", "intel ", "nvidia ",
                                         "core ", "ibm "};
    char word[MPL_PART_NAME_BYTES];
    size_t length = 0;
    for (; name[length] != '\0'; length++)
        word[length] = name[length] >= 'A' && name[length] <= 'Z'
                           ? (char)(name[length] | 0x20)
                           : name[length];
    word[length] = '\0';
    const char *at = word;
    for (size_t maker = 0; maker < sizeof MAKERS / sizeof *MAKERS; maker++)
        if (strncmp(at, MAKERS[maker], strlen(MAKERS[maker])) == 0)
            at += strlen(MAKERS[maker]);
    for (size_t item = 0; item < sizeof BEGINNINGS / sizeof *BEGINNINGS;
         item++)
        if (strncmp(at, BEGINNINGS[item], strlen(BEGINNINGS[item])) == 0)
            return true;
    return false;
}

static memplan_status set_processor(draft *to, const mpl_part *of,
                                    memplan_error *error)
{
    mpl_host *const host = &to->machine->host;
    if (host->cpu_model[0] != '\0')
        return mpl_part_fail(of, MEMPLAN_E_ARGUMENT, "a second processor",
                             error);
    host->cpu_model = mpl_arena_strdup(to->machine->arena, of->name);
    return host->cpu_model != NULL ? MEMPLAN_OK : mpl_fail_memory(error);
}

/* "no gpu", "cpu only": what is not said is not there. */
static bool is_without(const mpl_part *of)
{
    return of->bytes == MEMPLAN_UNKNOWN &&
           ((of->role == MPL_PART_GPU && strcmp(of->name, "no") == 0) ||
            (of->role == MPL_PART_HOST && strcmp(of->name, "only") == 0));
}

static memplan_status add_gpus(draft *to, const mpl_part *of,
                               memplan_error *error)
{
    const mpl_gpu_model *model;
    bool is_several;
    if (of->role == MPL_PART_UNNAMED && of->bytes == MEMPLAN_UNKNOWN &&
        of->rate == MEMPLAN_UNKNOWN && is_processor(of->name) &&
        mpl_gpu_find(of->name, NULL, &is_several) == NULL)
        return set_processor(to, of, error);
    memplan_status status = find_model(of, &model, error);
    if (status != MEMPLAN_OK)
        return status;
    if (to->machine->device_count + of->count > MAX_DEVICES)
        return mpl_part_fail(of, MEMPLAN_E_TOO_LARGE, "more than 256 GPUs",
                             error);
    for (uint32_t at = 0; at < of->count && status == MEMPLAN_OK; at++)
        status = add_gpu(to, of, model, error);
    return status;
}

/* The number of "16 cores". */
static memplan_status read_count(const mpl_part *of, uint32_t *out,
                                 memplan_error *error)
{
    enum { MOST = 65536 };
    uint32_t count = 0;
    const char *at = of->name;
    for (; *at >= '0' && *at <= '9' && count <= MOST; at++)
        count = count * 10 + (uint32_t)(*at - '0');
    if (at == of->name || *at != '\0' || count == 0 || count > MOST)
        return mpl_part_fail(of, MEMPLAN_E_ARGUMENT,
                             "not a number, such as 16 cores", error);
    *out = count;
    return MEMPLAN_OK;
}

/* "4.0 x16", "5 x8". */
static memplan_status set_pcie(memplan_machine *machine, const mpl_part *of,
                               memplan_error *error)
{
    const char first = of->name[0];
    const uint32_t generation =
        first >= '0' && first <= '9' ? (uint32_t)(first - '0') : 0;
    const char *const x = strchr(of->name, 'x');
    uint32_t lanes = 0;
    for (const char *at = x != NULL ? x + 1 : "";
         *at >= '0' && *at <= '9' && lanes < 99; at++)
        lanes = lanes * 10 + (uint32_t)(*at - '0');
    const uint64_t rate = mpl_link_pcie(generation, lanes);
    const char *const name =
        mpl_link_pcie_name(machine->arena, generation, lanes);
    if (rate == MEMPLAN_UNKNOWN)
        return mpl_part_fail(of, MEMPLAN_E_ARGUMENT,
                             "not a link, such as pcie 4.0 x16", error);
    if (name == NULL)
        return mpl_fail_memory(error);
    for (uint32_t at = 0; at < machine->device_count; at++) {
        machine->devices[at].link = name;
        machine->devices[at].link_bytes_per_second =
            (mpl_figure){rate, DECLARED};
    }
    return MEMPLAN_OK;
}

static memplan_status set_nvlink(draft *to, const mpl_part *of,
                                 memplan_error *error)
{
    if (of->name[0] != '\0' || of->bytes != MEMPLAN_UNKNOWN)
        return mpl_part_fail(of, MEMPLAN_E_ARGUMENT,
                             "not a link, such as nvlink or nvlink 50GB/s",
                             error);
    to->nvlink_rate = of->rate;
    for (uint32_t at = 0; at < MAX_DEVICES; at++)
        to->has_nvlink[at] = true; /* also of those that are said later */
    return MEMPLAN_OK;
}

/* "apple-m3-max 128GB memory": a GPU of the host's memory, or a processor, may
 * stand beside the memory. */
static memplan_status set_host(draft *to, const mpl_part *of,
                               memplan_error *error)
{
    mpl_host *const host = &to->machine->host;
    bool is_several;
    const mpl_gpu_model *const model =
        of->name[0] != '\0' ? mpl_gpu_find(of->name, NULL, &is_several) : NULL;
    if (model != NULL && model->memory >= MPL_GPU_UNIFIED)
        return add_gpus(to, of, error);
    if (model != NULL)
        return mpl_part_fail(of, MEMPLAN_E_ARGUMENT,
                             "names a GPU and the host's memory; a comma "
                             "parts them",
                             error);
    if (of->bytes == MEMPLAN_UNKNOWN || of->count != 1 ||
        (of->name[0] != '\0' && !is_processor(of->name)))
        return mpl_part_fail(of, MEMPLAN_E_ARGUMENT,
                             "not an amount, such as 64GiB ram", error);
    host->total_bytes = (mpl_figure){of->bytes, DECLARED};
    host->available_bytes = host->total_bytes;
    if (of->rate != MEMPLAN_UNKNOWN)
        host->read_bytes_per_second = (mpl_figure){of->rate, DECLARED};
    return of->name[0] != '\0' ? set_processor(to, of, error) : MEMPLAN_OK;
}

static memplan_status set_disk(mpl_disk *disk, const mpl_part *of,
                               memplan_error *error)
{
    if (of->bytes == MEMPLAN_UNKNOWN || of->name[0] != '\0' || of->count != 1)
        return mpl_part_fail(of, MEMPLAN_E_ARGUMENT,
                             "not an amount, such as 500GB disk", error);
    disk->path = "";
    disk->free_bytes = (mpl_figure){of->bytes, DECLARED};
    if (of->rate != MEMPLAN_UNKNOWN)
        disk->read_bytes_per_second = (mpl_figure){of->rate, DECLARED};
    return MEMPLAN_OK;
}

static memplan_status apply_part(draft *to, const mpl_part *of,
                                 memplan_error *error)
{
    memplan_machine *const machine = to->machine;
    switch (of->role) {
    case MPL_PART_UNNAMED:
    case MPL_PART_GPU:
        return is_without(of) ? MEMPLAN_OK : add_gpus(to, of, error);
    case MPL_PART_HOST:
        return is_without(of) ? MEMPLAN_OK : set_host(to, of, error);
    case MPL_PART_DISK:
        return set_disk(&machine->disk, of, error);
    case MPL_PART_CORES:
        return read_count(of, &machine->host.core_count, error);
    case MPL_PART_THREADS:
        return read_count(of, &machine->host.thread_count, error);
    case MPL_PART_NVLINK:
        return set_nvlink(to, of, error);
    case MPL_PART_PCIE:
        break;
    }
    to->pcie = *of; /* waits until all GPUs are there */
    return MEMPLAN_OK;
}

/* There is one host, one disk, one count of cores: what is said twice would
 * be kept once. */
static memplan_status check_once(const mpl_part *of, uint32_t *roles,
                                 memplan_error *error)
{
    const uint32_t bit = UINT32_C(1) << of->role;
    if (is_without(of))
        return MEMPLAN_OK;
    if (of->role != MPL_PART_UNNAMED && of->role != MPL_PART_GPU &&
        (*roles & bit) != 0)
        return mpl_part_fail(of, MEMPLAN_E_ARGUMENT, "is said twice", error);
    *roles |= bit;
    return MEMPLAN_OK;
}

static memplan_status apply_parts(draft *to, const char *text,
                                  memplan_error *error)
{
    uint32_t roles = 0;
    for (const char *at = text; at != NULL;) {
        mpl_part made;
        memplan_status status = mpl_part_read(&made, text, &at, error);
        if (status == MEMPLAN_OK && mpl_part_is_blank(&made))
            status = mpl_part_fail(&made, MEMPLAN_E_ARGUMENT, "an empty part",
                                   error);
        if (status == MEMPLAN_OK)
            status = check_once(&made, &roles, error);
        if (status == MEMPLAN_OK)
            status = apply_part(to, &made, error);
        if (status != MEMPLAN_OK)
            return status;
    }
    return to->pcie.role == MPL_PART_PCIE
               ? set_pcie(to->machine, &to->pcie, error)
               : MEMPLAN_OK;
}

/* A device's NVLinks by its model; NULL: not known. */
static const mpl_gpu_nvlink *nvlink_of(const mpl_device *device)
{
    return device->model[0] != '\0' ? mpl_gpu_nvlink_of(device->model) : NULL;
}

/* The link of two devices, as the narrower has it. */
static mpl_figure nvlink_rate(const draft *of, const mpl_device *a,
                              const mpl_device *b)
{
    const mpl_gpu_nvlink *const one = nvlink_of(a);
    const mpl_gpu_nvlink *const other = nvlink_of(b);
    if (of->nvlink_rate != MEMPLAN_UNKNOWN)
        return (mpl_figure){of->nvlink_rate, DECLARED};
    if (one == NULL || other == NULL)
        return MPL_FIGURE_UNKNOWN;
    return (mpl_figure){
        mpl_min(one->bytes_per_second, other->bytes_per_second),
        one->is_bridge && other->is_bridge ? "catalogue"
                                           : "catalogue: all links of a GPU"};
}

static bool is_bridged(const mpl_device *device)
{
    const mpl_gpu_nvlink *const link = nvlink_of(device);
    return link != NULL && link->is_bridge;
}

static void add_peer(draft *of, uint32_t from, uint32_t to)
{
    memplan_machine *const machine = of->machine;
    machine->peers[machine->peer_count++] = (mpl_peer){
        .from = from,
        .to = to,
        .bytes_per_second = nvlink_rate(of, &machine->devices[from],
                                        &machine->devices[to]),
        .name = "NVLink"};
}

/* All that have NVLink reach each other; where bridges do it, the first and
 * the second, the third and the fourth, ... */
static memplan_status join_nvlinks(draft *of, memplan_error *error)
{
    memplan_machine *const machine = of->machine;
    uint32_t ends[MAX_DEVICES];
    uint32_t count = 0;
    for (uint32_t at = 0; at < machine->device_count; at++)
        if (of->has_nvlink[machine->devices[at].order] &&
            !machine->devices[at].is_unified)
            ends[count++] = at;
    if (count < 2)
        return of->has_nvlink[0] || count > 0
                   ? mpl_fail(error, MEMPLAN_E_ARGUMENT, 0,
                              "machine: NVLink joins two GPUs or more")
                   : MEMPLAN_OK;
    machine->peers = mpl_arena_alloc(
        machine->arena, (uint64_t)count * (count - 1), sizeof(mpl_peer));
    if (machine->peers == NULL)
        return mpl_fail_memory(error);
    for (uint32_t from = 0; from < count; from++)
        for (uint32_t to = 0; to < count; to++) {
            const bool is_pair = from / 2 == to / 2;
            const bool has_bridge =
                is_bridged(&machine->devices[ends[from]]) ||
                is_bridged(&machine->devices[ends[to]]);
            if (from != to && (is_pair || !has_bridge))
                add_peer(of, ends[from], ends[to]);
        }
    return MEMPLAN_OK;
}

/* The host's memory where GPUs that share it told it; what nobody tells. */
static memplan_status settle_host(const draft *of, memplan_error *error)
{
    memplan_machine *const machine = of->machine;
    mpl_host *const host = &machine->host;
    if (host->total_bytes.value == MEMPLAN_UNKNOWN && of->unified_bytes > 0) {
        host->total_bytes = (mpl_figure){of->unified_bytes, DECLARED};
        host->available_bytes = host->total_bytes;
    }
    if (host->thread_count == 0)
        host->thread_count = host->core_count;
    if (host->total_bytes.value != MEMPLAN_UNKNOWN)
        return MEMPLAN_OK;
    if (machine->device_count == 0)
        return mpl_fail(error, MEMPLAN_E_ARGUMENT, 0,
                        "machine: no memory is said; add the host's, such as "
                        "64GiB ram, or a GPU");
    for (uint32_t at = 0; at < machine->device_count; at++)
        if (machine->devices[at].is_unified)
            return mpl_fail(error, MEMPLAN_E_ARGUMENT, 0,
                            "machine: %s uses the host's memory: say how "
                            "much, such as \"%s, 64GiB ram\"",
                            machine->devices[at].name,
                            machine->devices[at].name);
    return MEMPLAN_OK;
}

memplan_status mpl_description_read(memplan_machine *machine, const char *text,
                                    memplan_error *error)
{
    draft made = {.machine = machine, .nvlink_rate = MEMPLAN_UNKNOWN};
    machine->devices =
        mpl_arena_alloc(machine->arena, MAX_DEVICES, sizeof *machine->devices);
    if (machine->devices == NULL)
        return mpl_fail_memory(error);
    memplan_status status = apply_parts(&made, text, error);
    if (status == MEMPLAN_OK)
        status = settle_host(&made, error);
    if (status == MEMPLAN_OK)
        status = mpl_devices_settle(machine, error);
    if (status == MEMPLAN_OK)
        status = join_nvlinks(&made, error);
    return status == MEMPLAN_OK ? mpl_machine_finish(machine, error) : status;
}
