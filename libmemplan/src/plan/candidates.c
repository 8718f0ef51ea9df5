/* SPDX-License-Identifier: MIT */
/*
 * Candidates that need no search: the chain filled in order, pool by pool. A
 * split is one that is filled so far:
 *
 *     0 .. first      placed before, and summed up
 *     first .. end    on `pool`
 *     end ..          on `rest`
 *
 * but for tied units, which go with their owner.
 */
#include <string.h>

#include "model/model.h"
#include "plan/space.h"
#include "plan/usage.h"

typedef struct split {
    mpl_best *best; /* whose trial holds what is placed */
    const mpl_space *space;
    mpl_usage placed;
    mpl_usage tried;
    uint32_t first;
    uint32_t pool;
    uint32_t rest;
} split;

static void start(split *out, mpl_best *best, const mpl_space *space,
                  uint32_t rest)
{
    const mpl_problem *const problem = space->problem;
    *out = (split){.best = best, .space = space, .rest = rest};
    mpl_usage_start(&out->placed, problem, space->scratch);
    mpl_usage_start(&out->tried, problem,
                    space->scratch + mpl_usage_words(problem));
}

/* Where a split puts a unit. */
static uint32_t pool_at(const split *at, uint32_t unit, uint32_t end)
{
    const uint32_t *const tied_to = at->space->problem->tied_to;
    uint32_t owner = unit;
    while (tied_to[owner] != MPL_NO_INDEX)
        owner = tied_to[owner];
    return owner < at->first ? at->best->trial[owner]
           : owner < end     ? at->pool
                             : at->rest;
}

/* Adds the units from `from` to before `to`. */
static bool add(mpl_usage *sum, const split *at, uint32_t from, uint32_t to,
                uint32_t end)
{
    while (from < to) {
        const uint32_t run = at->space->run_end[from];
        const uint32_t next = run < to ? run : to;
        if (!mpl_usage_add(sum, from, next - from, pool_at(at, from, end)))
            return false;
        from = next;
    }
    return true;
}

/* Writes a split's units to the trial. */
static void write_trial(const split *at, uint32_t to, uint32_t end)
{
    uint32_t *const trial = at->best->trial;
    for (uint32_t unit = at->first; unit < to;) {
        const uint32_t run = at->space->run_end[unit];
        uint32_t next = run < to ? run : to;
        next = unit < end && end < next ? end : next;
        const uint32_t pool = pool_at(at, unit, end);
        while (unit < next)
            trial[unit++] = pool;
    }
}

/* Offers a split; whether it fits. */
static bool offer(split *at, uint32_t end)
{
    const uint32_t count = at->space->problem->unit_count;
    mpl_usage_copy(&at->tried, &at->placed);
    if (!add(&at->tried, at, at->first, end, end) ||
        !add(&at->tried, at, end, count, end))
        return false;
    const uint64_t value = mpl_usage_value(&at->tried);
    if (value == MPL_TIME_FORBIDDEN)
        return false;
    if (value <= at->best->value_ps) {
        write_trial(at, count, end);
        mpl_best_take(at->best, at->space, value);
    }
    return true;
}

/* Leaves the units up to `end` where the split has them. */
static bool place(split *at, uint32_t end)
{
    write_trial(at, end, end);
    if (!add(&at->placed, at, at->first, end, end))
        return false;
    at->first = end;
    return true;
}

/* The unit up to which the chain fills the pool's room. */
static uint32_t guess_end(const split *at)
{
    const mpl_space *const space = at->space;
    const mpl_problem *const problem = space->problem;
    uint64_t left = space->rooms[at->pool];
    uint32_t end = at->first;
    while (end < problem->unit_count) {
        const uint32_t run = space->run_end[end] - end;
        const uint64_t bytes =
            problem->own_bytes[mpl_problem_cell(problem, end, at->pool)];
        const uint64_t most = bytes > 0 ? left / bytes : run;
        const uint32_t taken = most < run ? (uint32_t)most : run;
        left -= left != MEMPLAN_UNKNOWN ? taken * bytes : 0;
        end += taken;
        if (taken < run)
            break;
    }
    return end;
}

/* The most units from the first on with which all fits: the guess if it holds,
 * else by halving. Where no units are tied, no more than the guess have room:
 * it is what any of them can take at all. */
static uint32_t fill_pool(split *at)
{
    const mpl_space *const space = at->space;
    const uint32_t count = space->problem->unit_count;
    if (at->pool == at->rest)
        return at->first;
    const uint32_t guess = guess_end(at);
    const bool is_most = space->item_count == count || guess == count;
    uint32_t low = at->first; /* with the units below it, all fits */
    uint32_t high = count;
    if (guess > low && offer(at, guess)) {
        low = guess;
        if (is_most || !offer(at, low + 1))
            high = low;
    } else if (guess > low) {
        high = guess - 1;
    }
    while (low < high) {
        const uint32_t middle = low + (high - low + 1) / 2;
        if (offer(at, middle))
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

/* Fills the chain in order: each pool takes units for as long as the whole
 * still fits with the others on `rest`. */
static void offer_filled(mpl_best *best, const mpl_space *space, uint32_t rest)
{
    const mpl_problem *const problem = space->problem;
    const bool has_must = problem->must_use != MPL_NO_INDEX;
    split at;
    start(&at, best, space, rest);
    for (uint32_t turn = 0; turn < problem->pool_count + has_must; turn++) {
        const uint32_t pool = !has_must   ? space->levels[turn]
                              : turn == 0 ? problem->must_use
                                          : space->levels[turn - 1];
        if (turn > 0 && pool == problem->must_use)
            continue;
        at.pool = pool;
        if (!place(&at, fill_pool(&at)))
            return;
    }
    at.pool = rest;
    (void)offer(&at, problem->unit_count);
}

void mpl_candidates(mpl_best *best, const mpl_space *space, uint64_t bound_ps)
{
    const mpl_problem *const problem = space->problem;
    split at;
    start(&at, best, space, 0);
    for (uint32_t pool = 0; pool < problem->pool_count; pool++) {
        at.pool = pool;
        (void)offer(&at, problem->unit_count);
    }
    if (problem->pool_count > 0 && best->value_ps > bound_ps)
        offer_filled(best, space, space->levels[problem->pool_count - 1]);
}

void mpl_more_candidates(mpl_best *best, const mpl_space *space)
{
    enum { RESTS = 3 };
    const uint32_t pools = space->problem->pool_count;
    for (uint32_t at = 1; at < RESTS && at < pools; at++)
        offer_filled(best, space, space->levels[pools - 1 - at]);
}
