/* SPDX-License-Identifier: MIT */
/*
 *     share  = model // devices + 1.25 * max(whole, mean)
 *     whole  = the largest of the first modules of each class kept whole
 *     mean   = the mean of the modules that have no module inside
 *
 * Each device but the last gets at most its share; the last keeps its limit,
 * in case the margin is not enough. Divisions round down, as int() does on
 * Python's floats for amounts below 2^53.
 */
#include "engine/accelerate/balance.h"

#include <stddef.h>

#include "base/checked.h"
#include "base/failure.h"

static mpl_amount whole_bytes(int64_t bytes)
{
    return (mpl_amount){mpl_amount_clamp(bytes * MPL_HALF_BITS_A_BYTE), false};
}

/* int(1.25 * amount), which is never negative. */
static int64_t five_quarters(mpl_amount amount)
{
    uint64_t bytes = 0;
    (void)mpl_mul_div(&bytes, (uint64_t)amount.half_bits, 5,
                      4 * MPL_HALF_BITS_A_BYTE);
    return (int64_t)bytes;
}

static const char *class_of(const memplan_modules *tree, uint32_t node)
{
    return node < tree->module_count
               ? tree->modules[node].class_name
               : tree->tensors[node - tree->module_count].class_name;
}

/* The largest of the first-met modules of each class kept whole. */
static mpl_amount largest_whole(const memplan_modules *tree,
                                const mpl_module_sizes *sizes,
                                const mpl_class_names *whole)
{
    mpl_amount largest = {0};
    for (uint32_t which = 0; which < whole->count; which++) {
        const mpl_class_names one = {&whole->names[which], 1};
        uint32_t at = 0;
        while (at < sizes->order_count &&
               (sizes->order[at] == 0 ||
                !mpl_class_names_hold(&one, class_of(tree, sizes->order[at]))))
            at++;
        if (at < sizes->order_count)
            largest = mpl_amount_max(largest, sizes->amounts[sizes->order[at]]);
    }
    return largest;
}

/* The mean of the innermost modules that hold anything. */
static memplan_status mean_of_innermost(const memplan_modules *tree,
                                        const mpl_module_sizes *sizes,
                                        mpl_arena *arena, mpl_amount *out,
                                        memplan_error *error)
{
    bool *has_module =
        mpl_arena_alloc(arena, tree->module_count, sizeof *has_module);
    if (has_module == NULL)
        return mpl_fail_memory(error);
    for (uint32_t at = 0; at < sizes->order_count; at++) {
        const uint32_t node = sizes->order[at];
        if (node > 0 && node < tree->module_count)
            has_module[tree->modules[node].parent] = true;
    }
    mpl_amount sum = {0};
    int64_t count = 0;
    for (uint32_t at = 0; at < sizes->order_count; at++) {
        const uint32_t node = sizes->order[at];
        if (node == 0 || node >= tree->module_count || has_module[node])
            continue;
        sum = mpl_amount_add(sum, sizes->amounts[node]);
        count++;
    }
    *out = whole_bytes(
        count == 0 ? 0 : sum.half_bits / count / MPL_HALF_BITS_A_BYTE);
    return MEMPLAN_OK;
}

static mpl_budget *find_device(mpl_budgets *budgets, int64_t index)
{
    for (uint32_t at = 0; at < budgets->count; at++)
        if (budgets->items[at].kind == MPL_BUDGET_DEVICE &&
            budgets->items[at].index == index)
            return &budgets->items[at];
    return NULL;
}

static memplan_status missing(memplan_error *error, int64_t index)
{
    return mpl_fail(error, MEMPLAN_E_NOT_FOUND, MPL_NOWHERE,
                    "max_memory: low_zero needs a budget for device %lld",
                    (long long)index);
}

/* Device 0 holds what the others, numbered 1 to count - 1, do not. */
static memplan_status lower_zero(mpl_budgets *budgets, bool *is_changed,
                                 mpl_amount model, int64_t count,
                                 memplan_error *error)
{
    mpl_amount left = model;
    for (int64_t index = 1; index < count; index++) {
        const mpl_budget *device = find_device(budgets, index);
        if (device == NULL)
            return missing(error, index);
        left = mpl_amount_sub(left, device->limit);
    }
    mpl_budget *zero = find_device(budgets, 0);
    if (zero == NULL)
        return missing(error, 0);
    left = mpl_amount_max((mpl_amount){0}, left);
    if (left.half_bits <= zero->limit.half_bits) {
        zero->limit = left;
        is_changed[zero - budgets->items] = true;
    }
    return MEMPLAN_OK;
}

static bool is_usable(const mpl_budget *budget)
{
    return budget->kind == MPL_BUDGET_DEVICE && budget->limit.half_bits > 0;
}

memplan_status mpl_budgets_balance(mpl_budgets *budgets, bool *is_changed,
                                   mpl_arena *arena,
                                   const memplan_modules *tree,
                                   const mpl_module_sizes *sizes,
                                   const mpl_class_names *whole, bool low_zero,
                                   bool counts_mps, memplan_error *error)
{
    int64_t count = 0;
    uint32_t last = 0;
    for (uint32_t at = 0; at < budgets->count; at++) {
        const mpl_budget *budget = &budgets->items[at];
        if (is_usable(budget))
            last = at;
        count += is_usable(budget) ||
                 (counts_mps && budget->kind == MPL_BUDGET_MPS &&
                  budget->limit.half_bits > 0);
    }
    if (count == 0)
        return MEMPLAN_OK;
    low_zero = low_zero && count > 1;
    mpl_amount mean = {0};
    const memplan_status status =
        mean_of_innermost(tree, sizes, arena, &mean, error);
    if (status != MEMPLAN_OK)
        return status;
    const mpl_amount model = sizes->amounts[0];
    const mpl_amount margin =
        mpl_amount_max(largest_whole(tree, sizes, whole), mean);
    mpl_amount share =
        whole_bytes(mpl_amount_bytes(model) / (low_zero ? count - 1 : count));
    share.is_real = model.is_real;
    share = mpl_amount_add(share, whole_bytes(five_quarters(margin)));
    for (uint32_t at = 0; at < last; at++) {
        mpl_budget *budget = &budgets->items[at];
        if (!is_usable(budget) || (low_zero && budget->index == 0) ||
            share.half_bits > budget->limit.half_bits)
            continue;
        budget->limit = share;
        is_changed[at] = true;
    }
    return low_zero ? lower_zero(budgets, is_changed, model, count, error)
                    : MEMPLAN_OK;
}
