/* SPDX-License-Identifier: MIT */
#include "model/architecture_repeat.h"

#include <string.h>

#include "base/failure.h"
#include "model/expression_node.h"

/* Of tensors and blocks made ahead, for those that follow the list. */
enum { SPARE_COUNT = 16 };

/* Whether the rule at a place speaks of the index of the list. */
static bool depends(uint32_t place, uint32_t depth)
{
    const mpl_expression *const on = mpl_expression_at(place);
    return on != NULL &&
           ((on->operation == MPL_OP_INDEX && on->slot == depth) ||
            depends(on->a, depth) || depends(on->b, depth) ||
            depends(on->c, depth));
}

static void add_rule(mpl_repeats *to, uint32_t place, bool is_condition)
{
    if (to->rule_count == MPL_REPEAT_RULES)
        to->is_plain = true;
    else
        to->rules[to->rule_count++] =
            (mpl_repeat_rule){mpl_expression_at(place), 0, is_condition};
}

static bool has_rule(const mpl_repeats *repeats, const mpl_node *node)
{
    bool found = depends(node->condition, repeats->depth);
    for (uint32_t at = 0; at < node->argument_count; at++)
        found = found || depends(mpl_arguments[node->first_argument + at],
                                 repeats->depth);
    return found;
}

/* Whether a list in the list, which has an index of its own, or any tree of
 * another scope, keeps the items from being told apart by a few rules. */
static bool is_entangled(const mpl_repeats *repeats, mpl_branch branch)
{
    for (uint32_t at = branch.first; at < branch.end; at++)
        if (has_rule(repeats, &mpl_nodes[at]) ||
            mpl_nodes[at].kind == MPL_NODE_USE ||
            mpl_nodes[at].kind == MPL_NODE_TIE)
            return true;
    return false;
}

static void find_rules(mpl_repeats *to, mpl_branch branch, bool is_guarded,
                       bool is_trunk, mpl_evaluation *with);

/* The rules of one line, under a condition that is the same for all items or
 * is a rule itself. */
static void find_rules_of(mpl_repeats *to, const mpl_node *node,
                          bool is_guarded, bool is_trunk, mpl_evaluation *with)
{
    const bool is_state =
        node->kind == MPL_NODE_CACHE || node->kind == MPL_NODE_INDEXER ||
        node->kind == MPL_NODE_CROSS || node->kind == MPL_NODE_FIXED;
    if (node->kind == MPL_NODE_USE || node->kind == MPL_NODE_TIE)
        to->is_plain = true;
    for (uint32_t at = 0;
         (is_trunk || !is_state) && at < node->argument_count; at++)
        if (depends(mpl_arguments[node->first_argument + at], to->depth))
            add_rule(to, mpl_arguments[node->first_argument + at], false);
    if (node->kind != MPL_NODE_LIST)
        find_rules(to, mpl_branch_below(node), is_guarded, is_trunk, with);
    else if (is_entangled(to, mpl_branch_below(node)))
        to->is_plain = true;
}

static void find_rules(mpl_repeats *to, mpl_branch branch, bool is_guarded,
                       bool is_trunk, mpl_evaluation *with)
{
    for (uint32_t at = branch.first;
         at < branch.end && !to->is_plain && with->status == MEMPLAN_OK;
         at = mpl_nodes[at].end) {
        const mpl_node *const node = &mpl_nodes[at];
        const uint32_t rule = to->rule_count;
        const bool is_rule =
            node->condition != 0 &&
            (is_guarded || depends(node->condition, to->depth));
        if (is_rule)
            add_rule(to, node->condition, true);
        else if (node->condition != 0 &&
                 !mpl_expression_is_true(mpl_expression_at(node->condition),
                                         with))
            continue;
        find_rules_of(to, node, is_guarded || is_rule, is_trunk, with);
        if (is_rule && rule < MPL_REPEAT_RULES)
            to->rules[rule].end = to->rule_count;
    }
}

memplan_status mpl_repeats_begin(mpl_repeats *out, const mpl_builder *to,
                                 const mpl_node *list, uint32_t depth,
                                 mpl_evaluation *with)
{
    out->list = list;
    out->depth = depth;
    out->rule_count = 0;
    out->kind_count = 0;
    out->is_plain = false;
    find_rules(out, mpl_branch_below(list), false, to->is_trunk, with);
    return with->status;
}

static bool is_same(const mpl_repeat_value *a, const mpl_repeat_value *b)
{
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case MPL_VALUE_NONE:
        return true;
    case MPL_VALUE_BOOL:
    case MPL_VALUE_INTEGER:
        return a->integer == b->integer;
    case MPL_VALUE_STRING:
        return strcmp(a->string, b->string) == 0;
    default: /* sizes are whole, and lists are not told apart */
        return false;
    }
}

static bool is_of_kind(const mpl_repeats *repeats, const mpl_repeat_kind *kind)
{
    for (uint32_t at = 0; at < repeats->rule_count; at++)
        if (!is_same(&repeats->values[at], &kind->values[at]))
            return false;
    return true;
}

memplan_status mpl_repeats_find(mpl_repeats *repeats,
                                mpl_repeat_kind **out_kind,
                                mpl_evaluation *with)
{
    *out_kind = NULL;
    if (repeats->is_plain)
        return MEMPLAN_OK;
    for (uint32_t at = 0; at < repeats->rule_count; at++) {
        const mpl_repeat_rule *const rule = &repeats->rules[at];
        if (!rule->is_condition) {
            const mpl_value value = mpl_expression_value(rule->value, with);
            repeats->values[at] = (mpl_repeat_value){value.kind, value.integer,
                                                     value.string};
            continue;
        }
        const bool holds = mpl_expression_is_true(rule->value, with);
        repeats->values[at] =
            (mpl_repeat_value){MPL_VALUE_BOOL, holds, NULL};
        for (uint32_t skipped = at + 1; !holds && skipped < rule->end;
             skipped++)
            repeats->values[skipped].kind = MPL_VALUE_NONE;
        at = holds ? at : rule->end - 1;
    }
    for (uint32_t at = 0;
         with->status == MEMPLAN_OK && at < repeats->kind_count; at++)
        if (is_of_kind(repeats, &repeats->kinds[at])) {
            *out_kind = &repeats->kinds[at];
            break;
        }
    return with->status;
}

void mpl_repeats_learn(mpl_repeats *repeats, const mpl_builder *to,
                       mpl_repeat_mark mark)
{
    const uint64_t blocks = to->block_count - mark.block_count;
    const bool is_block = blocks == 1 && to->block == NULL &&
                          (repeats->list->flags & MPL_NODE_BLOCK) != 0;
    if (blocks > 0 && !is_block)
        repeats->is_plain = true;
    if (repeats->is_plain || repeats->kind_count == MPL_REPEAT_KINDS)
        return;
    mpl_repeat_kind *const made = &repeats->kinds[repeats->kind_count++];
    memcpy(made->values, repeats->values,
           repeats->rule_count * sizeof *made->values);
    made->first_tensor = mark.tensor_count;
    made->tensor_count = to->model->tensor_count - mark.tensor_count;
    made->block = is_block ? (uint32_t)mark.block_count : MPL_NO_INDEX;
    made->path_length = to->path_length;
    made->names = NULL;
    made->names_path_length = 0;
    made->name_at = NULL;
}

/* Names for a path as long as none before: the path, and then what follows it
 * in the kind's own names. */
static bool spell_names(const mpl_builder *to, mpl_repeat_kind *kind)
{
    mpl_arena *const arena = to->model->arena;
    const mpl_tensor *const tensors = &to->model->tensors[kind->first_tensor];
    uint64_t bytes = 0;
    if (kind->name_at == NULL)
        kind->name_at =
            mpl_arena_alloc(arena, kind->tensor_count, sizeof *kind->name_at);
    if (kind->name_at == NULL)
        return false;
    for (uint32_t at = 0; at < kind->tensor_count; at++) {
        kind->name_at[at] = bytes;
        bytes += to->path_length +
                 strlen(tensors[at].name + kind->path_length) + 1;
    }
    char *const names = mpl_arena_take(arena, bytes, 1);
    if (names == NULL)
        return false;
    for (uint32_t at = 0; at < kind->tensor_count; at++) {
        char *const name = names + kind->name_at[at];
        const uint64_t end =
            at + 1 < kind->tensor_count ? kind->name_at[at + 1] : bytes;
        memcpy(name, to->path, (size_t)to->path_length);
        memcpy(name + to->path_length, tensors[at].name + kind->path_length,
               (size_t)(end - kind->name_at[at] - to->path_length));
    }
    kind->names = names;
    kind->names_bytes = bytes;
    kind->names_path_length = to->path_length;
    return true;
}

/* The names of the item before with another index. */
static bool renumber_names(const mpl_builder *to, mpl_repeat_kind *kind)
{
    char *const names = mpl_arena_take(to->model->arena, kind->names_bytes, 1);
    if (names == NULL)
        return false;
    uint64_t first = to->path_length;
    while (first > 0 && to->path[first - 1] != '.')
        first--;
    memcpy(names, kind->names, (size_t)kind->names_bytes);
    for (uint32_t at = 0; at < kind->tensor_count; at++)
        for (uint64_t digit = first; digit < to->path_length; digit++)
            names[kind->name_at[at] + digit] = to->path[digit];
    kind->names = names;
    return true;
}

/* Room for `more` tensors at once, where doubling would copy all the time. */
static bool reserve(mpl_builder *to, uint64_t more)
{
    memplan_model *const model = to->model;
    const uint64_t capacity = model->tensor_count + more + SPARE_COUNT;
    if (model->tensor_count + more <= to->tensor_capacity)
        return true;
    mpl_tensor *const tensors =
        mpl_arena_take(model->arena, capacity, sizeof *tensors);
    if (tensors == NULL)
        return false;
    if (model->tensor_count > 0)
        memcpy(tensors, model->tensors, model->tensor_count * sizeof *tensors);
    model->tensors = tensors;
    to->tensor_capacity = capacity;
    return true;
}

static bool copy_block(mpl_builder *to, const mpl_repeat_kind *kind)
{
    mpl_block *const blocks =
        mpl_arena_grow(to->model->arena, to->blocks, to->block_count,
                       &to->block_capacity, sizeof *blocks);
    if (blocks == NULL)
        return false;
    to->blocks = blocks;
    mpl_block *const block = &blocks[to->block_count];
    *block = blocks[kind->block];
    block->name = mpl_arena_copy(to->model->arena, to->path, to->path_length);
    block->first_tensor = to->model->tensor_count;
    block->like_before = (uint32_t)to->block_count - kind->block;
    to->block_count++;
    return block->name != NULL;
}

memplan_status mpl_repeats_copy(mpl_builder *to, mpl_repeat_kind *kind,
                                uint64_t left, mpl_evaluation *with)
{
    memplan_model *const model = to->model;
    const uint64_t wanted = kind->tensor_count * (left + 1);
    const bool is_reserved = reserve(
        to, wanted + model->tensor_count <= MPL_BUILDER_TENSORS_MAX
                ? wanted
                : kind->tensor_count);
    if (!is_reserved ||
        (kind->block != MPL_NO_INDEX && !copy_block(to, kind)) ||
        !(kind->names_path_length == to->path_length
              ? renumber_names(to, kind)
              : spell_names(to, kind)))
        return mpl_fail_memory(with->error);
    mpl_tensor *const made = &model->tensors[model->tensor_count];
    memcpy(made, &model->tensors[kind->first_tensor],
           kind->tensor_count * sizeof *made);
    for (uint32_t at = 0; at < kind->tensor_count; at++)
        made[at].name = kind->names + kind->name_at[at];
    model->tensor_count += kind->tensor_count;
    return MEMPLAN_OK;
}
