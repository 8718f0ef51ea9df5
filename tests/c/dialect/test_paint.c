/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <string.h>

#include "base/utf8.h"
#include "dialect/paint.h"

static mpl_paint plain(mpl_text *text)
{
    return (mpl_paint){.text = text, .width = 20, .use_unicode = true};
}

/* Names come from files: none may move the cursor or colour the screen. */
Test(paint, no_control_character_gets_through)
{
    mpl_text text = {0};
    mpl_paint paint = plain(&text);
    mpl_paint_text(&paint, MPL_INK_PLAIN,
                   "a\x1b[2Jb\nc\x7f"
                   "d\xc2\x9b"
                   "e");
    cr_expect_str_eq(text.data, "a?[2Jb?c?d?e");
    mpl_text_discard(&text);
}

Test(paint, a_long_name_is_cut_in_its_middle)
{
    mpl_text text = {0};
    mpl_paint paint = plain(&text);
    mpl_paint_left(&paint, MPL_INK_PLAIN, 9, "model.layers.17.mlp");
    cr_expect_str_eq(text.data, "mode….mlp");
    cr_expect_eq(mpl_utf8_count(text.data), 9);
    mpl_text_discard(&text);
}

Test(paint, sentences_wrap_at_the_width)
{
    mpl_text text = {0};
    mpl_paint paint = plain(&text);
    mpl_paint_gap(&paint, 2);
    mpl_paint_wrap(&paint, MPL_INK_PLAIN, 2, "one two three four five six");
    cr_expect_str_eq(text.data, "  one two three four\n  five six\n");
    mpl_text_discard(&text);
}

/* Random bars: never wider than asked; a cell for all that is not zero, where
 * there are enough; a full bar is full. */
Test(paint, apportioning_keeps_its_sums)
{
    uint64_t seed = 7;
    for (uint32_t round = 0; round < 5000; round++) {
        mpl_slice slices[6];
        uint64_t widths[6] = {0};
        uint64_t whole = 0;
        uint64_t sum = 0;
        for (uint32_t at = 0; at < 6; at++) {
            seed = seed * UINT64_C(6364136223846793005) + 1;
            slices[at].ink = MPL_INK_WEIGHTS;
            slices[at].bytes = (seed >> 60) < 5 ? 0 : seed >> (24 + seed % 32);
            whole += slices[at].bytes;
        }
        mpl_apportion(widths, 40, slices, 6, whole);
        for (uint32_t at = 0; at < 6; at++) {
            sum += widths[at];
            cr_assert_eq(widths[at] > 0, slices[at].bytes > 0);
        }
        cr_assert_eq(sum, whole > 0 ? 40 : 0);
    }
}

Test(paint, what_passes_the_limit_shows)
{
    mpl_text text = {0};
    mpl_paint paint = plain(&text);
    const mpl_slice slice = {MPL_INK_WEIGHTS, 1000};
    paint.use_unicode = false;
    mpl_paint_bar(&paint, 10, &slice, 1, 1000, 800);
    mpl_paint_bar(&paint, 10, &slice, 1, 1000, 999);
    mpl_paint_bar(&paint, 10, &slice, 1, 2000, 2000);
    cr_expect_str_eq(text.data, "########!!#########!#####.....");
    mpl_text_discard(&text);
}

Test(paint, counts_have_commas)
{
    char text[MPL_COUNT_SIZE];
    cr_expect_str_eq(mpl_count_text(text, 0), "0");
    cr_expect_str_eq(mpl_count_text(text, 999), "999");
    cr_expect_str_eq(mpl_count_text(text, UINT64_C(68976648192)),
                     "68,976,648,192");
    cr_expect_str_eq(mpl_count_text(text, UINT64_MAX - 1),
                     "18,446,744,073,709,551,614");
}
