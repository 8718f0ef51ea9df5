/* SPDX-License-Identifier: MIT */
#include "model/gguf_reader.h"

#include <inttypes.h>
#include <string.h>

#include "base/checked.h"
#include "base/failure.h"

/* The reference reader's own limit. */
enum { STRING_MAX_BYTES = 1 << 30 };

uint64_t mpl_gguf_bytes_left(const mpl_gguf_reader *reader)
{
    return mpl_sub_floor(reader->bytes.input->file_bytes, reader->bytes.at);
}

memplan_status mpl_gguf_fail_short(const mpl_gguf_reader *reader,
                                   const char *what)
{
    const mpl_input *const input = reader->bytes.input;
    const uint64_t at = reader->bytes.at;
    if (input->read_error != 0)
        return mpl_fail(reader->error, MEMPLAN_E_IO, at,
                        "byte %" PRIu64 " cannot be read", at);
    if (input->file_bytes > input->cap_bytes)
        return mpl_fail(reader->error, MEMPLAN_E_TOO_LARGE, at,
                        "the header is longer than %" PRIu64
                        " bytes, the most that is read",
                        input->cap_bytes);
    return mpl_fail(reader->error, MEMPLAN_E_CORRUPT, at,
                    "the file ends inside %s at byte %" PRIu64,
                    what, at);
}

memplan_status mpl_gguf_take_string(mpl_gguf_reader *reader,
                                    const char **out_text, uint64_t *out_length,
                                    const char *what)
{
    const uint64_t at = reader->bytes.at;
    const uint64_t length = mpl_bytes_u64(&reader->bytes);
    if (reader->bytes.failed)
        return mpl_gguf_fail_short(reader, what);
    if (length > STRING_MAX_BYTES || length > mpl_gguf_bytes_left(reader))
        return mpl_fail(reader->error, MEMPLAN_E_CORRUPT, at,
                        "%s at byte %" PRIu64 ": %" PRIu64
                        " bytes long, but %" PRIu64 " are left",
                        what, at, length, mpl_gguf_bytes_left(reader));
    const uint8_t *const data = mpl_bytes_take(&reader->bytes, length);
    if (data == NULL)
        return mpl_gguf_fail_short(reader, what);
    *out_text = (const char *)data;
    *out_length = length;
    return MEMPLAN_OK;
}

memplan_status mpl_gguf_take_name(mpl_gguf_reader *reader, const char **out,
                                  uint64_t length_max, const char *what)
{
    const uint64_t at = reader->bytes.at;
    const char *text = NULL;
    uint64_t length = 0;
    const memplan_status status =
        mpl_gguf_take_string(reader, &text, &length, what);
    if (status != MEMPLAN_OK)
        return status;
    if (length > length_max)
        return mpl_fail(reader->error, MEMPLAN_E_CORRUPT, at,
                        "%s \"%.*s...\": %" PRIu64
                        " bytes long, at most %" PRIu64,
                        what, 40, text, length, length_max);
    if (memchr(text, '\0', (size_t)length) != NULL)
        return mpl_fail(reader->error, MEMPLAN_E_CORRUPT, at,
                        "%s at byte %" PRIu64 " holds a zero byte", what, at);
    *out = mpl_arena_copy(reader->arena, text, length);
    return *out != NULL ? MEMPLAN_OK : mpl_fail_memory(reader->error);
}
