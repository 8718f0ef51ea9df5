/* SPDX-License-Identifier: MIT */
#include "base/arena.h"

#include <criterion/criterion.h>
#include <stdalign.h>
#include <stddef.h>
#include <string.h>

Test(arena, items_are_zeroed_aligned_and_apart)
{
    mpl_arena *const arena = mpl_arena_create();
    unsigned char *last = NULL;
    for (uint64_t size = 0; size < 5000; size += 7) {
        unsigned char *const at = mpl_arena_alloc(arena, size, 1);
        cr_assert_not_null(at);
        cr_assert_eq((uintptr_t)at % alignof(max_align_t), 0);
        for (uint64_t byte = 0; byte < size; byte++)
            cr_assert_eq(at[byte], 0, "a byte of an older item");
        memset(at, 0xa5, size);
        cr_assert_neq(at, last);
        last = size > 0 ? at : NULL;
    }
    mpl_arena_free(arena);
}

Test(arena, an_emptied_one_hands_out_zeroes_again)
{
    mpl_arena *const arena = mpl_arena_create();
    for (uint64_t round = 0; round < 4; round++) {
        for (uint64_t size = 1; size < UINT64_C(1) << 20; size *= 3) {
            unsigned char *const items = mpl_arena_alloc(arena, size, 1);
            cr_assert(items != NULL);
            cr_expect(items[0] == 0 && items[size / 2] == 0 &&
                          items[size - 1] == 0,
                      "round %llu, %llu bytes", (unsigned long long)round,
                      (unsigned long long)size);
            memset(items, 0xff, size);
        }
        mpl_arena_empty(arena);
    }
    mpl_arena_free(arena);
}

Test(arena, a_product_past_64_bits_is_refused)
{
    mpl_arena *const arena = mpl_arena_create();
    cr_expect_null(mpl_arena_alloc(arena, UINT64_MAX, 2));
    cr_expect_null(mpl_arena_alloc(arena, UINT64_MAX, 1));
    cr_expect_null(mpl_arena_alloc(arena, UINT64_MAX / 8, 8));
    cr_expect_not_null(mpl_arena_alloc(arena, 1, 1), "still usable");
    mpl_arena_free(arena);
    mpl_arena_free(NULL);
}

Test(arena, a_list_keeps_its_items_when_it_grows)
{
    mpl_arena *const arena = mpl_arena_create();
    uint32_t *items = NULL;
    uint64_t capacity = 0;
    for (uint32_t at = 0; at < 10000; at++) {
        items = mpl_arena_grow(arena, items, at, &capacity, sizeof *items);
        cr_assert_not_null(items);
        items[at] = at * 3;
    }
    for (uint32_t at = 0; at < 10000; at++)
        cr_assert_eq(items[at], at * 3);
    mpl_arena_free(arena);
}

Test(arena, texts)
{
    mpl_arena *const arena = mpl_arena_create();
    cr_expect_str_eq(mpl_arena_copy(arena, "blk.0.x", 5), "blk.0");
    cr_expect_str_eq(mpl_arena_strdup(arena, ""), "");
    cr_expect_str_eq(mpl_arena_format(arena, "%s.%d", "layers", 7), "layers.7");
    mpl_arena_free(arena);
}
