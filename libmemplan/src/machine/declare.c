/* SPDX-License-Identifier: MIT */
/*
 * Budgets as people write them for Accelerate: "0=20GB,1=20GB,cpu=60GB".
 *
 * Alone they are the machine: memories of those sizes and nothing else known.
 * Over a base they replace what is free there; a key that is not given leaves
 * its memory out of the plan.
 */
#include <string.h>

#include "base/checked.h"
#include "base/failure.h"
#include "base/text.h"
#include "machine/machine.h"

static const char DECLARED[] = "declared";

enum { MAX_BUDGETS = 1024, MAX_DEVICE_INDEX = 65535 };

typedef enum budget_kind { DEVICE, HOST, DISK } budget_kind;

typedef struct budget {
    budget_kind kind;
    uint32_t index; /* of a device; 0 for the others */
    uint64_t bytes;
    uint64_t offset; /* in the text: for messages */
} budget;

/* A piece of the text without spaces around it. */
typedef struct piece {
    const char *start;
    uint64_t length;
} piece;

static piece trim(const char *start, const char *end)
{
    while (start < end && (*start == ' ' || *start == '\t'))
        start++;
    while (end > start && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    return (piece){start, (uint64_t)(end - start)};
}

static bool is_word(piece text, const char *word)
{
    return text.length == strlen(word) &&
           memcmp(text.start, word, (size_t)text.length) == 0;
}

static bool read_index(uint32_t *out, piece text)
{
    uint32_t index = 0;
    if (text.length == 0 || text.length > 5)
        return false;
    for (uint64_t at = 0; at < text.length; at++) {
        if (text.start[at] < '0' || text.start[at] > '9')
            return false;
        index = index * 10 + (uint32_t)(text.start[at] - '0');
    }
    *out = index;
    return index <= MAX_DEVICE_INDEX;
}

static memplan_status read_key(budget *out, piece key, uint64_t offset,
                               memplan_error *error)
{
    if (is_word(key, "cpu"))
        out->kind = HOST;
    else if (is_word(key, "disk"))
        out->kind = DISK;
    else if (read_index(&out->index, key))
        out->kind = DEVICE;
    else
        return mpl_fail(error, MEMPLAN_E_ARGUMENT, offset,
                        "budgets: key \"%.*s\" is no device index, \"cpu\" "
                        "or \"disk\"",
                        (int)mpl_min(key.length, 40), key.start);
    return MEMPLAN_OK;
}

static memplan_status read_amount(budget *out, piece amount, uint64_t offset,
                                  memplan_error *error)
{
    char text[64];
    if (amount.length >= sizeof text)
        return mpl_fail(error, MEMPLAN_E_ARGUMENT, offset,
                        "budgets: \"%.40s...\" is too long for an amount",
                        amount.start);
    memcpy(text, amount.start, (size_t)amount.length);
    text[amount.length] = '\0';
    const memplan_status status =
        memplan_bytes_parse(&out->bytes, text, error);
    if (status != MEMPLAN_OK && error != NULL) {
        mpl_fail_in(error, "budgets");
        error->offset = offset;
    }
    return status;
}

/* One "key=amount"; `text` is where the whole list starts. */
static memplan_status read_budget(budget *out, const char *text, piece entry,
                                  memplan_error *error)
{
    const uint64_t offset = (uint64_t)(entry.start - text);
    const char *const equals =
        memchr(entry.start, '=', (size_t)entry.length);
    if (equals == NULL)
        return mpl_fail(error, MEMPLAN_E_ARGUMENT, offset,
                        "budgets: \"%.*s\" is not KEY=AMOUNT, such as "
                        "0=20GB or cpu=60GB",
                        (int)mpl_min(entry.length, 40), entry.start);
    *out = (budget){.offset = offset};
    const piece key = trim(entry.start, equals);
    const piece amount = trim(equals + 1, entry.start + entry.length);
    const memplan_status status = read_key(out, key, offset, error);
    if (status != MEMPLAN_OK)
        return status;
    return read_amount(out, amount, (uint64_t)(amount.start - text), error);
}

static memplan_status check_new(const budget *known, uint32_t count,
                                const budget *made, memplan_error *error)
{
    for (uint32_t at = 0; at < count; at++)
        if (known[at].kind == made->kind && known[at].index == made->index)
            return mpl_fail(error, MEMPLAN_E_ARGUMENT, made->offset,
                            "budgets: a key is given twice (bytes %llu and "
                            "%llu of the list)",
                            (unsigned long long)known[at].offset,
                            (unsigned long long)made->offset);
    return MEMPLAN_OK;
}

static memplan_status read_budgets(budget *out, uint32_t *out_count,
                                   const char *text, memplan_error *error)
{
    uint32_t count = 0;
    for (const char *at = text;;) {
        const char *const end = at + strcspn(at, ",");
        if (count == MAX_BUDGETS)
            return mpl_fail(error, MEMPLAN_E_TOO_LARGE,
                            (uint64_t)(at - text),
                            "budgets: more than %d keys", MAX_BUDGETS);
        budget made;
        memplan_status status = read_budget(&made, text, trim(at, end), error);
        if (status == MEMPLAN_OK)
            status = check_new(out, count, &made, error);
        if (status != MEMPLAN_OK)
            return status;
        out[count++] = made;
        if (*end == '\0')
            break;
        at = end + 1;
    }
    *out_count = count;
    return MEMPLAN_OK;
}

/* A device for each index that is given, in the order of the indices. */
static memplan_status make_devices(memplan_machine *machine,
                                   const budget *budgets, uint32_t count,
                                   memplan_error *error)
{
    machine->devices =
        mpl_arena_alloc(machine->arena, count, sizeof *machine->devices);
    if (machine->devices == NULL)
        return mpl_fail_memory(error);
    for (uint32_t at = 0; at < count; at++) {
        if (budgets[at].kind != DEVICE)
            continue;
        uint32_t place = machine->device_count++;
        for (; place > 0 &&
               machine->devices[place - 1].index > budgets[at].index;
             place--)
            machine->devices[place] = machine->devices[place - 1];
        machine->devices[place] = mpl_device_blank(budgets[at].index);
        machine->devices[place].total_bytes =
            (mpl_figure){budgets[at].bytes, DECLARED};
    }
    machine->name = "declared budgets";
    return MEMPLAN_OK;
}

static mpl_device *find_device(memplan_machine *machine, uint32_t index)
{
    for (uint32_t at = 0; at < machine->device_count; at++)
        if (machine->devices[at].index == index)
            return &machine->devices[at];
    return NULL;
}

static memplan_status lay_over_device(memplan_machine *machine,
                                      const budget *given,
                                      memplan_error *error)
{
    mpl_device *const device = find_device(machine, given->index);
    if (device == NULL)
        return mpl_fail(error, MEMPLAN_E_NOT_FOUND, given->offset,
                        "budgets: device %u: the machine has %u device%s",
                        given->index, machine->device_count,
                        machine->device_count == 1 ? "" : "s");
    device->free_bytes = (mpl_figure){given->bytes, DECLARED};
    device->is_left_out = false;
    if (given->bytes > device->total_bytes.value) {
        char total[32];
        char declared[32];
        memplan_bytes_format(total, sizeof total, device->total_bytes.value);
        memplan_bytes_format(declared, sizeof declared, given->bytes);
        if (!mpl_machine_add_note(machine,
                                  "GPU %u has %s; declared are %s, and that "
                                  "is what counts",
                                  device->index, total, declared))
            return mpl_fail_memory(error);
    }
    return MEMPLAN_OK;
}

/* Gives every budget to its memory, and leaves out the memories without. */
static memplan_status lay_over(memplan_machine *machine,
                               const budget *budgets, uint32_t count,
                               memplan_error *error)
{
    machine->host.is_left_out = true;
    const mpl_disk disk = machine->disk;
    machine->disk.path = NULL;
    for (uint32_t at = 0; at < machine->device_count; at++)
        machine->devices[at].is_left_out = true;

    for (uint32_t at = 0; at < count; at++) {
        const mpl_figure declared = {budgets[at].bytes, DECLARED};
        memplan_status status = MEMPLAN_OK;
        switch (budgets[at].kind) {
        case DEVICE:
            status = lay_over_device(machine, &budgets[at], error);
            break;
        case HOST:
            machine->host.available_bytes = declared;
            machine->host.is_left_out = false;
            break;
        case DISK:
            machine->disk.path = disk.path != NULL ? disk.path : "";
            machine->disk.free_bytes = declared;
            break;
        }
        if (status != MEMPLAN_OK)
            return status;
    }
    return MEMPLAN_OK;
}

memplan_status memplan_machine_declare(memplan_machine **out,
                                       const memplan_machine *base,
                                       const char *budgets,
                                       memplan_error *error)
{
    memplan_machine *const machine =
        base != NULL ? mpl_machine_copy(base) : mpl_machine_create();
    budget *const given =
        machine != NULL
            ? mpl_arena_alloc(machine->arena, MAX_BUDGETS, sizeof *given)
            : NULL;
    if (given == NULL) {
        memplan_machine_free(machine);
        return mpl_fail_memory(error);
    }
    uint32_t count = 0;
    memplan_status status = read_budgets(given, &count, budgets, error);
    if (status == MEMPLAN_OK && base == NULL)
        status = make_devices(machine, given, count, error);
    if (status == MEMPLAN_OK)
        status = lay_over(machine, given, count, error);
    if (status == MEMPLAN_OK)
        status = mpl_machine_finish(machine, error);
    if (status != MEMPLAN_OK) {
        memplan_machine_free(machine);
        return status;
    }
    *out = machine;
    return MEMPLAN_OK;
}
