/* SPDX-License-Identifier: MIT */
/*
 * What an expression is made of: a row of a table that family_compiler/ writes
 * when the library is built. Rows name each other by their place in it; 0 is
 * none. A table of pointers would be written to whenever the library loads.
 */
#ifndef MPL_MODEL_EXPRESSION_NODE_H
#define MPL_MODEL_EXPRESSION_NODE_H

#include <stddef.h>

#include "model/expression.h"

typedef enum mpl_operation {
    MPL_OP_CONSTANT, /* kind; integer, real or word */
    MPL_OP_KEY,   /* slot */
    MPL_OP_INDEX, /* slot: the depth of the list */
    MPL_OP_ITEM,  /* a[b] */
    MPL_OP_LIST,  /* a: the first item, b: a list of the others; or neither */
    MPL_OP_IF,    /* a if b else c */
    MPL_OP_OR,
    MPL_OP_AND,
    MPL_OP_NOT,
    MPL_OP_EQUAL,
    MPL_OP_UNEQUAL,
    MPL_OP_LESS,
    MPL_OP_LESS_EQUAL,
    MPL_OP_IN,
    MPL_OP_ADD,
    MPL_OP_SUBTRACT,
    MPL_OP_MULTIPLY,
    MPL_OP_DIVIDE,
    MPL_OP_FLOOR_DIVIDE,
    MPL_OP_MODULO,
    MPL_OP_INT,
    MPL_OP_CEIL,
    MPL_OP_ISQRT,
    MPL_OP_MIN,
    MPL_OP_MAX,
    MPL_OP_LEN
} mpl_operation;

struct mpl_expression {
    int64_t integer; /* also of a bool */
    double real;
    uint32_t word; /* a text: mpl_word() */
    uint32_t a;
    uint32_t b;
    uint32_t c;
    uint32_t slot;
    uint16_t operation; /* mpl_operation */
    uint16_t kind;      /* mpl_value_kind */
};

/* In data/families.c. */
extern const mpl_expression mpl_expressions[];

/* The word at a place of the data; NULL at 0. */
const char *mpl_word(uint32_t place);

static inline const mpl_expression *mpl_expression_at(uint32_t place)
{
    return place > 0 ? &mpl_expressions[place] : NULL;
}

enum { MPL_MAX_DEPTH = 128 };

/* Fails by a key of the expression, for what it made. */
mpl_value mpl_expression_blame(const mpl_expression *at, const char *rule,
                               mpl_evaluation *evaluation);

/* Fails where a configuration gives a number below 0 that a rule counts
 * with. */
bool mpl_expression_is_usable(const mpl_value *value,
                              mpl_evaluation *evaluation);

/* The key below that made a count what it is; a whole number, where the count
 * is one. NULL: the expression has no key. */
const mpl_expression *mpl_expression_culprit(const mpl_expression *in,
                                             bool wants_whole,
                                             mpl_evaluation *evaluation);

#endif
