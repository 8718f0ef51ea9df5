/* SPDX-License-Identifier: MIT */
/* A model as a picture: its modules by weight. */
#include <stdio.h>

#include "dialect/dialect.h"
#include "dialect/model_figures.h"
#include "dialect/svg.h"

enum { NAME_WIDTH = 220, NAME_CHARACTERS = 28, INDENT = 18 };

/* A group whose parts follow is drawn in grey. */
static bool is_divided(const mpl_groups *groups, uint32_t row)
{
    for (uint32_t at = row + 1; at < groups->count; at++)
        if (groups->rows[at].parent == row)
            return true;
    return false;
}

static void add_group(mpl_svg *svg, const mpl_groups *groups, uint32_t row,
                      uint64_t whole)
{
    const mpl_group *const group = &groups->rows[row];
    const mpl_svg_slice slice = {is_divided(groups, row) ? MPL_INK_RESERVE
                                                         : MPL_INK_WEIGHTS,
                                 group->bytes, group->name};
    char name[64];
    char amount[32];
    (void)snprintf(name, sizeof name, "%.*s", NAME_CHARACTERS, group->name);
    (void)memplan_bytes_format(amount, sizeof amount, group->bytes);
    const mpl_svg_bar bar = {.label = name,
                             .amount = amount,
                             .slices = &slice,
                             .slice_count = 1,
                             .label_width = NAME_WIDTH,
                             .label_indent =
                                 group->parent != MPL_NO_INDEX ? INDENT : 0,
                             .whole = whole,
                             .limit_bytes = MEMPLAN_UNKNOWN};
    mpl_svg_row(svg, &bar);
}

MPL_MODEL_WRITER(mpl_model_write_svg)
{
    memplan_model_info info = {.size = sizeof info};
    mpl_groups groups;
    char line[160];
    char count[MPL_COUNT_SIZE];
    char amount[32];
    memplan_model_describe(model, &info);
    mpl_model_group(&groups, model);
    const uint64_t height =
        2 * MPL_SVG_MARGIN + 28 + MPL_SVG_ROW_HEIGHT * (uint64_t)groups.count;
    (void)memplan_bytes_format(amount, sizeof amount, info.weight_bytes);
    (void)snprintf(line, sizeof line, "%.80s: %s parameters, %s in %s",
                   info.name, mpl_count_text(count, info.parameter_count),
                   amount, info.dtype);
    mpl_svg svg = mpl_svg_open(text, height, line);
    mpl_svg_text(&svg, MPL_SVG_MARGIN, svg.y + 14, MPL_SVG_START, MPL_INK_PLAIN,
                 true, line);
    svg.y += 28;
    for (uint32_t at = 0; at < groups.count; at++) {
        if (groups.rows[at].parent != MPL_NO_INDEX)
            continue;
        add_group(&svg, &groups, at, info.weight_bytes);
        for (uint32_t part = at + 1; part < groups.count; part++)
            if (groups.rows[part].parent == at)
                add_group(&svg, &groups, part, info.weight_bytes);
    }
    mpl_svg_close(&svg);
    (void)style;
    (void)error;
    return MEMPLAN_OK;
}
