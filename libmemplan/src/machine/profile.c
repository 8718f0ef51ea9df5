/* SPDX-License-Identifier: MIT */
/*
 * A profile is what a machine is written as. Members that are absent or null
 * are unknown; members of later releases are left; a member of another type
 * than it should be is refused by name. Who said a figure stands in
 * "said_by"; what nobody signed there is the user's, and is declared.
 */
#include "machine/profile.h"

#include <string.h>

#include "base/checked.h"
#include "base/failure.h"
#include "base/json.h"

enum { MAX_ITEMS = 4096, MAX_WORDS = 256, MAX_PEERS = 65536 };

/* The first failure is kept; reading goes on, and is checked at the end. */
typedef struct reader {
    memplan_machine *machine;
    mpl_arena *arena;
    memplan_error *error;
    memplan_status status;
} reader;

static void refuse(reader *from, const char *key, const char *rule)
{
    if (from->status == MEMPLAN_OK)
        from->status =
            mpl_fail(from->error, MEMPLAN_E_CORRUPT, MPL_NOWHERE,
                     "profile: \"%.60s\" is not %s", key, rule);
}

static const char *keep(reader *from, const char *text)
{
    const char *const kept = mpl_arena_strdup(from->arena, text);
    if (kept == NULL && from->status == MEMPLAN_OK)
        from->status = mpl_fail_memory(from->error);
    return kept != NULL ? kept : "";
}

static void *keep_items(reader *from, uint64_t count, uint64_t item_bytes)
{
    void *const items = mpl_arena_alloc(from->arena, count, item_bytes);
    if (items == NULL && from->status == MEMPLAN_OK)
        from->status = mpl_fail_memory(from->error);
    return items;
}

static bool is_given(mpl_json_value value)
{
    const mpl_json_type type = mpl_json_type_of(value);
    return type != MPL_JSON_NONE && type != MPL_JSON_NULL;
}

static uint64_t read_number(reader *from, mpl_json_value object,
                            const char *key)
{
    const mpl_json_value value = mpl_json_get(object, key);
    uint64_t number = MEMPLAN_UNKNOWN;
    if (is_given(value) && !mpl_json_u64(value, &number))
        refuse(from, key, "a whole number or null");
    return number;
}

/* A count or an index that fits 32 bits; `otherwise` where it is not given. */
static uint32_t read_small(reader *from, mpl_json_value object,
                           const char *key, uint32_t otherwise)
{
    const uint64_t number = read_number(from, object, key);
    if (number == MEMPLAN_UNKNOWN)
        return otherwise;
    if (number > 1000000)
        refuse(from, key, "below a million");
    return (uint32_t)number;
}

static const char *read_text(reader *from, mpl_json_value object,
                             const char *key)
{
    const mpl_json_value value = mpl_json_get(object, key);
    const char *const text = mpl_json_string(value, NULL);
    if (is_given(value) && text == NULL)
        refuse(from, key, "a text or null");
    return text != NULL ? keep(from, text) : "";
}

static bool read_flag(reader *from, mpl_json_value object, const char *key,
                      bool otherwise)
{
    const mpl_json_value value = mpl_json_get(object, key);
    bool flag = otherwise;
    if (is_given(value) && !mpl_json_bool(value, &flag))
        refuse(from, key, "true or false");
    return flag;
}

static mpl_figure read_figure(reader *from, mpl_json_value object,
                              const char *key)
{
    const uint64_t value = read_number(from, object, key);
    if (value == MEMPLAN_UNKNOWN)
        return MPL_FIGURE_UNKNOWN;
    const char *const said_by = read_text(
        from, mpl_json_get(object, "said_by"), key);
    return (mpl_figure){value, said_by[0] != '\0' ? said_by : "declared"};
}

/* An array's items, of which at most `most` are taken. */
static mpl_json_value read_array(reader *from, mpl_json_value object,
                                 const char *key, uint64_t most,
                                 uint64_t *out_count)
{
    const mpl_json_value value = mpl_json_get(object, key);
    *out_count = 0;
    if (!is_given(value))
        return value;
    if (mpl_json_type_of(value) != MPL_JSON_ARRAY)
        refuse(from, key, "an array or null");
    else if (mpl_json_count(value) > most)
        refuse(from, key, "of a length that machines have");
    else
        *out_count = mpl_json_count(value);
    return value;
}

static const char *const *read_words(reader *from, mpl_json_value object,
                                     const char *key, uint32_t *out_count)
{
    uint64_t count;
    const mpl_json_value array =
        read_array(from, object, key, MAX_WORDS, &count);
    const char **const words = keep_items(from, count, sizeof *words);
    mpl_json_walk walk = mpl_json_begin(array);
    *out_count = 0;
    while (words != NULL && *out_count < count && mpl_json_next(&walk)) {
        const char *const text = mpl_json_string(walk.value, NULL);
        if (text == NULL)
            refuse(from, key, "an array of texts");
        words[(*out_count)++] = text != NULL ? keep(from, text) : "";
    }
    return words;
}

static mpl_memory_kind read_kind(reader *from, mpl_json_value node)
{
    static const struct {
        const char *name;
        mpl_memory_kind kind;
    } KINDS[] = {{"dram", MPL_MEMORY_DRAM},
                 {"hbm", MPL_MEMORY_HBM},
                 {"cxl", MPL_MEMORY_CXL},
                 {"nvm", MPL_MEMORY_NVM},
                 {"device", MPL_MEMORY_DEVICE}};
    const char *const name = read_text(from, node, "kind");
    for (size_t at = 0; at < sizeof KINDS / sizeof *KINDS; at++)
        if (strcmp(KINDS[at].name, name) == 0)
            return KINDS[at].kind;
    return MPL_MEMORY_DRAM;
}

static void read_nodes(reader *from, mpl_json_value host)
{
    uint64_t count;
    const mpl_json_value array =
        read_array(from, host, "numa", MAX_ITEMS, &count);
    memplan_machine *const machine = from->machine;
    machine->nodes = keep_items(from, count, sizeof *machine->nodes);
    mpl_json_walk walk = mpl_json_begin(array);
    while (machine->nodes != NULL && machine->node_count < count &&
           mpl_json_next(&walk)) {
        mpl_numa_node *const node = &machine->nodes[machine->node_count++];
        node->index = read_small(from, walk.value, "index", 0);
        node->kind = read_kind(from, walk.value);
        node->total_bytes = read_number(from, walk.value, "total_bytes");
        node->is_allowed = read_flag(from, walk.value, "is_allowed", true);
        node->read_bytes_per_second =
            read_figure(from, walk.value, "read_bytes_per_second");
        node->latency_ns = read_figure(from, walk.value, "latency_ns");
    }
}

static void read_limits(reader *from, mpl_json_value host)
{
    uint64_t count;
    const mpl_json_value array =
        read_array(from, host, "limits", MAX_ITEMS, &count);
    mpl_limit *const limits = keep_items(from, count, sizeof *limits);
    mpl_host *const to = &from->machine->host;
    mpl_json_walk walk = mpl_json_begin(array);
    to->limits = limits;
    while (limits != NULL && to->limit_count < count && mpl_json_next(&walk)) {
        mpl_limit *const limit = &limits[to->limit_count++];
        limit->source = read_text(from, walk.value, "source");
        limit->limit_bytes = read_number(from, walk.value, "limit_bytes");
        limit->used_bytes = read_number(from, walk.value, "used_bytes");
        const uint64_t back =
            read_number(from, walk.value, "reclaimable_bytes");
        limit->reclaimable_bytes = back == MEMPLAN_UNKNOWN ? 0 : back;
        limit->is_soft = read_flag(from, walk.value, "is_soft", false);
        limit->is_tightest =
            strcmp(limit->source, to->limit_bytes.source) == 0;
    }
}

static void read_host(reader *from, mpl_json_value root)
{
    const mpl_json_value host = mpl_json_get(root, "host");
    mpl_host *const to = &from->machine->host;
    const struct {
        const char *key;
        mpl_figure *figure;
    } figures[] = {
        {"total_bytes", &to->total_bytes},
        {"available_bytes", &to->available_bytes},
        {"limit_bytes", &to->limit_bytes},
        {"swap_total_bytes", &to->swap_total_bytes},
        {"swap_free_bytes", &to->swap_free_bytes},
        {"hugepage_bytes", &to->hugepage_bytes},
        {"lockable_bytes", &to->lockable_bytes},
        {"swappiness", &to->swappiness},
        {"overcommit", &to->overcommit},
        {"read_bytes_per_second", &to->read_bytes_per_second},
    };
    for (size_t at = 0; at < sizeof figures / sizeof *figures; at++)
        *figures[at].figure = read_figure(from, host, figures[at].key);
    /* Writers write "any" as null; a declared source keeps them apart. */
    if (to->lockable_bytes.value == MEMPLAN_UNKNOWN &&
        is_given(mpl_json_get(mpl_json_get(host, "said_by"),
                              "lockable_bytes")))
        to->lockable_bytes =
            (mpl_figure){MPL_NO_LIMIT,
                         read_text(from, mpl_json_get(host, "said_by"),
                                   "lockable_bytes")};
    read_limits(from, host);
    read_nodes(from, host);
}

static void read_cpu(reader *from, mpl_json_value root)
{
    const mpl_json_value cpu = mpl_json_get(root, "cpu");
    mpl_host *const to = &from->machine->host;
    uint64_t count;
    to->cpu_model = read_text(from, cpu, "model");
    to->package_count = read_small(from, cpu, "packages", 0);
    to->core_count = read_small(from, cpu, "cores", 0);
    to->thread_count = read_small(from, cpu, "threads", 0);
    to->isa = read_words(from, cpu, "isa", &to->isa_count);
    const mpl_json_value array =
        read_array(from, cpu, "kinds", MAX_WORDS, &count);
    mpl_cpu_kind *const kinds = keep_items(from, count, sizeof *kinds);
    mpl_json_walk walk = mpl_json_begin(array);
    to->kinds = kinds;
    while (kinds != NULL && to->kind_count < count && mpl_json_next(&walk)) {
        mpl_cpu_kind *const kind = &kinds[to->kind_count++];
        kind->name = read_text(from, walk.value, "name");
        kind->core_count = read_small(from, walk.value, "cores", 0);
        kind->thread_count = read_small(from, walk.value, "threads", 0);
        kind->efficiency = read_small(from, walk.value, "efficiency", 0);
    }
}

static void read_device(reader *from, mpl_json_value value, mpl_device *to)
{
    *to = mpl_device_blank(
        read_small(from, value, "index", from->machine->device_count - 1));
    const struct {
        const char *key;
        mpl_figure *figure;
    } figures[] = {
        {"total_bytes", &to->total_bytes},
        {"free_bytes", &to->free_bytes},
        {"reserved_bytes", &to->reserved_bytes},
        {"carve_out_bytes", &to->carve_out_bytes},
        {"bandwidth_bytes_per_second", &to->bandwidth_bytes_per_second},
        {"link_bytes_per_second", &to->link_bytes_per_second},
        {"fp16_flops_per_second", &to->fp16_flops_per_second},
    };
    for (size_t at = 0; at < sizeof figures / sizeof *figures; at++)
        *figures[at].figure = read_figure(from, value, figures[at].key);
    to->name = read_text(from, value, "name");
    to->vendor = read_text(from, value, "vendor");
    to->model = read_text(from, value, "model");
    to->pci = read_text(from, value, "pci");
    to->uuid = read_text(from, value, "uuid");
    to->link = read_text(from, value, "link");
    to->numa_index = read_small(from, value, "numa_index", UINT32_MAX);
    to->compute_capability = read_small(from, value, "compute_capability", 0);
    to->is_unified = read_flag(from, value, "is_unified", false);
    to->is_left_out = read_flag(from, value, "is_left_out", false);
    to->sources = read_words(from, value, "sources", &to->source_count);
}

static bool has_index(const memplan_machine *machine, uint32_t index)
{
    for (uint32_t at = 0; at + 1 < machine->device_count; at++)
        if (machine->devices[at].index == index)
            return true;
    return false;
}

static void read_devices(reader *from, mpl_json_value root)
{
    uint64_t count;
    memplan_machine *const machine = from->machine;
    const mpl_json_value array =
        read_array(from, root, "devices", MAX_ITEMS, &count);
    machine->devices = keep_items(from, count, sizeof *machine->devices);
    mpl_json_walk walk = mpl_json_begin(array);
    while (machine->devices != NULL && machine->device_count < count &&
           mpl_json_next(&walk)) {
        mpl_device *const device = &machine->devices[machine->device_count++];
        read_device(from, walk.value, device);
        if (has_index(machine, device->index))
            refuse(from, "index", "of one device alone");
    }
}

/* A device's position by its index, as peers name it. */
static uint32_t read_end(reader *from, mpl_json_value peer, const char *key)
{
    const memplan_machine *const machine = from->machine;
    const uint32_t index = read_small(from, peer, key, UINT32_MAX);
    for (uint32_t at = 0; at < machine->device_count; at++)
        if (machine->devices[at].index == index)
            return at;
    refuse(from, key, "the index of a device");
    return 0;
}

static void read_peers(reader *from, mpl_json_value root)
{
    uint64_t count;
    memplan_machine *const machine = from->machine;
    const mpl_json_value array =
        read_array(from, root, "peers", MAX_PEERS, &count);
    machine->peers = keep_items(from, count, sizeof *machine->peers);
    mpl_json_walk walk = mpl_json_begin(array);
    while (machine->peers != NULL && machine->peer_count < count &&
           mpl_json_next(&walk)) {
        mpl_peer *const peer = &machine->peers[machine->peer_count++];
        peer->from = read_end(from, walk.value, "from");
        peer->to = read_end(from, walk.value, "to");
        peer->name = read_text(from, walk.value, "name");
        peer->bytes_per_second =
            read_figure(from, walk.value, "bytes_per_second");
    }
}

static void read_disk(reader *from, mpl_json_value root)
{
    const mpl_json_value disk = mpl_json_get(root, "disk");
    if (!is_given(disk))
        return;
    from->machine->disk.path = read_text(from, disk, "path");
    from->machine->disk.free_bytes = read_figure(from, disk, "free_bytes");
    from->machine->disk.read_bytes_per_second =
        read_figure(from, disk, "read_bytes_per_second");
}

static void read_notes(reader *from, mpl_json_value root)
{
    uint32_t count;
    const char *const *const notes = read_words(from, root, "notes", &count);
    for (uint32_t at = 0; notes != NULL && at < count; at++)
        if (!mpl_machine_add_note(from->machine, "%s", notes[at]) &&
            from->status == MEMPLAN_OK)
            from->status = mpl_fail_memory(from->error);
}

static memplan_status check_schema(mpl_json_value root, memplan_error *error)
{
    const char *const schema =
        mpl_json_string(mpl_json_get(root, "schema"), NULL);
    if (schema == NULL)
        return mpl_fail(error, MEMPLAN_E_CORRUPT, 0,
                        "profile: no \"schema\"; a profile is what memplan "
                        "machine --json writes");
    if (strcmp(schema, "memplan.machine/1") != 0)
        return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, 0,
                        "profile: schema \"%.40s\": memplan.machine/1 is read",
                        schema);
    return MEMPLAN_OK;
}

memplan_status mpl_profile_read(memplan_machine *machine, const uint8_t *text,
                                uint64_t size, memplan_error *error)
{
    mpl_json *json = NULL;
    memplan_status status = mpl_json_parse(&json, text, size, error);
    if (status != MEMPLAN_OK)
        return status;
    const mpl_json_value root = mpl_json_root(json);
    status = check_schema(root, error);
    if (status == MEMPLAN_OK) {
        reader from = {.machine = machine,
                       .arena = machine->arena,
                       .error = error};
        const char *const name = read_text(&from, root, "name");
        if (name[0] != '\0')
            machine->name = name;
        read_host(&from, root);
        read_cpu(&from, root);
        read_devices(&from, root);
        read_peers(&from, root);
        read_disk(&from, root);
        read_notes(&from, root);
        status = from.status;
    }
    mpl_json_free(json);
    return status == MEMPLAN_OK ? mpl_machine_finish(machine, error) : status;
}
