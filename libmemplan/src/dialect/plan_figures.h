/* SPDX-License-Identifier: MIT */
/*
 * A plan's ledger as people look at it: a few kinds of memory in each pool,
 * and the units of a pool in a few words.
 */
#ifndef MPL_DIALECT_PLAN_FIGURES_H
#define MPL_DIALECT_PLAN_FIGURES_H

#include "base/text.h"
#include "dialect/paint.h"
#include "plan/plan.h"

/* The kinds of memory, in the order of bars and columns. */
enum { MPL_PART_COUNT = 6 };
extern const mpl_ink MPL_PARTS[MPL_PART_COUNT];

/* One pool's rows summed by kind. */
typedef struct mpl_parts {
    mpl_slice slices[MPL_PART_COUNT];
    mpl_certainty certainty[MPL_PART_COUNT]; /* of the least sure row */
} mpl_parts;

mpl_ink mpl_category_ink(mpl_category category);

mpl_parts mpl_pool_parts(const mpl_plan_pool *pool);

/* "weights", "KV cache"; a cache without tokens is "state". */
const char *mpl_part_label(const memplan_plan *plan, uint32_t part);

/* Whether any pool of the plan has bytes of that kind. */
bool mpl_plan_has_part(const memplan_plan *plan, uint32_t part);

/* What the bars of all pools show, in their order; returns how many inks. */
enum { MPL_PLAN_INKS_MAX = MPL_PART_COUNT + 2 };
uint32_t mpl_plan_inks(const memplan_plan *plan,
                       mpl_ink inks[MPL_PLAN_INKS_MAX],
                       const char *labels[MPL_PLAN_INKS_MAX]);

/* "GPU 0", "cpu", "disk". */
enum { MPL_LABEL_SIZE = 24 };
const char *mpl_pool_label(char out[MPL_LABEL_SIZE], const mpl_plan_pool *pool);

/* What a bar stands for in full: the capacity, or what is used where that is
 * more or no limit is known. */
uint64_t mpl_pool_whole(const mpl_plan_pool *pool);

/* "model.embed_tokens, model.layers.0-9"; "" where the pool has none. */
void mpl_text_units(mpl_text *text, const memplan_plan *plan, uint32_t pool);

/* "11.8 tokens/s", "0.41 tokens/s", "8.3 s a token" by picoseconds a "token";
 * or the same of a "pass". No token takes less: rates are rounded up, and times
 * down. */
void mpl_text_rate(mpl_text *text, uint64_t ps_each, const char *what);

/* The verdict in one line: "fits: …" or "does not fit: …". */
void mpl_text_verdict(mpl_text *text, const memplan_plan *plan);

/* How fast, or why nobody knows. */
void mpl_text_speed(mpl_text *text, const memplan_plan *plan);

/* What is proven about the placement; "" where nothing is. */
void mpl_text_proof(mpl_text *text, const memplan_plan *plan);

#endif
