/* SPDX-License-Identifier: MIT */
/*
 * A plan for a person: verdict, one bar a pool, the ledger, what goes where,
 * how fast, and what to type next.
 */
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "dialect/dialect.h"
#include "dialect/hints.h"
#include "dialect/plan_figures.h"

enum { MARGIN = 2, KEY_COLUMNS = 8, PART_COLUMNS = 11 };

static void paint_title(mpl_paint *paint, const memplan_plan *plan)
{
    char count[MPL_COUNT_SIZE];
    mpl_paint_text(paint, MPL_INK_STRONG, plan->model_name);
    mpl_paint_format(paint, MPL_INK_PLAIN, " in %s on ", plan->dtype);
    mpl_paint_text(paint, MPL_INK_STRONG, plan->machine_name);
    mpl_paint_end(paint);
    mpl_paint_format(paint, MPL_INK_FAINT, "%s, %s tokens x %llu sequence%s",
                     plan->profile, mpl_count_text(count, plan->context_tokens),
                     (unsigned long long)plan->sequences,
                     plan->sequences == 1 ? "" : "s");
    const bool is_named =
        plan->cache[0] != '\0' && strcmp(plan->cache, "dynamic") != 0;
    if (strcmp(plan->kv_dtype, "none") != 0)
        mpl_paint_format(paint, MPL_INK_FAINT, ", %s%scache in %s",
                         is_named ? plan->cache : "", is_named ? " " : "",
                         plan->kv_dtype);
    mpl_paint_end(paint);
    mpl_paint_end(paint);
}

static void paint_verdict(mpl_paint *paint, const memplan_plan *plan)
{
    mpl_text made = {0};
    mpl_paint_gap(paint, MARGIN);
    mpl_text_verdict(&made, plan);
    mpl_paint_made(paint, plan->fits ? MPL_INK_GOOD : MPL_INK_BAD, MARGIN,
                   &made);
    mpl_paint_end(paint);
}

static void paint_bar(mpl_paint *paint, const mpl_plan_pool *pool)
{
    const uint64_t amounts = 26; /* "1023.9 GiB of 1023.9 GiB" */
    const uint64_t columns =
        mpl_sub_floor(paint->width, MARGIN + KEY_COLUMNS + amounts);
    const mpl_parts parts = mpl_pool_parts(pool);
    char label[MPL_LABEL_SIZE];
    mpl_paint_gap(paint, MARGIN);
    mpl_paint_left(paint, MPL_INK_STRONG, KEY_COLUMNS,
                   mpl_pool_label(label, pool));
    mpl_paint_bar(paint, columns, parts.slices, MPL_PART_COUNT,
                  mpl_pool_whole(pool), pool->capacity_bytes);
    mpl_paint_right_bytes(paint,
                          pool->short_bytes > 0 ? MPL_INK_BAD : MPL_INK_STRONG,
                          12, pool->used_bytes);
    if (pool->capacity_bytes != MEMPLAN_UNKNOWN) {
        char amount[32];
        (void)memplan_bytes_format(amount, sizeof amount, pool->capacity_bytes);
        mpl_paint_format(paint, MPL_INK_FAINT, " of %s", amount);
    }
    mpl_paint_end(paint);
}

/* Below the bars where it fits there, else from the margin. */
static void paint_legend(mpl_paint *paint, const memplan_plan *plan)
{
    mpl_ink inks[MPL_PLAN_INKS_MAX];
    const char *labels[MPL_PLAN_INKS_MAX];
    const uint32_t count = mpl_plan_inks(plan, inks, labels);
    uint64_t columns = MARGIN + KEY_COLUMNS;
    for (uint32_t at = 0; at < count; at++)
        columns += 4 + strlen(labels[at]);
    mpl_paint_gap(paint, columns - MARGIN <= paint->width ? MARGIN + KEY_COLUMNS
                                                          : MARGIN);
    for (uint32_t at = 0; at < count; at++) {
        mpl_paint_glyph(paint, inks[at]);
        mpl_paint_format(paint,
                         inks[at] == MPL_INK_OVER ? MPL_INK_BAD : MPL_INK_FAINT,
                         " %s", labels[at]);
        mpl_paint_gap(paint, 2);
    }
    mpl_paint_end(paint);
    mpl_paint_end(paint);
}

static void paint_bars(mpl_paint *paint, const memplan_plan *plan)
{
    if (paint->without_bars)
        return;
    for (uint32_t at = 0; at < plan->pool_count; at++)
        paint_bar(paint, &plan->pools[at]);
    paint_legend(paint, plan);
}

/* "<=" at most, "~" about; nothing where it is exact. */
static const char *certainty_mark(const mpl_paint *paint,
                                  mpl_certainty certainty)
{
    return certainty == MPL_EXACT      ? ""
           : certainty == MPL_ESTIMATE ? "~"
           : paint->use_unicode        ? "≤"
                                       : "<";
}

static void paint_part(mpl_paint *paint, const mpl_parts *parts, uint32_t part)
{
    char amount[32];
    char cell[48];
    if (parts->slices[part].bytes == 0) {
        mpl_paint_right(paint, MPL_INK_FAINT, PART_COLUMNS, "-");
        return;
    }
    (void)memplan_bytes_format(amount, sizeof amount,
                               parts->slices[part].bytes);
    (void)snprintf(cell, sizeof cell, "%s%s",
                   certainty_mark(paint, parts->certainty[part]), amount);
    mpl_paint_right(paint, MPL_INK_PLAIN, PART_COLUMNS, cell);
}

/* The rows add up to it, with what is free; bars say it too. */
static bool has_capacity_column(const mpl_paint *paint,
                                const memplan_plan *plan)
{
    uint64_t columns = MARGIN + KEY_COLUMNS - 1 + 2 * PART_COLUMNS;
    for (uint32_t part = 0; part < MPL_PART_COUNT; part++)
        columns += mpl_plan_has_part(plan, part) ? PART_COLUMNS : 0;
    return columns <= paint->width;
}

static void paint_pool_line(mpl_paint *paint, const memplan_plan *plan,
                            const mpl_plan_pool *pool)
{
    const mpl_parts parts = mpl_pool_parts(pool);
    char label[MPL_LABEL_SIZE];
    mpl_paint_gap(paint, MARGIN);
    mpl_paint_left(paint, MPL_INK_PLAIN, KEY_COLUMNS - 1,
                   mpl_pool_label(label, pool));
    for (uint32_t part = 0; part < MPL_PART_COUNT; part++)
        if (mpl_plan_has_part(plan, part))
            paint_part(paint, &parts, part);
    if (pool->short_bytes > 0) {
        char amount[32];
        char cell[48];
        (void)memplan_bytes_format(amount, sizeof amount, pool->short_bytes);
        (void)snprintf(cell, sizeof cell, "-%s", amount);
        mpl_paint_right(paint, MPL_INK_BAD, PART_COLUMNS, cell);
    } else {
        mpl_paint_right_bytes(paint, MPL_INK_PLAIN, PART_COLUMNS,
                              pool->free_bytes);
    }
    if (has_capacity_column(paint, plan))
        mpl_paint_right_bytes(paint, MPL_INK_FAINT, PART_COLUMNS,
                              pool->capacity_bytes);
    mpl_paint_end(paint);
}

/* What the marks mean, where there are any. */
static void paint_marks(mpl_paint *paint, const memplan_plan *plan)
{
    bool has[MPL_ESTIMATE + 1] = {false};
    for (uint32_t at = 0; at < plan->pool_count; at++)
        for (uint64_t row = 0; row < plan->pools[at].row_count; row++)
            has[plan->pools[at].rows[row].certainty] = true;
    if (!has[MPL_BOUND] && !has[MPL_ESTIMATE])
        return;
    mpl_paint_gap(paint, MARGIN + KEY_COLUMNS);
    if (has[MPL_BOUND])
        mpl_paint_format(paint, MPL_INK_FAINT, "%s at most%s",
                         certainty_mark(paint, MPL_BOUND),
                         has[MPL_ESTIMATE] ? ", " : "");
    if (has[MPL_ESTIMATE])
        mpl_paint_text(paint, MPL_INK_FAINT, "~ an estimate");
    mpl_paint_text(paint, MPL_INK_FAINT, "; all others are exact");
    mpl_paint_end(paint);
}

static void paint_ledger(mpl_paint *paint, const memplan_plan *plan)
{
    mpl_paint_gap(paint, MARGIN + KEY_COLUMNS - 1);
    for (uint32_t part = 0; part < MPL_PART_COUNT; part++)
        if (mpl_plan_has_part(plan, part))
            mpl_paint_right(paint, MPL_INK_FAINT, PART_COLUMNS,
                            mpl_part_label(plan, part));
    mpl_paint_right(paint, MPL_INK_FAINT, PART_COLUMNS, "free");
    if (has_capacity_column(paint, plan))
        mpl_paint_right(paint, MPL_INK_FAINT, PART_COLUMNS, "capacity");
    mpl_paint_end(paint);
    for (uint32_t at = 0; at < plan->pool_count; at++)
        paint_pool_line(paint, plan, &plan->pools[at]);
    paint_marks(paint, plan);
    mpl_paint_end(paint);
}

/* Every row with its rule. */
static void paint_rules(mpl_paint *paint, const memplan_plan *plan)
{
    char label[MPL_LABEL_SIZE];
    for (uint32_t at = 0; at < plan->pool_count; at++) {
        const mpl_plan_pool *const pool = &plan->pools[at];
        if (pool->row_count == 0)
            continue;
        mpl_paint_gap(paint, MARGIN);
        mpl_paint_text(paint, MPL_INK_STRONG, mpl_pool_label(label, pool));
        mpl_paint_end(paint);
        for (uint64_t row = 0; row < pool->row_count; row++) {
            const mpl_row *const line = &pool->rows[row];
            mpl_paint_gap(paint, 2 * MARGIN);
            mpl_paint_left(paint, MPL_INK_PLAIN, 12,
                           mpl_category_name(line->category));
            mpl_paint_right_bytes(paint, MPL_INK_PLAIN, 10, line->bytes);
            mpl_paint_gap(paint, 2);
            mpl_paint_left(paint, MPL_INK_PLAIN, 10,
                           mpl_certainty_name(line->certainty));
            mpl_paint_wrap(paint, MPL_INK_FAINT, 2 * MARGIN + 34, line->rule);
        }
    }
    mpl_paint_end(paint);
}

static bool paint_place(mpl_paint *paint, const memplan_plan *plan,
                        const char *label, uint32_t pool)
{
    mpl_text made = {0};
    mpl_text_units(&made, plan, pool);
    if (made.length == 0 && !made.failed)
        return false;
    mpl_paint_gap(paint, MARGIN);
    mpl_paint_left(paint, MPL_INK_PLAIN, KEY_COLUMNS, label);
    mpl_paint_made(paint, MPL_INK_PLAIN, MARGIN + KEY_COLUMNS, &made);
    return true;
}

static void paint_places(mpl_paint *paint, const memplan_plan *plan)
{
    char label[MPL_LABEL_SIZE];
    bool is_any = false;
    for (uint32_t at = 0; at < plan->pool_count; at++)
        is_any |= paint_place(paint, plan,
                              mpl_pool_label(label, &plan->pools[at]), at);
    /* Units whose tensors lie in several memories. */
    is_any |= paint_place(paint, plan, "divided", MPL_NO_INDEX);
    if (is_any)
        mpl_paint_end(paint);
}

static void paint_speed(mpl_paint *paint, const memplan_plan *plan)
{
    mpl_text made = {0};
    mpl_paint_gap(paint, MARGIN);
    mpl_paint_left(paint, MPL_INK_PLAIN, KEY_COLUMNS, "speed");
    mpl_text_speed(&made, plan);
    mpl_paint_made(paint, MPL_INK_PLAIN, MARGIN + KEY_COLUMNS, &made);
    mpl_text_proof(&made, plan);
    if (made.length > 0) {
        mpl_paint_gap(paint, MARGIN);
        mpl_paint_left(paint, MPL_INK_PLAIN, KEY_COLUMNS, "proof");
    }
    if (made.length > 0 || made.failed)
        mpl_paint_made(paint, MPL_INK_PLAIN, MARGIN + KEY_COLUMNS, &made);
    else
        mpl_text_discard(&made); /* an empty text may hold memory */
}

static void paint_item(mpl_paint *paint, mpl_ink ink, const char *first,
                       const char *text)
{
    mpl_paint_gap(paint, MARGIN);
    mpl_paint_left(paint, ink, KEY_COLUMNS, first);
    mpl_paint_wrap(paint, MPL_INK_PLAIN, MARGIN + KEY_COLUMNS, text);
}

static void paint_advice(mpl_paint *paint, const memplan_plan *plan)
{
    for (uint32_t at = 0; at < plan->note_count; at++)
        paint_item(paint, MPL_INK_FAINT, "note", plan->notes[at]);
    if (plan->fix_count > 0) {
        mpl_paint_end(paint);
        mpl_paint_gap(paint, MARGIN);
        mpl_paint_text(paint, MPL_INK_STRONG,
                       "any one of these makes it fit, the cheapest first");
        mpl_paint_end(paint);
    }
    for (uint32_t at = 0; at < plan->fix_count; at++) {
        char number[16];
        (void)snprintf(number, sizeof number, "%u.", at + 1);
        paint_item(paint, MPL_INK_PLAIN, number, plan->fixes[at].text);
    }
}

MPL_PLAN_WRITER(mpl_plan_write_table)
{
    mpl_paint paint = mpl_style_paint(style, text);
    paint_title(&paint, plan);
    paint_verdict(&paint, plan);
    paint_bars(&paint, plan);
    paint_ledger(&paint, plan);
    if (style->with_rules)
        paint_rules(&paint, plan);
    paint_places(&paint, plan);
    paint_speed(&paint, plan);
    paint_advice(&paint, plan);
    if (plan->fits)
        mpl_paint_hints(&paint, plan);
    (void)error;
    return MEMPLAN_OK;
}
