/* SPDX-License-Identifier: MIT */
/*
 * Caches and activations are no part of what device_map="auto" reckons with:
 * so the map that it makes is priced, and the budget of the pool that lacks
 * most is lowered by that, until all holds.
 */
#include "dialect/max_memory.h"

#include <string.h>

#include "base/checked.h"
#include "engine/transformers/automatic.h"

enum { ROUNDS_MAX = 512 };

typedef struct trial {
    mpl_automatic automatic;
    const memplan_plan *plan;
    uint64_t *used;    /* by pool */
    uint64_t *staging; /* by pool */
    bool *executes;    /* by pool */
} trial;

uint64_t mpl_max_memory_bytes(const mpl_plan_pool *pool)
{
    uint64_t left = pool->capacity_bytes;
    if (left == MEMPLAN_UNKNOWN)
        return left;
    for (uint64_t at = 0; at < pool->row_count; at++) {
        const mpl_row *const row = &pool->rows[at];
        if (row->category != MPL_ROW_WEIGHTS &&
            row->category != MPL_ROW_STAGING && row->category != MPL_ROW_MAPPED)
            left = mpl_sub_floor(left, row->bytes);
    }
    return left;
}

static bool is_device(const trial *at, uint32_t pool)
{
    return at->plan->pools[pool].kind == MPL_POOL_DEVICE;
}

/* What fits nowhere goes to a disk, whether there is one or not. */
static mpl_pool_kind pool_kind(const trial *at, uint32_t pool)
{
    return pool != MPL_NO_INDEX ? at->plan->pools[pool].kind : MPL_POOL_DISK;
}

/* The device that executes what rests elsewhere, or the host. */
static uint32_t find_main(const trial *at)
{
    uint32_t main = at->automatic.host;
    for (uint32_t unit = 0; unit < at->plan->unit_count; unit++) {
        const uint32_t pool = at->automatic.pool_of_unit[unit];
        if (pool_kind(at, pool) == MPL_POOL_DEVICE &&
            (main == at->automatic.host || pool < main))
            main = pool;
    }
    return main;
}

/* On a disk that the plan does not have. */
static bool has_homeless(const trial *at)
{
    for (uint32_t unit = 0; unit < at->plan->unit_count; unit++)
        if (at->automatic.pool_of_unit[unit] == MPL_NO_INDEX)
            return true;
    return false;
}

static void add(uint64_t *sum, uint64_t bytes)
{
    if (!mpl_add(sum, *sum, bytes))
        *sum = UINT64_MAX;
}

/* The formula of price_list.h. False: units where the loader lets none rest. */
static bool price(trial *at)
{
    const mpl_price_list *const prices = at->plan->prices;
    const uint32_t pools = at->plan->pool_count;
    uint64_t relay = 0;
    const uint32_t main = find_main(at);
    if (main == MPL_NO_INDEX || has_homeless(at))
        return false;
    memset(at->used, 0, pools * sizeof *at->used);
    memset(at->staging, 0, pools * sizeof *at->staging);
    memset(at->executes, 0, pools * sizeof *at->executes);
    for (uint32_t unit = 0; unit < at->plan->unit_count; unit++) {
        const mpl_price_row *const row =
            &prices->rows[prices->row_of_unit[unit]];
        const uint32_t pool = at->automatic.pool_of_unit[unit];
        const mpl_pool_kind kind = pool_kind(at, pool);
        if (!prices->may_rest[main == at->automatic.host][kind])
            return false;
        const uint32_t home = kind == MPL_POOL_DEVICE ? pool : main;
        at->executes[home] = true;
        add(&at->used[pool], pool == home ? row->here_bytes : row->away_bytes);
        if (pool == home)
            continue;
        add(&at->used[home], row->home_bytes);
        at->staging[home] =
            mpl_max(at->staging[home], row->staging_bytes[kind]);
        if (pool == at->automatic.disk && main != at->automatic.host)
            relay = mpl_max(relay, row->relay_bytes);
    }
    for (uint32_t pool = 0; pool < pools; pool++) {
        add(&at->used[pool], at->staging[pool]);
        if (at->executes[pool])
            add(&at->used[pool], prices->open_bytes[pool]);
    }
    if (at->automatic.host != MPL_NO_INDEX) {
        add(&at->used[at->automatic.host], relay);
        add(&at->used[at->automatic.host], prices->process_bytes);
    }
    return true;
}

/* The pool that lacks most, by how much; of memory that several share, the
 * last of them. MPL_NO_INDEX: none. */
static uint32_t find_short(const trial *at, uint64_t *out_bytes)
{
    uint32_t worst = MPL_NO_INDEX;
    *out_bytes = 0;
    for (uint32_t pool = at->plan->pool_count; pool-- > 0;) {
        const mpl_plan_pool *const here = &at->plan->pools[pool];
        const uint64_t limit = at->plan->prices->budget_bytes[here->budget];
        uint64_t shared = 0;
        for (uint32_t other = 0; other < at->plan->pool_count; other++)
            if (at->plan->pools[other].budget == here->budget)
                add(&shared, at->used[other]);
        const uint64_t lacked =
            mpl_max(mpl_sub_floor(at->used[pool], here->capacity_bytes),
                    mpl_sub_floor(shared, limit));
        if (lacked > *out_bytes) {
            *out_bytes = lacked;
            worst = pool;
        }
    }
    return worst;
}

/* So much of the pool is filled. A device that gets nothing has no
 * key: as the first it would keep the room that another must. */
static void set_limit(trial *at, uint32_t pool, uint64_t limit)
{
    const uint64_t parts = at->plan->prices->filled_tenths;
    at->automatic.budgets[pool] =
        limit / parts * 10 + limit % parts * 10 / parts;
    if (limit == 0 && is_device(at, pool))
        at->automatic.budgets[pool] = MEMPLAN_UNKNOWN;
}

static bool has_device(const trial *at)
{
    for (uint32_t pool = 0; pool < at->plan->pool_count; pool++)
        if (is_device(at, pool) &&
            at->automatic.budgets[pool] != MEMPLAN_UNKNOWN)
            return true;
    return false;
}

/* Lowers the budgets until the map that is made of them holds. */
static bool settle(trial *at)
{
    const bool needs_device = has_device(at);
    for (uint32_t round = 0; round < ROUNDS_MAX; round++) {
        uint64_t lacked;
        uint32_t split;
        if (needs_device && !has_device(at))
            return false;
        mpl_automatic_map(&at->automatic, &split);
        if (split != MPL_NO_INDEX) {
            set_limit(at, split, at->automatic.limits[split]);
            continue;
        }
        if (!price(at))
            return false;
        const uint32_t pool = find_short(at, &lacked);
        if (pool == MPL_NO_INDEX)
            return true;
        if (pool == at->automatic.disk ||
            at->automatic.budgets[pool] == MEMPLAN_UNKNOWN)
            return false;
        set_limit(at, pool, mpl_sub_floor(at->automatic.limits[pool], lacked));
    }
    return false;
}

static bool is_used(const memplan_plan *plan, uint32_t pool)
{
    for (uint32_t at = 0; at < plan->unit_count; at++)
        if (plan->units[at].pool == pool)
            return true;
    return false;
}

/* What the placement leaves to weights; of devices, those that it uses: the
 * others would need room for a cache as well. */
static void start(const memplan_plan *plan, uint64_t *out_budgets)
{
    for (uint32_t pool = 0; pool < plan->pool_count; pool++)
        out_budgets[pool] =
            plan->pools[pool].kind != MPL_POOL_DEVICE || is_used(plan, pool)
                ? mpl_max_memory_bytes(&plan->pools[pool])
                : MEMPLAN_UNKNOWN;
}

/* Where all memories are all but full the weights only fit with what "auto"
 * keeps free on top. */
static void add_reserves(trial *at)
{
    bool is_main = true;
    for (uint32_t pool = 0; pool < at->plan->pool_count; pool++) {
        uint64_t limit = at->automatic.budgets[pool];
        if (limit == MEMPLAN_UNKNOWN || pool == at->automatic.disk)
            continue;
        if (is_main || pool == at->automatic.host)
            add(&limit, at->automatic.largest_from[0]);
        set_limit(at, pool, limit);
        is_main = false;
    }
}

static bool open_trial(trial *out, mpl_arena *arena, const memplan_plan *plan,
                       uint64_t *budgets)
{
    const uint64_t pools = plan->pool_count;
    mpl_pool_kind *const kinds = mpl_arena_take(arena, pools, sizeof *kinds);
    const char **const names =
        mpl_arena_take(arena, plan->unit_count, sizeof *names);
    *out = (trial){
        .plan = plan,
        .used = mpl_arena_take(arena, pools, sizeof *out->used),
        .staging = mpl_arena_take(arena, pools, sizeof *out->staging),
        .executes = mpl_arena_take(arena, pools, sizeof *out->executes),
    };
    if (!mpl_automatic_open(&out->automatic, arena, plan->unit_count,
                            plan->pool_count))
        return false;
    for (uint32_t pool = 0; pool < plan->pool_count; pool++)
        kinds[pool] = plan->pools[pool].kind;
    for (uint32_t unit = 0; unit < plan->unit_count; unit++)
        names[unit] = plan->units[unit].name;
    out->automatic.prices = plan->prices;
    out->automatic.kinds = kinds;
    out->automatic.names = names;
    out->automatic.budgets = budgets;
    return true;
}

mpl_max_memory mpl_max_memory_find(const uint64_t **out_budgets,
                                   mpl_arena *arena, const memplan_plan *plan)
{
    trial tried;
    uint64_t *const budgets =
        mpl_arena_take(arena, plan->pool_count, sizeof *budgets);
    if (budgets == NULL)
        return MPL_MAX_MEMORY_FAILED;
    start(plan, budgets);
    *out_budgets = budgets;
    if (!plan->fits || plan->prices == NULL)
        return MPL_MAX_MEMORY_HOLDS;
    if (!open_trial(&tried, arena, plan, budgets))
        return MPL_MAX_MEMORY_FAILED;
    if (!mpl_automatic_start(&tried.automatic))
        return MPL_MAX_MEMORY_NONE;
    if (settle(&tried))
        return MPL_MAX_MEMORY_HOLDS;
    start(plan, budgets);
    add_reserves(&tried);
    return settle(&tried) ? MPL_MAX_MEMORY_HOLDS : MPL_MAX_MEMORY_NONE;
}
