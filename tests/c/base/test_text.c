/* SPDX-License-Identifier: MIT */
#include "base/text.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <string.h>

#include "base/failure.h"
#include "base/json_writer.h"
#include "base/nearest.h"
#include "base/sized.h"
#include "base/utf8.h"

Test(json_writer, nested)
{
    mpl_text text = {0};
    mpl_json_writer out = {.text = &text};
    mpl_json_open_object(&out, NULL);
    mpl_json_number(&out, "total_bytes", 7);
    mpl_json_number(&out, "free_bytes", MEMPLAN_UNKNOWN);
    mpl_json_decimal(&out, "rate", 1205, 2);
    out.is_inline = true;
    mpl_json_open_array(&out, "shape");
    mpl_json_number(&out, NULL, 2);
    mpl_json_number(&out, NULL, 3);
    mpl_json_close(&out);
    out.is_inline = false;
    mpl_json_open_array(&out, "none");
    mpl_json_close(&out);
    mpl_json_close(&out);
    char *made = NULL;
    cr_assert_eq(mpl_text_finish(&text, &made, NULL), MEMPLAN_OK);
    cr_expect_str_eq(made, "{\n  \"total_bytes\": 7,\n  \"free_bytes\": null,\n"
                           "  \"rate\": 12.05,\n  \"shape\": [2, 3],\n"
                           "  \"none\": []\n}");
    memplan_text_free(made);
}

Test(json_writer, quotes_what_must_be)
{
    mpl_text text = {0};
    mpl_json_quote(&text, "a\"b\\c\n\x01\xff\xc3\xa9");
    cr_expect_str_eq(text.data,
                     "\"a\\\"b\\\\c\\u000a\\u0001\xef\xbf\xbd\xc3\xa9\"");
    mpl_text_discard(&text);
}

Test(utf8, well_formed_characters)
{
    cr_expect_eq(mpl_utf8_step("a", 1), 1);
    cr_expect_eq(mpl_utf8_step("\xc3\xa9", 2), 2);
    cr_expect_eq(mpl_utf8_step("\xf0\x9f\x98\x80", 4), 4);
    cr_expect_eq(mpl_utf8_step("\xc0\x80", 2), 0, "overlong");
    cr_expect_eq(mpl_utf8_step("\xed\xa0\x80", 3), 0, "a surrogate");
    cr_expect_eq(mpl_utf8_step("\xf4\x90\x80\x80", 4), 0, "past U+10FFFF");
    cr_expect_eq(mpl_utf8_step("\xe2\x82", 2), 0, "cut off");
    cr_expect_eq(mpl_utf8_count("\xe2\x82\xac 5"), 3);
}

Test(failure, one_printable_line_within_the_limit)
{
    memplan_error error = {0};
    cr_expect_eq(mpl_fail(&error, MEMPLAN_E_CORRUPT, 5, "name \"%s\"",
                          "a\nb\x1b[31m\xff"),
                 MEMPLAN_E_CORRUPT);
    cr_expect_str_eq(error.message, "name \"a?b?[31m?\"");
    char longest[600];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    memcpy(longest + 238, "\xc3\xa9", 2); /* a character cut by the limit */
    (void)mpl_fail(&error, MEMPLAN_E_IO, MPL_NOWHERE, "%s", longest);
    cr_expect_eq(strlen(error.message), 238);
    mpl_fail_in(&error, "file.gguf");
    cr_expect_eq(strncmp(error.message, "file.gguf: xxx", 14), 0);
    mpl_fail_in(NULL, "file.gguf");
}

Test(nearest, the_best_three_in_order)
{
    mpl_nearest nearest = {0};
    static const char *const WORDS[] = {"phi-4", "llama-2-7b", "llama-2-70b",
                                        "gemma-2-9b", "llama-3-70b"};
    for (size_t at = 0; at < 5; at++)
        mpl_nearest_offer(&nearest, "lama-2-70b", WORDS[at]);
    cr_assert_eq(nearest.count, 3);
    cr_expect_str_eq(nearest.words[0], "llama-2-70b");
    cr_expect_str_eq(nearest.words[1], "llama-2-7b");
    cr_expect_str_eq(nearest.words[2], "llama-3-70b");
    cr_expect_eq(mpl_edit_distance("ab", "ba"), 1, "a swap");
    cr_expect_eq(mpl_edit_distance("", "abc"), 3);
}

Test(nearest, far_words_are_not_taken)
{
    mpl_nearest nearest = {0};
    char out[MPL_WORDS_SIZE];
    mpl_nearest_offer(&nearest, "nosuch", "phi-4");
    mpl_nearest_offer(&nearest, "vllm", "llama.cpp");
    mpl_nearest_offer(&nearest, "glm_moe_dsa", "gemma");
    mpl_nearest_offer(&nearest, "mi", "mixtral-8x7b");
    cr_expect_eq(nearest.count, 0);
    mpl_nearest_offer(&nearest, "mixtral", "mixtral-8x7b");
    cr_expect_eq(nearest.count, 1, "its beginning");
    nearest.count = 0;
    mpl_nearest_rank(&nearest, "vllm", "llama.cpp");
    cr_expect_eq(nearest.count, 1);
    const char *const words[] = {"a", "b", "c"};
    cr_expect_str_eq(mpl_words_join(out, words, 0, "", "or"), "");
    cr_expect_str_eq(mpl_words_join(out, words, 1, "\"", "or"), "\"a\"");
    cr_expect_str_eq(mpl_words_join(out, words, 2, "", "or"), "a or b");
    cr_expect_str_eq(mpl_words_join(out, words, 3, "\"", "and"),
                     "\"a\", \"b\" and \"c\"");
}

Test(nearest, none_is_better_than_a_far_one)
{
    static const char *const WORDS[] = {"context", "sequences", "dtype"};
    cr_expect_str_eq(memplan_word_nearest("contxet", WORDS, 3), "context");
    cr_expect_str_eq(memplan_word_nearest("DTYPE", WORDS, 3), "dtype");
    cr_expect_null(memplan_word_nearest("budget", WORDS, 3));
    cr_expect_null(memplan_word_nearest("x", WORDS, 0));
}

typedef struct small {
    uint64_t size, a;
} small;
typedef struct large {
    uint64_t size, a, b;
} large;

Test(sized, options_of_other_releases)
{
    small known;
    const large tail = {sizeof tail, 5, 0};
    cr_expect_eq(mpl_copy_options(&known, sizeof known, &tail, NULL),
                 MEMPLAN_OK, "a longer one with a zero tail");
    cr_expect_eq(known.a, 5);
    const large set = {sizeof set, 5, 1};
    cr_expect_eq(mpl_copy_options(&known, sizeof known, &set, NULL),
                 MEMPLAN_E_TOO_NEW);
    large wide;
    const small given = {sizeof given, 9};
    cr_expect_eq(mpl_copy_options(&wide, sizeof wide, &given, NULL),
                 MEMPLAN_OK);
    cr_expect_eq(wide.a, 9);
    cr_expect_eq(wide.b, 0, "extended with zeros");
    cr_expect_eq(mpl_copy_options(&wide, sizeof wide, NULL, NULL), MEMPLAN_OK);
    cr_expect_eq(wide.a, 0);
    const small unset = {0, 9};
    cr_expect_eq(mpl_copy_options(&wide, sizeof wide, &unset, NULL),
                 MEMPLAN_E_ARGUMENT, "the size was forgotten");
}

Test(sized, rows_for_other_releases)
{
    const small row = {0, 7};
    large out = {sizeof out, 1, 1};
    cr_expect_eq(mpl_copy_row(&out, &row, sizeof row), MEMPLAN_OK);
    cr_expect_eq(out.size, sizeof out, "the caller's size stays");
    cr_expect_eq(out.a, 7);
    cr_expect_eq(out.b, 0);
}

Test(sized, a_row_whose_size_was_forgotten)
{
    static const uint64_t SIZES[] = {0, 4, 12, 4104, UINT64_MAX};
    const small row = {0, 7};
    for (size_t at = 0; at < sizeof SIZES / sizeof *SIZES; at++) {
        large out = {SIZES[at], 1, 2};
        cr_expect_eq(mpl_copy_row(&out, &row, sizeof row), MEMPLAN_E_ARGUMENT);
        cr_expect(out.size == SIZES[at] && out.a == 1 && out.b == 2,
                  "a size of %" PRIu64 ": nothing is written", SIZES[at]);
    }
}
