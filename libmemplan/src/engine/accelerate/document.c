/* SPDX-License-Identifier: MIT */
#include "engine/accelerate/document.h"

#include <string.h>

#include "base/arena.h"
#include "base/failure.h"

enum { PADDING_BYTES = 64 }; /* what the JSON reader may look past the end */

/* 2^57, where amounts end. */
#define LAST_BYTE (INT64_C(1) << 57)

memplan_status mpl_document_parse(mpl_json **out, const char *text,
                                  uint64_t text_bytes, memplan_error *error)
{
    mpl_arena *arena = mpl_arena_create();
    uint8_t *copy = NULL;
    if (arena != NULL && text_bytes < UINT64_MAX - PADDING_BYTES)
        copy = mpl_arena_alloc(arena, text_bytes + PADDING_BYTES, 1);
    if (copy == NULL) {
        mpl_arena_free(arena);
        return mpl_fail_memory(error);
    }
    memcpy(copy, text, text_bytes);
    const memplan_status status = mpl_json_parse(out, copy, text_bytes, error);
    mpl_arena_free(arena);
    return status;
}

/* The one float that is read here: a budget such as 0.9 * free. Scaling by 16
 * is exact; what is left of a half bit becomes the odd mark. */
static mpl_amount from_real(double bytes)
{
    const double last = (double)LAST_BYTE;
    if (bytes >= last)
        return (mpl_amount){MPL_AMOUNT_MAX, true};
    if (bytes <= -last)
        return (mpl_amount){-MPL_AMOUNT_MAX, true};
    const double scaled = bytes * (MPL_HALF_BITS_A_BYTE / 2);
    int64_t bits = (int64_t)scaled;
    if ((double)bits > scaled)
        bits--;
    return (mpl_amount){bits * 2 + ((double)bits < scaled), true};
}

bool mpl_document_amount(mpl_json_value value, mpl_amount *out)
{
    uint64_t whole = 0;
    int64_t below = 0;
    double real = 0;
    if (mpl_json_u64(value, &whole)) {
        const int64_t bytes =
            whole < (uint64_t)LAST_BYTE ? (int64_t)whole : LAST_BYTE;
        *out = (mpl_amount){bytes * MPL_HALF_BITS_A_BYTE, false};
    } else if (mpl_json_i64(value, &below)) {
        const int64_t bytes = below > -LAST_BYTE ? below : -LAST_BYTE;
        *out = (mpl_amount){bytes * MPL_HALF_BITS_A_BYTE, false};
    } else if (mpl_json_real(value, &real)) {
        *out = from_real(real);
    } else {
        return false;
    }
    return true;
}

void mpl_document_write(mpl_text *text, mpl_amount amount)
{
    static const char *const EIGHTHS[] = {"0", "125", "25", "375",
                                          "5", "625", "75", "875"};
    if (amount.half_bits < 0) {
        mpl_text_add(text, "-");
        amount.half_bits = -amount.half_bits;
    }
    mpl_text_format(text, "%lld", (long long)mpl_amount_bytes(amount));
    if (amount.is_real)
        mpl_text_format(
            text, ".%s",
            EIGHTHS[amount.half_bits / 2 % (MPL_HALF_BITS_A_BYTE / 2)]);
}
