/* SPDX-License-Identifier: MIT */
#include "engine/accelerate/budgets.h"

#include <stdlib.h>
#include <string.h>

#include "base/failure.h"
#include "base/json.h"
#include "engine/accelerate/document.h"

enum { MAX_INDEX_DIGITS = 9, MAX_DEVICES = 4096 };

static const struct {
    const char *key;
    mpl_budget_kind kind;
} NAMED[] = {
    {"mps", MPL_BUDGET_MPS},
    {"cpu", MPL_BUDGET_CPU},
    {"disk", MPL_BUDGET_DISK},
};

/* "12" or "-1": Accelerate sorts such a device, and says it is not there. */
static bool read_index(const char *key, int64_t *out)
{
    const char *at = *key == '-' ? key + 1 : key;
    const size_t length = strlen(at);
    if (length == 0 || length > MAX_INDEX_DIGITS)
        return false;
    int64_t index = 0;
    for (; *at >= '0' && *at <= '9'; at++)
        index = index * 10 + (*at - '0');
    *out = *key == '-' ? -index : index;
    return *at == '\0';
}

static bool read_key(const char *key, mpl_budget *out)
{
    for (size_t at = 0; at < sizeof NAMED / sizeof *NAMED; at++) {
        out->kind = NAMED[at].kind;
        if (strcmp(key, NAMED[at].key) == 0)
            return true;
    }
    out->kind = MPL_BUDGET_DEVICE;
    return read_index(key, &out->index);
}

static int in_order(const void *a, const void *b)
{
    const mpl_budget *left = a;
    const mpl_budget *right = b;
    if (left->kind != right->kind)
        return left->kind < right->kind ? -1 : 1;
    return left->index < right->index ? -1 : left->index > right->index;
}

static memplan_status read_budget(mpl_budget *out, mpl_arena *arena,
                                  const mpl_json_walk *walk,
                                  memplan_error *error)
{
    if (!read_key(walk->key, out))
        return mpl_fail(error, MEMPLAN_E_ARGUMENT, MPL_NOWHERE,
                        "max_memory: \"%s\" is no device: a number, \"mps\", "
                        "\"cpu\" or \"disk\"",
                        walk->key);
    out->is_given = true;
    out->key = mpl_arena_strdup(arena, walk->key);
    if (out->key == NULL)
        return mpl_fail_memory(error);
    const char *text = mpl_json_string(walk->value, NULL);
    if (text != NULL) {
        uint64_t bytes = 0;
        const memplan_status status =
            memplan_accelerate_bytes_parse(&bytes, text, error);
        if (status != MEMPLAN_OK)
            return status;
        const uint64_t last = (uint64_t)MPL_AMOUNT_MAX / MPL_HALF_BITS_A_BYTE;
        bytes = bytes < last ? bytes : last;
        out->limit.half_bits = (int64_t)bytes * MPL_HALF_BITS_A_BYTE;
        return MEMPLAN_OK;
    }
    if (!mpl_document_amount(walk->value, &out->limit))
        return mpl_fail(error, MEMPLAN_E_ARGUMENT, MPL_NOWHERE,
                        "max_memory: \"%s\" must be bytes, not %s", walk->key,
                        mpl_json_type_name(walk->value));
    return MEMPLAN_OK;
}

static memplan_status read_all(mpl_budgets *out, mpl_arena *arena,
                               mpl_json_value root, memplan_error *error)
{
    if (mpl_json_type_of(root) != MPL_JSON_OBJECT ||
        mpl_json_count(root) > MAX_DEVICES)
        return mpl_fail(error, MEMPLAN_E_ARGUMENT, MPL_NOWHERE,
                        "max_memory: it must be an object of at most %d "
                        "devices",
                        MAX_DEVICES);
    out->items =
        mpl_arena_alloc(arena, mpl_json_count(root) + 1, sizeof *out->items);
    if (out->items == NULL)
        return mpl_fail_memory(error);
    bool has_disk = false;
    mpl_json_walk walk = mpl_json_begin(root);
    while (mpl_json_next(&walk)) {
        mpl_budget *budget = &out->items[out->count++];
        const memplan_status status = read_budget(budget, arena, &walk, error);
        if (status != MEMPLAN_OK)
            return status;
        has_disk = has_disk || budget->kind == MPL_BUDGET_DISK;
    }
    if (!has_disk)
        out->items[out->count++] =
            (mpl_budget){.key = "disk", .kind = MPL_BUDGET_DISK};
    qsort(out->items, out->count, sizeof *out->items, in_order);
    return MEMPLAN_OK;
}

memplan_status mpl_budgets_read(mpl_budgets *out, mpl_arena *arena,
                                const char *json, memplan_error *error)
{
    *out = (mpl_budgets){0};
    mpl_json *document = NULL;
    memplan_status status =
        mpl_document_parse(&document, json, strlen(json), error);
    if (status == MEMPLAN_OK)
        status = read_all(out, arena, mpl_json_root(document), error);
    mpl_json_free(document);
    return status;
}
