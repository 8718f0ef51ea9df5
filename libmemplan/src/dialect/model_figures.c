/* SPDX-License-Identifier: MIT */
/*
 *     token_bytes   = sum over layers of (key + value + index) * 2
 *     context_bytes = sum over layers of min(context, window) * (key + value)
 *                     * 2, where no window is no limit, and context * index * 2
 */
#include "dialect/model_figures.h"

#include <stdio.h>
#include <string.h>

#include "base/checked.h"

enum { FP16_BYTES = 2 };

static void add_or_unknown(uint64_t *sum, bool is_known, uint64_t more)
{
    if (!is_known || *sum == MEMPLAN_UNKNOWN || !mpl_add(sum, *sum, more))
        *sum = MEMPLAN_UNKNOWN;
}

static void add_layer(mpl_state_figures *figures, const mpl_state *state,
                      uint64_t context_tokens)
{
    uint64_t token_bytes = 0;
    uint64_t layer_bytes = 0;
    const uint64_t tokens = state->window_tokens > 0
                                ? mpl_min(context_tokens, state->window_tokens)
                                : context_tokens;
    const bool is_known =
        mpl_add(&token_bytes, state->key_elements, state->value_elements) &&
        mpl_mul(&token_bytes, token_bytes, FP16_BYTES);
    const uint64_t index_bytes = state->index_elements * FP16_BYTES;
    uint64_t whole_bytes = 0;
    const bool is_bounded =
        is_known && context_tokens != MEMPLAN_UNKNOWN &&
        mpl_mul(&layer_bytes, token_bytes, tokens) &&
        mpl_mul(&whole_bytes, index_bytes, context_tokens) &&
        mpl_add(&layer_bytes, layer_bytes, whole_bytes);
    token_bytes += index_bytes;
    add_or_unknown(&figures->cross_bytes, true,
                   (state->cross_key_elements + state->cross_value_elements) *
                       FP16_BYTES);
    add_or_unknown(&figures->token_bytes, is_known, token_bytes);
    add_or_unknown(&figures->context_bytes, is_bounded, layer_bytes);
    add_or_unknown(&figures->fixed_bytes, true, state->fixed_bytes);
    add_or_unknown(&figures->fixed_bytes, true,
                   state->fixed_elements * FP16_BYTES);
    figures->cached_layers += token_bytes > 0;
    figures->fixed_layers +=
        state->fixed_bytes > 0 || state->fixed_elements > 0;
    if (token_bytes > 0 && state->window_tokens > 0) {
        figures->windowed_layers++;
        figures->window_tokens =
            mpl_max(figures->window_tokens, state->window_tokens);
    }
}

mpl_state_figures mpl_model_state(const memplan_model *model)
{
    mpl_state_figures figures = {0};
    for (uint32_t index = 0; index < model->unit_count; index++) {
        const mpl_state *const state = &model->units[index].state;
        if (state->key_elements > 0 || state->value_elements > 0 ||
            state->cross_key_elements > 0 || state->index_elements > 0 ||
            state->fixed_bytes > 0 || state->fixed_elements > 0)
            add_layer(&figures, state, model->facts.context_tokens);
    }
    return figures;
}

static bool is_digits(const char *text, size_t length)
{
    return length > 0 && strspn(text, "0123456789") >= length;
}

/* "model.layers.17" is "model.layers.*". */
static void star_numbers(char *out, size_t size, const char *name)
{
    size_t used = 0;
    out[0] = '\0';
    while (*name != '\0' && used + 1 < size) {
        const size_t length = strcspn(name, ".");
        const bool is_number = is_digits(name, length);
        const int wrote =
            snprintf(out + used, size - used, "%s%.*s", used > 0 ? "." : "",
                     is_number ? 1 : (int)length, is_number ? "*" : name);
        used += wrote > 0 ? (size_t)wrote : 0;
        name += length + (name[length] == '.');
    }
}

static bool contains(const char *text, size_t length, const char *part)
{
    const size_t wanted = strlen(part);
    for (size_t at = 0; at + wanted <= length; at++)
        if (memcmp(text + at, part, wanted) == 0)
            return true;
    return false;
}

/* The part of its layer that a tensor belongs to: the path's next step, with
 * norms and routed experts under one name in all families. GGUF joins steps by
 * underscores ("blk.0.attn_q.weight"). */
static void name_part(char *out, size_t size, const memplan_model *model,
                      const mpl_unit *unit, const mpl_tensor *tensor)
{
    const size_t prefix = strlen(unit->name);
    const char *rest = tensor->name;
    if (strncmp(rest, unit->name, prefix) == 0 && rest[prefix] == '.')
        rest += prefix + 1;
    size_t length = strcspn(rest, ".");
    if (tensor->flags & MPL_TENSOR_EXPERT) {
        (void)snprintf(out, size, "experts");
    } else if (contains(rest, length, "norm") || strncmp(rest, "ln_", 3) == 0) {
        (void)snprintf(out, size, "norms");
    } else {
        if (strcmp(model->format, "gguf") == 0)
            length = mpl_min(length, strcspn(rest, "_"));
        (void)snprintf(out, size, "%.*s", (int)length, rest);
    }
}

/* The row of that name and parent, made where there is none yet. */
static mpl_group *find_group(mpl_groups *groups, const char *name,
                             uint32_t parent)
{
    for (uint32_t at = 0; at < groups->count; at++) {
        mpl_group *const row = &groups->rows[at];
        if (row->parent == parent && strcmp(row->name, name) == 0)
            return row;
    }
    const bool is_full = groups->count >= MPL_GROUP_MAX - 1;
    if (is_full && strcmp(name, "others") != 0)
        return find_group(groups, "others", MPL_NO_INDEX);
    mpl_group *const row = &groups->rows[groups->count++];
    *row = (mpl_group){.parent = parent, .last_unit = MPL_NO_INDEX};
    (void)snprintf(row->name, sizeof row->name, "%s", name);
    return row;
}

static void count_tensor(mpl_group *group, const mpl_tensor *tensor,
                         uint32_t unit)
{
    group->unit_count += group->last_unit != unit;
    group->last_unit = unit;
    if (tensor->tied_to != MPL_NO_INDEX)
        return;
    group->bytes += tensor->bytes; /* below the model's sum: no overflow */
    if ((tensor->flags & MPL_TENSOR_BUFFER) == 0)
        group->element_count += tensor->element_count;
}

void mpl_model_group(mpl_groups *out, const memplan_model *model)
{
    out->count = 0;
    for (uint32_t index = 0; index < model->unit_count; index++) {
        const mpl_unit *const unit = &model->units[index];
        char name[MPL_GROUP_NAME];
        star_numbers(name, sizeof name, unit->name);
        mpl_group *const whole = find_group(out, name, MPL_NO_INDEX);
        const uint32_t parent = (uint32_t)(whole - out->rows);
        for (uint32_t at = 0; at < unit->tensor_count; at++) {
            const mpl_tensor *const tensor =
                &model->tensors[unit->first_tensor + at];
            count_tensor(whole, tensor, index);
            if (unit->kind != MPL_UNIT_LAYER)
                continue;
            name_part(name, sizeof name, model, unit, tensor);
            mpl_group *const part = find_group(out, name, parent);
            if (part->parent != MPL_NO_INDEX)
                count_tensor(part, tensor, index);
        }
    }
}
