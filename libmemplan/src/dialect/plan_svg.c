/* SPDX-License-Identifier: MIT */
/* A plan as a picture: the verdict, a bar a pool, the legend and the speed. */
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/ending.h"
#include "dialect/dialect.h"
#include "dialect/plan_figures.h"
#include "dialect/svg.h"

/* Bold letters of 13 px are 8 wide on the average. */
enum { LINE = 22, TITLE_MAX = 84 };

static void add_line(mpl_svg *svg, mpl_ink ink, bool is_strong,
                     const char *line)
{
    svg->y += LINE;
    mpl_svg_text(svg, MPL_SVG_MARGIN, svg->y - 6, MPL_SVG_START, ink, is_strong,
                 line);
}

/* In two lines where one would pass the picture's edge; of a path the last
 * part says most. */
static void add_title(mpl_svg *svg, const memplan_plan *plan, const char *line)
{
    char part[TITLE_MAX + 1];
    const char *const name = plan->machine_name;
    const bool is_path =
        mpl_ends_with(name, ".xml") || mpl_ends_with(name, ".json");
    const char *const slash = is_path ? strrchr(name, '/') : NULL;
    if (strlen(line) <= TITLE_MAX) {
        add_line(svg, MPL_INK_PLAIN, true, line);
        return;
    }
    (void)snprintf(part, sizeof part, "%.60s in %s on", plan->model_name,
                   plan->dtype);
    add_line(svg, MPL_INK_PLAIN, true, part);
    (void)snprintf(part, sizeof part, "%s", slash != NULL ? slash + 1 : name);
    add_line(svg, MPL_INK_PLAIN, true, part);
}

/* A line made as a text first. */
static void add_made(mpl_svg *svg, mpl_ink ink, mpl_text *made)
{
    if (made->failed)
        svg->text->failed = true;
    else if (made->length > 0)
        add_line(svg, ink, ink != MPL_INK_FAINT, made->data);
    mpl_text_discard(made);
}

static void add_pool(mpl_svg *svg, const memplan_plan *plan,
                     const mpl_plan_pool *pool)
{
    const mpl_parts parts = mpl_pool_parts(pool);
    mpl_svg_slice slices[MPL_PART_COUNT];
    char labels[MPL_PART_COUNT][80];
    char amount[32];
    char line[80];
    char label[MPL_LABEL_SIZE];
    for (uint32_t part = 0; part < MPL_PART_COUNT; part++) {
        (void)memplan_bytes_format(amount, sizeof amount,
                                   parts.slices[part].bytes);
        (void)snprintf(labels[part], sizeof labels[part], "%s: %s (%s)",
                       mpl_part_label(plan, part), amount,
                       mpl_certainty_name(parts.certainty[part]));
        slices[part] = (mpl_svg_slice){parts.slices[part].ink,
                                       parts.slices[part].bytes, labels[part]};
    }
    (void)memplan_bytes_format(amount, sizeof amount, pool->used_bytes);
    int length = snprintf(line, sizeof line, "%s", amount);
    if (pool->capacity_bytes != MEMPLAN_UNKNOWN) {
        (void)memplan_bytes_format(amount, sizeof amount, pool->capacity_bytes);
        (void)snprintf(line + length, sizeof line - (size_t)length, " of %s",
                       amount);
    }
    const mpl_svg_bar bar = {.label = mpl_pool_label(label, pool),
                             .amount = line,
                             .slices = slices,
                             .slice_count = MPL_PART_COUNT,
                             .label_width = MPL_SVG_LABEL_WIDTH,
                             .whole = mpl_pool_whole(pool),
                             .limit_bytes = pool->capacity_bytes};
    mpl_svg_row(svg, &bar);
}

static void add_legend(mpl_svg *svg, const memplan_plan *plan)
{
    mpl_ink inks[MPL_PLAN_INKS_MAX];
    const char *labels[MPL_PLAN_INKS_MAX];
    const uint32_t count = mpl_plan_inks(plan, inks, labels);
    mpl_svg_legend(svg, MPL_SVG_MARGIN + MPL_SVG_LABEL_WIDTH, inks, labels,
                   count);
}

MPL_PLAN_WRITER(mpl_plan_write_svg)
{
    const uint64_t height =
        2 * MPL_SVG_MARGIN + (uint64_t)5 * LINE + 8 +
        MPL_SVG_ROW_HEIGHT * ((uint64_t)plan->pool_count + 1);
    mpl_text made = {0};
    char line[240];
    char count[MPL_COUNT_SIZE];
    (void)snprintf(line, sizeof line, "%.80s in %s on %.80s", plan->model_name,
                   plan->dtype, plan->machine_name);
    mpl_svg svg = mpl_svg_open(text, height, line);
    add_title(&svg, plan, line);
    (void)snprintf(line, sizeof line, "%s, %s tokens x %llu, cache in %s",
                   plan->profile, mpl_count_text(count, plan->context_tokens),
                   (unsigned long long)plan->sequences, plan->kv_dtype);
    add_line(&svg, MPL_INK_FAINT, false, line);
    mpl_text_verdict(&made, plan);
    add_made(&svg, plan->fits ? MPL_INK_GOOD : MPL_INK_BAD, &made);
    svg.y += 8;
    for (uint32_t at = 0; at < plan->pool_count; at++)
        add_pool(&svg, plan, &plan->pools[at]);
    add_legend(&svg, plan);
    mpl_text_add(&made, "speed ");
    mpl_text_speed(&made, plan);
    add_made(&svg, MPL_INK_FAINT, &made);
    mpl_svg_close(&svg);
    (void)style;
    (void)error;
    return MEMPLAN_OK;
}
