/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <string.h>

#include "base/json.h"
#include "dialect/plan_figures.h"
#include "dialect/sample_plan.h"

static mpl_plan_unit UNITS[] = {
    {"model.embed_tokens", MPL_UNIT_EMBEDDING, 0, 1000},
    {"model.layers.0", MPL_UNIT_LAYER, 0, 2000},
    {"model.layers.1", MPL_UNIT_LAYER, 0, 2000},
    {"model.layers.2", MPL_UNIT_LAYER, 1, 2000},
    {"lm_head", MPL_UNIT_HEAD, 1, 1000},
};
enum { UNIT_COUNT = sizeof UNITS / sizeof *UNITS };

static void expect_text(mpl_text *text, const char *expected)
{
    cr_expect_str_eq(text->data, expected);
    mpl_text_discard(text);
}

Test(plan_texts, units_are_said_in_runs)
{
    sample_plan sample;
    mpl_text text = {0};
    sample_plan_make(&sample, UNITS, UNIT_COUNT);
    mpl_text_units(&text, &sample.plan, 0);
    expect_text(&text, "model.embed_tokens, model.layers.0-1");
    mpl_text_units(&text, &sample.plan, 1);
    expect_text(&text, "model.layers.2, lm_head");
    mpl_text_units(&text, &sample.plan, 2);
    cr_expect_eq(text.length, 0);
}

/* 10^12 ps a second: 85 * 10^9 ps is 11.76 tokens a second. */
Test(plan_texts, rates_keep_three_digits)
{
    mpl_text text = {0};
    mpl_text_rate(&text, UINT64_C(85000000000), "token");
    expect_text(&text, "11.8 tokens/s");
    mpl_text_rate(&text, UINT64_C(8000000000), "token");
    expect_text(&text, "125 tokens/s");
    mpl_text_rate(&text, UINT64_C(800000000000), "token");
    expect_text(&text, "1.25 tokens/s");
    mpl_text_rate(&text, UINT64_C(8300000000000), "token");
    expect_text(&text, "8.3 s a token");
}

Test(plan_texts, the_verdict_names_what_is_short)
{
    sample_plan sample;
    mpl_text text = {0};
    sample_plan_make(&sample, UNITS, UNIT_COUNT);
    mpl_text_verdict(&text, &sample.plan);
    expect_text(&text, "does not fit: GPU 1 is short by 3 GiB");
    sample.plan.fits = true;
    mpl_text_verdict(&text, &sample.plan);
    expect_text(&text, "fits: 8 GiB on GPU 0, 23 GiB on GPU 1");
    sample.pools[1].row_count = 0;
    mpl_text_verdict(&text, &sample.plan);
    expect_text(&text, "fits: all of it on GPU 0");
}

Test(plan_texts, an_unknown_speed_says_whose_it_is)
{
    sample_plan sample;
    mpl_text text = {0};
    sample_plan_make(&sample, UNITS, UNIT_COUNT);
    sample.plan.decode_ps_per_token = MEMPLAN_UNKNOWN;
    mpl_text_speed(&text, &sample.plan);
    expect_text(&text, "unknown: no bandwidth is known for GPU 1");
}

Test(plan_texts, parts_sum_to_what_is_used)
{
    sample_plan sample;
    sample_plan_make(&sample, UNITS, UNIT_COUNT);
    for (uint32_t pool = 0; pool < SAMPLE_POOLS; pool++) {
        const mpl_parts parts = mpl_pool_parts(&sample.pools[pool]);
        uint64_t sum = 0;
        for (uint32_t part = 0; part < MPL_PART_COUNT; part++)
            sum += parts.slices[part].bytes;
        cr_expect_eq(sum, sample.pools[pool].used_bytes);
    }
}

/* Every dialect at every width; none leaks, none writes past the width. */
Test(plan_texts, tables_keep_to_their_width)
{
    sample_plan sample;
    memplan_error error;
    sample_plan_make(&sample, UNITS, UNIT_COUNT);
    for (uint64_t width = 80; width <= 200; width += 7) {
        memplan_render_options options = MEMPLAN_RENDER_OPTIONS_INIT;
        char *text = NULL;
        options.width = width;
        options.with_rules = 1;
        cr_assert_eq(
            memplan_plan_render(&text, &sample.plan, "table", &options, &error),
            MEMPLAN_OK);
        for (const char *line = text; *line != '\0';) {
            const size_t length = strcspn(line, "\n");
            cr_expect_leq(length, width, "%.*s", (int)length, line);
            line += length + (line[length] == '\n');
        }
        memplan_text_free(text);
    }
}

Test(plan_texts, every_dialect_is_written)
{
    sample_plan sample;
    memplan_error error;
    sample_plan_make(&sample, UNITS, UNIT_COUNT);
    memplan_entry_info entry = MEMPLAN_ENTRY_INFO_INIT;
    for (uint64_t at = 0;
         memplan_list_entry("dialects", at, &entry) == MEMPLAN_OK; at++) {
        char *text = NULL;
        const memplan_status status = memplan_plan_render(
            &text, &sample.plan, entry.name, NULL, &error);
        cr_expect(status == MEMPLAN_OK || status == MEMPLAN_E_UNSUPPORTED, "%s",
                  entry.name);
        memplan_text_free(text);
    }
    char *text = NULL;
    cr_expect_eq(
        memplan_plan_render(&text, &sample.plan, "tabel", NULL, &error),
        MEMPLAN_E_ARGUMENT);
    cr_expect_eq(text, NULL);
    cr_expect_str_eq(error.message, "\"tabel\" is no dialect of a plan; the "
                                    "nearest is \"table\"");
}

/* What one engine's users type is not offered for another's plan. */
Test(plan_texts, a_plan_of_settings_has_no_device_map)
{
    sample_plan sample;
    memplan_error error;
    char *text = NULL;
    sample_plan_make(&sample, UNITS, UNIT_COUNT);
    sample.plan.engine = "llama.cpp";
    sample.plan.settings = "ngl=3";
    cr_expect_eq(
        memplan_plan_render(&text, &sample.plan, "device_map", NULL, &error),
        MEMPLAN_E_UNSUPPORTED);
    cr_expect_eq(text, NULL);
}
