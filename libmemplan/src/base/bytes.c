/* SPDX-License-Identifier: MIT */
/* Byte by byte: file bytes have no alignment and no byte order of ours. */
#include "base/bytes.h"

#include <stddef.h>

uint16_t mpl_load_u16(const uint8_t *data)
{
    return (uint16_t)(data[0] | data[1] << 8);
}

uint32_t mpl_load_u32(const uint8_t *data)
{
    return mpl_load_u16(data) | (uint32_t)mpl_load_u16(data + 2) << 16;
}

uint64_t mpl_load_u64(const uint8_t *data)
{
    return mpl_load_u32(data) | (uint64_t)mpl_load_u32(data + 4) << 32;
}

const uint8_t *mpl_bytes_take(mpl_bytes *reader, uint64_t count)
{
    if (reader->failed || !mpl_input_need(reader->input, reader->at, count)) {
        reader->failed = true;
        return NULL;
    }
    const uint8_t *const place = reader->input->data + reader->at;
    reader->at += count;
    return place;
}

uint8_t mpl_bytes_u8(mpl_bytes *reader)
{
    const uint8_t *const data = mpl_bytes_take(reader, 1);
    return data != NULL ? data[0] : 0;
}

uint16_t mpl_bytes_u16(mpl_bytes *reader)
{
    const uint8_t *const data = mpl_bytes_take(reader, 2);
    return data != NULL ? mpl_load_u16(data) : 0;
}

uint32_t mpl_bytes_u32(mpl_bytes *reader)
{
    const uint8_t *const data = mpl_bytes_take(reader, 4);
    return data != NULL ? mpl_load_u32(data) : 0;
}

uint64_t mpl_bytes_u64(mpl_bytes *reader)
{
    const uint8_t *const data = mpl_bytes_take(reader, 8);
    return data != NULL ? mpl_load_u64(data) : 0;
}
