/* SPDX-License-Identifier: MIT */
/*
 * Items of a list that are as one before them: copied, where a walk would make
 * the same again. What tells items apart are the rules of the list's lines
 * that speak of its index; items for which these have the same values differ
 * in their names alone.
 */
#ifndef MPL_MODEL_ARCHITECTURE_REPEAT_H
#define MPL_MODEL_ARCHITECTURE_REPEAT_H

#include "model/architecture_builder.h"

enum { MPL_REPEAT_RULES = 24, MPL_REPEAT_KINDS = 8 };

typedef struct mpl_repeat_rule {
    const mpl_expression *value;
    uint32_t end; /* of a condition: past the rules of what it guards */
    bool is_condition;
    /* Of a condition that compares the index with a number: whether it holds
     * below the limit, or from there on. */
    enum { MPL_LIMIT_NONE, MPL_LIMIT_BELOW, MPL_LIMIT_FROM } limit_kind;
    int64_t limit;
} mpl_repeat_rule;

/* An item that was walked. */
typedef struct mpl_repeat_kind {
    mpl_value values[MPL_REPEAT_RULES];
    uint32_t first_tensor;
    uint32_t tensor_count;
    uint32_t block; /* of the builder's, or MPL_NO_INDEX */
    uint64_t path_length;
} mpl_repeat_kind;

typedef struct mpl_repeats {
    const mpl_node *list;
    uint32_t depth; /* of its index */
    uint32_t rule_count;
    uint32_t kind_count;
    bool is_plain; /* each item must be walked */
    mpl_repeat_rule rules[MPL_REPEAT_RULES];
    mpl_value values[MPL_REPEAT_RULES]; /* of the item at hand */
    mpl_repeat_kind kinds[MPL_REPEAT_KINDS];
} mpl_repeats;

/* Where an item begins: before it is walked. */
typedef struct mpl_repeat_mark {
    uint32_t tensor_count;
    uint64_t block_count;
} mpl_repeat_mark;

static inline mpl_repeat_mark mpl_repeats_mark(const mpl_builder *to)
{
    return (mpl_repeat_mark){to->model->tensor_count, to->block_count};
}

/* Finds the rules, once the first item is walked. */
memplan_status mpl_repeats_begin(mpl_repeats *out, const mpl_builder *to,
                                 const mpl_node *list, uint32_t depth,
                                 mpl_evaluation *with);

/* Sets `*out_kind` to what the item at hand is like, or NULL. */
memplan_status mpl_repeats_find(mpl_repeats *repeats,
                                const mpl_repeat_kind **out_kind,
                                mpl_evaluation *with);

/* Remembers the item at hand, which was just walked, and whose path the
 * builder is at. */
void mpl_repeats_learn(mpl_repeats *repeats, const mpl_builder *to,
                       mpl_repeat_mark mark);

/* Items of a kind that follow each other; the builder is at the path of the
 * list. */
typedef struct mpl_repeat_run {
    const mpl_repeat_kind *kind;
    uint64_t first; /* their indices */
    uint64_t end;
    uint64_t list_end;
} mpl_repeat_run;

memplan_status mpl_repeats_copy(mpl_builder *to, mpl_repeat_run run,
                                mpl_evaluation *with);

#endif
