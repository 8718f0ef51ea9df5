/* SPDX-License-Identifier: MIT */
/*
 * Placements whose weights load, against all that there are: what is found
 * fits and loads, its bound is true, and where one loads it is nearly always
 * found, and the fastest.
 */
#include <criterion/criterion.h>

#include "base/checked.h"
#include "plan/loadable.h"
#include "random_problem.h"

/* Loading as an engine might have it: of what a unit has, three quarters are
 * weights. */
typedef struct loader {
    const mpl_problem *problem;
    uint64_t *joining; /* by unit */
} loader;

static void find_loading(const mpl_job *job, const mpl_placement *placement,
                         uint64_t *out)
{
    const loader *const of = (const loader *)(const void *)job;
    const mpl_problem *const problem = of->problem;
    for (uint32_t pool = 0; pool < problem->pool_count; pool++) {
        uint64_t weights = 0;
        uint64_t joining = 0;
        for (uint32_t unit = 0; unit < problem->unit_count; unit++) {
            if (placement->pool_of_unit[unit] != pool)
                continue;
            const uint64_t cell = mpl_problem_cell(problem, unit, pool);
            weights += problem->own_bytes[cell] * 3 / 4;
            joining = mpl_max(joining, of->joining[unit]);
        }
        out[pool] = joining > 0 ? weights + joining : 0;
    }
}

/* By its own capacity alone: the problems below share no budgets. */
static bool loads(const loader *of, const uint32_t *pool_of_unit)
{
    uint64_t loading[MPL_PROBLEM_POOLS_MAX];
    const mpl_placement placement = {.pool_of_unit =
                                         (uint32_t *)(uintptr_t)pool_of_unit};
    find_loading((const mpl_job *)(const void *)of, &placement, loading);
    for (uint32_t pool = 0; pool < of->problem->pool_count; pool++)
        if (loading[pool] > of->problem->capacity_bytes[pool])
            return false;
    return true;
}

/* The least time of all placements that fit and load. */
static uint64_t least_of_all(mpl_arena *arena, const loader *of)
{
    const mpl_problem *const problem = of->problem;
    uint32_t *const at = mpl_arena_alloc(arena, problem->unit_count, 4);
    uint64_t *const scratch = mpl_arena_alloc(
        arena, 4 * problem->pool_count + problem->budget_count, 8);
    uint64_t least = MPL_TIME_FORBIDDEN;
    for (;;) {
        if (loads(of, at))
            least = mpl_min(least, mpl_problem_value(problem, at, scratch));
        uint32_t unit = 0;
        while (unit < problem->unit_count &&
               ++at[unit] == problem->pool_count)
            at[unit++] = 0;
        if (unit == problem->unit_count)
            return least;
    }
}

typedef struct tally {
    uint32_t there;    /* problems in which something loads */
    uint32_t confined; /* of these, where the fastest does not */
    uint32_t found;
    uint32_t fastest;
} tally;

static void check_one(mpl_arena *arena, uint64_t seed, tally *sum)
{
    static const mpl_engine ENGINE = {.loading = find_loading};
    uint64_t state = seed;
    mpl_problem problem = random_problem(arena, &state, 6, 3);
    loader of = {&problem, mpl_arena_alloc(arena, problem.unit_count, 8)};
    for (uint32_t pool = 0; pool < problem.pool_count; pool++)
        ((uint64_t *)(uintptr_t)problem.budget_bytes)[pool] = MEMPLAN_UNKNOWN;
    const uint64_t joining = 1 + random_below(&state, 20);
    for (uint32_t unit = 0; unit < problem.unit_count; unit++)
        of.joining[unit] = random_below(&state, 3) > 0 ? joining : 0;
    bool *const is_joined = mpl_arena_alloc(arena, problem.unit_count, 1);
    for (uint32_t unit = 0; unit < problem.unit_count; unit++)
        is_joined[unit] = of.joining[unit] > 0;
    problem.is_joined = is_joined;
    mpl_solution found;
    cr_assert_eq(mpl_search_loadable(arena, &ENGINE,
                                     (const mpl_job *)(const void *)&of,
                                     &problem, &found),
                 MEMPLAN_OK);
    const uint64_t least = least_of_all(arena, &of);
    cr_expect_leq(found.bound_ps, least, "seed %llu",
                  (unsigned long long)seed);
    cr_expect(!found.is_feasible || loads(&of, found.pool_of_unit),
              "seed %llu: does not load", (unsigned long long)seed);
    cr_expect(!found.is_feasible || found.value_ps >= least, "seed %llu",
              (unsigned long long)seed);
    if (least == MPL_TIME_FORBIDDEN)
        return;
    sum->there++;
    sum->confined += brute_force(arena, &problem) < least;
    sum->found += found.is_feasible;
    sum->fastest += found.is_feasible && found.value_ps == least;
}

Test(loadable, agrees_with_brute_force)
{
    tally sum = {0};
    for (uint64_t seed = 1; seed <= 3000; seed++) {
        mpl_arena *const arena = mpl_arena_create();
        check_one(arena, seed, &sum);
        mpl_arena_free(arena);
    }
    cr_expect_eq(sum.there, 1926, "%u", sum.there);
    cr_expect_geq(sum.confined, 211, "%u", sum.confined);
    cr_expect_geq(sum.found, 1918, "%u", sum.found);
    cr_expect_geq(sum.fastest, 1889, "%u", sum.fastest);
}
