/* SPDX-License-Identifier: MIT */
/*
 * Expressions over the keys of a configuration, as the family data writes
 * them: a small part of Python's grammar with Python's meaning, so that a rule
 * reads as it stands in a model's source.
 *
 *     A if C else B   or and not   == != < <= > >= in is   + - * / // %
 *     key   key[i]   [1, 2]   "text"   None True False
 *     int() ceil() min() max() len() isqrt()
 *
 * family_compiler/ reads them when the library is built.
 */
#ifndef MPL_MODEL_EXPRESSION_H
#define MPL_MODEL_EXPRESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "memplan.h"

typedef struct mpl_expression mpl_expression;

typedef enum mpl_value_kind {
    MPL_VALUE_NONE,
    MPL_VALUE_BOOL,
    MPL_VALUE_INTEGER,
    MPL_VALUE_REAL,
    MPL_VALUE_STRING,
    MPL_VALUE_LIST,   /* `items`; of an object only their count */
    MPL_VALUE_LITERAL /* of the data: `literal` */
} mpl_value_kind;

typedef struct mpl_value {
    mpl_value_kind kind;
    /* The slot, and 1, of the key that the configuration gives it by, itself
     * or in a list; 0: a default, or worked out. */
    uint32_t given_by;
    union {
        int64_t integer; /* also of a bool */
        double real;
        const char *string;
        const struct mpl_value *items; /* of a list; NULL: of an object */
        const mpl_expression *literal;
    };
    uint64_t item_count; /* of a list or an object */
} mpl_value;

enum {
    MPL_MAX_NESTING = 4,   /* lists in lists: i, j, k, l */
    MPL_MAX_ITEMS = 1 << 16 /* of a configuration's list */
};

/* Where names find their values, and where a failure goes. */
typedef struct mpl_evaluation {
    struct mpl_scope *scope;
    int64_t indices[MPL_MAX_NESTING];
    memplan_status status; /* sticky */
    memplan_error *error;
    uint32_t depth;
} mpl_evaluation;

mpl_value mpl_expression_value(const mpl_expression *expression,
                               mpl_evaluation *evaluation);

/* The text of a value, short, for a message. */
void mpl_value_write(char *out, uint64_t size, const mpl_value *value);

/* As Python's `if` sees it. */
bool mpl_expression_is_true(const mpl_expression *expression,
                            mpl_evaluation *evaluation);

/* A whole number from 0 to `most`; a failure names the key that makes it
 * something else. */
uint64_t mpl_expression_count(const mpl_expression *expression, uint64_t most,
                              mpl_evaluation *evaluation);

#endif
