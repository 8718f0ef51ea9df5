/* SPDX-License-Identifier: MIT */
/* Patterns of -ot mean what ECMAScript means by them. */
#include <criterion/criterion.h>
#include <string.h>

#include "engine/llamacpp/pattern.h"

typedef struct pattern_case {
    const char *pattern;
    const char *name;
    bool is_found;
} pattern_case;

static const pattern_case CASES[] = {
    {"attn", "blk.0.attn_q.weight", true},
    {"^attn", "blk.0.attn_q.weight", false},
    {"blk\\.1\\.", "blk.1.attn_q.weight", true},
    {"blk\\.1\\.", "blk.10.attn_q.weight", false},
    {"blk.1.", "blk.10.attn_q.weight", true}, /* "." is any character */
    {"\\.ffn_(up|down|gate|gate_up)_(ch|)exps", "blk.3.ffn_up_exps.weight",
     true},
    {"\\.ffn_(up|down|gate|gate_up)_(ch|)exps", "blk.3.ffn_up_chexps.weight",
     true},
    {"\\.ffn_(up|down|gate|gate_up)_(ch|)exps", "blk.3.ffn_up_shexp.weight",
     false},
    {"blk\\.(2[0-9]|3[01])\\.", "blk.31.ffn_up.weight", true},
    {"blk\\.(2[0-9]|3[01])\\.", "blk.32.ffn_up.weight", false},
    {"weight$", "output.weight", true},
    {"norm$", "output_norm.weight", false},
    {"blk\\.\\d{2}\\.", "blk.12.x", true},
    {"blk\\.\\d{2}\\.", "blk.2.x", false},
    {"blk\\.\\d{1,2}\\.x", "blk.2.x", true},
    {"[^a-z]+x", "blk.2.x", true},
    {"(a|b)\\1", "abba", true},
    {"(a|b)\\1", "abab", false},
    {"blk(?!\\.1\\.)", "blk.1.x", false},
    {"blk(?!\\.1\\.)", "blk.2.x", true},
    {"blk(?=\\.2)", "blk.2.x", true},
    {"\\bq\\b", "attn.q.x", true},
    {"\\bq\\b", "attn_q.x", false},
    {"a.*?c", "abcc", true},
    {"[[:digit:]]+", "blk.7", true},
    {"(?:x|y)*z", "z", true},
    {"", "anything", true},
    {"^$", "anything", false},
    {"x{2,}", "axb", false},
    {"\\x62lk", "blk.0", true},
};

Test(pattern, finds_what_ecmascript_finds)
{
    mpl_arena *const arena = mpl_arena_create();
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        mpl_llama_pattern *pattern = NULL;
        memplan_error error = {0};
        bool is_found = !CASES[i].is_found;
        cr_assert_eq(
            mpl_llama_pattern_read(&pattern, arena, CASES[i].pattern, &error),
            MEMPLAN_OK, "%s: %s", CASES[i].pattern, error.message);
        cr_assert_eq(
            mpl_llama_pattern_search(pattern, CASES[i].name, &is_found, &error),
            MEMPLAN_OK, "%s", error.message);
        cr_expect_eq(is_found, CASES[i].is_found, "\"%s\" in \"%s\"",
                     CASES[i].pattern, CASES[i].name);
    }
    mpl_arena_free(arena);
}

Test(pattern, says_what_is_wrong_with_it)
{
    static const char *const WRONG[][2] = {
        {"(", "a ( is not closed"},
        {")", "a ) closes nothing"},
        {"[a", "a [ is not closed"},
        {"*a", "it repeats nothing"},
        {"a{2,1}", "a {} is no count"},
        {"\\1", "it refers to a group that is not there"},
        {"[b-a]", "a range in [] runs backwards"},
        {"\\q", "it has an escape that does not exist"},
        {"(?<x>a)", "it has a (? that does not exist"},
        {"[[:what:]]", "it names a class that does not exist"},
    };
    mpl_arena *const arena = mpl_arena_create();
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        mpl_llama_pattern *pattern = NULL;
        memplan_error error = {0};
        cr_expect_eq(
            mpl_llama_pattern_read(&pattern, arena, WRONG[i][0], &error),
            MEMPLAN_E_ARGUMENT);
        cr_expect(strstr(error.message, WRONG[i][1]) != NULL, "%s: %s",
                  WRONG[i][0], error.message);
    }
    mpl_arena_free(arena);
}

Test(pattern, gives_up_on_one_that_would_run_for_ever)
{
    mpl_arena *const arena = mpl_arena_create();
    mpl_llama_pattern *pattern = NULL;
    memplan_error error = {0};
    bool is_found = false;
    cr_assert_eq(mpl_llama_pattern_read(&pattern, arena, "(a+)+b", &error),
                 MEMPLAN_OK);
    cr_expect_eq(mpl_llama_pattern_search(
                     pattern,
                     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                     &is_found, &error),
                 MEMPLAN_E_TOO_LARGE);
    mpl_arena_free(arena);
}

Test(pattern, refuses_one_that_is_too_long_or_too_deep)
{
    char text[4096];
    mpl_arena *const arena = mpl_arena_create();
    mpl_llama_pattern *pattern = NULL;
    memset(text, '(', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    cr_expect_eq(mpl_llama_pattern_read(&pattern, arena, text, NULL),
                 MEMPLAN_E_ARGUMENT);
    memset(text, 'a', sizeof text - 1);
    cr_expect_eq(mpl_llama_pattern_read(&pattern, arena, text, NULL),
                 MEMPLAN_E_ARGUMENT);
    mpl_arena_free(arena);
}
