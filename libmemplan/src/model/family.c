/* SPDX-License-Identifier: MIT */
/*
 * A family, parsed: first its keys, then the trees that are asked for. A line
 * of a tree is
 *
 *     KIND NAME [EXPRESSION, …] FLAG … if CONDITION
 *
 * and its children are the lines below it with a larger indent.
 */
#include "model/family.h"

#include <stddef.h>
#include <string.h>

#include "base/failure.h"
#include "data/families.h"
#include "model/family_text.h"

static uint32_t find_key(const void *names, const char *name, uint64_t length)
{
    const mpl_family *const family = names;
    for (uint32_t at = 0; at < family->key_count; at++)
        if (strncmp(family->keys[at].name, name, length) == 0 &&
            family->keys[at].name[length] == '\0')
            return at;
    return MPL_NO_INDEX;
}

static memplan_status broken(memplan_error *error, const mpl_family *family,
                             const mpl_line *line)
{
    return mpl_fail(error, MEMPLAN_E_CORRUPT, MPL_NOWHERE,
                    "the built-in family \"%s\" is broken near \"%.*s\"",
                    family->name, (int)(line->length < 80 ? line->length : 80),
                    line->text);
}

static char *copy_word(const mpl_family *family, const mpl_line *word)
{
    return mpl_arena_copy(family->arena, word->text, word->length);
}

/* "NAME[COUNT] | OTHER | … ?= EXPRESSION"; the expression stays in `line`. */
static memplan_status parse_key_names(mpl_key *key, mpl_line *count,
                                      const mpl_family *family,
                                      mpl_line *line, memplan_error *error)
{
    enum { MAX_PATHS = 8 };
    mpl_line word;
    key->paths = mpl_arena_alloc(family->arena, MAX_PATHS, sizeof *key->paths);
    if (key->paths == NULL)
        return mpl_fail_memory(error);
    while (mpl_line_word(line, &word)) {
        if (mpl_line_is(&word, "|"))
            continue;
        key->replaces_null = mpl_line_is(&word, "?=");
        if (key->replaces_null || mpl_line_is(&word, "=")) {
            key->has_default = true;
            break;
        }
        const char *const bracket = memchr(word.text, '[', word.length);
        if (bracket != NULL) {
            *count = (mpl_line){bracket + 1,
                                (uint64_t)(word.text + word.length - bracket) -
                                    2,
                                0};
            word.length = (uint64_t)(bracket - word.text);
        }
        if (key->path_count == MAX_PATHS)
            return broken(error, family, &word);
        key->paths[key->path_count] = copy_word(family, &word);
        if (key->paths[key->path_count++] == NULL)
            return mpl_fail_memory(error);
    }
    key->name = key->paths[0];
    return key->path_count > 0 ? MEMPLAN_OK : broken(error, family, line);
}

/* The rest of the next line of a key, from its names on. */
static bool next_key(mpl_line *line, const char **at, const char *end)
{
    mpl_line word;
    while (mpl_line_next(line, at, end))
        if (line->indent == 0 && mpl_line_word(line, &word) &&
            mpl_line_is(&word, "key"))
            return true;
    return false;
}

/* What a key has of expressions, once the names of all keys are known. */
static memplan_status parse_key_values(mpl_key *key, const mpl_line *value,
                                       const mpl_line *count,
                                       const mpl_family *family,
                                       memplan_error *error)
{
    if (!key->has_default)
        return MEMPLAN_OK;
    key->value = mpl_expression_parse(family->arena, value->text, value->length,
                                      find_key, family);
    if (count->length > 0)
        key->count = mpl_expression_parse(family->arena, count->text,
                                          count->length, find_key, family);
    return key->value != NULL && (count->length == 0 || key->count != NULL)
               ? MEMPLAN_OK
               : broken(error, family, value);
}

/* Names first, so that a default may speak of any key. */
static memplan_status parse_keys(mpl_family *family, memplan_error *error)
{
    const char *const end = family->text + family->length;
    memplan_status status = MEMPLAN_OK;
    uint32_t count = 0;
    mpl_line line;
    for (const char *from = family->text; next_key(&line, &from, end);)
        count++;
    mpl_line *const values =
        mpl_arena_alloc(family->arena, count, sizeof *values);
    mpl_line *const counts =
        mpl_arena_alloc(family->arena, count, sizeof *counts);
    family->keys = mpl_arena_alloc(family->arena, count, sizeof *family->keys);
    if (family->keys == NULL || values == NULL || counts == NULL)
        return mpl_fail_memory(error);
    const char *at = family->text;
    for (uint32_t index = 0; status == MEMPLAN_OK && index < count; index++)
        if (next_key(&values[index], &at, end))
            status = parse_key_names(&family->keys[index], &counts[index],
                                     family, &values[index], error);
    family->key_count = count;
    for (uint32_t index = 0; status == MEMPLAN_OK && index < count; index++)
        status = parse_key_values(&family->keys[index], &values[index],
                                  &counts[index], family, error);
    return status;
}

memplan_status mpl_family_open(const mpl_family **out, mpl_arena *arena,
                               const char *model_type, memplan_error *error)
{
    mpl_family *const family = mpl_arena_alloc(arena, 1, sizeof *family);
    if (family == NULL)
        return mpl_fail_memory(error);
    *out = NULL;
    if (!mpl_families_find(model_type, &family->text, &family->length))
        return MEMPLAN_OK;
    const char *at = family->text;
    mpl_line line;
    mpl_line word;
    mpl_line_next(&line, &at, family->text + family->length);
    mpl_line_word(&line, &word);
    mpl_line_word(&line, &word);
    family->arena = arena;
    family->name = copy_word(family, &word);
    if (family->name == NULL)
        return mpl_fail_memory(error);
    const memplan_status status = parse_keys(family, error);
    if (status == MEMPLAN_OK)
        *out = family;
    return status;
}

/* The rest of the first line "FIRST SECOND …" of the family. */
static bool find_row(const mpl_family *family, const char *first,
                     const char *second, mpl_line *out, const char **after)
{
    const char *at = family->text;
    mpl_line line;
    mpl_line word;
    while (mpl_line_next(&line, &at, family->text + family->length)) {
        if (line.indent > 0 || !mpl_line_word(&line, &word) ||
            !mpl_line_is(&word, first) || !mpl_line_word(&line, &word) ||
            !mpl_line_is(&word, second))
            continue;
        *out = line;
        *after = at;
        return true;
    }
    return false;
}

const char *mpl_family_role(const mpl_family *family, const char *role)
{
    mpl_line line;
    mpl_line word;
    const char *after;
    if (!find_row(family, "role", role, &line, &after) ||
        !mpl_line_word(&line, &word))
        return NULL;
    return copy_word(family, &word);
}

bool mpl_family_has_class(const mpl_family *family, const char *name)
{
    mpl_line line;
    const char *after;
    return find_row(family, "tree", name, &line, &after) ||
           find_row(family, "class", name, &line, &after);
}

static const char *const KINDS[MPL_NODE_KIND_COUNT] = {
    "param", "buffer", "list", "module", "when",
    "use",   "tie",    "cache", "indexer", "cross",  "fixed", "encoder",
    "refuse",
};

typedef struct flag_row {
    const char *name;
    uint32_t flag;
} flag_row;

static const flag_row FLAGS[] = {
    {"block", MPL_NODE_BLOCK},
    {"layer", MPL_NODE_BLOCK | MPL_NODE_LAYER},
    {"keep_fp32", MPL_NODE_KEEP_FP32},
    {"keep_fp16", MPL_NODE_KEEP_FP16},
    {"transient", MPL_TENSOR_TRANSIENT},
    {"linear", MPL_TENSOR_LINEAR},
    {"transposed", MPL_TENSOR_TRANSPOSED},
    {"expert", MPL_TENSOR_EXPERT},
    {"lookup", MPL_TENSOR_LOOKUP},
};

static bool parse_flag(mpl_node *node, const mpl_family *family,
                       mpl_line *line, const mpl_line *word)
{
    char name[32];
    mpl_line value;
    const bool is_config = mpl_line_is(word, "of");
    const bool is_type = mpl_line_is(word, "is");
    if (is_config || is_type || mpl_line_is(word, "else")) {
        if (!mpl_line_word(line, &value))
            return false;
        const char *const text = copy_word(family, &value);
        *(is_config ? &node->config : &node->fallback) = text;
        node->flags |= is_type ? MPL_NODE_ONE_TYPE : 0;
        return text != NULL;
    }
    for (size_t row = 0; row < sizeof FLAGS / sizeof *FLAGS; row++)
        if (mpl_line_is(word, FLAGS[row].name)) {
            node->flags |= FLAGS[row].flag;
            return true;
        }
    if (word->length >= sizeof name)
        return false;
    memcpy(name, word->text, word->length);
    name[word->length] = '\0';
    node->dtype = mpl_dtype_from_name(name);
    return node->dtype != MPL_DTYPE_COUNT;
}

/* Splits at the commas and at the last bracket that no other one holds. */
static bool parse_arguments(mpl_node *node, const mpl_family *family,
                            mpl_line *line)
{
    enum { MAX_ARGUMENTS = 8 };
    uint32_t depth = 0;
    uint64_t start = 1;
    node->arguments = mpl_arena_alloc(family->arena, MAX_ARGUMENTS,
                                      sizeof *node->arguments);
    if (node->arguments == NULL)
        return false;
    for (uint64_t at = 0; at < line->length; at++) {
        const char c = line->text[at];
        depth += c == '[' || c == '(';
        depth -= c == ']' || c == ')';
        if (!(depth == 1 && c == ',') && depth != 0)
            continue;
        if (at > start) {
            if (node->argument_count == MAX_ARGUMENTS)
                return false;
            const mpl_expression *const argument =
                mpl_expression_parse(family->arena, line->text + start,
                                     at - start, find_key, family);
            node->arguments[node->argument_count++] = argument;
            if (argument == NULL)
                return false;
        }
        start = at + 1;
        if (depth == 0) {
            line->text += start;
            line->length -= start;
            return true;
        }
    }
    return false;
}

static bool parse_condition(mpl_node *node, const mpl_family *family,
                            const mpl_line *line)
{
    node->condition = mpl_expression_parse(family->arena, line->text,
                                           line->length, find_key, family);
    return node->condition != NULL;
}

static bool take_word(const char **out, const mpl_family *family,
                      mpl_line *line)
{
    mpl_line word;
    if (!mpl_line_word(line, &word))
        return false;
    *out = copy_word(family, &word);
    return *out != NULL;
}

static bool parse_node(mpl_node *node, const mpl_family *family,
                       mpl_line line)
{
    mpl_line word;
    uint32_t kind = 0;
    mpl_line_word(&line, &word);
    while (kind < MPL_NODE_KIND_COUNT && !mpl_line_is(&word, KINDS[kind]))
        kind++;
    node->kind = (mpl_node_kind)kind;
    node->dtype = MPL_DTYPE_COUNT;
    if (kind == MPL_NODE_KIND_COUNT)
        return false;
    if (kind == MPL_NODE_WHEN)
        return parse_condition(node, family, &line);
    if (kind == MPL_NODE_USE && !take_word(&node->target, family, &line))
        return false;
    const bool is_state = kind >= MPL_NODE_CACHE && kind <= MPL_NODE_ENCODER;
    if (!is_state && !take_word(&node->name, family, &line))
        return false;
    if (kind == MPL_NODE_TIE && !take_word(&node->target, family, &line))
        return false;
    if (kind == MPL_NODE_BUFFER)
        node->flags |= MPL_TENSOR_BUFFER;
    while (line.length > 0 && *line.text == ' ') {
        line.text++;
        line.length--;
    }
    if (line.length > 0 && *line.text == '[' &&
        !parse_arguments(node, family, &line))
        return false;
    while (mpl_line_word(&line, &word)) {
        if (mpl_line_is(&word, "if"))
            return parse_condition(node, family, &line);
        if (!parse_flag(node, family, &line, &word))
            return false;
    }
    return true;
}

/* The lines at one indent, with what is below each. */
static memplan_status parse_nodes(const mpl_node **out,
                                  const mpl_family *family, const char **at,
                                  uint32_t indent, memplan_error *error)
{
    const char *const end = family->text + family->length;
    mpl_node *last = NULL;
    mpl_line line;
    for (const char *next = *at; mpl_line_next(&line, &next, end); next = *at) {
        if (line.indent < indent)
            return MEMPLAN_OK;
        mpl_node *const node = mpl_arena_alloc(family->arena, 1, sizeof *node);
        if (node == NULL)
            return mpl_fail_memory(error);
        if (line.indent > indent || !parse_node(node, family, line))
            return broken(error, family, &line);
        *at = next;
        if (last != NULL)
            last->next = node;
        else
            *out = node;
        last = node;
        if (node->kind == MPL_NODE_LIST || node->kind == MPL_NODE_MODULE ||
            node->kind == MPL_NODE_WHEN) {
            const memplan_status status = parse_nodes(
                &node->children, family, at, indent + 2, error);
            if (status != MEMPLAN_OK)
                return status;
        }
    }
    return MEMPLAN_OK;
}

memplan_status mpl_family_tree(const mpl_node **out, const mpl_family *family,
                               const char *name, memplan_error *error)
{
    mpl_line line;
    const char *after;
    *out = NULL;
    if (!find_row(family, "tree", name, &line, &after))
        return MEMPLAN_OK;
    return parse_nodes(out, family, &after, 2, error);
}
