/* SPDX-License-Identifier: MIT */
/* Expressions, read: from loose to tight binding, one function a level. */
#include <stddef.h>
#include <string.h>

#include "model/expression_node.h"
#include "model/model.h"

enum { MAX_DEPTH = 64 };

typedef struct parser {
    mpl_arena *arena;
    const char *at;
    const char *end;
    mpl_name_lookup *lookup;
    const void *names;
    bool failed;
    uint32_t depth;
} parser;

static mpl_expression *parse_ternary(parser *in);

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '_' || c == '.';
}

static void skip_space(parser *in)
{
    while (in->at < in->end && *in->at == ' ')
        in->at++;
}

/* Takes an operator or a word if it is next; a word must end there. */
static bool take(parser *in, const char *token)
{
    skip_space(in);
    if (in->at == in->end || *in->at != token[0])
        return false;
    const size_t length = strlen(token);
    if ((size_t)(in->end - in->at) < length ||
        memcmp(in->at, token, length) != 0)
        return false;
    if (is_word(token[0]) && in->at + length < in->end &&
        is_word(in->at[length]))
        return false;
    in->at += length;
    return true;
}

static mpl_expression *node(parser *in, mpl_operation operation,
                            const mpl_expression *a, const mpl_expression *b)
{
    mpl_expression *const out = mpl_arena_alloc(in->arena, 1, sizeof *out);
    if (out == NULL) {
        in->failed = true;
        in->at = in->end;
        return NULL;
    }
    out->operation = operation;
    out->a = a;
    out->b = b;
    return out;
}

static mpl_expression *fail(parser *in)
{
    in->failed = true;
    in->at = in->end;
    return node(in, MPL_OP_CONSTANT, NULL, NULL);
}

/* Digits with at most one point; no exponents in the data. */
static mpl_expression *parse_number(parser *in)
{
    int64_t whole = 0;
    double real = 0;
    double scale = 1;
    bool is_real = false;
    for (; in->at < in->end && is_word(*in->at); in->at++) {
        if (*in->at == '.' && !is_real) {
            is_real = true;
            continue;
        }
        if (*in->at < '0' || *in->at > '9' || whole > INT64_MAX / 16)
            return fail(in);
        whole = whole * 10 + (*in->at - '0');
        scale *= is_real ? 10 : 1;
    }
    real = (double)whole / scale; /* exact to the last place below 2^53 */
    mpl_expression *const out = node(in, MPL_OP_CONSTANT, NULL, NULL);
    if (out != NULL)
        out->constant =
            is_real ? (mpl_value){.kind = MPL_VALUE_REAL, .real = real}
                    : (mpl_value){.kind = MPL_VALUE_INTEGER, .integer = whole};
    return out;
}

static mpl_expression *parse_string(parser *in)
{
    const char *const start = in->at;
    while (in->at < in->end && *in->at != '"')
        in->at++;
    if (in->at == in->end)
        return fail(in);
    mpl_expression *const out = node(in, MPL_OP_CONSTANT, NULL, NULL);
    if (out == NULL)
        return NULL;
    out->constant.kind = MPL_VALUE_STRING;
    out->constant.string =
        mpl_arena_copy(in->arena, start, (uint64_t)(in->at - start));
    in->failed |= out->constant.string == NULL;
    in->at++;
    return out;
}

/* Items up to the closing bracket, linked by `next`. */
static mpl_expression *parse_items(parser *in, const char *close)
{
    mpl_expression *first = NULL;
    mpl_expression *last = NULL;
    while (!in->failed && !take(in, close)) {
        mpl_expression *const item = parse_ternary(in);
        if (item == NULL)
            return NULL;
        if (last != NULL)
            last->next = item;
        else
            first = item;
        last = item;
        if (!take(in, ",") && (in->at == in->end || *in->at != close[0]))
            return fail(in);
    }
    return first;
}

typedef struct word_row {
    const char *name;
    mpl_operation operation;
} word_row;

static const word_row FUNCTIONS[] = {
    {"int", MPL_OP_INT}, {"ceil", MPL_OP_CEIL}, {"min", MPL_OP_MIN},
    {"max", MPL_OP_MAX}, {"len", MPL_OP_LEN}, {"isqrt", MPL_OP_ISQRT},
};

static mpl_expression *parse_name(parser *in)
{
    static const char INDICES[] = "ijkl";
    for (size_t at = 0; at < sizeof FUNCTIONS / sizeof *FUNCTIONS; at++) {
        const size_t length = strlen(FUNCTIONS[at].name);
        if ((size_t)(in->end - in->at) <= length || in->at[length] != '(' ||
            memcmp(in->at, FUNCTIONS[at].name, length) != 0)
            continue;
        in->at += length + 1;
        const mpl_expression *const first = parse_items(in, ")");
        return first == NULL ? fail(in)
                             : node(in, FUNCTIONS[at].operation, first,
                                    first->next);
    }
    const char *const start = in->at;
    while (in->at < in->end && is_word(*in->at))
        in->at++;
    const uint64_t length = (uint64_t)(in->at - start);
    const char *const index =
        length == 1 ? memchr(INDICES, start[0], MPL_MAX_NESTING) : NULL;
    mpl_expression *const out =
        node(in, index != NULL ? MPL_OP_INDEX : MPL_OP_KEY, NULL, NULL);
    if (out == NULL)
        return NULL;
    out->slot = index != NULL ? (uint32_t)(index - INDICES)
                              : in->lookup(in->names, start, length);
    return length == 0 || out->slot == MPL_NO_INDEX ? fail(in) : out;
}

static mpl_expression *parse_primary(parser *in)
{
    skip_space(in);
    if (in->at == in->end)
        return fail(in);
    if (take(in, "(")) {
        mpl_expression *const inner = parse_ternary(in);
        return take(in, ")") ? inner : fail(in);
    }
    if (take(in, "["))
        return node(in, MPL_OP_LIST, parse_items(in, "]"), NULL);
    if (take(in, "\""))
        return parse_string(in);
    if (take(in, "None"))
        return node(in, MPL_OP_CONSTANT, NULL, NULL);
    const bool is_true = take(in, "True");
    if (is_true || take(in, "False")) {
        mpl_expression *const out = node(in, MPL_OP_CONSTANT, NULL, NULL);
        if (out != NULL)
            out->constant =
                (mpl_value){.kind = MPL_VALUE_BOOL, .integer = is_true};
        return out;
    }
    return *in->at >= '0' && *in->at <= '9' ? parse_number(in)
                                            : parse_name(in);
}

static mpl_expression *parse_item(parser *in)
{
    if (take(in, "-")) {
        mpl_expression *const zero = node(in, MPL_OP_CONSTANT, NULL, NULL);
        if (zero == NULL)
            return NULL;
        zero->constant.kind = MPL_VALUE_INTEGER;
        return node(in, MPL_OP_SUBTRACT, zero, parse_item(in));
    }
    mpl_expression *out = parse_primary(in);
    while (!in->failed && take(in, "[")) {
        out = node(in, MPL_OP_ITEM, out, parse_ternary(in));
        if (!take(in, "]"))
            return fail(in);
    }
    return out;
}

/* One level of operators that bind from the left. */
typedef struct level {
    const word_row *rows;
    uint32_t count;
} level;

static const word_row PRODUCTS[] = {{"*", MPL_OP_MULTIPLY},
                                    {"//", MPL_OP_FLOOR_DIVIDE},
                                    {"/", MPL_OP_DIVIDE},
                                    {"%", MPL_OP_MODULO}};
static const word_row SUMS[] = {{"+", MPL_OP_ADD}, {"-", MPL_OP_SUBTRACT}};
static const level LEVELS[] = {{SUMS, 2}, {PRODUCTS, 4}};

static mpl_expression *parse_level(parser *in, uint32_t index)
{
    if (index == sizeof LEVELS / sizeof *LEVELS)
        return parse_item(in);
    mpl_expression *left = parse_level(in, index + 1);
    for (bool more = true; more && !in->failed;) {
        more = false;
        for (uint32_t row = 0; row < LEVELS[index].count && !more; row++) {
            more = take(in, LEVELS[index].rows[row].name);
            if (more)
                left = node(in, LEVELS[index].rows[row].operation, left,
                            parse_level(in, index + 1));
        }
    }
    return left;
}

static mpl_expression *parse_comparison(parser *in)
{
    /* Longer signs first; > and >= swap their sides. */
    static const struct {
        const char *sign;
        mpl_operation operation;
        bool swaps;
        bool negates;
    } ROWS[] = {
        {"==", MPL_OP_EQUAL, false, false},
        {"!=", MPL_OP_UNEQUAL, false, false},
        {"<=", MPL_OP_LESS_EQUAL, false, false},
        {">=", MPL_OP_LESS_EQUAL, true, false},
        {"<", MPL_OP_LESS, false, false},
        {">", MPL_OP_LESS, true, false},
        {"not in", MPL_OP_IN, false, true},
        {"in", MPL_OP_IN, false, false},
        {"is not", MPL_OP_UNEQUAL, false, false},
        {"is", MPL_OP_EQUAL, false, false},
    };
    mpl_expression *const left = parse_level(in, 0);
    for (size_t row = 0; row < sizeof ROWS / sizeof *ROWS; row++) {
        if (!take(in, ROWS[row].sign))
            continue;
        mpl_expression *const right = parse_level(in, 0);
        mpl_expression *const out =
            node(in, ROWS[row].operation, ROWS[row].swaps ? right : left,
                 ROWS[row].swaps ? left : right);
        return ROWS[row].negates ? node(in, MPL_OP_NOT, out, NULL) : out;
    }
    return left;
}

static mpl_expression *parse_not(parser *in)
{
    if (!take(in, "not"))
        return parse_comparison(in);
    return node(in, MPL_OP_NOT, parse_not(in), NULL);
}

static mpl_expression *parse_and(parser *in)
{
    mpl_expression *left = parse_not(in);
    while (!in->failed && take(in, "and"))
        left = node(in, MPL_OP_AND, left, parse_not(in));
    return left;
}

static mpl_expression *parse_or(parser *in)
{
    mpl_expression *left = parse_and(in);
    while (!in->failed && take(in, "or"))
        left = node(in, MPL_OP_OR, left, parse_and(in));
    return left;
}

static mpl_expression *parse_ternary(parser *in)
{
    if (++in->depth > MAX_DEPTH)
        return fail(in);
    mpl_expression *out = parse_or(in);
    if (!in->failed && take(in, "if")) {
        const mpl_expression *const condition = parse_or(in);
        if (!take(in, "else"))
            return fail(in);
        const mpl_expression *const other = parse_ternary(in);
        out = node(in, MPL_OP_IF, out, condition);
        if (out != NULL)
            out->c = other;
    }
    in->depth--;
    return out;
}

const mpl_expression *mpl_expression_parse(mpl_arena *arena, const char *text,
                                           uint64_t length,
                                           mpl_name_lookup *lookup,
                                           const void *names)
{
    parser in = {.arena = arena,
                 .at = text,
                 .end = text + length,
                 .lookup = lookup,
                 .names = names};
    /* Most are one word, which no operator can follow. */
    uint64_t word = 0;
    while (word < length && is_word(text[word]))
        word++;
    const mpl_expression *const out = word == length && length > 0
                                          ? parse_primary(&in)
                                          : parse_ternary(&in);
    skip_space(&in);
    return in.failed || in.at != in.end ? NULL : out;
}
