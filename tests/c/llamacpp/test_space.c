/* SPDX-License-Identifier: MIT */
/* Spaces of the graph allocator: worked out by hand. */
#include <criterion/criterion.h>

#include "engine/llamacpp/galloc.h"

static mpl_arena *arena;
static mpl_space space;

static void open_arena(void)
{
    arena = mpl_arena_create();
    cr_assert_not_null(arena);
    mpl_space_open(&space, arena, 32, UINT64_MAX);
}

static void close_arena(void)
{
    mpl_arena_free(arena);
}

TestSuite(space, .init = open_arena, .fini = close_arena);

static uint64_t take(uint64_t bytes)
{
    uint8_t chunk;
    uint64_t offset;
    mpl_space_take(&space, bytes, &chunk, &offset);
    cr_assert_eq(space.status, MEMPLAN_OK);
    return offset + ((uint64_t)chunk << 32);
}

static void give(uint64_t bytes, uint64_t place)
{
    mpl_space_give(&space, bytes, (uint8_t)(place >> 32),
                   place & UINT32_MAX);
    cr_assert_eq(space.status, MEMPLAN_OK);
}

Test(space, sizes_are_rounded_up)
{
    cr_expect_eq(take(1), 0);
    cr_expect_eq(take(33), 32);
    cr_expect_eq(take(32), 96);
    cr_expect_eq(mpl_space_bytes(&space), 128);
}

Test(space, the_tightest_hole_is_taken)
{
    const uint64_t wide = take(128);
    take(32);
    const uint64_t narrow = take(64);
    take(32);
    give(128, wide);
    give(64, narrow);
    cr_expect_eq(take(64), narrow);
    cr_expect_eq(take(96), wide);
    cr_expect_eq(take(32), 96, "what was left of the wide hole");
    cr_expect_eq(mpl_space_bytes(&space), 256);
}

Test(space, of_equal_holes_the_later_is_taken)
{
    const uint64_t first = take(64);
    take(32);
    const uint64_t second = take(64);
    take(32);
    give(64, first);
    give(64, second);
    cr_expect_eq(take(64), second);
    cr_expect_eq(take(64), first);
}

Test(space, the_end_is_taken_last)
{
    const uint64_t wide = take(1024);
    take(32);
    give(1024, wide);
    cr_expect_eq(take(32), 0, "a hole far too wide comes before the end");
    cr_expect_eq(mpl_space_bytes(&space), 1056);
    cr_expect_eq(take(1024), 1056, "no hole fits");
    cr_expect_eq(mpl_space_bytes(&space), 2080);
}

Test(space, neighbours_become_one_hole)
{
    const uint64_t a = take(64);
    const uint64_t b = take(64);
    const uint64_t c = take(64);
    take(32);
    give(64, a);
    give(64, c);
    give(64, b);
    cr_expect_eq(take(192), 0);
    cr_expect_eq(mpl_space_bytes(&space), 224);
}

Test(space, what_is_given_back_at_the_end_is_not_forgotten)
{
    const uint64_t a = take(512);
    give(512, a);
    cr_expect_eq(take(64), 0);
    cr_expect_eq(mpl_space_bytes(&space), 512, "peaks stay");
}

Test(space, chunks_open_when_one_is_full)
{
    mpl_space_open(&space, arena, 32, 256);
    cr_expect_eq(take(200), 0);
    cr_expect_eq(take(100), 1ull << 32);
    cr_expect_eq(take(32), 224, "the first chunk is used to its end");
    cr_expect_eq(take(1000), 2ull << 32, "wider than a chunk may be");
    cr_expect_eq(mpl_space_bytes(&space), 256 + 128 + 1024);
}

Test(space, a_size_past_64_bits_is_told)
{
    uint8_t chunk;
    uint64_t offset;
    mpl_space_take(&space, UINT64_MAX - 3, &chunk, &offset);
    cr_expect_eq(space.status, MEMPLAN_E_TOO_LARGE);
}
