/* SPDX-License-Identifier: MIT */
/*
 * The search against brute force: what it finds fits, what it claims is true,
 * and it claims a proof nearly always.
 */
#include <criterion/criterion.h>

#include "plan/search.h"
#include "random_problem.h"

typedef struct tally {
    uint32_t problems;
    uint32_t feasible;
    uint32_t proven;
    uint32_t found; /* the best one, proven or not */
} tally;

static void check_one(uint64_t seed, uint32_t units_max, uint32_t pools_max,
                      tally *sum)
{
    mpl_arena *const arena = mpl_arena_create();
    uint64_t state = seed;
    mpl_solution found;
    const mpl_problem plain =
        random_problem(arena, &state, units_max, pools_max);
    const mpl_problem problem =
        seed % 2 == 0 ? plain : share_rows(arena, &plain);
    const uint64_t least = brute_force(arena, &plain);
    cr_assert_eq(mpl_search(arena, &problem, MPL_SEARCH_STEPS, &found),
                 MEMPLAN_OK);
    sum->problems++;
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
    mpl_arena_free(arena);
}

Test(search, agrees_with_brute_force)
{
    tally sum = {0};
    for (uint64_t seed = 1; seed <= 6000; seed++)
        check_one(seed, 7, 4, &sum);
    cr_log_info("%u problems, %u feasible, %u proven, %u found", sum.problems,
                sum.feasible, sum.proven, sum.found);
    cr_expect_eq(sum.problems, 6000);
    cr_expect(sum.feasible > 3000, "%u", sum.feasible);
    cr_expect_eq(sum.found, sum.feasible, "%u of %u", sum.found, sum.feasible);
    cr_expect_eq(sum.proven, sum.feasible, "%u of %u", sum.proven,
                 sum.feasible);
}
