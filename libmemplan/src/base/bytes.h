/* SPDX-License-Identifier: MIT */
/*
 * A little-endian reader with a sticky failure: read ten fields straight,
 * check `failed` once. After a failure every read gives 0 and `at` stays where
 * the first short read began.
 */
#ifndef MPL_BASE_BYTES_H
#define MPL_BASE_BYTES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/input.h"

typedef struct mpl_bytes {
    mpl_input *input; /* not owned; grown as the reader goes on */
    uint64_t at;      /* offset of the next byte */
    bool failed;      /* a read went past the end of the input */
} mpl_bytes;

uint8_t mpl_bytes_u8(mpl_bytes *reader);
uint16_t mpl_bytes_u16(mpl_bytes *reader);
uint32_t mpl_bytes_u32(mpl_bytes *reader);
uint64_t mpl_bytes_u64(mpl_bytes *reader);

/* The next `count` bytes in place, or NULL on failure. They stay valid until
 * the input is closed. */
const uint8_t *mpl_bytes_take(mpl_bytes *reader, uint64_t count);

/* Little-endian values at any address. */
uint16_t mpl_load_u16(const uint8_t *data);
uint32_t mpl_load_u32(const uint8_t *data);
uint64_t mpl_load_u64(const uint8_t *data);

#endif
