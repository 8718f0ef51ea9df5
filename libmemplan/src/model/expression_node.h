/* SPDX-License-Identifier: MIT */
/* What an expression is made of: shared by its parser and its evaluator. */
#ifndef MPL_MODEL_EXPRESSION_NODE_H
#define MPL_MODEL_EXPRESSION_NODE_H

#include "model/expression.h"

typedef enum mpl_operation {
    MPL_OP_CONSTANT,
    MPL_OP_KEY,   /* slot */
    MPL_OP_INDEX, /* slot: the depth of the list */
    MPL_OP_ITEM,  /* a[b] */
    MPL_OP_LIST,  /* a: the first item; items by next */
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
    mpl_operation operation;
    uint32_t slot;
    mpl_value constant;
    const mpl_expression *a;
    const mpl_expression *b;
    const mpl_expression *c;
    const mpl_expression *next;
};

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
