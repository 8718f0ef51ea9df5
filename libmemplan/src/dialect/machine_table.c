/* SPDX-License-Identifier: MIT */
/* A machine for a person: its memories, how full they are, what limits them,
 * and every disagreement between those who were asked. */
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "dialect/dialect.h"
#include "machine/machine.h"

enum { MARGIN = 2, KEY_COLUMNS = 8 };

static void paint_key(mpl_paint *paint, mpl_ink ink, const char *key)
{
    mpl_paint_gap(paint, MARGIN);
    mpl_paint_left(paint, ink, KEY_COLUMNS, key);
}

/* One bar of what is in use, and "X free of Y". */
static void paint_memory(mpl_paint *paint, const char *key, uint64_t free_bytes,
                         uint64_t total_bytes)
{
    const uint64_t columns =
        mpl_sub_floor(paint->width, 2 * MARGIN + KEY_COLUMNS + 27);
    paint_key(paint, MPL_INK_STRONG, key);
    if (free_bytes == MEMPLAN_UNKNOWN || total_bytes == MEMPLAN_UNKNOWN) {
        const uint64_t known =
            total_bytes == MEMPLAN_UNKNOWN ? free_bytes : total_bytes;
        char amount[32];
        (void)memplan_bytes_format(amount, sizeof amount, known);
        mpl_paint_format(paint, MPL_INK_STRONG, "%s", amount);
        mpl_paint_text(paint, MPL_INK_FAINT,
                       total_bytes != MEMPLAN_UNKNOWN
                           ? " in all; what is free is not known"
                       : free_bytes != MEMPLAN_UNKNOWN ? " to spend"
                                                       : "");
        mpl_paint_end(paint);
        return;
    }
    const mpl_slice used = {MPL_INK_USED,
                            mpl_sub_floor(total_bytes, free_bytes)};
    char amount[32];
    if (paint->without_bars) {
        (void)memplan_bytes_format(amount, sizeof amount, free_bytes);
        mpl_paint_text(paint, MPL_INK_STRONG, amount);
    } else {
        mpl_paint_bar(paint, columns, &used, 1, total_bytes, MEMPLAN_UNKNOWN);
        mpl_paint_right_bytes(paint, MPL_INK_STRONG, 11, free_bytes);
    }
    (void)memplan_bytes_format(amount, sizeof amount, total_bytes);
    mpl_paint_format(paint, MPL_INK_FAINT, " free of %s", amount);
    mpl_paint_end(paint);
}

/* What a device has of the host's memory, which is drawn once. */
static void paint_share(mpl_paint *paint, const char *key,
                        const mpl_device *device)
{
    const uint64_t own = device->carve_out_bytes.value != MEMPLAN_UNKNOWN
                             ? device->carve_out_bytes.value
                             : 0;
    const uint64_t most = device->free_bytes.value != MEMPLAN_UNKNOWN
                              ? device->free_bytes.value
                              : device->total_bytes.value;
    char amount[32];
    paint_key(paint, MPL_INK_STRONG, key);
    (void)memplan_bytes_format(amount, sizeof amount, mpl_sub_floor(most, own));
    mpl_paint_format(paint, MPL_INK_STRONG, "up to %s", amount);
    mpl_paint_text(paint, MPL_INK_FAINT, " of the memory above");
    if (own > 0) {
        (void)memplan_bytes_format(amount, sizeof amount, own);
        mpl_paint_format(paint, MPL_INK_FAINT, ", and %s of its own", amount);
    }
    mpl_paint_end(paint);
}

/* A line of facts below a memory. */
static void paint_facts(mpl_paint *paint, mpl_text *facts)
{
    if (facts->failed)
        paint->text->failed = true;
    else if (facts->length > 0) {
        mpl_paint_gap(paint, MARGIN + KEY_COLUMNS);
        mpl_paint_wrap(paint, MPL_INK_FAINT, MARGIN + KEY_COLUMNS, facts->data);
    }
    mpl_text_discard(facts);
}

static void add_fact(mpl_text *facts, const char *fact)
{
    if (facts->length > 0)
        mpl_text_add(facts, ", ");
    mpl_text_add(facts, fact);
}

/* "1.2 GiB/s memory", who said so where it is not the obvious one. */
static void add_speed(mpl_text *facts, const char *what, mpl_figure figure)
{
    char amount[32];
    if (figure.value == MEMPLAN_UNKNOWN)
        return;
    (void)memplan_bytes_format(amount, sizeof amount, figure.value);
    add_fact(facts, what);
    mpl_text_format(facts, " %s/s (%s)", amount, figure.source);
}

/* "4 IntelAtom, 2 IntelCore", the slowest first; without names the speed is
 * all that is known. */
static void add_kinds(mpl_text *facts, const mpl_host *host)
{
    bool has_names = true;
    for (uint32_t at = 0; at < host->kind_count; at++)
        has_names &= host->kinds[at].name[0] != '\0';
    mpl_text_add(facts, has_names ? "cores:" : "cores, the slowest first:");
    for (uint32_t rank = 0; rank < host->kind_count; rank++)
        for (uint32_t at = 0; at < host->kind_count; at++) {
            const mpl_cpu_kind *const kind = &host->kinds[at];
            if (kind->efficiency != rank)
                continue;
            mpl_text_format(facts, "%s%u", facts->data[facts->length - 1] == ':'
                                               ? " "
                                               : ", ",
                            kind->core_count);
            if (has_names)
                mpl_text_format(facts, " %s", kind->name);
        }
}

static void paint_processor(mpl_paint *paint, const mpl_host *host)
{
    mpl_text facts = {0};
    if (host->cpu_model[0] == '\0' && host->core_count == 0)
        return;
    paint_key(paint, MPL_INK_STRONG, "cpu");
    if (host->cpu_model[0] != '\0')
        mpl_text_add(&facts, host->cpu_model);
    if (host->core_count > 0) {
        add_fact(&facts, "");
        mpl_text_format(&facts, "%u core%s", host->core_count,
                        host->core_count == 1 ? "" : "s");
    }
    if (host->thread_count > 0)
        mpl_text_format(&facts, ", %u thread%s to use", host->thread_count,
                        host->thread_count == 1 ? "" : "s");
    mpl_paint_made(paint, MPL_INK_PLAIN, MARGIN + KEY_COLUMNS, &facts);
    if (host->kind_count > 1)
        add_kinds(&facts, host);
    paint_facts(paint, &facts);
    for (uint32_t at = 0; at < host->isa_count; at++) {
        if (at > 0)
            mpl_text_add(&facts, " ");
        mpl_text_add(&facts, host->isa[at]);
    }
    paint_facts(paint, &facts);
}

/* What is free is the user's word, about a memory that others know. */
static bool is_said(mpl_figure free_bytes, mpl_figure total_bytes)
{
    static const char DECLARED[] = "declared";
    return total_bytes.value != MEMPLAN_UNKNOWN &&
           strcmp(free_bytes.source, DECLARED) == 0 &&
           (strcmp(total_bytes.source, DECLARED) != 0 ||
            free_bytes.value != total_bytes.value);
}

static void paint_host(mpl_paint *paint, const mpl_host *host)
{
    mpl_text facts = {0};
    char amount[32];
    if (host->total_bytes.value == MEMPLAN_UNKNOWN &&
        host->available_bytes.value == MEMPLAN_UNKNOWN)
        return;
    paint_memory(paint, "memory", host->available_bytes.value,
                 host->total_bytes.value);
    if (host->limit_bytes.value < MPL_NO_LIMIT) {
        (void)memplan_bytes_format(amount, sizeof amount,
                                   host->limit_bytes.value);
        mpl_text_format(&facts, "limit %s (%s)", amount,
                        host->limit_bytes.source);
    }
    if (host->swap_free_bytes.value != MEMPLAN_UNKNOWN) {
        (void)memplan_bytes_format(amount, sizeof amount,
                                   host->swap_free_bytes.value);
        add_fact(&facts, host->swap_free_bytes.value > 0 ? "swap " : "no swap");
        if (host->swap_free_bytes.value > 0)
            mpl_text_format(&facts, "%s free", amount);
    }
    if (host->hugepage_bytes.value != MEMPLAN_UNKNOWN &&
        host->hugepage_bytes.value > 0) {
        (void)memplan_bytes_format(amount, sizeof amount,
                                   host->hugepage_bytes.value);
        add_fact(&facts, amount);
        mpl_text_add(&facts, " set aside as huge pages");
    }
    add_speed(&facts, "reads", host->read_bytes_per_second);
    if (host->is_left_out)
        add_fact(&facts, "not planned on");
    else if (is_said(host->available_bytes, host->total_bytes))
        add_fact(&facts, "free as declared");
    paint_facts(paint, &facts);
}

static void paint_node(mpl_paint *paint, const mpl_numa_node *node)
{
    static const char *const KINDS[] = {
        [MPL_MEMORY_DRAM] = "DRAM",
        [MPL_MEMORY_HBM] = "HBM",
        [MPL_MEMORY_CXL] = "CXL",
        [MPL_MEMORY_NVM] = "NVM",
        [MPL_MEMORY_DEVICE] = "a device's memory",
    };
    mpl_text facts = {0};
    mpl_text_format(&facts, "NUMA node %u: ", node->index);
    if (!node->is_allowed) {
        mpl_text_format(&facts, "%s for this process",
                        node->total_bytes == MEMPLAN_UNKNOWN ? "no memory"
                                                             : "not");
    } else if (node->total_bytes == MEMPLAN_UNKNOWN) {
        mpl_text_format(&facts, "%s, of unknown size", KINDS[node->kind]);
    } else {
        mpl_text_bytes(&facts, node->total_bytes);
        mpl_text_format(&facts, " of %s", KINDS[node->kind]);
    }
    if (node->read_bytes_per_second.value != MEMPLAN_UNKNOWN) {
        mpl_text_add(&facts, ", reads ");
        mpl_text_bytes(&facts, node->read_bytes_per_second.value);
        mpl_text_add(&facts, "/s");
    }
    if (node->latency_ns.value != MEMPLAN_UNKNOWN)
        mpl_text_format(&facts, ", latency %llu ns",
                        (unsigned long long)node->latency_ns.value);
    paint_facts(paint, &facts);
}

/* Whether a device is of the same make and linked alike. */
static bool is_alike(const mpl_device *a, const mpl_device *b)
{
    return strcmp(a->name, b->name) == 0 &&
           strcmp(a->vendor, b->vendor) == 0 && strcmp(a->link, b->link) == 0 &&
           a->is_unified == b->is_unified &&
           a->bandwidth_bytes_per_second.value ==
               b->bandwidth_bytes_per_second.value &&
           a->link_bytes_per_second.value == b->link_bytes_per_second.value;
}

/* What is known of a GPU without a name. */
static void add_vendor(mpl_text *facts, const char *vendor)
{
    static const char *const NAMES[][2] = {{"nvidia", "an NVIDIA GPU"},
                                           {"amd", "an AMD GPU"},
                                           {"intel", "an Intel GPU"}};
    for (size_t at = 0; at < sizeof NAMES / sizeof *NAMES; at++)
        if (strcmp(NAMES[at][0], vendor) == 0)
            add_fact(facts, NAMES[at][1]);
}

static void add_make(mpl_text *facts, const mpl_device *device)
{
    if (device->name[0] != '\0')
        add_fact(facts, device->name);
    else
        add_vendor(facts, device->vendor);
    if (device->is_unified)
        add_fact(facts, "shares the host's memory");
    else if (device->link[0] != '\0')
        add_fact(facts, device->link);
    add_speed(facts, "memory", device->bandwidth_bytes_per_second);
    add_speed(facts, "link", device->link_bytes_per_second);
}

/* Who says what is free, where it is neither a driver, nor the host, nor the
 * user: those are plain. */
static void add_share(mpl_text *facts, const mpl_device *device,
                      const mpl_host *host)
{
    const char *const source = device->free_bytes.source;
    const bool is_stated = strncmp(source, "catalogue", 9) == 0;
    if (device->free_bytes.value != MEMPLAN_UNKNOWN &&
        (is_stated || (device->is_unified &&
                       strcmp(source, host->available_bytes.source) != 0 &&
                       strcmp(source, "declared") != 0)))
        mpl_text_format(facts, ", free by %s", source);
}

/* `first` is one above that is like this one, or NULL: it is said once. */
static void paint_device(mpl_paint *paint, const mpl_host *host,
                         const mpl_device *device, const mpl_device *first)
{
    mpl_text facts = {0};
    char key[24];
    (void)snprintf(key, sizeof key, "GPU %u", device->index);
    if (device->is_unified && host->total_bytes.value != MEMPLAN_UNKNOWN)
        paint_share(paint, key, device);
    else
        paint_memory(paint, key, device->free_bytes.value,
                     device->total_bytes.value);
    if (first != NULL)
        mpl_text_format(&facts, "as GPU %u", first->index);
    else
        add_make(&facts, device);
    if (first == NULL)
        add_share(&facts, device, host);
    if (device->is_left_out)
        add_fact(&facts, "not planned on");
    else if (is_said(device->free_bytes, device->total_bytes))
        add_fact(&facts, "free as declared");
    if (device->numa_index != UINT32_MAX) {
        add_fact(&facts, "NUMA node ");
        mpl_text_format(&facts, "%u", device->numa_index);
    }
    paint_facts(paint, &facts);
}

static void paint_devices(mpl_paint *paint, const memplan_machine *machine)
{
    const mpl_device *first = NULL;
    for (uint32_t at = 0; at < machine->device_count; at++) {
        const mpl_device *const device = &machine->devices[at];
        if (first == NULL ||
            (device->name[0] == '\0' && device->vendor[0] == '\0') ||
            !is_alike(device, first)) {
            paint_device(paint, &machine->host, device, NULL);
            first = device;
        } else {
            paint_device(paint, &machine->host, device, first);
        }
    }
    if (machine->device_count > 0)
        return;
    paint_key(paint, MPL_INK_STRONG, "GPU");
    mpl_paint_text(paint, MPL_INK_FAINT, "none");
    mpl_paint_end(paint);
}

/* Links of one name, rate and source are told together. */
static bool is_like(const mpl_peer *a, const mpl_peer *b)
{
    return strcmp(a->name, b->name) == 0 &&
           a->bytes_per_second.value == b->bytes_per_second.value &&
           strcmp(a->bytes_per_second.source, b->bytes_per_second.source) == 0;
}

static bool is_linked(const memplan_machine *machine, const mpl_peer *like,
                      uint32_t from, uint32_t to)
{
    for (uint32_t at = 0; at < machine->peer_count; at++)
        if (machine->peers[at].from == from && machine->peers[at].to == to &&
            is_like(&machine->peers[at], like))
            return true;
    return false;
}

/* The devices that have such links; whether each has one to each. */
static bool is_complete(const memplan_machine *machine, const mpl_peer *like,
                        bool *members)
{
    uint64_t member_count = 0;
    uint64_t link_count = 0;
    for (uint32_t at = 0; at < machine->peer_count; at++) {
        const mpl_peer *const peer = &machine->peers[at];
        if (!is_like(peer, like))
            continue;
        link_count++;
        member_count += !members[peer->from];
        members[peer->from] = true;
    }
    return link_count == member_count * (member_count - 1);
}

/* "0 to 3, 6": indices, of which those in a row are drawn together. */
static void add_members(mpl_text *facts, const memplan_machine *machine,
                        const bool *members)
{
    uint32_t count = 0;
    for (uint32_t at = 0; at < machine->device_count; at++) {
        uint32_t last = at;
        if (!members[at])
            continue;
        while (last + 1 < machine->device_count && members[last + 1])
            last++;
        mpl_text_format(facts, "%s%u", count > 0 ? ", " : " GPU ",
                        machine->devices[at].index);
        if (last > at)
            mpl_text_format(facts, " %s %u", last == at + 1 ? "and" : "to",
                            machine->devices[last].index);
        count += last - at + 1;
        at = last;
    }
    if (count > 2)
        mpl_text_add(facts, ", each with each");
}

static void add_pairs(mpl_text *facts, const memplan_machine *machine,
                      const mpl_peer *like)
{
    bool is_first = true;
    for (uint32_t at = 0; at < machine->peer_count; at++) {
        const mpl_peer *const peer = &machine->peers[at];
        const bool is_told = peer->from > peer->to &&
                             is_linked(machine, like, peer->to, peer->from);
        if (!is_like(peer, like) || is_told)
            continue;
        mpl_text_format(facts, "%s%u and %u", is_first ? " GPU " : ", ",
                        machine->devices[peer->from].index,
                        machine->devices[peer->to].index);
        is_first = false;
    }
}

static void paint_links(mpl_paint *paint, const memplan_machine *machine)
{
    enum { MOST = 256 }; /* of larger machines the JSON tells */
    if (machine->device_count > MOST)
        return;
    for (uint32_t at = 0; at < machine->peer_count; at++) {
        const mpl_peer *const peer = &machine->peers[at];
        bool members[MOST] = {false};
        bool is_told = false;
        for (uint32_t before = 0; before < at && !is_told; before++)
            is_told = is_like(&machine->peers[before], peer);
        if (is_told)
            continue;
        mpl_text facts = {0};
        paint_key(paint, MPL_INK_STRONG, "links");
        mpl_text_add(&facts, peer->name);
        add_speed(&facts, "each way", peer->bytes_per_second);
        mpl_text_add(&facts, peer->bytes_per_second.value == MEMPLAN_UNKNOWN
                                 ? ", of unknown rate:"
                                 : ":");
        if (is_complete(machine, peer, members))
            add_members(&facts, machine, members);
        else
            add_pairs(&facts, machine, peer);
        mpl_paint_made(paint, MPL_INK_PLAIN, MARGIN + KEY_COLUMNS, &facts);
    }
}

static void paint_disk(mpl_paint *paint, const mpl_disk *disk)
{
    mpl_text facts = {0};
    if (disk->path == NULL)
        return;
    paint_memory(paint, "disk", disk->free_bytes.value, MEMPLAN_UNKNOWN);
    if (disk->path[0] != '\0')
        add_fact(&facts, disk->path);
    add_speed(&facts, "reads", disk->read_bytes_per_second);
    paint_facts(paint, &facts);
}

MPL_MACHINE_WRITER(mpl_machine_write_table)
{
    mpl_paint paint = mpl_style_paint(style, text);
    mpl_paint_text(&paint, MPL_INK_STRONG, machine->name);
    mpl_paint_end(&paint);
    mpl_paint_end(&paint);
    paint_processor(&paint, &machine->host);
    paint_host(&paint, &machine->host);
    for (uint32_t at = 0; at < machine->node_count; at++)
        if (machine->node_count > 1 || !machine->nodes[at].is_allowed)
            paint_node(&paint, &machine->nodes[at]);
    paint_devices(&paint, machine);
    paint_links(&paint, machine);
    paint_disk(&paint, &machine->disk);
    for (uint32_t at = 0; at < machine->note_count; at++) {
        if (at == 0)
            mpl_paint_end(&paint);
        paint_key(&paint, MPL_INK_FAINT, "note");
        mpl_paint_wrap(&paint, MPL_INK_PLAIN, MARGIN + KEY_COLUMNS,
                       machine->notes[at]);
    }
    (void)error;
    return MEMPLAN_OK;
}
