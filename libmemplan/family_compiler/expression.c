/* SPDX-License-Identifier: MIT */
/*
 * From loose to tight binding, one function a level. Each gives the place of
 * what it read, or 0 where that is no expression.
 */
#include "expression.h"

#include <stddef.h>
#include <string.h>

#include "model/model.h"

enum { MAX_DEPTH = 64 };

typedef struct parser {
    family_tables *tables;
    const mpl_family *family;
    const char *at;
    const char *end;
    bool failed;
    uint32_t depth;
} parser;

static uint32_t parse_ternary(parser *in);

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

static uint32_t fail(parser *in)
{
    in->failed = true;
    in->at = in->end;
    return 0;
}

static uint32_t add(parser *in, const mpl_expression *row)
{
    const uint32_t place = in->failed ? 0 : tables_expression(in->tables, row);
    return place > 0 ? place : fail(in);
}

static uint32_t node(parser *in, mpl_operation operation, uint32_t a,
                     uint32_t b)
{
    return add(in, &(mpl_expression){
                       .operation = (uint16_t)operation, .a = a, .b = b});
}

static uint32_t whole(parser *in, mpl_value_kind kind, int64_t integer)
{
    return add(in, &(mpl_expression){.operation = MPL_OP_CONSTANT,
                                     .kind = (uint16_t)kind,
                                     .integer = integer});
}

/* Digits with at most one point; no exponents in the data. */
static uint32_t parse_number(parser *in)
{
    int64_t digits = 0;
    double scale = 1;
    bool is_real = false;
    for (; in->at < in->end && is_word(*in->at); in->at++) {
        if (*in->at == '.' && !is_real) {
            is_real = true;
            continue;
        }
        if (*in->at < '0' || *in->at > '9' || digits > INT64_MAX / 16)
            return fail(in);
        digits = digits * 10 + (*in->at - '0');
        scale *= is_real ? 10 : 1;
    }
    if (!is_real)
        return whole(in, MPL_VALUE_INTEGER, digits);
    /* Exact to the last place below 2^53. */
    return add(in, &(mpl_expression){.operation = MPL_OP_CONSTANT,
                                     .kind = MPL_VALUE_REAL,
                                     .real = (double)digits / scale});
}

static uint32_t parse_string(parser *in)
{
    const char *const start = in->at;
    while (in->at < in->end && *in->at != '"')
        in->at++;
    if (in->at == in->end)
        return fail(in);
    const uint32_t word =
        tables_word(in->tables, start, (uint64_t)(in->at - start));
    in->at++;
    return word == 0 ? fail(in)
                     : add(in, &(mpl_expression){.operation = MPL_OP_CONSTANT,
                                                 .kind = MPL_VALUE_STRING,
                                                 .word = word});
}

/* Items up to the closing bracket: the first, and a list of the others. */
static uint32_t parse_items(parser *in, const char *close)
{
    if (take(in, close))
        return node(in, MPL_OP_LIST, 0, 0);
    if (++in->depth > MAX_DEPTH)
        return fail(in);
    const uint32_t first = parse_ternary(in);
    uint32_t others = 0;
    if (take(in, ",")) {
        if (!take(in, close))
            others = parse_items(in, close);
    } else if (!take(in, close)) {
        return fail(in);
    }
    in->depth--;
    return node(in, MPL_OP_LIST, first, others);
}

/* The first one or two of some items: what a function is given. */
static uint32_t call(parser *in, mpl_operation operation)
{
    const uint32_t items = parse_items(in, ")");
    if (items == 0)
        return fail(in);
    const mpl_expression first =
        *(const mpl_expression *)table_row(&in->tables->expressions, items);
    const mpl_expression *const second =
        table_row(&in->tables->expressions, first.b);
    if (first.a == 0 || second->b != 0)
        return fail(in);
    return node(in, operation, first.a, second->a);
}

/* The number of a key by its name; MPL_NO_INDEX where there is none. */
static uint32_t find_key(const parser *in, const char *name, uint64_t length)
{
    for (uint32_t slot = 0; slot < in->family->key_count; slot++) {
        const mpl_key *const key =
            table_row(&in->tables->keys, in->family->first_key + slot);
        const uint32_t *const path =
            table_row(&in->tables->paths, key->first_path);
        const char *const word = table_row(&in->tables->words, *path);
        if (strncmp(word, name, length) == 0 && word[length] == '\0')
            return slot;
    }
    return MPL_NO_INDEX;
}

typedef struct word_row {
    const char *name;
    mpl_operation operation;
} word_row;

static const word_row FUNCTIONS[] = {
    {"int", MPL_OP_INT}, {"ceil", MPL_OP_CEIL}, {"min", MPL_OP_MIN},
    {"max", MPL_OP_MAX}, {"len", MPL_OP_LEN},   {"isqrt", MPL_OP_ISQRT},
};

static uint32_t parse_name(parser *in)
{
    static const char INDICES[] = "ijkl";
    for (size_t at = 0; at < sizeof FUNCTIONS / sizeof *FUNCTIONS; at++) {
        const size_t length = strlen(FUNCTIONS[at].name);
        if ((size_t)(in->end - in->at) <= length || in->at[length] != '(' ||
            memcmp(in->at, FUNCTIONS[at].name, length) != 0)
            continue;
        in->at += length + 1;
        return call(in, FUNCTIONS[at].operation);
    }
    const char *const start = in->at;
    while (in->at < in->end && is_word(*in->at))
        in->at++;
    const uint64_t length = (uint64_t)(in->at - start);
    const char *const index =
        length == 1 ? memchr(INDICES, start[0], MPL_MAX_NESTING) : NULL;
    const uint32_t slot = index != NULL ? (uint32_t)(index - INDICES)
                                        : find_key(in, start, length);
    if (length == 0 || slot == MPL_NO_INDEX)
        return fail(in);
    return add(in, &(mpl_expression){.operation = index != NULL ? MPL_OP_INDEX
                                                                : MPL_OP_KEY,
                                     .slot = slot});
}

static uint32_t parse_primary(parser *in)
{
    skip_space(in);
    if (in->at == in->end)
        return fail(in);
    if (take(in, "(")) {
        const uint32_t inner = parse_ternary(in);
        return take(in, ")") ? inner : fail(in);
    }
    if (take(in, "["))
        return parse_items(in, "]");
    if (take(in, "\""))
        return parse_string(in);
    if (take(in, "None"))
        return whole(in, MPL_VALUE_NONE, 0);
    if (take(in, "True"))
        return whole(in, MPL_VALUE_BOOL, 1);
    if (take(in, "False"))
        return whole(in, MPL_VALUE_BOOL, 0);
    return *in->at >= '0' && *in->at <= '9' ? parse_number(in) : parse_name(in);
}

static uint32_t parse_item(parser *in)
{
    if (take(in, "-")) {
        const uint32_t zero = whole(in, MPL_VALUE_INTEGER, 0);
        return node(in, MPL_OP_SUBTRACT, zero, parse_item(in));
    }
    uint32_t out = parse_primary(in);
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

static uint32_t parse_level(parser *in, uint32_t index)
{
    if (index == sizeof LEVELS / sizeof *LEVELS)
        return parse_item(in);
    uint32_t left = parse_level(in, index + 1);
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

static uint32_t parse_comparison(parser *in)
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
    const uint32_t left = parse_level(in, 0);
    for (size_t row = 0; row < sizeof ROWS / sizeof *ROWS; row++) {
        if (!take(in, ROWS[row].sign))
            continue;
        const uint32_t right = parse_level(in, 0);
        const uint32_t out =
            node(in, ROWS[row].operation, ROWS[row].swaps ? right : left,
                 ROWS[row].swaps ? left : right);
        return ROWS[row].negates ? node(in, MPL_OP_NOT, out, 0) : out;
    }
    return left;
}

static uint32_t parse_not(parser *in)
{
    if (!take(in, "not"))
        return parse_comparison(in);
    return node(in, MPL_OP_NOT, parse_not(in), 0);
}

static uint32_t parse_and(parser *in)
{
    uint32_t left = parse_not(in);
    while (!in->failed && take(in, "and"))
        left = node(in, MPL_OP_AND, left, parse_not(in));
    return left;
}

static uint32_t parse_or(parser *in)
{
    uint32_t left = parse_and(in);
    while (!in->failed && take(in, "or"))
        left = node(in, MPL_OP_OR, left, parse_and(in));
    return left;
}

static uint32_t parse_ternary(parser *in)
{
    if (++in->depth > MAX_DEPTH)
        return fail(in);
    uint32_t out = parse_or(in);
    if (!in->failed && take(in, "if")) {
        const uint32_t condition = parse_or(in);
        if (!take(in, "else"))
            return fail(in);
        const uint32_t other = parse_ternary(in);
        out = add(in, &(mpl_expression){.operation = MPL_OP_IF,
                                        .a = out,
                                        .b = condition,
                                        .c = other});
    }
    in->depth--;
    return out;
}

uint32_t expression_read(family_tables *tables, const mpl_family *family,
                         const char *text, uint64_t length)
{
    parser in = {
        .tables = tables, .family = family, .at = text, .end = text + length};
    const uint32_t out = parse_ternary(&in);
    skip_space(&in);
    return in.failed || in.at != in.end ? 0 : out;
}
