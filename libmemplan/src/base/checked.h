/* SPDX-License-Identifier: MIT */
/*
 * Arithmetic on sizes that says when it does not fit into 64 bits. Each
 * returns true and sets `*out`, or returns false and leaves it alone.
 */
#ifndef MPL_BASE_CHECKED_H
#define MPL_BASE_CHECKED_H

#include <stdbool.h>
#include <stdint.h>

static inline bool mpl_add(uint64_t *out, uint64_t a, uint64_t b)
{
    uint64_t sum;
    if (__builtin_add_overflow(a, b, &sum))
        return false;
    *out = sum;
    return true;
}

static inline bool mpl_mul(uint64_t *out, uint64_t a, uint64_t b)
{
    uint64_t product;
    if (__builtin_mul_overflow(a, b, &product))
        return false;
    *out = product;
    return true;
}

/* sum + a * b */
static inline bool mpl_mul_add(uint64_t *out, uint64_t sum, uint64_t a,
                               uint64_t b)
{
    uint64_t product;
    return mpl_mul(&product, a, b) && mpl_add(out, sum, product);
}

/* Products that pass 64 bits on the way to a quotient that does not. */
__extension__ typedef unsigned __int128 mpl_u128;

/* The next multiple of `alignment`, which is a power of two. */
static inline bool mpl_align_up(uint64_t *out, uint64_t value,
                                uint64_t alignment)
{
    uint64_t raised;
    if (!mpl_add(&raised, value, alignment - 1))
        return false;
    *out = raised & ~(alignment - 1);
    return true;
}

/* floor(a * b / divisor); divisor is not 0. */
static inline bool mpl_mul_div(uint64_t *out, uint64_t a, uint64_t b,
                               uint64_t divisor)
{
    const mpl_u128 quotient = (mpl_u128)a * b / divisor;
    if (quotient > UINT64_MAX)
        return false;
    *out = (uint64_t)quotient;
    return true;
}

static inline uint64_t mpl_min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t mpl_max(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* a - b, but 0 where b is larger. */
static inline uint64_t mpl_sub_floor(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

#endif
