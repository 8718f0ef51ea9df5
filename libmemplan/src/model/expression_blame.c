/* SPDX-License-Identifier: MIT */
/* Which key of a configuration to name where a rule cannot be worked out. */
#include <string.h>

#include "base/failure.h"
#include "base/text.h"
#include "model/expression_node.h"
#include "model/scope.h"

static bool is_whole(const mpl_value *value)
{
    return value->kind == MPL_VALUE_INTEGER || value->kind == MPL_VALUE_BOOL;
}

static bool is_given(const mpl_expression *key, const mpl_scope *scope)
{
    const mpl_slot *const slot = &scope->slots[key->slot];
    return slot->state == MPL_SLOT_READY &&
           slot->value.given_by == key->slot + 1;
}

/* What a key is made of where the configuration does not have it, or NULL. */
static const mpl_expression *maker_of(const mpl_expression *key,
                                      const mpl_scope *scope)
{
    return is_given(key, scope)
               ? NULL
               : mpl_expression_at(mpl_key_at(scope->family, key->slot)->value);
}

/* The first key below an expression that a configuration may have, or that
 * this one has: for messages. */
static const mpl_expression *find_key(const mpl_expression *in,
                                      const mpl_scope *scope, bool wants_given,
                                      uint32_t depth)
{
    static const char DERIVED[] = "derived.";
    if (in == NULL || depth == MPL_MAX_DEPTH)
        return NULL;
    if (in->operation == MPL_OP_KEY) {
        const bool is_derived = strncmp(mpl_key_name(scope->family, in->slot),
                                        DERIVED, sizeof DERIVED - 1) == 0;
        if (is_given(in, scope) || (!wants_given && !is_derived))
            return in;
        return find_key(maker_of(in, scope), scope, wants_given, depth + 1);
    }
    const uint32_t parts[] = {in->a, in->b, in->c};
    const mpl_expression *found = NULL;
    for (size_t at = 0; found == NULL && at < sizeof parts / sizeof *parts;
         at++)
        found = find_key(mpl_expression_at(parts[at]), scope, wants_given,
                         depth + 1);
    return found;
}

void mpl_value_write(char *out, uint64_t size, const mpl_value *value)
{
    mpl_text text = {0};
    switch (value->kind) {
    case MPL_VALUE_NONE:
        mpl_text_add(&text, "null");
        break;
    case MPL_VALUE_BOOL:
        mpl_text_add(&text, value->integer ? "true" : "false");
        break;
    case MPL_VALUE_INTEGER:
        mpl_text_format(&text, "%lld", (long long)value->integer);
        break;
    case MPL_VALUE_REAL:
        mpl_text_add(&text, "a number with a fraction or out of range");
        break;
    case MPL_VALUE_STRING:
        mpl_text_format(&text, "\"%.40s\"", value->string);
        break;
    case MPL_VALUE_LIST:
    case MPL_VALUE_LITERAL:
        mpl_text_add(&text, "a list or an object");
        break;
    }
    out[0] = '\0';
    if (text.data != NULL && !text.failed)
        strncat(out, text.data, size - 1);
    mpl_text_discard(&text);
}

bool mpl_expression_is_usable(const mpl_value *value,
                              mpl_evaluation *evaluation)
{
    const bool is_negative =
        is_whole(value) ? value->integer < 0
                        : value->kind == MPL_VALUE_REAL && value->real < 0;
    if (evaluation->status != MEMPLAN_OK || value->given_by == 0 ||
        !is_negative)
        return evaluation->status == MEMPLAN_OK;
    const mpl_scope *const scope = evaluation->scope;
    char text[64] = "";
    mpl_value_write(text, sizeof text, value);
    evaluation->status =
        mpl_fail(evaluation->error, MEMPLAN_E_CORRUPT, MPL_NOWHERE,
                 "\"%s%s\" %s %s, where no number below 0 can be", scope->path,
                 mpl_scope_name(scope, value->given_by - 1),
                 scope->slots[value->given_by - 1].value.kind == MPL_VALUE_LIST
                     ? "has the item"
                     : "is",
                 text);
    return false;
}

mpl_value mpl_expression_blame(const mpl_expression *at, const char *rule,
                               mpl_evaluation *evaluation)
{
    if (evaluation->status != MEMPLAN_OK)
        return (mpl_value){0};
    const mpl_scope *const scope = evaluation->scope;
    const mpl_expression *key = find_key(at, scope, true, 0);
    if (key == NULL)
        key = find_key(at, scope, false, 0);
    char text[64] = "";
    if (key == NULL)
        evaluation->status =
            mpl_fail(evaluation->error, MEMPLAN_E_CORRUPT, MPL_NOWHERE,
                     "family %s: a rule without a key %s",
                     mpl_word(scope->family->name), rule);
    else {
        const mpl_value value =
            mpl_scope_value(evaluation->scope, key->slot, evaluation);
        mpl_value_write(text, sizeof text, &value);
        evaluation->status =
            mpl_fail(evaluation->error, MEMPLAN_E_CORRUPT, MPL_NOWHERE,
                     "\"%s%s\" is %s, %s", scope->path,
                     mpl_scope_name(scope, key->slot), text, rule);
    }
    return (mpl_value){0};
}

/* A search for the key that made a count what it is: in a negative or too
 * large one the whole number that is negative or largest itself, else what is
 * not whole. */
typedef struct blame_search {
    mpl_evaluation *evaluation;
    const mpl_expression *best;
    bool wants_whole;
} blame_search;

static bool is_likelier(blame_search *search, const mpl_expression *key)
{
    mpl_evaluation *const with = search->evaluation;
    if (search->best == NULL)
        return true;
    const mpl_value a = mpl_scope_value(with->scope, key->slot, with);
    const mpl_value b = mpl_scope_value(with->scope, search->best->slot, with);
    if (!is_whole(&a) || !is_whole(&b))
        return is_whole(search->wants_whole ? &a : &b);
    if (a.integer < 0 || b.integer < 0)
        return a.integer < b.integer;
    return a.integer > b.integer;
}

static void find_culprit(blame_search *search, const mpl_expression *in,
                         uint32_t depth)
{
    if (in == NULL || depth == MPL_MAX_DEPTH)
        return;
    if (in->operation == MPL_OP_KEY) {
        const mpl_expression *const before = search->best;
        find_culprit(search, maker_of(in, search->evaluation->scope),
                     depth + 1);
        if (search->best == before && is_likelier(search, in))
            search->best = in;
        return;
    }
    if (in->operation == MPL_OP_IF) { /* the condition is not in the sum */
        const bool is_first = mpl_expression_is_true(mpl_expression_at(in->b),
                                                     search->evaluation);
        find_culprit(search, mpl_expression_at(is_first ? in->a : in->c),
                     depth + 1);
        return;
    }
    find_culprit(search, mpl_expression_at(in->a), depth + 1);
    find_culprit(search, mpl_expression_at(in->b), depth + 1);
    find_culprit(search, mpl_expression_at(in->c), depth + 1);
}

const mpl_expression *mpl_expression_culprit(const mpl_expression *in,
                                             bool wants_whole,
                                             mpl_evaluation *evaluation)
{
    blame_search search = {.evaluation = evaluation,
                           .wants_whole = wants_whole};
    find_culprit(&search, in, 0);
    return search.best;
}
