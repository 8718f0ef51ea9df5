/* SPDX-License-Identifier: MIT */
#include "model/scope.h"

#include <stdio.h>
#include <string.h>

#include "base/failure.h"
#include "model/expression_node.h"

mpl_json_value mpl_config_path(mpl_json_value config, const char *path)
{
    char name[64];
    for (const char *stop = strchr(path, '.'); stop != NULL;
         stop = strchr(path, '.')) {
        const size_t length = (size_t)(stop - path);
        if (length >= sizeof name)
            return MPL_JSON_ABSENT;
        memcpy(name, path, length);
        name[length] = '\0';
        config = mpl_json_get(config, name);
        path = stop + 1;
    }
    return mpl_json_get(config, path);
}

mpl_value mpl_value_of_json(mpl_json_value json)
{
    mpl_value out = {.kind = MPL_VALUE_NONE};
    bool is_true = false;
    switch (mpl_json_type_of(json)) {
    case MPL_JSON_BOOL:
        out.kind = MPL_VALUE_BOOL;
        mpl_json_bool(json, &is_true);
        out.integer = is_true;
        break;
    case MPL_JSON_INTEGER:
        /* Above 2^63 it is too large for any size: kept as a real number. */
        out.kind = MPL_VALUE_INTEGER;
        if (mpl_json_i64(json, &out.integer))
            break;
        out.kind = MPL_VALUE_REAL;
        mpl_json_real(json, &out.real);
        break;
    case MPL_JSON_REAL:
        out.kind = MPL_VALUE_REAL;
        mpl_json_real(json, &out.real);
        break;
    case MPL_JSON_STRING:
        out.kind = MPL_VALUE_STRING;
        out.string = mpl_json_string(json, NULL);
        if (out.string == NULL)
            out.string = "";
        break;
    case MPL_JSON_ARRAY:
    case MPL_JSON_OBJECT:
        out.kind = MPL_VALUE_LIST;
        break;
    case MPL_JSON_NONE:
    case MPL_JSON_NULL:
        break;
    }
    return out;
}

static bool is_left_out(mpl_json_value config, const char *part)
{
    const mpl_json_type type = mpl_json_type_of(mpl_config_path(config, part));
    return type == MPL_JSON_NONE || type == MPL_JSON_NULL;
}

/* Gives a key of the scope its value, if the scope has such a key: that of
 * `part`, and a point, if `part` is not NULL. */
static void settle(mpl_scope *scope, const char *part,
                   const mpl_absence *absence)
{
    const size_t length = part != NULL ? strlen(part) : 0;
    mpl_evaluation with = {.scope = scope};
    for (uint32_t slot = 0; slot < scope->family->key_count; slot++) {
        const char *name = mpl_key_name(scope->family, slot);
        if (part != NULL &&
            (strncmp(name, part, length) != 0 || name[length] != '.'))
            continue;
        name += part != NULL ? length + 1 : 0;
        if (strcmp(name, mpl_word(absence->key)) != 0)
            continue;
        scope->slots[slot].value =
            mpl_expression_value(mpl_expression_at(absence->value), &with);
        scope->slots[slot].state = MPL_SLOT_READY;
    }
}

/*
 * What a part is made of when the configuration leaves it out, by the outer
 * family, where that is not the part's own default. In the outer scope itself,
 * where `part` is NULL, the key is PART.NAME.
 */
static void settle_parts(mpl_scope *scope, const mpl_family *outer,
                         mpl_json_value outer_config, const char *part)
{
    for (uint32_t at = 0; at < outer->absence_count; at++) {
        const mpl_absence *const absence =
            &mpl_absences[outer->first_absence + at];
        const char *const name = mpl_word(absence->part);
        if ((part == NULL || strcmp(name, part) == 0) &&
            is_left_out(outer_config, name))
            settle(scope, part == NULL ? name : NULL, absence);
    }
}

mpl_scope *mpl_scope_create_part(const mpl_scope *outer,
                                 const mpl_family *family,
                                 mpl_json_value config, const char *path,
                                 const char *part)
{
    mpl_scope *const scope =
        mpl_scope_create(outer->arena, family, config, path);
    if (scope != NULL)
        settle_parts(scope, outer->family, outer->config, part);
    return scope;
}

mpl_scope *mpl_scope_create(mpl_arena *arena, const mpl_family *family,
                            mpl_json_value config, const char *path)
{
    mpl_scope *const scope = mpl_arena_alloc(arena, 1, sizeof *scope);
    if (scope == NULL)
        return NULL;
    *scope = (mpl_scope){
        .family = family,
        .config = config,
        .path = path,
        .arena = arena,
        .slots =
            mpl_arena_alloc(arena, family->key_count, sizeof *scope->slots),
    };
    if (scope->slots == NULL)
        return NULL;
    settle_parts(scope, family, config, NULL);
    return scope;
}

bool mpl_scope_reads_root(const mpl_scope *scope)
{
    /* Classes that make a text_config of keys they find at the root; the
     * others leave such keys alone and take their defaults. */
    static const char *const NAMES[] = {"qwen2_vl", "qwen2_5_vl"};
    for (size_t at = 0; at < sizeof NAMES / sizeof *NAMES; at++)
        if (strcmp(mpl_word(scope->family->name), NAMES[at]) == 0)
            return true;
    return false;
}

/* A member by its path, where the family's class looks for it. */
static mpl_json_value find_path(const mpl_scope *scope, const char *path)
{
    static const char TEXT[] = "text_config.";
    const mpl_json_value value = mpl_config_path(scope->config, path);
    if (mpl_json_type_of(value) == MPL_JSON_NONE &&
        strncmp(path, TEXT, sizeof TEXT - 1) == 0 &&
        mpl_scope_reads_root(scope) &&
        mpl_json_type_of(mpl_json_get(scope->config, "text_config")) ==
            MPL_JSON_NONE)
        return mpl_config_path(scope->config, path + sizeof TEXT - 1);
    return value;
}

static uint32_t slot_of(const mpl_scope *scope, const mpl_key *key)
{
    return (uint32_t)(key - mpl_key_at(scope->family, 0));
}

const char *mpl_scope_name(const mpl_scope *scope, uint32_t slot)
{
    const char *const spelling = scope->slots[slot].spelling;
    return spelling != NULL ? spelling : mpl_key_name(scope->family, slot);
}

/* What the configuration says, by the first spelling that it has. */
static mpl_json_value find_member(mpl_scope *scope, const mpl_key *key)
{
    mpl_json_value found = MPL_JSON_ABSENT;
    for (uint32_t at = 0; at < key->path_count; at++) {
        const char *const path = mpl_key_path(key, at);
        const mpl_json_value value = find_path(scope, path);
        const mpl_json_type type = mpl_json_type_of(value);
        if (type != MPL_JSON_NONE && type != MPL_JSON_NULL) {
            scope->slots[slot_of(scope, key)].spelling = path;
            return value;
        }
        if (type == MPL_JSON_NULL)
            found = value;
    }
    return found;
}

static memplan_status fail_key(const mpl_scope *scope, const mpl_key *key,
                               const char *rule, mpl_evaluation *evaluation)
{
    if (evaluation->status == MEMPLAN_OK)
        evaluation->status = mpl_fail(
            evaluation->error, MEMPLAN_E_CORRUPT, MPL_NOWHERE, "\"%s%s\" %s",
            scope->path, mpl_scope_name(scope, slot_of(scope, key)), rule);
    return evaluation->status;
}

/* Kinds of layers that were renamed: Transformers takes both names. */
static const char *const RENAMED_KINDS[][2] = {
    {"mamba", "linear_attention"},
    {"attention", "full_attention"},
    {"deepseek_sparse_attention", "indexed_attention"},
    {"qwen_sparse_attention", "indexed_attention"},
};

static bool lists_kinds(const mpl_key *key)
{
    const char *const path = mpl_key_path(key, 0);
    const char *const point = strrchr(path, '.');
    const char *const name = point != NULL ? point + 1 : path;
    return strcmp(name, "layer_types") == 0 ||
           strcmp(name, "layers_block_type") == 0;
}

static void rename_kind(mpl_value *item)
{
    if (item->kind != MPL_VALUE_STRING)
        return;
    for (size_t row = 0; row < sizeof RENAMED_KINDS / sizeof *RENAMED_KINDS;
         row++)
        if (strcmp(item->string, RENAMED_KINDS[row][0]) == 0) {
            item->string = RENAMED_KINDS[row][1];
            return;
        }
}

/* Spreads a list out, so that each item is found at once; lists in it too. */
static mpl_value spread(mpl_scope *scope, const mpl_key *key,
                        mpl_json_value json, uint32_t depth,
                        mpl_evaluation *evaluation)
{
    mpl_value out = mpl_value_of_json(json);
    out.given_by = slot_of(scope, key) + 1;
    out.item_count = mpl_json_count(json);
    if (mpl_json_type_of(json) != MPL_JSON_ARRAY || depth == MPL_MAX_NESTING)
        return out;
    mpl_value *const items =
        out.item_count <= MPL_MAX_ITEMS
            ? mpl_arena_alloc(scope->arena, out.item_count, sizeof *items)
            : NULL;
    if (items == NULL) {
        fail_key(scope, key, "is a list with more items than any model has",
                 evaluation);
        return (mpl_value){0};
    }
    mpl_json_walk walk = mpl_json_begin(json);
    for (uint64_t at = 0; mpl_json_next(&walk); at++) {
        items[at] = spread(scope, key, walk.value, depth + 1, evaluation);
        if (lists_kinds(key))
            rename_kind(&items[at]);
    }
    out.items = items;
    return out;
}

/* A list that the configuration leaves out, item by item; or gives as one
 * number for all. */
static mpl_value make_list(mpl_scope *scope, const mpl_key *key,
                           const mpl_value *one, mpl_evaluation *evaluation)
{
    const int64_t outer = evaluation->indices[0];
    const uint64_t count = mpl_expression_count(mpl_expression_at(key->count),
                                                MPL_MAX_ITEMS, evaluation);
    mpl_value *const items =
        mpl_arena_alloc(scope->arena, count, sizeof *items);
    if (items == NULL) {
        evaluation->status = mpl_fail_memory(evaluation->error);
        return (mpl_value){0};
    }
    for (uint64_t at = 0; at < count && evaluation->status == MEMPLAN_OK;
         at++) {
        evaluation->indices[0] = (int64_t)at;
        items[at] = one != NULL
                        ? *one
                        : mpl_expression_value(mpl_expression_at(key->value),
                                               evaluation);
    }
    evaluation->indices[0] = outer;
    return (mpl_value){
        .kind = MPL_VALUE_LIST, .items = items, .item_count = count};
}

/* Whether whatever an expression gives is true or false. */
static bool is_switch(uint32_t place)
{
    const mpl_expression *const value = mpl_expression_at(place);
    return value != NULL && ((value->operation == MPL_OP_CONSTANT &&
                              value->kind == MPL_VALUE_BOOL) ||
                             (value->operation == MPL_OP_IF &&
                              is_switch(value->a) && is_switch(value->c)));
}

/* Anything else would be true to Python, -1 and "false" too. */
static bool fits_switch(mpl_scope *scope, const mpl_key *key,
                        mpl_json_value member, mpl_evaluation *evaluation)
{
    const mpl_json_type type = mpl_json_type_of(member);
    if (type == MPL_JSON_NONE || type == MPL_JSON_NULL ||
        type == MPL_JSON_BOOL || key->count != 0 || !is_switch(key->value))
        return true;
    const mpl_value value = mpl_value_of_json(member);
    char text[64] = "";
    char rule[128] = "";
    mpl_value_write(text, sizeof text, &value);
    (void)snprintf(rule, sizeof rule, "is %s, where true or false must be",
                   text);
    fail_key(scope, key, rule, evaluation);
    return false;
}

static mpl_value resolve(mpl_scope *scope, const mpl_key *key,
                         mpl_evaluation *evaluation)
{
    const mpl_json_value member = find_member(scope, key);
    const mpl_json_type type = mpl_json_type_of(member);
    const char *const text = mpl_json_string(member, NULL);
    const bool is_left_open =
        type == MPL_JSON_NULL || (text != NULL && strcmp(text, "auto") == 0);
    if (!fits_switch(scope, key, member, evaluation))
        return (mpl_value){0};
    if (type == MPL_JSON_INTEGER && key->count != 0 &&
        key->replaces_null == 0) {
        const mpl_value one = spread(scope, key, member, 0, evaluation);
        return make_list(scope, key, &one, evaluation);
    }
    if (type != MPL_JSON_NONE && !(key->replaces_null != 0 && is_left_open))
        return spread(scope, key, member, 0, evaluation);
    if (key->value == 0) {
        fail_key(scope, key, "is missing, and there is no default for it",
                 evaluation);
        return (mpl_value){0};
    }
    return key->count != 0 ? make_list(scope, key, NULL, evaluation)
                           : mpl_expression_value(mpl_expression_at(key->value),
                                                  evaluation);
}

mpl_value mpl_scope_value(mpl_scope *scope, uint32_t slot,
                          mpl_evaluation *evaluation)
{
    mpl_slot *const at = &scope->slots[slot];
    if (at->state == MPL_SLOT_READY)
        return at->value;
    if (at->state == MPL_SLOT_BUSY) { /* its default needs itself */
        fail_key(scope, mpl_key_at(scope->family, slot),
                 "is missing, and so is what its default is made of",
                 evaluation);
        return (mpl_value){0};
    }
    at->state = MPL_SLOT_BUSY;
    at->value = resolve(scope, mpl_key_at(scope->family, slot), evaluation);
    at->state = MPL_SLOT_READY;
    return at->value;
}

mpl_value mpl_scope_get(mpl_scope *scope, const char *name,
                        mpl_evaluation *evaluation)
{
    for (uint32_t slot = 0; slot < scope->family->key_count; slot++)
        if (strcmp(mpl_key_name(scope->family, slot), name) == 0)
            return mpl_scope_value(scope, slot, evaluation);
    return (mpl_value){0};
}
