/* SPDX-License-Identifier: MIT */
/*
 * Expressions, worked out as Python would.
 *
 * Some configurations give a size as a real number (a share of the heads, an
 * expansion factor). Those are computed as Python computes them, in the same
 * 64-bit format, and become whole by int() or ceil() alone.
 */
#include "model/expression.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "base/failure.h"
#include "model/expression_node.h"
#include "model/scope.h"

static const double EXACT_REAL = 9007199254740992.0; /* 2^53 */

static mpl_value value_of_integer(int64_t value)
{
    return (mpl_value){.kind = MPL_VALUE_INTEGER, .integer = value};
}

static mpl_value value_of_real(double value)
{
    return (mpl_value){.kind = MPL_VALUE_REAL, .real = value};
}

static mpl_value value_of_bool(bool value)
{
    return (mpl_value){.kind = MPL_VALUE_BOOL, .integer = value};
}

static bool is_whole(const mpl_value *value)
{
    return value->kind == MPL_VALUE_INTEGER || value->kind == MPL_VALUE_BOOL;
}

static double to_real(const mpl_value *value)
{
    return value->kind == MPL_VALUE_REAL ? value->real : (double)value->integer;
}

static bool is_truthy(const mpl_value *value)
{
    switch (value->kind) {
    case MPL_VALUE_NONE:
        return false;
    case MPL_VALUE_BOOL:
    case MPL_VALUE_INTEGER:
        return value->integer != 0;
    case MPL_VALUE_REAL:
        return value->real != 0;
    case MPL_VALUE_STRING:
        return value->string[0] != '\0';
    case MPL_VALUE_LIST:
        return value->item_count > 0;
    case MPL_VALUE_LITERAL:
        break;
    }
    return value->literal->a != 0;
}

static bool is_equal(const mpl_value *a, const mpl_value *b)
{
    if (is_whole(a) && is_whole(b))
        return a->integer == b->integer;
    if ((is_whole(a) || a->kind == MPL_VALUE_REAL) &&
        (is_whole(b) || b->kind == MPL_VALUE_REAL))
        return !(to_real(a) < to_real(b)) && !(to_real(b) < to_real(a));
    if (a->kind != b->kind)
        return false;
    return a->kind == MPL_VALUE_NONE ||
           (a->kind == MPL_VALUE_STRING && strcmp(a->string, b->string) == 0);
}

/* The value of a part, by its place. */
static mpl_value value_of(uint32_t part, mpl_evaluation *evaluation)
{
    return mpl_expression_value(mpl_expression_at(part), evaluation);
}

static mpl_value blame(uint32_t part, const char *rule,
                       mpl_evaluation *evaluation)
{
    return mpl_expression_blame(mpl_expression_at(part), rule, evaluation);
}

/* The rest of a list in the data behind its first item, or NULL. */
static const mpl_expression *rest_of(const mpl_expression *list)
{
    return mpl_expression_at(list->b);
}

/* A list in the data from its first item on; NULL where it has none. */
static const mpl_expression *items_of(const mpl_value *literal)
{
    return literal->literal->a != 0 ? literal->literal : NULL;
}

/* Whole by whole; false where the result passes 64 bits or divides by 0. */
static bool whole_operation(mpl_operation operation, int64_t a, int64_t b,
                            int64_t *out)
{
    switch (operation) {
    case MPL_OP_ADD:
        return !__builtin_add_overflow(a, b, out);
    case MPL_OP_SUBTRACT:
        return !__builtin_sub_overflow(a, b, out);
    case MPL_OP_MULTIPLY:
        return !__builtin_mul_overflow(a, b, out);
    case MPL_OP_FLOOR_DIVIDE:
    case MPL_OP_MODULO:
        if (b == 0 || (a == INT64_MIN && b == -1))
            return false;
        const int64_t rest = a % b;
        const bool rounds_up = rest != 0 && (rest < 0) != (b < 0);
        *out = operation == MPL_OP_MODULO ? rest + (rounds_up ? b : 0)
                                          : a / b - rounds_up;
        return true;
    default:
        return false;
    }
}

static mpl_value arithmetic(const mpl_expression *at,
                            mpl_evaluation *evaluation)
{
    const mpl_value a = value_of(at->a, evaluation);
    const mpl_value b = value_of(at->b, evaluation);
    if (evaluation->status != MEMPLAN_OK)
        return (mpl_value){0};
    if (!is_whole(&a) && a.kind != MPL_VALUE_REAL)
        return blame(at->a, "where a number must be", evaluation);
    if (!is_whole(&b) && b.kind != MPL_VALUE_REAL)
        return blame(at->b, "where a number must be", evaluation);
    if (!mpl_expression_is_usable(&a, evaluation) ||
        !mpl_expression_is_usable(&b, evaluation))
        return (mpl_value){0};
    int64_t whole;
    const bool both_whole = is_whole(&a) && is_whole(&b);
    if (both_whole && at->operation != MPL_OP_DIVIDE) {
        if (whole_operation(at->operation, a.integer, b.integer, &whole))
            return value_of_integer(whole);
        return b.integer == 0
                   ? blame(at->b, "and something is divided by it", evaluation)
                   : mpl_expression_blame(at, "which makes a size pass 63 bits",
                                          evaluation);
    }
    const double x = to_real(&a);
    const double y = to_real(&b);
    const bool divides = at->operation == MPL_OP_DIVIDE ||
                         at->operation == MPL_OP_FLOOR_DIVIDE ||
                         at->operation == MPL_OP_MODULO;
    if (divides && !(y < 0) && !(y > 0))
        return blame(at->b, "and something is divided by it", evaluation);
    switch (at->operation) {
    case MPL_OP_ADD:
        return value_of_real(x + y);
    case MPL_OP_SUBTRACT:
        return value_of_real(x - y);
    case MPL_OP_MULTIPLY:
        return value_of_real(x * y);
    case MPL_OP_DIVIDE:
        return value_of_real(x / y);
    case MPL_OP_FLOOR_DIVIDE:
        return value_of_real(floor(x / y));
    default:
        return value_of_real(x - y * floor(x / y));
    }
}

static mpl_value compare(const mpl_expression *at, mpl_evaluation *evaluation)
{
    const mpl_value a = value_of(at->a, evaluation);
    const mpl_value b = value_of(at->b, evaluation);
    if (at->operation == MPL_OP_EQUAL || at->operation == MPL_OP_UNEQUAL)
        return value_of_bool(is_equal(&a, &b) ==
                             (at->operation == MPL_OP_EQUAL));
    if (!is_whole(&a) && a.kind != MPL_VALUE_REAL)
        return blame(at->a, "where a number must be", evaluation);
    if (!is_whole(&b) && b.kind != MPL_VALUE_REAL)
        return blame(at->b, "where a number must be", evaluation);
    const double x = to_real(&a);
    const double y = to_real(&b);
    return value_of_bool(at->operation == MPL_OP_LESS ? x < y : x <= y);
}

/* A letter of a text, as a text of one: patterns name layers by letters. */
static mpl_value letter(const mpl_expression *at, const mpl_value *text,
                        int64_t index, mpl_evaluation *evaluation)
{
    if (index < 0 || (uint64_t)index >= strlen(text->string))
        return blame(at->a, "which has fewer letters than there are layers",
                     evaluation);
    char *const out =
        mpl_arena_copy(evaluation->scope->arena, text->string + index, 1);
    if (out == NULL) {
        evaluation->status = mpl_fail_memory(evaluation->error);
        return (mpl_value){0};
    }
    return (mpl_value){.kind = MPL_VALUE_STRING, .string = out};
}

static mpl_value item(const mpl_expression *at, mpl_evaluation *evaluation)
{
    const mpl_value list = value_of(at->a, evaluation);
    const mpl_value index = value_of(at->b, evaluation);
    if (evaluation->status != MEMPLAN_OK)
        return (mpl_value){0};
    if (!is_whole(&index))
        return blame(at->b, "where a position must be", evaluation);
    if (list.kind == MPL_VALUE_LITERAL) {
        const mpl_expression *each = items_of(&list);
        for (int64_t left = index.integer; each != NULL && left > 0; left--)
            each = rest_of(each);
        return each != NULL && index.integer >= 0
                   ? value_of(each->a, evaluation)
                   : mpl_expression_blame(at, "and the list has fewer items",
                                          evaluation);
    }
    if (list.kind == MPL_VALUE_STRING)
        return letter(at, &list, index.integer, evaluation);
    if (list.kind != MPL_VALUE_LIST || list.items == NULL)
        return blame(at->a, "where a list must be", evaluation);
    const int64_t place =
        index.integer + (index.integer < 0 ? (int64_t)list.item_count : 0);
    if (place < 0 || (uint64_t)place >= list.item_count)
        return blame(at->a, "which has fewer items than there are layers",
                     evaluation);
    return list.items[place];
}

static mpl_value contains(const mpl_expression *at, mpl_evaluation *evaluation)
{
    const mpl_value wanted = value_of(at->a, evaluation);
    const mpl_value list = value_of(at->b, evaluation);
    if (list.kind == MPL_VALUE_LITERAL) {
        for (const mpl_expression *each = items_of(&list); each != NULL;
             each = rest_of(each)) {
            const mpl_value value = value_of(each->a, evaluation);
            if (is_equal(&wanted, &value))
                return value_of_bool(true);
        }
        return value_of_bool(false);
    }
    if (list.kind == MPL_VALUE_NONE)
        return value_of_bool(false);
    if (list.kind != MPL_VALUE_LIST)
        return blame(at->b, "where a list must be", evaluation);
    for (uint64_t each = 0; each < list.item_count; each++)
        if (is_equal(&wanted, &list.items[each]))
            return value_of_bool(true);
    return value_of_bool(false);
}

static mpl_value round_real(const mpl_expression *at,
                            mpl_evaluation *evaluation)
{
    const mpl_value value = value_of(at->a, evaluation);
    if (is_whole(&value))
        return value_of_integer(value.integer);
    if (value.kind != MPL_VALUE_REAL)
        return blame(at->a, "where a number must be", evaluation);
    if (!(value.real < EXACT_REAL) || !(value.real > -EXACT_REAL))
        return blame(at->a, "which is out of range", evaluation);
    return value_of_integer((int64_t)(at->operation == MPL_OP_CEIL
                                          ? ceil(value.real)
                                          : trunc(value.real)));
}

/* The root of a whole number, rounded down. */
static mpl_value whole_root(const mpl_expression *at,
                            mpl_evaluation *evaluation)
{
    const mpl_value value = value_of(at->a, evaluation);
    if (!is_whole(&value))
        return blame(at->a, "where a whole number must be", evaluation);
    if (value.integer < 0 || !(to_real(&value) < EXACT_REAL))
        return blame(at->a, "which is out of range", evaluation);
    return value_of_integer((int64_t)sqrt(to_real(&value)));
}

static mpl_value extreme(const mpl_expression *at, mpl_evaluation *evaluation)
{
    const mpl_value a = value_of(at->a, evaluation);
    const mpl_value b = value_of(at->b, evaluation);
    if (!is_whole(&a) && a.kind != MPL_VALUE_REAL)
        return blame(at->a, "where a number must be", evaluation);
    if (!is_whole(&b) && b.kind != MPL_VALUE_REAL)
        return blame(at->b, "where a number must be", evaluation);
    const bool is_less = to_real(&b) < to_real(&a);
    return is_less == (at->operation == MPL_OP_MIN) ? b : a;
}

static mpl_value length(const mpl_expression *at, mpl_evaluation *evaluation)
{
    const mpl_value list = value_of(at->a, evaluation);
    if (list.kind == MPL_VALUE_LIST)
        return value_of_integer((int64_t)list.item_count);
    if (list.kind == MPL_VALUE_STRING)
        return value_of_integer((int64_t)strlen(list.string));
    if (list.kind != MPL_VALUE_LITERAL)
        return blame(at->a, "where a list must be", evaluation);
    int64_t count = 0;
    for (const mpl_expression *each = items_of(&list); each != NULL;
         each = rest_of(each))
        count++;
    return value_of_integer(count);
}

/* `and` and `or` give one of their sides, and look at the second only if they
 * must. */
static mpl_value logic(const mpl_expression *at, mpl_evaluation *evaluation)
{
    const mpl_value a = value_of(at->a, evaluation);
    if (at->operation == MPL_OP_NOT)
        return value_of_bool(!is_truthy(&a));
    return is_truthy(&a) == (at->operation == MPL_OP_OR)
               ? a
               : value_of(at->b, evaluation);
}

static mpl_value constant(const mpl_expression *at)
{
    switch ((mpl_value_kind)at->kind) {
    case MPL_VALUE_STRING:
        return (mpl_value){.kind = MPL_VALUE_STRING,
                           .string = mpl_word(at->word)};
    case MPL_VALUE_REAL:
        return value_of_real(at->real);
    default:
        return (mpl_value){.kind = (mpl_value_kind)at->kind,
                           .integer = at->integer};
    }
}

static mpl_value evaluate(const mpl_expression *at, mpl_evaluation *evaluation)
{
    switch (at->operation) {
    case MPL_OP_CONSTANT:
        return constant(at);
    case MPL_OP_KEY:
        return mpl_scope_value(evaluation->scope, at->slot, evaluation);
    case MPL_OP_INDEX:
        return value_of_integer(evaluation->indices[at->slot]);
    case MPL_OP_ITEM:
        return item(at, evaluation);
    case MPL_OP_LIST:
        return (mpl_value){.kind = MPL_VALUE_LITERAL, .literal = at};
    case MPL_OP_IF:
        return value_of(
            mpl_expression_is_true(mpl_expression_at(at->b), evaluation)
                ? at->a
                : at->c,
            evaluation);
    case MPL_OP_OR:
    case MPL_OP_AND:
    case MPL_OP_NOT:
        return logic(at, evaluation);
    case MPL_OP_EQUAL:
    case MPL_OP_UNEQUAL:
    case MPL_OP_LESS:
    case MPL_OP_LESS_EQUAL:
        return compare(at, evaluation);
    case MPL_OP_IN:
        return contains(at, evaluation);
    case MPL_OP_INT:
    case MPL_OP_CEIL:
        return round_real(at, evaluation);
    case MPL_OP_ISQRT:
        return whole_root(at, evaluation);
    case MPL_OP_MIN:
    case MPL_OP_MAX:
        return extreme(at, evaluation);
    case MPL_OP_LEN:
        return length(at, evaluation);
    default:
        return arithmetic(at, evaluation);
    }
}

mpl_value mpl_expression_value(const mpl_expression *expression,
                               mpl_evaluation *evaluation)
{
    if (evaluation->status != MEMPLAN_OK)
        return (mpl_value){0};
    if (expression == NULL || evaluation->depth >= MPL_MAX_DEPTH) {
        evaluation->status =
            mpl_fail(evaluation->error, MEMPLAN_E_CORRUPT, MPL_NOWHERE,
                     "family %s: a rule is incomplete or too deep",
                     mpl_word(evaluation->scope->family->name));
        return (mpl_value){0};
    }
    evaluation->depth++;
    const mpl_value value = evaluate(expression, evaluation);
    evaluation->depth--;
    return evaluation->status == MEMPLAN_OK ? value : (mpl_value){0};
}

bool mpl_expression_is_true(const mpl_expression *expression,
                            mpl_evaluation *evaluation)
{
    const mpl_value value = mpl_expression_value(expression, evaluation);
    return evaluation->status == MEMPLAN_OK && is_truthy(&value);
}

uint64_t mpl_expression_count(const mpl_expression *expression, uint64_t most,
                              mpl_evaluation *evaluation)
{
    const mpl_value value = mpl_expression_value(expression, evaluation);
    if (evaluation->status != MEMPLAN_OK)
        return 0;
    if (is_whole(&value) && value.integer >= 0 &&
        (uint64_t)value.integer <= most)
        return (uint64_t)value.integer;
    const mpl_expression *const culprit =
        mpl_expression_culprit(expression, is_whole(&value), evaluation);
    if (!is_whole(&value))
        mpl_expression_blame(culprit, "where a whole number must be",
                             evaluation);
    else if (value.integer < 0)
        mpl_expression_blame(culprit, "which makes a size negative",
                             evaluation);
    else
        mpl_expression_blame(culprit, "which is more than any model has",
                             evaluation);
    return 0;
}
