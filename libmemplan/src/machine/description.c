/* SPDX-License-Identifier: MIT */
/*
 * A machine in words, parted by commas, in any order:
 *
 *     2x rtx-4090             a GPU of the catalogue, "N x" of it
 *     rtx-4090 20GiB          with another amount of memory
 *     24GB gpu                a GPU of which only that is known
 *     64GiB ram 80GB/s        the host's memory, and how fast it is read
 *     500GB disk 3GB/s        a disk for offloaded weights
 *     16 cores, 32 threads
 *     pcie 4.0 x16            the link of all GPUs
 *
 * What is said is marked as declared; what the catalogue adds, as its own.
 */
#include "machine/description.h"

#include <string.h>

#include "base/checked.h"
#include "base/failure.h"
#include "data/gpu_catalogue.h"
#include "machine/devices.h"
#include "machine/link.h"
#include "machine/topology.h"

static const char DECLARED[] = "declared";

enum { WORD_BYTES = 64, NAME_BYTES = 128, MAX_COUNT = 64, MAX_DEVICES = 256 };

typedef enum part_role {
    UNNAMED,
    HOST,
    GPU,
    DISK,
    CORES,
    THREADS,
    LINK
} part_role;

static const struct {
    const char *word;
    part_role role;
} ROLES[] = {
    {"ram", HOST},       {"memory", HOST},     {"host", HOST},
    {"cpu", HOST},       {"gpu", GPU},         {"gpus", GPU},
    {"vram", GPU},       {"disk", DISK},       {"ssd", DISK},
    {"nvme", DISK},      {"core", CORES},      {"cores", CORES},
    {"thread", THREADS}, {"threads", THREADS}, {"pcie", LINK},
};

/* What one part between commas says. */
typedef struct part {
    const char *start; /* in the text: for messages */
    uint64_t offset;
    int length;
    part_role role;
    uint32_t count;        /* "2x"; 1 where it is not said */
    uint64_t bytes;        /* or MEMPLAN_UNKNOWN */
    uint64_t rate;         /* bytes a second, or MEMPLAN_UNKNOWN */
    char name[NAME_BYTES]; /* words that are neither */
} part;

static memplan_status fail_part(const part *of, memplan_status status,
                                const char *rule, memplan_error *error)
{
    return mpl_fail(error, status, of->offset, "machine: \"%.*s\": %s",
                    of->length < 60 ? of->length : 60, of->start, rule);
}

static bool is_digit(char letter)
{
    return letter >= '0' && letter <= '9';
}

/* The next word of a part, in lower case where `to_lower`; its length. */
static size_t next_word(const char **at, const char *end, char *out)
{
    while (*at < end && (**at == ' ' || **at == '\t'))
        (*at)++;
    size_t length = 0;
    while (*at < end && **at != ' ' && **at != '\t') {
        if (length + 1 < WORD_BYTES)
            out[length++] = **at;
        (*at)++;
    }
    out[length] = '\0';
    return length;
}

static void lower(char *out, const char *word)
{
    size_t at = 0;
    for (; word[at] != '\0'; at++)
        out[at] = word[at] >= 'A' && word[at] <= 'Z' ? (char)(word[at] | 0x20)
                                                     : word[at];
    out[at] = '\0';
}

static bool find_role(const char *word, part_role *out)
{
    char name[WORD_BYTES];
    lower(name, word);
    for (size_t at = 0; at < sizeof ROLES / sizeof *ROLES; at++)
        if (strcmp(ROLES[at].word, name) == 0) {
            *out = ROLES[at].role;
            return true;
        }
    return false;
}

/* "2x", "16x". */
static bool read_times(const char *word, uint32_t *out)
{
    uint32_t count = 0;
    const char *at = word;
    for (; is_digit(*at) && count <= MAX_COUNT; at++)
        count = count * 10 + (uint32_t)(*at - '0');
    if (at == word || (*at | 0x20) != 'x' || at[1] != '\0')
        return false;
    *out = count;
    return true;
}

/* A unit as it must be spelled, or as people misspell it: then an amount was
 * meant, and memplan_bytes_parse() says what is wrong with it. */
static bool is_unit(const char *word)
{
    static const char LETTERS[] = "kmgtp";
    char unit[WORD_BYTES];
    lower(unit, word);
    char *const slash = strstr(unit, "/s");
    if (slash != NULL && slash[2] == '\0')
        *slash = '\0';
    const char *rest = unit + 1;
    if (unit[0] == '\0' || strchr(LETTERS, unit[0]) == NULL)
        return false;
    rest += *rest == 'i';
    return strcmp(rest, "b") == 0 || (unit[1] == '\0');
}

/* "64GiB", "64 GiB", "80GB/s". `word` holds the number and perhaps its unit;
 * `at` goes past a unit that stands by itself. */
static bool take_amount(const char *word, const char **at, const char *end,
                        char *out)
{
    size_t digits = 0;
    while (is_digit(word[digits]) || word[digits] == '.')
        digits++;
    if (digits == 0)
        return false;
    (void)strcpy(out, word);
    if (word[digits] != '\0')
        return is_unit(word + digits);
    char unit[WORD_BYTES];
    const char *after = *at;
    const size_t length = next_word(&after, end, unit);
    if (length == 0 || !is_unit(unit) || digits + length >= WORD_BYTES)
        return false;
    (void)strcpy(out + digits, unit);
    *at = after;
    return true;
}

static memplan_status set_amount(part *of, char *amount, memplan_error *error)
{
    char *const slash = strchr(amount, '/');
    uint64_t *const place = slash != NULL ? &of->rate : &of->bytes;
    if (slash != NULL)
        *slash = '\0';
    if (*place != MEMPLAN_UNKNOWN)
        return fail_part(of, MEMPLAN_E_ARGUMENT, "two amounts in one part",
                         error);
    const memplan_status status = memplan_bytes_parse(place, amount, error);
    if (status != MEMPLAN_OK && error != NULL) {
        mpl_fail_in(error, "machine");
        error->offset = of->offset;
    }
    return status;
}

static bool add_to_name(part *of, const char *word)
{
    const size_t have = strlen(of->name);
    const size_t more = strlen(word);
    if (have + more + 2 > sizeof of->name)
        return false;
    if (have > 0)
        of->name[have] = ' ';
    (void)strcpy(of->name + have + (have > 0), word);
    return true;
}

/* "nvme disk" is one kind, "cpu cores" are cores; "gpu memory" is nothing. */
static memplan_status take_role(part *of, part_role role, memplan_error *error)
{
    const bool is_refined =
        of->role == HOST && (role == CORES || role == THREADS);
    if (of->role != UNNAMED && of->role != role && !is_refined)
        return fail_part(of, MEMPLAN_E_ARGUMENT,
                         "names two kinds of things; commas part them", error);
    of->role = role;
    return MEMPLAN_OK;
}

/* What would be skipped as a part of a name parts nothing. */
static memplan_status check_letters(const part *of, const char *end,
                                    memplan_error *error)
{
    for (const char *at = of->start; at < end; at++)
        if (strchr(";|&\"'", *at) != NULL && *at != '\0')
            return fail_part(of, MEMPLAN_E_ARGUMENT,
                             "commas part what a machine has, nothing else",
                             error);
    return MEMPLAN_OK;
}

static memplan_status read_part(part *out, const char *text, const char *start,
                                const char *end, memplan_error *error)
{
    char word[WORD_BYTES];
    char amount[WORD_BYTES];
    *out = (part){.start = start,
                  .offset = (uint64_t)(start - text),
                  .length = (int)mpl_min((uint64_t)(end - start), 1000),
                  .count = 1,
                  .bytes = MEMPLAN_UNKNOWN,
                  .rate = MEMPLAN_UNKNOWN};
    memplan_status status = check_letters(out, end, error);
    for (const char *at = start; status == MEMPLAN_OK;) {
        uint32_t count;
        part_role role;
        if (next_word(&at, end, word) == 0)
            break;
        if (out->name[0] == '\0' && read_times(word, &count))
            out->count = count;
        else if (out->role == LINK)
            status = add_to_name(out, word) ? MEMPLAN_OK
                                            : fail_part(out, MEMPLAN_E_ARGUMENT,
                                                        "too long", error);
        else if (take_amount(word, &at, end, amount))
            status = set_amount(out, amount, error);
        else if (find_role(word, &role))
            status = take_role(out, role, error);
        else if (!add_to_name(out, word))
            status = fail_part(out, MEMPLAN_E_ARGUMENT, "too long", error);
    }
    if (status == MEMPLAN_OK && (out->count == 0 || out->count > MAX_COUNT))
        return fail_part(out, MEMPLAN_E_ARGUMENT, "1 to 64 of a kind", error);
    return status;
}

static memplan_status find_model(const part *of, const mpl_gpu_model **out,
                                 memplan_error *error)
{
    mpl_nearest near = {.count = 0};
    bool is_several = false;
    *out = NULL;
    if (of->role == GPU && of->name[0] == '\0')
        return MEMPLAN_OK;
    *out = mpl_gpu_find(of->name, &near, &is_several);
    if (*out != NULL)
        return MEMPLAN_OK;
    if (of->name[0] == '\0')
        return fail_part(of, MEMPLAN_E_ARGUMENT,
                         "of what? write 64GiB ram, 24GB gpu or 500GB disk",
                         error);
    if (near.count == 0)
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
        mpl_words_join(names, near.words, near.count, "", "or"));
}

static memplan_status add_gpus(memplan_machine *machine, const part *of,
                               memplan_error *error)
{
    const mpl_gpu_model *model;
    const memplan_status status = find_model(of, &model, error);
    if (status != MEMPLAN_OK)
        return status;
    if (machine->device_count + of->count > MAX_DEVICES)
        return fail_part(of, MEMPLAN_E_TOO_LARGE, "more than 256 GPUs", error);
    if (model == NULL && of->bytes == MEMPLAN_UNKNOWN)
        return fail_part(of, MEMPLAN_E_ARGUMENT,
                         "a GPU without a name needs its memory: 24GB gpu",
                         error);
    for (uint32_t at = 0; at < of->count; at++) {
        mpl_device *const device = &machine->devices[machine->device_count];
        *device = mpl_device_blank(machine->device_count++);
        device->order = device->index;
        if (of->bytes != MEMPLAN_UNKNOWN) {
            device->total_bytes = (mpl_figure){of->bytes, DECLARED};
            device->free_bytes = device->total_bytes;
        }
        if (of->rate != MEMPLAN_UNKNOWN)
            device->bandwidth_bytes_per_second =
                (mpl_figure){of->rate, DECLARED};
        if (model != NULL) {
            device->name = model->key;
            mpl_device_take_model(device, model);
        }
    }
    return MEMPLAN_OK;
}

/* The number of "16 cores". */
static memplan_status read_count(const part *of, uint32_t *out,
                                 memplan_error *error)
{
    enum { MOST = 65536 };
    uint32_t count = 0;
    const char *at = of->name;
    for (; is_digit(*at) && count <= MOST; at++)
        count = count * 10 + (uint32_t)(*at - '0');
    if (at == of->name || *at != '\0' || count == 0 || count > MOST)
        return fail_part(of, MEMPLAN_E_ARGUMENT,
                         "not a number, such as "
                         "16 cores",
                         error);
    *out = count;
    return MEMPLAN_OK;
}

/* "4.0 x16", "5 x8". */
static memplan_status read_link(memplan_machine *machine, const part *of,
                                memplan_error *error)
{
    const uint32_t generation =
        is_digit(of->name[0]) ? (uint32_t)(of->name[0] - '0') : 0;
    const char *const x = strchr(of->name, 'x');
    uint32_t lanes = 0;
    for (const char *at = x != NULL ? x + 1 : ""; is_digit(*at) && lanes < 99;
         at++)
        lanes = lanes * 10 + (uint32_t)(*at - '0');
    const uint64_t rate = mpl_link_pcie(generation, lanes);
    const char *const name =
        mpl_link_pcie_name(machine->arena, generation, lanes);
    if (rate == MEMPLAN_UNKNOWN)
        return fail_part(of, MEMPLAN_E_ARGUMENT,
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

static memplan_status apply_part(memplan_machine *machine, const part *of,
                                 memplan_error *error)
{
    mpl_host *const host = &machine->host;
    const mpl_figure bytes = {of->bytes, DECLARED};
    const mpl_figure rate = {of->rate, DECLARED};
    switch (of->role) {
    case UNNAMED:
    case GPU:
        return add_gpus(machine, of, error);
    case HOST:
    case DISK:
        if (of->bytes == MEMPLAN_UNKNOWN || of->name[0] != '\0' ||
            of->count != 1)
            return fail_part(of, MEMPLAN_E_ARGUMENT,
                             "not an amount, such as 64GiB ram", error);
        if (of->role == HOST) {
            host->total_bytes = bytes;
            host->available_bytes = bytes;
            if (of->rate != MEMPLAN_UNKNOWN)
                host->read_bytes_per_second = rate;
        } else {
            machine->disk.path = "";
            machine->disk.free_bytes = bytes;
            if (of->rate != MEMPLAN_UNKNOWN)
                machine->disk.read_bytes_per_second = rate;
        }
        return MEMPLAN_OK;
    case CORES:
        return read_count(of, &host->core_count, error);
    case THREADS:
        return read_count(of, &host->thread_count, error);
    case LINK:
        break;
    }
    return MEMPLAN_OK; /* links wait until all GPUs are there */
}

/* There is one host, one disk, one count of cores: what is said twice would
 * be kept once. */
static memplan_status check_once(const part *of, uint32_t *roles,
                                 memplan_error *error)
{
    const uint32_t bit = UINT32_C(1) << of->role;
    if (of->role != UNNAMED && of->role != GPU && (*roles & bit) != 0)
        return fail_part(of, MEMPLAN_E_ARGUMENT, "is said twice", error);
    *roles |= bit;
    return MEMPLAN_OK;
}

/* Applies every part, or only the links. */
static memplan_status apply_parts(memplan_machine *machine, const char *text,
                                  bool only_links, memplan_error *error)
{
    uint32_t roles = 0;
    for (const char *at = text;;) {
        const char *const end = at + strcspn(at, ",\n");
        part made;
        memplan_status status = read_part(&made, text, at, end, error);
        const bool is_blank = made.role == UNNAMED && made.name[0] == '\0' &&
                              made.bytes == MEMPLAN_UNKNOWN &&
                              made.rate == MEMPLAN_UNKNOWN;
        if (status == MEMPLAN_OK && is_blank)
            status =
                fail_part(&made, MEMPLAN_E_ARGUMENT, "an empty part", error);
        if (status == MEMPLAN_OK)
            status = check_once(&made, &roles, error);
        if (status == MEMPLAN_OK && !only_links)
            status = apply_part(machine, &made, error);
        if (status == MEMPLAN_OK && only_links && made.role == LINK)
            status = read_link(machine, &made, error);
        if (status != MEMPLAN_OK)
            return status;
        if (*end == '\0')
            return MEMPLAN_OK;
        at = end + 1;
    }
}

memplan_status mpl_description_read(memplan_machine *machine, const char *text,
                                    memplan_error *error)
{
    mpl_host *const host = &machine->host;
    machine->devices =
        mpl_arena_alloc(machine->arena, MAX_DEVICES, sizeof *machine->devices);
    if (machine->devices == NULL)
        return mpl_fail_memory(error);
    memplan_status status = apply_parts(machine, text, false, error);
    if (status == MEMPLAN_OK)
        status = apply_parts(machine, text, true, error);
    if (status != MEMPLAN_OK)
        return status;
    for (uint32_t at = 0; at < machine->device_count; at++)
        if (machine->devices[at].is_unified &&
            host->total_bytes.value == MEMPLAN_UNKNOWN)
            return mpl_fail(error, MEMPLAN_E_ARGUMENT, 0,
                            "machine: %s uses the host's memory: say how "
                            "much, such as \"%s, 64GiB ram\"",
                            machine->devices[at].name,
                            machine->devices[at].name);
    if (host->thread_count == 0)
        host->thread_count = host->core_count;
    status = mpl_devices_settle(machine, error);
    return status == MEMPLAN_OK ? mpl_machine_finish(machine, error) : status;
}
