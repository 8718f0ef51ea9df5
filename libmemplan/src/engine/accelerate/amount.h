/* SPDX-License-Identifier: MIT */
/*
 * An amount of memory as Accelerate reckons it: Python's int or float.
 *
 * A boolean takes an eighth of a byte there, so sizes are whole numbers of
 * bits, and Python holds them as floats where such a dtype took part; that is
 * `is_real`. A budget may be any float, 0.9 * free say: only comparisons with
 * sizes matter, so what it has beyond whole bits is one mark, the odd half
 * bit. All sums are thus exact; those past 2^61 half bits (2^57 bytes) stay
 * there.
 */
#ifndef MPL_ENGINE_ACCELERATE_AMOUNT_H
#define MPL_ENGINE_ACCELERATE_AMOUNT_H

#include <stdbool.h>
#include <stdint.h>

#define MPL_AMOUNT_MAX       (INT64_C(1) << 61)
#define MPL_HALF_BITS_A_BYTE 16

typedef struct mpl_amount {
    int64_t half_bits;
    bool is_real;
} mpl_amount;

static inline int64_t mpl_amount_clamp(int64_t half_bits)
{
    if (half_bits > MPL_AMOUNT_MAX)
        return MPL_AMOUNT_MAX;
    return half_bits < -MPL_AMOUNT_MAX ? -MPL_AMOUNT_MAX : half_bits;
}

static inline mpl_amount mpl_amount_add(mpl_amount a, mpl_amount b)
{
    return (mpl_amount){mpl_amount_clamp(a.half_bits + b.half_bits),
                        a.is_real || b.is_real};
}

static inline mpl_amount mpl_amount_sub(mpl_amount a, mpl_amount b)
{
    return (mpl_amount){mpl_amount_clamp(a.half_bits - b.half_bits),
                        a.is_real || b.is_real};
}

/* As Python's max(): the first where they are equal. */
static inline mpl_amount mpl_amount_max(mpl_amount a, mpl_amount b)
{
    return b.half_bits > a.half_bits ? b : a;
}

/* As Python's min(): the first where they are equal. */
static inline mpl_amount mpl_amount_min(mpl_amount a, mpl_amount b)
{
    return b.half_bits < a.half_bits ? b : a;
}

/* Whole bytes, rounded down. */
static inline int64_t mpl_amount_bytes(mpl_amount amount)
{
    const int64_t rest = amount.half_bits % MPL_HALF_BITS_A_BYTE;
    return amount.half_bits / MPL_HALF_BITS_A_BYTE - (rest < 0);
}

#endif
