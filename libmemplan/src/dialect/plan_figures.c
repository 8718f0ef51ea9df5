/* SPDX-License-Identifier: MIT */
#include "dialect/plan_figures.h"

#include <stdio.h>
#include <string.h>

#include "base/checked.h"

const mpl_ink MPL_PARTS[MPL_PART_COUNT] = {
    MPL_INK_WEIGHTS, MPL_INK_CACHE, MPL_INK_COMPUTE,
    MPL_INK_STAGING, MPL_INK_HOST,  MPL_INK_RESERVE,
};

mpl_ink mpl_category_ink(mpl_category category)
{
    static const mpl_ink INKS[MPL_CATEGORY_COUNT] = {
        [MPL_ROW_WEIGHTS] = MPL_INK_WEIGHTS,
        [MPL_ROW_KV_CACHE] = MPL_INK_CACHE,
        [MPL_ROW_STATE] = MPL_INK_CACHE,
        [MPL_ROW_COMPUTE] = MPL_INK_COMPUTE,
        [MPL_ROW_ACTIVATIONS] = MPL_INK_COMPUTE,
        [MPL_ROW_STAGING] = MPL_INK_STAGING,
        [MPL_ROW_LOADING] = MPL_INK_STAGING,
        [MPL_ROW_OUTPUT] = MPL_INK_COMPUTE,
        [MPL_ROW_HOST_CACHE] = MPL_INK_HOST,
        [MPL_ROW_RUNTIME] = MPL_INK_RESERVE,
        [MPL_ROW_RESERVE] = MPL_INK_RESERVE,
        [MPL_ROW_MAPPED] = MPL_INK_HOST,
    };
    return INKS[category];
}

mpl_parts mpl_pool_parts(const mpl_plan_pool *pool)
{
    mpl_parts parts = {0};
    for (uint32_t part = 0; part < MPL_PART_COUNT; part++)
        parts.slices[part].ink = MPL_PARTS[part];
    for (uint64_t at = 0; at < pool->row_count; at++) {
        const mpl_row *const row = &pool->rows[at];
        uint32_t part = 0;
        if (row->category == MPL_ROW_MAPPED)
            continue; /* address space, and no part of what is used */
        while (MPL_PARTS[part] != mpl_category_ink(row->category))
            part++;
        parts.slices[part].bytes += row->bytes; /* below used_bytes */
        if (row->certainty > parts.certainty[part])
            parts.certainty[part] = row->certainty;
    }
    return parts;
}

static bool has_category(const memplan_plan *plan, mpl_category category)
{
    for (uint32_t at = 0; at < plan->pool_count; at++)
        for (uint64_t row = 0; row < plan->pools[at].row_count; row++)
            if (plan->pools[at].rows[row].category == category)
                return true;
    return false;
}

const char *mpl_part_label(const memplan_plan *plan, uint32_t part)
{
    if (MPL_PARTS[part] == MPL_INK_CACHE &&
        !has_category(plan, MPL_ROW_KV_CACHE))
        return "state";
    return mpl_ink_label(MPL_PARTS[part]);
}

bool mpl_plan_has_part(const memplan_plan *plan, uint32_t part)
{
    for (uint32_t at = 0; at < plan->pool_count; at++)
        if (mpl_pool_parts(&plan->pools[at]).slices[part].bytes > 0)
            return true;
    return false;
}

uint32_t mpl_plan_inks(const memplan_plan *plan,
                       mpl_ink inks[MPL_PLAN_INKS_MAX],
                       const char *labels[MPL_PLAN_INKS_MAX])
{
    uint32_t count = 0;
    bool is_over = false;
    for (uint32_t part = 0; part < MPL_PART_COUNT; part++) {
        if (!mpl_plan_has_part(plan, part))
            continue;
        inks[count] = MPL_PARTS[part];
        labels[count++] = mpl_part_label(plan, part);
    }
    inks[count] = MPL_INK_FREE;
    labels[count++] = mpl_ink_label(MPL_INK_FREE);
    for (uint32_t at = 0; at < plan->pool_count; at++)
        is_over |= plan->pools[at].used_bytes > plan->pools[at].capacity_bytes;
    if (is_over) {
        inks[count] = MPL_INK_OVER;
        labels[count++] = mpl_ink_label(MPL_INK_OVER);
    }
    return count;
}

const char *mpl_pool_label(char out[MPL_LABEL_SIZE], const mpl_plan_pool *pool)
{
    (void)snprintf(out, MPL_LABEL_SIZE, "%s%.16s",
                   pool->kind == MPL_POOL_DEVICE ? "GPU " : "", pool->key);
    return out;
}

uint64_t mpl_pool_whole(const mpl_plan_pool *pool)
{
    return pool->capacity_bytes == MEMPLAN_UNKNOWN
               ? pool->used_bytes
               : mpl_max(pool->capacity_bytes, pool->used_bytes);
}

/* A name as a stem and the number of its last step that is one:
 * "model.layers." 7 "". */
typedef struct numbered {
    uint64_t stem; /* bytes before the number */
    uint64_t number;
    const char *rest;
    bool has_number;
} numbered;

static numbered read_numbered(const char *name)
{
    numbered found = {.rest = ""};
    for (const char *at = name; *at != '\0';) {
        const size_t length = strcspn(at, ".");
        const size_t digits = strspn(at, "0123456789");
        if (digits > 0 && digits == length && digits < 10) {
            found = (numbered){(uint64_t)(at - name), 0, at + length, true};
            for (size_t place = 0; place < digits; place++)
                found.number = found.number * 10 + (uint64_t)(at[place] - '0');
        }
        at += length + (at[length] == '.');
    }
    return found;
}

/* Whether `name` is the one after `last`: layers.7 after layers.6. */
static bool follows(const char *last_name, numbered last, const char *name,
                    numbered now)
{
    return last.has_number && now.has_number && last.stem == now.stem &&
           now.number == last.number + 1 &&
           memcmp(last_name, name, (size_t)now.stem) == 0 &&
           strcmp(last.rest, now.rest) == 0;
}

void mpl_text_units(mpl_text *text, const memplan_plan *plan, uint32_t pool)
{
    const char *last_name = NULL;
    numbered last = {0};
    uint64_t first_number = 0;
    for (uint32_t at = 0; at <= plan->unit_count; at++) {
        const bool is_end = at == plan->unit_count;
        if (!is_end && plan->units[at].pool != pool)
            continue;
        const char *const name = is_end ? "" : plan->units[at].name;
        const numbered now = read_numbered(name);
        if (last_name != NULL && !is_end &&
            follows(last_name, last, name, now)) {
            last = now;
            last_name = name;
            continue;
        }
        if (last_name != NULL && last.number > first_number)
            mpl_text_format(text, "-%llu%s", (unsigned long long)last.number,
                            last.rest);
        else if (last_name != NULL && last.has_number)
            mpl_text_add(text, last.rest);
        if (is_end)
            return;
        if (last_name != NULL)
            mpl_text_add(text, ", ");
        if (now.has_number)
            mpl_text_format(text, "%.*s%llu", (int)now.stem, name,
                            (unsigned long long)now.number);
        else
            mpl_text_add(text, name);
        last_name = name;
        last = now;
        first_number = now.number;
    }
}

/* So many parts of one a second, rounded up. */
static uint64_t parts_per_second(uint64_t ps_each, uint64_t parts)
{
    const uint64_t second_ps = UINT64_C(1000000000000);
    return (parts * second_ps - 1) / ps_each + 1;
}

void mpl_text_rate(mpl_text *text, uint64_t ps_each, const char *what)
{
    const uint64_t second_ps = UINT64_C(1000000000000);
    const uint64_t ps = mpl_max(ps_each, 1);
    if (ps > second_ps) {
        const uint64_t tenths = ps / (second_ps / 10);
        mpl_text_format(text, "%llu.%llu s a %s",
                        (unsigned long long)(tenths / 10),
                        (unsigned long long)(tenths % 10), what);
        return;
    }
    const char *const many = strcmp(what, "pass") == 0 ? "passes" : "tokens";
    const uint64_t hundredths = parts_per_second(ps, 100);
    const uint64_t tenths = parts_per_second(ps, 10);
    if (hundredths < 1000)
        mpl_text_format(text, "%llu.%02llu %s/s",
                        (unsigned long long)(hundredths / 100),
                        (unsigned long long)(hundredths % 100), many);
    else if (tenths < 1000)
        mpl_text_format(text, "%llu.%llu %s/s",
                        (unsigned long long)(tenths / 10),
                        (unsigned long long)(tenths % 10), many);
    else
        mpl_text_format(text, "%llu %s/s",
                        (unsigned long long)parts_per_second(ps, 1), many);
}

static uint64_t pool_weights(const mpl_plan_pool *pool)
{
    return mpl_pool_parts(pool).slices[0].bytes;
}

/* Devices that hold weights, and how much all of them do. */
static uint32_t count_devices(const memplan_plan *plan, uint64_t *out_bytes)
{
    uint32_t count = 0;
    *out_bytes = 0;
    for (uint32_t at = 0; at < plan->pool_count; at++) {
        if (plan->pools[at].kind != MPL_POOL_DEVICE)
            continue;
        count += pool_weights(&plan->pools[at]) > 0;
        *out_bytes += pool_weights(&plan->pools[at]);
    }
    return count;
}

/* "20.1 GiB on GPU 0, 50 GiB on cpu"; three devices or more are summed up. */
static void add_shares(mpl_text *text, const memplan_plan *plan)
{
    char label[MPL_LABEL_SIZE];
    const char *between = "";
    uint64_t device_bytes;
    const uint32_t devices = count_devices(plan, &device_bytes);
    if (devices > 2) {
        mpl_text_bytes(text, device_bytes);
        mpl_text_format(text, " on %u GPUs", devices);
        between = ", ";
    }
    for (uint32_t at = 0; at < plan->pool_count; at++) {
        const mpl_plan_pool *const pool = &plan->pools[at];
        const uint64_t bytes = pool_weights(pool);
        if (bytes == 0 || (devices > 2 && pool->kind == MPL_POOL_DEVICE))
            continue;
        mpl_text_add(text, between);
        mpl_text_bytes(text, bytes);
        mpl_text_format(text, " on %s", mpl_pool_label(label, pool));
        between = ", ";
    }
}

static void add_shortages(mpl_text *text, const memplan_plan *plan)
{
    char label[MPL_LABEL_SIZE];
    const char *between = "";
    for (uint32_t at = 0; at < plan->pool_count; at++) {
        const mpl_plan_pool *const pool = &plan->pools[at];
        if (pool->short_bytes == 0)
            continue;
        mpl_text_add(text, between);
        mpl_text_format(text, "%s is short by ", mpl_pool_label(label, pool));
        mpl_text_bytes(text, pool->short_bytes);
        between = ", ";
    }
}

void mpl_text_verdict(mpl_text *text, const memplan_plan *plan)
{
    char label[MPL_LABEL_SIZE];
    uint32_t used = 0;
    uint32_t last = 0;
    for (uint32_t at = 0; at < plan->pool_count; at++)
        if (pool_weights(&plan->pools[at]) > 0) {
            used++;
            last = at;
        }
    mpl_text_add(text, plan->fits ? "fits" : "does not fit");
    if (plan->fits && plan->packages[0] != '\0')
        mpl_text_format(text, " if %s installed", plan->packages);
    mpl_text_add(text, ": ");
    if (!plan->fits)
        add_shortages(text, plan);
    else if (used == 1)
        mpl_text_format(text, "all of it on %s",
                        mpl_pool_label(label, &plan->pools[last]));
    else
        add_shares(text, plan);
}

/* What the speed of this pool depends on and nobody knows, or NULL. */
static const char *lacking_speed(const mpl_plan_pool *pool)
{
    if (pool_weights(pool) == 0)
        return NULL;
    if (pool->bandwidth_bytes_per_second == MEMPLAN_UNKNOWN)
        return "";
    return pool->kind != MPL_POOL_DEVICE &&
                   pool->link_bytes_per_second == MEMPLAN_UNKNOWN
               ? "the link to "
               : NULL;
}

static void add_unknown(mpl_text *text, const memplan_plan *plan)
{
    char label[MPL_LABEL_SIZE];
    const char *between = ": no bandwidth is known for ";
    bool is_measurable = false;
    mpl_text_add(text, "unknown");
    for (uint32_t at = 0; at < plan->pool_count; at++) {
        const mpl_plan_pool *const pool = &plan->pools[at];
        const char *const what = lacking_speed(pool);
        if (what == NULL)
            continue;
        mpl_text_add(text, between);
        mpl_text_add(text, what);
        mpl_text_add(text, mpl_pool_label(label, pool));
        is_measurable = is_measurable || pool->is_measurable;
        between = ", ";
    }
    if (is_measurable)
        mpl_text_add(text, "; measuring it would tell");
}

/* Bytes over bandwidth: no token, or pass, takes less. */
static void add_bound(mpl_text *text, uint64_t ps_each, const char *what)
{
    const uint64_t second_ps = UINT64_C(1000000000000);
    mpl_text_add(text, ps_each > second_ps ? "at least " : "at most ");
    mpl_text_rate(text, ps_each, what);
}

static void add_measured(mpl_text *text, const memplan_plan *plan)
{
    char label[MPL_LABEL_SIZE];
    const char *between = "; measured: ";
    for (uint32_t at = 0; at < plan->pool_count; at++)
        if (plan->pools[at].is_measured && pool_weights(&plan->pools[at]) > 0) {
            mpl_text_add(text, between);
            mpl_text_add(text, mpl_pool_label(label, &plan->pools[at]));
            between = ", ";
        }
}

void mpl_text_speed(mpl_text *text, const memplan_plan *plan)
{
    if (plan->decode_ps_per_token == MEMPLAN_UNKNOWN) {
        add_unknown(text, plan);
        return;
    }
    add_bound(text, plan->decode_ps_per_token,
              plan->is_per_pass ? "pass" : "token");
    if (plan->prompt_ps_per_token != MEMPLAN_UNKNOWN) {
        mpl_text_add(text, " of answer, ");
        add_bound(text, plan->prompt_ps_per_token, "token");
        mpl_text_add(text, " of prompt");
    }
    if (plan->sequences > 1)
        mpl_text_add(text, " a sequence");
    if (strcmp(plan->kv_dtype, "none") != 0)
        mpl_text_add(text, " with the context full");
    add_measured(text, plan);
}

void mpl_text_proof(mpl_text *text, const memplan_plan *plan)
{
    if (plan->claim != NULL)
        mpl_text_add(text, plan->claim);
}
