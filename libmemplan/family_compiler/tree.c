/* SPDX-License-Identifier: MIT */
/*
 * A line of a tree is
 *
 *     KIND NAME [EXPRESSION, …] FLAG … if CONDITION
 *
 * and what is below it are the lines that follow with a larger indent.
 */
#include "tree.h"

#include <string.h>

#include "expression.h"
#include "model/dtype.h"
#include "model/model.h"

typedef struct context {
    family_tables *tables;
    const mpl_family *family;
} context;

static const char *const KINDS[MPL_NODE_KIND_COUNT] = {
    "param", "buffer",  "list",  "module", "when",    "use",    "tie",
    "cache", "indexer", "cross", "fixed",  "step",    "encoder", "refuse",
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
    {"joined", MPL_TENSOR_JOINED},
    {"lookup", MPL_TENSOR_LOOKUP},
};

/* The next word of a line, in the table; false where there is none. */
static bool take_word(uint32_t *out, const context *in, line *from)
{
    line word;
    if (!line_word(from, &word))
        return false;
    *out = tables_word(in->tables, word.text, word.length);
    return *out > 0;
}

static bool take_flag(mpl_node *node, const context *in, line *from,
                      const line *word)
{
    char name[32];
    const bool is_config = line_is(word, "of");
    const bool is_type = line_is(word, "is");
    if (is_config || is_type || line_is(word, "else")) {
        node->flags |= is_type ? MPL_NODE_ONE_TYPE : 0;
        return take_word(is_config ? &node->config : &node->fallback, in, from);
    }
    for (size_t row = 0; row < sizeof FLAGS / sizeof *FLAGS; row++)
        if (line_is(word, FLAGS[row].name)) {
            node->flags |= FLAGS[row].flag;
            return true;
        }
    if (word->length >= sizeof name)
        return false;
    memcpy(name, word->text, word->length);
    name[word->length] = '\0';
    node->dtype = (uint16_t)mpl_dtype_from_name(name);
    return node->dtype != MPL_DTYPE_COUNT;
}

static bool add_argument(mpl_node *node, const context *in, const char *text,
                         uint64_t length)
{
    const uint32_t rule = expression_read(in->tables, in->family, text, length);
    if (rule == 0 || table_add(in->tables, &in->tables->arguments, &rule) == 0)
        return false;
    node->argument_count++;
    return true;
}

/* Splits at the commas and at the last bracket that no other one holds. */
static bool take_arguments(mpl_node *node, const context *in, line *from)
{
    uint32_t depth = 0;
    uint64_t start = 1;
    node->first_argument = table_end(&in->tables->arguments);
    for (uint64_t at = 0; at < from->length; at++) {
        const char c = from->text[at];
        depth += c == '[' || c == '(';
        depth -= c == ']' || c == ')';
        if (!(depth == 1 && c == ',') && depth != 0)
            continue;
        if (at > start &&
            !add_argument(node, in, from->text + start, at - start))
            return false;
        start = at + 1;
        if (depth == 0) {
            from->text += start;
            from->length -= start;
            return true;
        }
    }
    return false;
}

static bool take_condition(mpl_node *node, const context *in, const line *from)
{
    node->condition =
        expression_read(in->tables, in->family, from->text, from->length);
    return node->condition > 0;
}

/* What stands before the sizes. */
static bool take_names(mpl_node *node, const context *in, line *from)
{
    const bool is_nameless =
        node->kind >= MPL_NODE_CACHE && node->kind <= MPL_NODE_ENCODER;
    return (node->kind != MPL_NODE_USE || take_word(&node->target, in, from)) &&
           (is_nameless || take_word(&node->name, in, from)) &&
           (node->kind != MPL_NODE_TIE || take_word(&node->target, in, from));
}

static bool read_line(mpl_node *node, const context *in, line from)
{
    line word;
    line_word(&from, &word);
    node->dtype = MPL_DTYPE_COUNT;
    while (node->kind < MPL_NODE_KIND_COUNT &&
           !line_is(&word, KINDS[node->kind]))
        node->kind++;
    if (node->kind == MPL_NODE_KIND_COUNT)
        return false;
    if (node->kind == MPL_NODE_WHEN)
        return take_condition(node, in, &from);
    if (node->kind == MPL_NODE_BUFFER)
        node->flags |= MPL_TENSOR_BUFFER;
    if (!take_names(node, in, &from))
        return false;
    while (from.length > 0 && *from.text == ' ') {
        from.text++;
        from.length--;
    }
    if (from.length > 0 && *from.text == '[' &&
        !take_arguments(node, in, &from))
        return false;
    while (line_word(&from, &word)) {
        if (line_is(&word, "if"))
            return take_condition(node, in, &from);
        if (!take_flag(node, in, &from, &word))
            return false;
    }
    return true;
}

/* What each kind is used with, of the arguments that it needs. */
static bool is_whole(const mpl_node *node)
{
    const bool needs_one =
        node->kind == MPL_NODE_LIST ||
        (node->kind >= MPL_NODE_CACHE && node->kind <= MPL_NODE_ENCODER);
    return !needs_one || node->argument_count > 0;
}

const char *tree_read(family_tables *tables, const mpl_family *family,
                      const char **at, const char *end, uint32_t indent)
{
    const context in = {tables, family};
    line from;
    for (const char *next = *at; line_next(&from, &next, end); next = *at) {
        mpl_node node = {0};
        if (from.indent < indent)
            return NULL;
        if (from.indent > indent || !read_line(&node, &in, from) ||
            !is_whole(&node))
            return from.text;
        const uint32_t place = table_add(tables, &tables->nodes, &node);
        if (place == 0)
            return from.text;
        *at = next;
        if (node.kind == MPL_NODE_LIST || node.kind == MPL_NODE_MODULE ||
            node.kind == MPL_NODE_WHEN) {
            const char *const broken =
                tree_read(tables, family, at, end, indent + 2);
            if (broken != NULL)
                return broken;
        }
        ((mpl_node *)table_row(&tables->nodes, place))->end =
            table_end(&tables->nodes);
    }
    return NULL;
}
