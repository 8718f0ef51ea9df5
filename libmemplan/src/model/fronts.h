/* SPDX-License-Identifier: MIT */
/*
 * Numbers for the fronts of names ("model.layers" of
 * "model.layers.7.mlp.up_proj.weight"), in the order in which they appear.
 * A model has a handful; what a hostile file has beyond MPL_FRONTS_MAX shares
 * that last number, so each name costs a bounded search.
 */
#ifndef MPL_MODEL_FRONTS_H
#define MPL_MODEL_FRONTS_H

#include <stdint.h>

enum { MPL_FRONTS_MAX = 255 };

typedef struct mpl_fronts {
    struct {
        const char *name; /* not terminated; the front of a caller's name */
        uint32_t length;
        uint32_t hash;
    } items[MPL_FRONTS_MAX];
    uint32_t count;
} mpl_fronts;

/* The number of a front, which must outlive the table. Start from zero. */
uint32_t mpl_fronts_number(mpl_fronts *fronts, const char *name,
                           uint32_t length);

#endif
