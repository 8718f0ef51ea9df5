/* SPDX-License-Identifier: MIT */
#include "dialect/generate.h"

#include <string.h>

#include "dialect/flags.h"

/* A quantized cache's cache_config, by the name of its dtype. */
static const struct {
    const char *kv_dtype;
    const char *backend;
    unsigned bits; /* 0: not said */
} CONFIGS[] = {
    {"int4", "quanto", 4},  {"int2", "quanto", 2},  {"int8", "hqq", 8},
    {"hqq-int8", "hqq", 8}, {"hqq-int4", "hqq", 4}, {"hqq-int3", "hqq", 3},
    {"hqq-int2", "hqq", 2}, {"hqq-int1", "hqq", 1}, {"fp8", "fp8", 0},
};
enum { CONFIG_COUNT = sizeof CONFIGS / sizeof *CONFIGS };

/* Settings that are entries of cache_config, under its names. */
static const char *const ENTRIES[] = {"q_group_size", "residual_length"};
enum { ENTRY_COUNT = sizeof ENTRIES / sizeof *ENTRIES };

static void add_config(mpl_text *text, const memplan_plan *plan)
{
    mpl_setting setting;
    for (uint32_t at = 0; at < CONFIG_COUNT; at++) {
        if (strcmp(CONFIGS[at].kv_dtype, plan->kv_dtype) != 0)
            continue;
        mpl_text_format(text, "cache_config={\"backend\": \"%s\"",
                        CONFIGS[at].backend);
        if (CONFIGS[at].bits != 0)
            mpl_text_format(text, ", \"nbits\": %u", CONFIGS[at].bits);
    }
    for (uint32_t at = 0; at < ENTRY_COUNT; at++)
        if (mpl_setting_find(&setting, plan, ENTRIES[at]))
            mpl_text_format(text, ", \"%s\": %.*s", ENTRIES[at],
                            (int)setting.value_length, setting.value);
    mpl_text_add(text, "}\n");
}

/* One argument a line. */
static void add_arguments(mpl_text *text, const memplan_plan *plan)
{
    if (plan->prompt_tokens != 0 && plan->prompt_tokens < plan->context_tokens)
        mpl_text_format(text, "prefill_chunk_size=%llu\n",
                        (unsigned long long)plan->prompt_tokens);
    if (plan->cache[0] == '\0' || strcmp(plan->cache, "dynamic") == 0)
        return;
    mpl_text_format(text, "cache_implementation=\"%s\"\n", plan->cache);
    if (strcmp(plan->cache, "quantized") == 0)
        add_config(text, plan);
}

void mpl_paint_generate(mpl_paint *paint, const memplan_plan *plan,
                        uint64_t indent)
{
    mpl_text made = {0};
    add_arguments(&made, plan);
    paint->text->failed |= made.failed;
    const char *at = made.failed || made.data == NULL ? "" : made.data;
    if (*at != '\0') {
        mpl_paint_gap(paint, indent);
        mpl_paint_text(paint, MPL_INK_PLAIN, "model.generate(");
        mpl_paint_end(paint);
        mpl_paint_gap(paint, 2 * indent);
        mpl_paint_text(paint, MPL_INK_PLAIN, "**inputs,");
        mpl_paint_end(paint);
    }
    for (; *at != '\0'; at += strcspn(at, "\n") + 1) {
        mpl_paint_gap(paint, 2 * indent);
        mpl_paint_piece(paint, MPL_INK_PLAIN, at, strcspn(at, "\n"));
        mpl_paint_text(paint, MPL_INK_PLAIN, ",");
        mpl_paint_end(paint);
        if (at[strcspn(at, "\n") + 1] == '\0') {
            mpl_paint_gap(paint, indent);
            mpl_paint_text(paint, MPL_INK_PLAIN, ")");
            mpl_paint_end(paint);
        }
    }
    mpl_text_discard(&made);
}
