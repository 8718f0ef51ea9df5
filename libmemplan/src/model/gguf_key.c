/* SPDX-License-Identifier: MIT */
/*
 * One key of a GGUF:
 *
 *     key     string: u64 length, bytes
 *     type    u32
 *     value   a scalar; a string; or an array: u32 item type, u64 count,
 *             items (strings back to back)
 *
 * Strings in arrays (a vocabulary) are walked and counted, not copied.
 */
#include <inttypes.h>
#include <string.h>

#include "base/checked.h"
#include "base/failure.h"
#include "model/gguf_file.h"
#include "model/gguf_reader.h"

/* The reference reader's own limit. */
#define ITEM_MAX_COUNT (UINT64_C(1) << 30)

/* Of a key's name; the format's own rule. */
enum { NAME_MAX_BYTES = 65535 };

/* Bytes of one number; 0: not a number. */
static const uint8_t NUMBER_BYTES[MPL_GGUF_TYPE_COUNT] = {
    [MPL_GGUF_U8] = 1,  [MPL_GGUF_I8] = 1,   [MPL_GGUF_U16] = 2,
    [MPL_GGUF_I16] = 2, [MPL_GGUF_U32] = 4,  [MPL_GGUF_I32] = 4,
    [MPL_GGUF_F32] = 4, [MPL_GGUF_BOOL] = 1, [MPL_GGUF_U64] = 8,
    [MPL_GGUF_I64] = 8, [MPL_GGUF_F64] = 8,
};

static uint64_t widen_float(uint32_t bits)
{
    float narrow;
    memcpy(&narrow, &bits, sizeof narrow);
    const double wide = (double)narrow;
    uint64_t out;
    memcpy(&out, &wide, sizeof out);
    return out;
}

static uint64_t widen(uint32_t type, const uint8_t *data)
{
    switch (type) {
    case MPL_GGUF_U8:
        return data[0];
    case MPL_GGUF_BOOL:
        return data[0] != 0;
    case MPL_GGUF_I8:
        return (uint64_t)(int64_t)(int8_t)data[0];
    case MPL_GGUF_U16:
        return mpl_load_u16(data);
    case MPL_GGUF_I16:
        return (uint64_t)(int64_t)(int16_t)mpl_load_u16(data);
    case MPL_GGUF_U32:
        return mpl_load_u32(data);
    case MPL_GGUF_I32:
        return (uint64_t)(int64_t)(int32_t)mpl_load_u32(data);
    case MPL_GGUF_F32:
        return widen_float(mpl_load_u32(data));
    default:
        return mpl_load_u64(data);
    }
}

static memplan_status fail_type(const mpl_gguf_reader *reader,
                                const mpl_gguf_key *key, uint32_t type)
{
    return mpl_fail(reader->error, MEMPLAN_E_CORRUPT, key->file_offset,
                    "key \"%.80s\": type %" PRIu32 " is none of 0 to %d",
                    key->name, type, MPL_GGUF_TYPE_COUNT - 1);
}

static memplan_status read_numbers(mpl_gguf_key *key, mpl_gguf_reader *reader)
{
    const uint64_t each = NUMBER_BYTES[key->item_type];
    uint64_t total = 0;
    if (key->count > ITEM_MAX_COUNT || !mpl_mul(&total, key->count, each) ||
        total > mpl_gguf_bytes_left(reader))
        return mpl_fail(reader->error, MEMPLAN_E_CORRUPT, key->file_offset,
                        "key \"%.80s\": %" PRIu64
                        " items do not fit into the %" PRIu64 " bytes left",
                        key->name, key->count, mpl_gguf_bytes_left(reader));
    const uint8_t *const data = mpl_bytes_take(&reader->bytes, total);
    if (data == NULL)
        return mpl_gguf_fail_short(reader, "an array");
    if (key->count > MPL_GGUF_KEPT_ITEMS)
        return MEMPLAN_OK;
    uint64_t *const values =
        mpl_arena_alloc(reader->arena, key->count, sizeof *values);
    if (values == NULL)
        return mpl_fail_memory(reader->error);
    for (uint64_t at = 0; at < key->count; at++)
        values[at] = widen(key->item_type, data + at * each);
    key->values = values;
    return MEMPLAN_OK;
}

/* A vocabulary has 10^5 and more of them: one step a string, no calls while
 * the window holds it. */
static memplan_status walk_strings(mpl_gguf_key *key, mpl_gguf_reader *reader)
{
    mpl_input *const input = reader->bytes.input;
    uint64_t at = reader->bytes.at;
    for (uint64_t left = key->count; left > 0; left--) {
        if (input->size_bytes < at + 8 && !mpl_input_need(input, at, 8)) {
            reader->bytes.at = at;
            return mpl_gguf_fail_short(reader, "a string of an array");
        }
        const uint64_t length = mpl_load_u64(input->data + at);
        if (length > input->file_bytes - at - 8)
            return mpl_fail(reader->error, MEMPLAN_E_CORRUPT, at,
                            "key \"%.80s\": a string at byte %" PRIu64
                            " is %" PRIu64 " bytes long, but %" PRIu64
                            " are left",
                            key->name, at, length, input->file_bytes - at - 8);
        at += 8 + length;
    }
    const uint64_t total = at - reader->bytes.at;
    if (mpl_bytes_take(&reader->bytes, total) == NULL)
        return mpl_gguf_fail_short(reader, "a string of an array");
    key->text_bytes = total - 8 * key->count;
    return MEMPLAN_OK;
}

static memplan_status read_array(mpl_gguf_key *key, mpl_gguf_reader *reader)
{
    key->item_type = mpl_bytes_u32(&reader->bytes);
    key->count = mpl_bytes_u64(&reader->bytes);
    if (reader->bytes.failed)
        return mpl_gguf_fail_short(reader, "an array");
    if (key->item_type >= MPL_GGUF_TYPE_COUNT)
        return fail_type(reader, key, key->item_type);
    if (key->item_type == MPL_GGUF_ARRAY)
        return mpl_fail(reader->error, MEMPLAN_E_CORRUPT, key->file_offset,
                        "key \"%.80s\": an array of arrays", key->name);
    if (key->item_type != MPL_GGUF_STRING)
        return read_numbers(key, reader);
    if (key->count > ITEM_MAX_COUNT ||
        key->count > mpl_gguf_bytes_left(reader) / 8)
        return mpl_fail(reader->error, MEMPLAN_E_CORRUPT, key->file_offset,
                        "key \"%.80s\": %" PRIu64
                        " strings do not fit into the %" PRIu64 " bytes left",
                        key->name, key->count, mpl_gguf_bytes_left(reader));
    return walk_strings(key, reader);
}

static memplan_status read_text(mpl_gguf_key *key, mpl_gguf_reader *reader)
{
    const char *text = NULL;
    const memplan_status status =
        mpl_gguf_take_string(reader, &text, &key->text_bytes, "a string");
    if (status != MEMPLAN_OK)
        return status;
    key->text = mpl_arena_copy(reader->arena, text, key->text_bytes);
    return key->text != NULL ? MEMPLAN_OK : mpl_fail_memory(reader->error);
}

memplan_status mpl_gguf_read_key(mpl_gguf_key *out, mpl_gguf_reader *reader)
{
    mpl_gguf_key key = {.file_offset = reader->bytes.at, .count = 1};
    const memplan_status status =
        mpl_gguf_take_name(reader, &key.name, NAME_MAX_BYTES, "a key's name");
    if (status != MEMPLAN_OK)
        return status;
    if (key.name[0] == '\0')
        return mpl_fail(reader->error, MEMPLAN_E_CORRUPT, key.file_offset,
                        "the key at byte %" PRIu64 " has no name",
                        key.file_offset);
    key.type = mpl_bytes_u32(&reader->bytes);
    if (reader->bytes.failed)
        return mpl_gguf_fail_short(reader, "a key");
    if (key.type >= MPL_GGUF_TYPE_COUNT)
        return fail_type(reader, &key, key.type);
    key.item_type = key.type;
    *out = key;
    if (key.type == MPL_GGUF_ARRAY)
        return read_array(out, reader);
    if (key.type == MPL_GGUF_STRING)
        return read_text(out, reader);
    return read_numbers(out, reader);
}
