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

/* What a key is made of where no configuration has it, or NULL. */
static const mpl_expression *maker_of(const mpl_expression *key,
                                      const mpl_scope *scope)
{
    static const char DERIVED[] = "derived.";
    const mpl_key *const of = &scope->family->keys[key->slot];
    return strncmp(of->name, DERIVED, sizeof DERIVED - 1) == 0 ? of->value
                                                               : NULL;
}

/* The first key below an expression that a configuration has, for messages. */
static const mpl_expression *find_key(const mpl_expression *in,
                                      const mpl_scope *scope, uint32_t depth)
{
    if (in == NULL || depth == MPL_MAX_DEPTH)
        return NULL;
    if (in->operation == MPL_OP_KEY) {
        const mpl_expression *const maker = maker_of(in, scope);
        return maker != NULL ? find_key(maker, scope, depth + 1) : in;
    }
    const mpl_expression *found = find_key(in->a, scope, depth + 1);
    if (found == NULL)
        found = find_key(in->b, scope, depth + 1);
    return found != NULL ? found : find_key(in->c, scope, depth + 1);
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

mpl_value mpl_expression_blame(const mpl_expression *at, const char *rule,
                               mpl_evaluation *evaluation)
{
    if (evaluation->status != MEMPLAN_OK)
        return (mpl_value){0};
    const mpl_scope *const scope = evaluation->scope;
    const mpl_expression *const key = find_key(at, scope, 0);
    char text[64] = "";
    if (key == NULL)
        evaluation->status = mpl_fail(
            evaluation->error, MEMPLAN_E_CORRUPT, MPL_NOWHERE,
            "family %s: a rule without a key %s", scope->family->name, rule);
    else {
        const mpl_value value =
            mpl_scope_value(evaluation->scope, key->slot, evaluation);
        mpl_value_write(text, sizeof text, &value);
        evaluation->status =
            mpl_fail(evaluation->error, MEMPLAN_E_CORRUPT, MPL_NOWHERE,
                     "\"%s%s\" is %s, %s", scope->path,
                     scope->family->keys[key->slot].name, text, rule);
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
        const mpl_expression *const maker =
            maker_of(in, search->evaluation->scope);
        if (maker != NULL)
            find_culprit(search, maker, depth + 1);
        else if (is_likelier(search, in))
            search->best = in;
        return;
    }
    find_culprit(search, in->a, depth + 1);
    find_culprit(search, in->b, depth + 1);
    find_culprit(search, in->c, depth + 1);
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
