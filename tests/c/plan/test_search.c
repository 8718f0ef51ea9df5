/* SPDX-License-Identifier: MIT */
/*
 * The search against brute force: what it finds fits, what it claims is true,
 * and it claims a proof nearly always. The bounds are looked at by themselves
 * too: in a search, a placement that is as good hides one that is too high.
 */
#include <criterion/criterion.h>

#include "plan/search.h"
#include "plan/space.h"
#include "random_problem.h"

typedef struct tally {
    uint32_t problems;
    uint32_t feasible;
    uint32_t proven;
    uint32_t found;       /* the best one, proven or not */
    uint32_t homes_exact; /* bounds of homes.c that are the least time */
    uint32_t alike;       /* problems that alike.c bounds */
    uint32_t alike_exact;
    uint32_t alike_found; /* likewise, with a placement as fast */
    uint32_t alike_alone; /* exact where homes.c is not */
} tally;

static void check_bounds(mpl_arena *arena, const mpl_problem *problem,
                         uint64_t seed, uint64_t least, tally *sum)
{
    mpl_space space;
    mpl_best best = {
        mpl_arena_alloc(arena, problem->unit_count, sizeof(uint32_t)),
        MPL_TIME_FORBIDDEN,
        mpl_arena_alloc(arena, problem->unit_count, sizeof(uint32_t))};
    uint64_t alike_ps = 0;
    cr_assert(mpl_space_make(&space, arena, problem));
    const uint64_t homes_ps = mpl_space_bound_homes(&space);
    cr_assert(mpl_alike_search(&best, &space, &alike_ps));
    cr_expect_leq(homes_ps, least, "seed %llu: homes %llu, least %llu",
                  (unsigned long long)seed, (unsigned long long)homes_ps,
                  (unsigned long long)least);
    cr_expect_leq(alike_ps, least, "seed %llu: alike %llu, least %llu",
                  (unsigned long long)seed, (unsigned long long)alike_ps,
                  (unsigned long long)least);
    if (least == MPL_TIME_FORBIDDEN || least == 0)
        return;
    sum->homes_exact += homes_ps == least;
    sum->alike += alike_ps > 0;
    sum->alike_exact += alike_ps == least;
    sum->alike_found += alike_ps == least && best.value_ps == least;
    sum->alike_alone += alike_ps == least && homes_ps < least;
}

/* Below what was found there is nothing; just above it, the same. */
static void check_limit(mpl_arena *arena, const mpl_problem *problem,
                        uint64_t seed, uint64_t least, const mpl_solution *all)
{
    mpl_solution below;
    mpl_solution above;
    if (!all->is_feasible)
        return;
    cr_assert_eq(mpl_search_below(arena, problem, MPL_SEARCH_STEPS, least,
                                  &below),
                 MEMPLAN_OK);
    cr_assert_eq(mpl_search_below(arena, problem, MPL_SEARCH_STEPS,
                                  all->value_ps + 1, &above),
                 MEMPLAN_OK);
    cr_expect_not(below.is_feasible, "seed %llu", (unsigned long long)seed);
    cr_expect(above.is_feasible && above.value_ps == all->value_ps,
              "seed %llu", (unsigned long long)seed);
}

/* `plain` as it is where the seed is even, else with shared rows. */
static void check_one(mpl_arena *arena, const mpl_problem *plain, uint64_t seed,
                      tally *sum)
{
    mpl_solution found;
    const mpl_problem problem =
        seed % 2 == 0 ? *plain : share_rows(arena, plain);
    const uint64_t least = brute_force(arena, plain);
    cr_assert_eq(mpl_search(arena, &problem, MPL_SEARCH_STEPS, &found),
                 MEMPLAN_OK);
    sum->problems++;
    check_bounds(arena, &problem, seed, least, sum);
    check_limit(arena, &problem, seed, least, &found);
    cr_expect(found.bound_ps <= least, "seed %llu: bound %llu, least %llu",
              (unsigned long long)seed, (unsigned long long)found.bound_ps,
              (unsigned long long)least);
    if (least == MPL_TIME_FORBIDDEN) {
        cr_expect(!found.is_feasible, "seed %llu", (unsigned long long)seed);
    } else if (!found.is_feasible) {
        cr_expect(!found.is_complete, "seed %llu: there is a placement",
                  (unsigned long long)seed);
        sum->feasible++;
    } else {
        uint64_t *const scratch = mpl_arena_alloc(
            arena, 4 * problem.pool_count + problem.budget_count, 8);
        cr_expect_eq(mpl_problem_value(&problem, found.pool_of_unit, scratch),
                     found.value_ps, "seed %llu", (unsigned long long)seed);
        const bool is_proven = mpl_is_proven(found.value_ps, found.bound_ps);
        cr_expect(!is_proven || found.value_ps == least,
                  "seed %llu: claims %llu, least %llu",
                  (unsigned long long)seed, (unsigned long long)found.value_ps,
                  (unsigned long long)least);
        sum->feasible++;
        sum->proven += is_proven;
        sum->found += found.value_ps == least;
    }
}

/* What every search finds and proves here, and how many bounds are exact: a
 * bound that is too low shows in these. */
static void check_tally(const tally *sum, uint32_t problems, const tally *least)
{
    cr_expect_eq(sum->problems, problems);
    cr_expect_geq(sum->feasible, least->feasible, "%u", sum->feasible);
    cr_expect_eq(sum->found, sum->feasible, "%u of %u", sum->found,
                 sum->feasible);
    cr_expect_eq(sum->proven, sum->feasible, "%u of %u", sum->proven,
                 sum->feasible);
    cr_expect_geq(sum->homes_exact, least->homes_exact, "%u", sum->homes_exact);
    cr_expect_geq(sum->alike, least->alike, "%u", sum->alike);
    cr_expect_geq(sum->alike_exact, least->alike_exact, "%u", sum->alike_exact);
    cr_expect_geq(sum->alike_found, least->alike_found, "%u", sum->alike_found);
    cr_expect_geq(sum->alike_alone, least->alike_alone, "%u", sum->alike_alone);
}

Test(search, agrees_with_brute_force)
{
    tally sum = {0};
    for (uint64_t seed = 1; seed <= 6000; seed++) {
        mpl_arena *const arena = mpl_arena_create();
        uint64_t state = seed;
        const mpl_problem problem = random_problem(arena, &state, 7, 4);
        check_one(arena, &problem, seed, &sum);
        mpl_arena_free(arena);
    }
    check_tally(&sum, 6000,
                &(tally){.feasible = 4467,
                         .homes_exact = 3044,
                         .alike = 100,
                         .alike_exact = 98,
                         .alike_found = 93,
                         .alike_alone = 48});
}

/* A pin may make a pool the slower way to what passes through it. */
Test(search, agrees_where_a_relay_is_slower)
{
    static const uint64_t SEEDS[] = {1002688, 1008124};
    tally sum = {0};
    for (size_t at = 0; at < sizeof SEEDS / sizeof *SEEDS; at++) {
        mpl_arena *const arena = mpl_arena_create();
        uint64_t state = SEEDS[at];
        const mpl_problem problem = random_problem(arena, &state, 7, 4);
        check_one(arena, &problem, SEEDS[at], &sum);
        mpl_arena_free(arena);
    }
}

static void check_rigs(uint64_t seeds, uint32_t units_max, uint32_t pools,
                       tally *sum)
{
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        mpl_arena *const arena = mpl_arena_create();
        uint64_t state = seed;
        const uint32_t units =
            2 + (uint32_t)random_below(&state, units_max - 1);
        const mpl_problem problem = random_rig(arena, &state, units, pools);
        check_one(arena, &problem, seed, sum);
        mpl_arena_free(arena);
    }
}

Test(search, agrees_where_homes_are_alike)
{
    tally sum = {0};
    check_rigs(3000, 7, 4, &sum);
    check_rigs(1000, 6, 5, &sum);
    check_rigs(1000, 8, 3, &sum);
    check_tally(&sum, 5000,
                &(tally){.feasible = 3349,
                         .homes_exact = 2308,
                         .alike = 1522,
                         .alike_exact = 1476,
                         .alike_found = 1354,
                         .alike_alone = 566});
}

Test(search, agrees_on_many_pools)
{
    tally sum = {0};
    check_rigs(30, 3, MPL_PROBLEM_POOLS_MAX, &sum);
    check_rigs(100, 4, 16, &sum);
    check_tally(&sum, 130,
                &(tally){.feasible = 119,
                         .homes_exact = 103,
                         .alike = 18,
                         .alike_exact = 18,
                         .alike_found = 18,
                         .alike_alone = 1});
}
