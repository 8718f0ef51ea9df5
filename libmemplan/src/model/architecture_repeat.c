/* SPDX-License-Identifier: MIT */
#include "model/architecture_repeat.h"

#include <string.h>

#include "base/checked.h"
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
        to->rules[to->rule_count++] = (mpl_repeat_rule){
            .value = mpl_expression_at(place), .is_condition = is_condition};
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
        node->kind == MPL_NODE_CROSS || node->kind == MPL_NODE_FIXED ||
        node->kind == MPL_NODE_STEP;
    if (node->kind == MPL_NODE_USE || node->kind == MPL_NODE_TIE)
        to->is_plain = true;
    for (uint32_t at = 0; (is_trunk || !is_state) && at < node->argument_count;
         at++)
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

/* A small number that is at hand: of the data, or of a key that was read. */
static bool is_number(const mpl_expression *value, const mpl_scope *scope,
                      int64_t *out)
{
    const mpl_slot *const slot =
        value->operation == MPL_OP_KEY ? &scope->slots[value->slot] : NULL;
    if (value->operation == MPL_OP_CONSTANT && value->kind == MPL_VALUE_INTEGER)
        *out = value->integer;
    else if (slot != NULL && slot->state == MPL_SLOT_READY &&
             slot->value.kind == MPL_VALUE_INTEGER)
        *out = slot->value.integer;
    else
        return false;
    return *out >= 0 && *out < INT32_MAX;
}

/* "i < N", "i <= N", "N < i" and "N <= i": most of what tells layers apart. */
static void find_limit(mpl_repeat_rule *rule, uint32_t depth,
                       const mpl_scope *scope)
{
    const mpl_operation operation = (mpl_operation)rule->value->operation;
    if (!rule->is_condition ||
        (operation != MPL_OP_LESS && operation != MPL_OP_LESS_EQUAL))
        return;
    const mpl_expression *const a = mpl_expression_at(rule->value->a);
    const mpl_expression *const b = mpl_expression_at(rule->value->b);
    const bool is_index_first = a->operation == MPL_OP_INDEX;
    const mpl_expression *const index = is_index_first ? a : b;
    if (index->operation != MPL_OP_INDEX || index->slot != depth ||
        !is_number(is_index_first ? b : a, scope, &rule->limit))
        return;
    rule->limit += is_index_first == (operation == MPL_OP_LESS_EQUAL);
    rule->limit_kind = is_index_first ? MPL_LIMIT_BELOW : MPL_LIMIT_FROM;
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
    for (uint32_t at = 0; at < out->rule_count; at++)
        find_limit(&out->rules[at], depth, with->scope);
    return with->status;
}

static bool is_same(const mpl_value *a, const mpl_value *b)
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
                                const mpl_repeat_kind **out_kind,
                                mpl_evaluation *with)
{
    *out_kind = NULL;
    if (repeats->is_plain)
        return MEMPLAN_OK;
    for (uint32_t at = 0; at < repeats->rule_count; at++) {
        const mpl_repeat_rule *const rule = &repeats->rules[at];
        if (!rule->is_condition) {
            repeats->values[at] = mpl_expression_value(rule->value, with);
            continue;
        }
        const bool is_below = with->indices[repeats->depth] < rule->limit;
        const bool holds =
            rule->limit_kind == MPL_LIMIT_NONE
                ? mpl_expression_is_true(rule->value, with)
                : is_below == (rule->limit_kind == MPL_LIMIT_BELOW);
        repeats->values[at] =
            (mpl_value){.kind = MPL_VALUE_BOOL, .integer = holds};
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
}

/* A number as it stands in a name. */
typedef struct digits {
    char text[20];
    uint64_t length;
    uint64_t next; /* the first number that is longer */
} digits;

static digits digits_of(uint64_t number)
{
    digits out = {.length = 1, .next = 10};
    while (out.next <= number) {
        out.next *= 10;
        out.length++;
    }
    for (uint64_t at = out.length; at > 0; number /= 10)
        out.text[--at] = (char)('0' + number % 10);
    return out;
}

/* Puts the next number of the same length in the place of one; returns the
 * first digit that is another. */
static uint64_t count_up(digits *number)
{
    uint64_t at = number->length - 1;
    while (number->text[at] == '9')
        number->text[at--] = '0';
    number->text[at]++;
    return at;
}

/* The names of one item, one after the other: of its tensors, then its own. */
typedef struct name_row {
    uint64_t count;
    uint64_t bytes;
    uint64_t number_at; /* in each name */
    uint64_t *starts;
} name_row;

/* What an item's name is followed by in a name of its kind. */
static const char *tail_of(const mpl_builder *to, const mpl_repeat_kind *kind,
                           uint64_t index)
{
    return index == kind->tensor_count
               ? ""
               : to->model->tensors[kind->first_tensor + index].name +
                     kind->path_length;
}

static bool measure_names(name_row *out, const mpl_builder *to,
                          const mpl_repeat_kind *kind, const digits *number)
{
    *out = (name_row){
        .count = kind->tensor_count + 1u,
        .number_at = to->path_length + (to->path_length > 0),
        .starts = mpl_arena_take(to->model->arena, kind->tensor_count + 1u,
                                 sizeof *out->starts),
    };
    for (uint64_t at = 0; out->starts != NULL && at < out->count; at++) {
        out->starts[at] = out->bytes;
        out->bytes +=
            out->number_at + number->length + strlen(tail_of(to, kind, at)) + 1;
    }
    return out->starts != NULL;
}

static void spell_names(char *names, const name_row *row, const mpl_builder *to,
                        const mpl_repeat_kind *kind, const digits *number)
{
    for (uint64_t at = 0; at < row->count; at++) {
        char *end = names + row->starts[at];
        const char *const tail = tail_of(to, kind, at);
        memcpy(end, to->path, (size_t)to->path_length);
        end += to->path_length;
        if (to->path_length > 0)
            *end++ = '.';
        memcpy(end, number->text, (size_t)number->length);
        memcpy(end + number->length, tail, strlen(tail) + 1);
    }
}

/* The names of the item before, with the next number. Mostly that is another
 * last digit, which a call of memcpy() would take longer for. */
static void renumber_names(char *names, const name_row *row, digits *number)
{
    const uint64_t first = count_up(number);
    const uint64_t last = number->length - 1;
    memcpy(names, names - row->bytes, (size_t)row->bytes);
    for (uint64_t at = 0; at < row->count; at++) {
        char *const place = names + row->starts[at] + row->number_at;
        place[last] = number->text[last];
        if (first < last)
            memcpy(place + first, number->text + first, (size_t)(last - first));
    }
}

static void copy_item(mpl_builder *to, const mpl_repeat_kind *kind,
                      const char *names, const name_row *row)
{
    memplan_model *const model = to->model;
    mpl_tensor *const made = &model->tensors[model->tensor_count];
    memcpy(made, &model->tensors[kind->first_tensor],
           kind->tensor_count * sizeof *made);
    for (uint32_t at = 0; at < kind->tensor_count; at++)
        made[at].name = names + row->starts[at];
    if (kind->block != MPL_NO_INDEX) {
        mpl_block *const block = &to->blocks[to->block_count];
        *block = to->blocks[kind->block];
        block->name = names + row->starts[kind->tensor_count];
        block->first_tensor = model->tensor_count;
        block->like_before = (uint32_t)to->block_count - kind->block;
        to->block_count++;
    }
    model->tensor_count += kind->tensor_count;
}

/* Items whose numbers have as many digits. */
static bool copy_alike(mpl_builder *to, mpl_repeat_run run)
{
    digits number = digits_of(run.first);
    name_row row;
    if (!measure_names(&row, to, run.kind, &number))
        return false;
    char *names =
        mpl_arena_take(to->model->arena, run.end - run.first, row.bytes);
    if (names == NULL)
        return false;
    for (uint64_t index = run.first; index < run.end; index++) {
        if (index == run.first) {
            spell_names(names, &row, to, run.kind, &number);
        } else {
            names += row.bytes;
            renumber_names(names, &row, &number);
        }
        copy_item(to, run.kind, names, &row);
    }
    return true;
}

/* Room for the whole list at once, where doubling would copy all the time. */
static bool reserve(mpl_builder *to, mpl_repeat_run run)
{
    memplan_model *const model = to->model;
    const uint64_t most = run.list_end - run.first;
    const uint64_t tensors =
        SPARE_COUNT +
        mpl_min(model->tensor_count + run.kind->tensor_count * most,
                MPL_BUILDER_TENSORS_MAX);
    mpl_tensor *const moved =
        mpl_arena_reserve(model->arena, model->tensors, model->tensor_count,
                          &to->tensor_capacity, tensors, sizeof *moved);
    if (moved == NULL)
        return false;
    model->tensors = moved;
    if (run.kind->block == MPL_NO_INDEX)
        return true; /* inside a block, which must stay where it is */
    mpl_block *const blocks = mpl_arena_reserve(
        model->arena, to->blocks, to->block_count, &to->block_capacity,
        to->block_count + most, sizeof *blocks);
    if (blocks == NULL)
        return false;
    to->blocks = blocks;
    return true;
}

memplan_status mpl_repeats_copy(mpl_builder *to, mpl_repeat_run run,
                                mpl_evaluation *with)
{
    bool is_made = reserve(to, run);
    while (is_made && run.first < run.end) {
        mpl_repeat_run alike = run;
        alike.end = mpl_min(run.end, digits_of(run.first).next);
        is_made = copy_alike(to, alike);
        run.first = alike.end;
    }
    return is_made ? MEMPLAN_OK : mpl_fail_memory(with->error);
}
