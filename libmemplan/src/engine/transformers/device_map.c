/* SPDX-License-Identifier: MIT */
/*
 * A device map as Transformers takes it: {"model.embed_tokens": 0, …}.
 *
 * A unit goes where the longest of its prefixes says that ends at a dot or
 * at its end; "" is a prefix of all. A key inside a unit would split it: that
 * is refused unless all such keys agree. A model has modules without any
 * tensor, which real maps name too and nothing here knows: a key beside units
 * that is not nearly the name of one is taken for such a module.
 */
#include <stdio.h>
#include <string.h>

#include "base/failure.h"
#include "base/json.h"
#include "base/nearest.h"
#include "engine/transformers/automatic.h"
#include "engine/transformers/job.h"

/* Each key is held against each unit. */
enum { KEYS_MAX = 20000 };

static bool is_prefix(const char *prefix, const char *name)
{
    const size_t length = strlen(prefix);
    return length == 0 || (strncmp(prefix, name, length) == 0 &&
                           (name[length] == '\0' || name[length] == '.'));
}

/* The pool that a value names: 0, "0", "cuda:0", "cuda", "cpu", "disk". */
static uint32_t find_pool(const mpl_job *job, mpl_json_value value)
{
    char digits[24];
    uint64_t index;
    const char *key = mpl_json_string(value, NULL);
    if (mpl_json_u64(value, &index)) {
        (void)snprintf(digits, sizeof digits, "%llu",
                       (unsigned long long)index);
        key = digits;
    }
    if (key == NULL)
        return MPL_NO_INDEX;
    if (strcmp(key, "cuda") == 0)
        key = "0";
    if (strncmp(key, "cuda:", 5) == 0)
        key += 5;
    for (uint32_t at = 0; at < job->machine->pool_count; at++)
        if (strcmp(job->machine->pools[at].key, key) == 0)
            return at;
    return MPL_NO_INDEX;
}

static memplan_status fail_unknown(const mpl_job *job, const char *key,
                                   memplan_error *error)
{
    mpl_nearest nearest = {0};
    for (uint32_t at = 0; at < job->model->unit_count; at++)
        mpl_nearest_offer(&nearest, key, job->model->units[at].name);
    return mpl_fail(error, MEMPLAN_E_NOT_FOUND, MPL_NOWHERE,
                    "device_map: no module \"%.60s\" in this model%s%.60s", key,
                    nearest.count != 0 ? "; the nearest is " : "",
                    nearest.count != 0 ? nearest.words[0] : "");
}

/* The part of a unit's name below a module, up to the next dot, in `out`;
 * false where the unit is not below it. */
static bool child_name(char out[64], const char *unit, const char *module,
                       size_t module_length)
{
    if (strncmp(unit, module, module_length) != 0 || unit[module_length] != '.')
        return false;
    const size_t length = strcspn(unit + module_length + 1, ".");
    (void)snprintf(out, 64, "%.*s", (int)length, unit + module_length + 1);
    return true;
}

/* Whether a key that no unit has may be a module without tensors. */
static bool may_be_empty(const mpl_job *job, const char *key)
{
    char child[64];
    char before[64] = "";
    bool has_siblings = false;
    const char *const last = strrchr(key, '.');
    if (last == NULL || strspn(last + 1, "0123456789") == strlen(last + 1))
        return false;
    for (uint32_t at = 0; at < job->model->unit_count; at++) {
        mpl_nearest nearest = {0};
        if (!child_name(child, job->model->units[at].name, key,
                        (size_t)(last - key)) ||
            strcmp(child, before) == 0) /* layers of one list */
            continue;
        has_siblings = true;
        (void)strcpy(before, child);
        mpl_nearest_offer(&nearest, last + 1, child);
        if (nearest.count > 0)
            return false;
    }
    return has_siblings;
}

/* What the map says of one unit so far. */
typedef struct claim {
    uint32_t pool;
    size_t length;       /* of the prefix; SIZE_MAX: a key inside the unit */
    uint32_t inner_pool; /* of keys inside it, or MPL_NO_INDEX */
} claim;

static memplan_status apply(const mpl_job *job, const char *key, uint32_t pool,
                            claim *claims, memplan_error *error)
{
    bool is_used = false;
    for (uint32_t at = 0; at < job->model->unit_count; at++) {
        const char *const name = job->model->units[at].name;
        claim *const made = &claims[at];
        if (is_prefix(key, name)) {
            is_used = true;
            if (made->pool == MPL_NO_INDEX || strlen(key) >= made->length) {
                made->pool = pool;
                made->length = strlen(key);
            }
        } else if (is_prefix(name, key)) {
            is_used = true;
            if (made->inner_pool != MPL_NO_INDEX && made->inner_pool != pool)
                return mpl_fail(error, MEMPLAN_E_ARGUMENT, MPL_NOWHERE,
                                "device_map: \"%.60s\" splits \"%.60s\", "
                                "which must stay whole",
                                key, name);
            made->inner_pool = pool;
        }
    }
    return is_used || may_be_empty(job, key) ? MEMPLAN_OK
                                             : fail_unknown(job, key, error);
}

static memplan_status settle(const mpl_job *job, const claim *claims,
                             uint32_t *pool_of_unit, memplan_error *error)
{
    for (uint32_t at = 0; at < job->model->unit_count; at++) {
        const char *const name = job->model->units[at].name;
        const claim *const made = &claims[at];
        if (made->pool == MPL_NO_INDEX && made->inner_pool == MPL_NO_INDEX)
            return mpl_fail(error, MEMPLAN_E_ARGUMENT, MPL_NOWHERE,
                            "device_map: nothing says where \"%.80s\" goes",
                            name);
        if (made->pool != MPL_NO_INDEX && made->inner_pool != MPL_NO_INDEX &&
            made->pool != made->inner_pool)
            return mpl_fail(error, MEMPLAN_E_ARGUMENT, MPL_NOWHERE,
                            "device_map: a key inside \"%.60s\" splits it, "
                            "and it must stay whole",
                            name);
        pool_of_unit[at] =
            made->pool != MPL_NO_INDEX ? made->pool : made->inner_pool;
    }
    return MEMPLAN_OK;
}

static memplan_status read_map(mpl_job *job, mpl_json_value root,
                               uint32_t *pool_of_unit, memplan_error *error)
{
    if (mpl_json_type_of(root) != MPL_JSON_OBJECT)
        return mpl_fail(error, MEMPLAN_E_ARGUMENT, MPL_NOWHERE,
                        "device_map: %s; write {\"\": 0} or "
                        "{\"model.layers.0\": 0, ...}",
                        mpl_json_type_name(root));
    if (mpl_json_count(root) > KEYS_MAX)
        return mpl_fail(error, MEMPLAN_E_TOO_LARGE, MPL_NOWHERE,
                        "device_map: %llu keys, at most %d",
                        (unsigned long long)mpl_json_count(root), KEYS_MAX);
    claim *const claims =
        mpl_arena_alloc(job->arena, job->model->unit_count, sizeof *claims);
    if (claims == NULL)
        return mpl_fail_memory(error);
    for (uint32_t at = 0; at < job->model->unit_count; at++)
        claims[at] = (claim){MPL_NO_INDEX, 0, MPL_NO_INDEX};
    mpl_json_walk walk = mpl_json_begin(root);
    while (mpl_json_next(&walk)) {
        const uint32_t pool = find_pool(job, walk.value);
        if (pool == MPL_NO_INDEX)
            return mpl_fail(error, MEMPLAN_E_NOT_FOUND, MPL_NOWHERE,
                            "device_map: \"%.60s\" goes to a pool that this "
                            "machine lacks; it has a device's number, "
                            "\"cpu\" or \"disk\"",
                            walk.key);
        const memplan_status status = apply(job, walk.key, pool, claims, error);
        if (status != MEMPLAN_OK)
            return status;
    }
    return settle(job, claims, pool_of_unit, error);
}

/* Some quantizers load only what executes, or rests, in certain places. */
static memplan_status check_loader(const mpl_job *job,
                                   const mpl_placement *placement,
                                   memplan_error *error)
{
    const uint32_t main = mpl_transformers_main(job, placement);
    for (uint32_t at = 0; main != MPL_NO_INDEX && at < job->model->unit_count;
         at++) {
        const uint32_t pool = placement->pool_of_unit[at];
        if (mpl_transformers_may_rest(job, pool, main))
            continue;
        return mpl_fail(
            error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
            "device_map: \"%.60s\" is on %s: %s %s", job->model->units[at].name,
            job->machine->pools[pool].key, job->loading->name,
            main == job->host_pool ? "has no kernels there"
            : (job->loading->away & MPL_AWAY_HOST) != 0
                ? "offloads to the host only"
                : "takes no units on cpu or disk beside a device's");
    }
    return MEMPLAN_OK;
}

/* The map that Transformers makes by itself, of the pools as max_memory. */
static memplan_status make_automatic(mpl_job *job, uint32_t *pool_of_unit,
                                     memplan_error *error)
{
    const memplan_machine *const machine = job->machine;
    const uint32_t units = job->model->unit_count;
    const uint32_t pools = machine->pool_count;
    mpl_price_list prices;
    mpl_automatic made;
    uint32_t split;
    const char **const names = mpl_arena_take(job->arena, units, sizeof *names);
    mpl_pool_kind *const kinds =
        mpl_arena_take(job->arena, pools, sizeof *kinds);
    uint64_t *const budgets =
        mpl_arena_take(job->arena, pools, sizeof *budgets);
    if (names == NULL || kinds == NULL || budgets == NULL ||
        !mpl_transformers_price_list(job, job->arena, &prices) ||
        !mpl_automatic_open(&made, job->arena, units, pools))
        return mpl_fail_memory(error);
    for (uint32_t unit = 0; unit < units; unit++)
        names[unit] = job->model->units[unit].name;
    for (uint32_t pool = 0; pool < pools; pool++) {
        kinds[pool] = machine->pools[pool].kind;
        budgets[pool] = machine->pools[pool].capacity_bytes;
    }
    made.prices = &prices;
    made.names = names;
    made.kinds = kinds;
    made.budgets = budgets;
    if (!mpl_automatic_start(&made))
        return mpl_fail(error, MEMPLAN_E_TOO_LARGE, MPL_NOWHERE,
                        "the weights pass 64 bits");
    mpl_automatic_map(&made, &split);
    for (uint32_t unit = 0; unit < units; unit++)
        if ((pool_of_unit[unit] = made.pool_of_unit[unit]) == MPL_NO_INDEX)
            return mpl_fail(error, MEMPLAN_E_NOT_FOUND, MPL_NOWHERE,
                            "device_map \"auto\" leaves \"%.60s\" to a disk, "
                            "and this machine has none",
                            names[unit]);
    return MEMPLAN_OK;
}

static memplan_status read_text(mpl_job *job, const char *text,
                                uint32_t *pool_of_unit, memplan_error *error)
{
    enum { PADDING = 64 };
    const uint64_t length = strlen(text);
    uint8_t *const copy = mpl_arena_alloc(job->arena, length + PADDING, 1);
    if (copy == NULL)
        return mpl_fail_memory(error);
    memcpy(copy, text, (size_t)length);
    mpl_json *json = NULL;
    memplan_status status = mpl_json_parse(&json, copy, length, error);
    if (status != MEMPLAN_OK)
        return mpl_fail_in(error, "placement"), status;
    status = read_map(job, mpl_json_root(json), pool_of_unit, error);
    mpl_json_free(json);
    return status;
}

memplan_status mpl_transformers_read(mpl_job *job, const char *text,
                                     mpl_placement *out, memplan_error *error)
{
    if (text == NULL)
        return mpl_fail(error, MEMPLAN_E_ARGUMENT, MPL_NOWHERE,
                        "no placement: transformers prices a device_map, "
                        "such as {\"\": 0}, or \"auto\"");
    const memplan_status status =
        strcmp(text, "auto") == 0
            ? make_automatic(job, out->pool_of_unit, error)
            : read_text(job, text, out->pool_of_unit, error);
    return status == MEMPLAN_OK ? check_loader(job, out, error) : status;
}
