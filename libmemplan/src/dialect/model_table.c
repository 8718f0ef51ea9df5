/* SPDX-License-Identifier: MIT */
/*
 * A model for a person: parameters, what they weigh at each width, where they
 * sit, and what a conversation adds.
 */
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "dialect/dialect.h"
#include "dialect/model_figures.h"
#include "model/quantization.h"

enum {
    MARGIN = 2,
    NAME_COLUMNS = 24,
    TIMES_COLUMNS = 5,
    COUNT_COLUMNS = 19,
    AMOUNT_COLUMNS = 11,
    SHARE_COLUMNS = 9,
    FACT_COLUMNS = 10
};

typedef struct width_row {
    const char *name;
    uint64_t bits; /* a parameter */
    const char *bytes_text;
} width_row;

static const width_row WIDTHS[] = {
    {"fp32", 32, "4"},
    {"fp16", 16, "2"},
    {"int8", 8, "1"},
    {"int4", 4, "0.5"},
};
enum { WIDTH_COUNT = sizeof WIDTHS / sizeof *WIDTHS };

static void paint_title(mpl_paint *paint, const memplan_model_info *info)
{
    char count[MPL_COUNT_SIZE];
    mpl_text made = {0};
    mpl_paint_text(paint, MPL_INK_STRONG, info->name);
    mpl_paint_format(paint, MPL_INK_FAINT, "  %s, %s", info->architecture,
                     info->format);
    mpl_paint_end(paint);
    mpl_text_add(&made, mpl_count_text(count, info->parameter_count));
    mpl_text_format(&made, " parameters, %s tensors, %llu layers",
                    mpl_count_text(count, info->tensor_count),
                    (unsigned long long)info->layer_count);
    if (info->context_tokens != MEMPLAN_UNKNOWN)
        mpl_text_format(&made, ", %s tokens of context",
                        mpl_count_text(count, info->context_tokens));
    mpl_paint_gap(paint, MARGIN);
    mpl_paint_made(paint, MPL_INK_PLAIN, MARGIN, &made);
    mpl_paint_end(paint);
}

static void paint_amount_bar(mpl_paint *paint, mpl_ink ink, uint64_t bytes,
                             uint64_t whole, uint64_t columns)
{
    const mpl_slice slice = {ink, bytes};
    uint64_t cells = 0;
    if (paint->without_bars)
        return;
    mpl_paint_gap(paint, MARGIN);
    mpl_apportion(&cells, columns, &slice, 1, whole);
    mpl_paint_bar(paint, cells, &slice, bytes > 0, bytes, MEMPLAN_UNKNOWN);
}

/* floor(count * bits / 8), and MEMPLAN_UNKNOWN past 64 bits. */
static uint64_t at_width(uint64_t parameter_count, uint64_t bits)
{
    uint64_t bytes;
    return mpl_mul_div(&bytes, parameter_count, bits, 8) ? bytes
                                                         : MEMPLAN_UNKNOWN;
}

static void paint_widths(mpl_paint *paint, const memplan_model_info *info)
{
    const uint64_t whole = at_width(info->parameter_count, WIDTHS[0].bits);
    const uint64_t bar_columns =
        mpl_sub_floor(paint->width, 2 * MARGIN + 10 + 16 + 13);
    mpl_paint_gap(paint, MARGIN);
    mpl_paint_left(paint, MPL_INK_FAINT, 10, "weights as");
    mpl_paint_right(paint, MPL_INK_FAINT, 16, "bytes each");
    mpl_paint_right(paint, MPL_INK_FAINT, 13, "all of them");
    mpl_paint_end(paint);
    for (uint32_t at = 0; at < WIDTH_COUNT; at++) {
        const uint64_t bytes = at_width(info->parameter_count, WIDTHS[at].bits);
        mpl_paint_gap(paint, MARGIN);
        mpl_paint_left(paint, MPL_INK_PLAIN, 10, WIDTHS[at].name);
        mpl_paint_right(paint, MPL_INK_PLAIN, 16, WIDTHS[at].bytes_text);
        mpl_paint_right_bytes(paint, MPL_INK_STRONG, 13, bytes);
        paint_amount_bar(paint, MPL_INK_WEIGHTS, bytes, whole, bar_columns);
        mpl_paint_end(paint);
    }
    mpl_paint_gap(paint, MARGIN);
    mpl_paint_left(paint, MPL_INK_PLAIN, 10, "as stored");
    mpl_paint_right(paint, MPL_INK_PLAIN, 16, info->dtype);
    mpl_paint_right_bytes(paint, MPL_INK_STRONG, 13, info->weight_bytes);
    paint_amount_bar(paint, MPL_INK_WEIGHTS, info->weight_bytes, whole,
                     bar_columns);
    mpl_paint_end(paint);
    mpl_paint_end(paint);
}

static void paint_group(mpl_paint *paint, const mpl_group *group,
                        uint64_t whole_bytes)
{
    const bool is_part = group->parent != MPL_NO_INDEX;
    const uint64_t indent = is_part ? MARGIN : 0;
    const uint64_t bar_columns = mpl_sub_floor(
        paint->width, 2 * MARGIN + NAME_COLUMNS + TIMES_COLUMNS +
                          COUNT_COLUMNS + AMOUNT_COLUMNS + SHARE_COLUMNS);
    char share[MPL_COUNT_SIZE];
    const mpl_ink ink = is_part ? MPL_INK_FAINT : MPL_INK_PLAIN;
    mpl_paint_gap(paint, MARGIN + indent);
    mpl_paint_left(paint, ink, NAME_COLUMNS - indent, group->name);
    if (is_part || group->unit_count == 1)
        mpl_paint_gap(paint, TIMES_COLUMNS);
    else
        mpl_paint_right_count(paint, ink, TIMES_COLUMNS, group->unit_count);
    mpl_paint_right_count(paint, ink, COUNT_COLUMNS, group->element_count);
    mpl_paint_right_bytes(paint, ink, AMOUNT_COLUMNS, group->bytes);
    mpl_paint_right(paint, ink, SHARE_COLUMNS,
                    mpl_share_text(share, group->bytes, whole_bytes));
    paint_amount_bar(paint, MPL_INK_WEIGHTS, group->bytes, whole_bytes,
                     bar_columns);
    mpl_paint_end(paint);
}

static void paint_groups(mpl_paint *paint, const mpl_groups *groups,
                         uint64_t whole_bytes)
{
    mpl_paint_gap(paint, MARGIN);
    mpl_paint_left(paint, MPL_INK_FAINT, NAME_COLUMNS, "modules");
    mpl_paint_right(paint, MPL_INK_FAINT, TIMES_COLUMNS, "times");
    mpl_paint_right(paint, MPL_INK_FAINT, COUNT_COLUMNS, "parameters");
    mpl_paint_right(paint, MPL_INK_FAINT, AMOUNT_COLUMNS, "bytes");
    mpl_paint_right(paint, MPL_INK_FAINT, SHARE_COLUMNS, "share");
    mpl_paint_end(paint);
    for (uint32_t at = 0; at < groups->count; at++) {
        if (groups->rows[at].parent != MPL_NO_INDEX)
            continue;
        paint_group(paint, &groups->rows[at], whole_bytes);
        for (uint32_t part = at + 1; part < groups->count; part++)
            if (groups->rows[part].parent == at)
                paint_group(paint, &groups->rows[part], whole_bytes);
    }
    mpl_paint_end(paint);
}

/* One line of what a conversation adds. */
static void paint_fact(mpl_paint *paint, const char *name, mpl_text *made)
{
    mpl_paint_gap(paint, MARGIN);
    mpl_paint_left(paint, MPL_INK_PLAIN, FACT_COLUMNS, name);
    mpl_paint_made(paint, MPL_INK_PLAIN, MARGIN + FACT_COLUMNS, made);
}

static void paint_state(mpl_paint *paint, const memplan_model *model,
                        const mpl_state_figures *state)
{
    char count[MPL_COUNT_SIZE];
    mpl_text made = {0};
    const uint64_t tokens = model->facts.context_tokens;
    if (state->cached_layers > 0) {
        mpl_text_bytes(&made, state->token_bytes);
        mpl_text_add(&made, " a token in fp16");
        if (tokens != MEMPLAN_UNKNOWN) {
            mpl_text_add(&made, ", ");
            mpl_text_bytes(&made, state->context_bytes);
            mpl_text_format(&made, " at the full %s tokens",
                            mpl_count_text(count, tokens));
        }
        if (state->windowed_layers > 0)
            mpl_text_format(&made,
                            "; %u of %u layers keep a window of %s tokens",
                            state->windowed_layers, state->cached_layers,
                            mpl_count_text(count, state->window_tokens));
        paint_fact(paint, "KV cache", &made);
    }
    if (state->cross_bytes > 0 && state->cross_bytes != MEMPLAN_UNKNOWN) {
        const uint64_t encoder = model->facts.encoder_tokens;
        uint64_t bytes = MEMPLAN_UNKNOWN;
        mpl_text_bytes(&made, state->cross_bytes);
        mpl_text_add(&made, " a token of the encoder in fp16");
        if (encoder != MEMPLAN_UNKNOWN &&
            mpl_mul(&bytes, state->cross_bytes, encoder)) {
            mpl_text_add(&made, ", ");
            mpl_text_bytes(&made, bytes);
            mpl_text_format(&made, " for its %s",
                            mpl_count_text(count, encoder));
        }
        paint_fact(paint, "cross", &made);
    }
    if (state->cached_layers == 0 && state->fixed_bytes == 0 &&
        state->cross_bytes == 0 && model->layer_count > 0) {
        mpl_text_add(&made, "none: nothing is kept between passes");
        paint_fact(paint, "KV cache", &made);
    }
    if (state->fixed_bytes > 0) {
        mpl_text_bytes(&made, state->fixed_bytes);
        mpl_text_format(&made, " a sequence, whatever its length (%u layers)",
                        state->fixed_layers);
        paint_fact(paint, "state", &made);
    }
}

/* The heaviest row that is not divided further. */
static const mpl_group *find_heaviest(const mpl_groups *groups)
{
    const mpl_group *heaviest = NULL;
    for (uint32_t at = 0; at < groups->count; at++) {
        const mpl_group *const row = &groups->rows[at];
        bool is_divided = false;
        for (uint32_t part = at + 1; part < groups->count; part++)
            is_divided |= groups->rows[part].parent == at;
        if (!is_divided && (heaviest == NULL || row->bytes > heaviest->bytes))
            heaviest = row;
    }
    return heaviest;
}

static void paint_verdict(mpl_paint *paint, const mpl_groups *groups,
                          uint64_t weight_bytes, const mpl_state_figures *state)
{
    const mpl_group *const heaviest = find_heaviest(groups);
    char share[MPL_COUNT_SIZE];
    mpl_text made = {0};
    if (heaviest == NULL || weight_bytes == 0)
        return;
    mpl_text_add(&made, heaviest->name);
    if (heaviest->parent != MPL_NO_INDEX)
        mpl_text_format(&made, " of %s", groups->rows[heaviest->parent].name);
    mpl_text_format(&made, ", %s of the weights",
                    mpl_share_text(share, heaviest->bytes, weight_bytes));
    if (state->context_bytes != MEMPLAN_UNKNOWN &&
        state->context_bytes > weight_bytes)
        mpl_text_add(&made, "; the cache of a full context weighs more than "
                            "all of them");
    paint_fact(paint, "heaviest", &made);
}

static void paint_tensors(mpl_paint *paint, const memplan_model *model)
{
    const uint64_t name_columns =
        mpl_sub_floor(paint->width, MARGIN + 10 + 20 + 12);
    mpl_paint_end(paint);
    for (uint32_t at = 0; at < model->tensor_count; at++) {
        const mpl_tensor *const tensor = &model->tensors[at];
        char shape[128] = "";
        size_t used = 0;
        for (uint32_t axis = 0; axis < tensor->dimension_count; axis++) {
            const int wrote = snprintf(shape + used, sizeof shape - used,
                                       axis > 0 ? " x %llu" : "%llu",
                                       (unsigned long long)tensor->shape[axis]);
            used = mpl_min(used + (wrote > 0 ? (size_t)wrote : 0),
                           sizeof shape - 1);
        }
        mpl_paint_gap(paint, MARGIN);
        mpl_paint_left(paint, MPL_INK_PLAIN, name_columns, tensor->name);
        mpl_paint_gap(paint, 1);
        mpl_paint_left(paint, MPL_INK_FAINT, 9, mpl_dtype_name(tensor->dtype));
        mpl_paint_right(paint, MPL_INK_FAINT, 20, shape);
        if (tensor->tied_to != MPL_NO_INDEX)
            mpl_paint_right(paint, MPL_INK_FAINT, 12, "tied");
        else
            mpl_paint_right_bytes(paint, MPL_INK_PLAIN, 12, tensor->bytes);
        mpl_paint_end(paint);
    }
}

/* The widths above are of all parameters alike. */
static void paint_experts(mpl_paint *paint, const memplan_model *model)
{
    const uint32_t percent = mpl_experts_left_percent(model);
    mpl_text made = {0};
    if (percent == 0 || strcmp(model->format, "gguf") == 0)
        return;
    mpl_text_format(&made,
                    "experts, %u %% of all parameters, are no Linear modules: "
                    "Transformers' quantizers leave them as stored; llama.cpp "
                    "with a GGUF has them quantized too",
                    percent);
    paint_fact(paint, "note", &made);
}

MPL_MODEL_WRITER(mpl_model_write_table)
{
    mpl_paint paint = mpl_style_paint(style, text);
    const mpl_state_figures state = mpl_model_state(model);
    memplan_model_info info = {.size = sizeof info};
    mpl_groups groups;
    memplan_model_describe(model, &info);
    mpl_model_group(&groups, model);
    paint_title(&paint, &info);
    paint_widths(&paint, &info);
    paint_groups(&paint, &groups, info.weight_bytes);
    paint_state(&paint, model, &state);
    paint_verdict(&paint, &groups, info.weight_bytes, &state);
    for (uint32_t at = 0; at < model->note_count; at++) {
        mpl_text made = {0};
        mpl_text_add(&made, model->notes[at]);
        paint_fact(&paint, "note", &made);
    }
    paint_experts(&paint, model);
    if (style->with_tensors)
        paint_tensors(&paint, model);
    (void)error;
    return MEMPLAN_OK;
}
