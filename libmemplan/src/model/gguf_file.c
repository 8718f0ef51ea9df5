/* SPDX-License-Identifier: MIT */
/*
 * The header of one GGUF file, little-endian:
 *
 *     "GGUF"   u32 version   i64 tensors   i64 keys
 *     keys     gguf_key.c
 *     infos    name: string, below 64 bytes
 *              u32 dimensions, at most 4; i64 each, the innermost first
 *              i32 type
 *              u64 offset in the data: the running sum, exactly
 *     padding  to general.alignment, 32 if there is no such key
 *
 * What the reference reader refuses is refused. The data may be missing: then
 * the part is not complete.
 */
#include "model/gguf_file.h"

#include <inttypes.h>
#include <string.h>

#include "base/checked.h"
#include "base/failure.h"
#include "model/gguf_reader.h"
#include "model/lfs_pointer.h"

enum {
    DEFAULT_ALIGNMENT = 32,
    KEY_MIN_BYTES = 8 + 1 + 4 + 1,
    TENSOR_MIN_BYTES = 8 + 4 + 4 + 8,
    TENSOR_NAME_MAX_BYTES = 63
};

/* Far above any published file, and low enough that a lie costs little. */
enum { KEY_MAX_COUNT = 1 << 16, TENSOR_MAX_COUNT = 1 << 20 };

static memplan_status read_version(mpl_gguf_reader *reader, uint32_t *out)
{
    const uint8_t *const magic = mpl_bytes_take(&reader->bytes, 4);
    if (mpl_is_lfs_pointer(reader->bytes.input))
        return mpl_fail_lfs_pointer(reader->error);
    if (magic == NULL || memcmp(magic, "GGUF", 4) != 0)
        return mpl_fail(reader->error, MEMPLAN_E_CORRUPT, 0,
                        "not a GGUF file: it does not begin with \"GGUF\"");
    const uint32_t version = mpl_bytes_u32(&reader->bytes);
    if (reader->bytes.failed)
        return mpl_gguf_fail_short(reader, "the version");
    if (version != 0 && (version & 0xffff) == 0)
        return mpl_fail(reader->error, MEMPLAN_E_UNSUPPORTED, 4,
                        "version 0x%08" PRIx32
                        ": the file is big-endian, which is not read here",
                        version);
    if (version != 2 && version != 3)
        return mpl_fail(
            reader->error,
            version == 0 ? MEMPLAN_E_CORRUPT : MEMPLAN_E_UNSUPPORTED, 4,
            "GGUF version %" PRIu32 ": only 2 and 3 are read", version);
    *out = version;
    return MEMPLAN_OK;
}

/* A count of items that each take `each_bytes` of the file at least. */
static memplan_status read_count(mpl_gguf_reader *reader, uint64_t *out,
                                 uint64_t max, const char *what)
{
    const uint64_t at = reader->bytes.at;
    const uint64_t count = mpl_bytes_u64(&reader->bytes);
    if (reader->bytes.failed)
        return mpl_gguf_fail_short(reader, "the counts");
    if (count > INT64_MAX)
        return mpl_fail(reader->error, MEMPLAN_E_CORRUPT, at,
                        "%" PRId64 " %s: a negative count", (int64_t)count,
                        what);
    if (count > max)
        return mpl_fail(reader->error, MEMPLAN_E_TOO_LARGE, at,
                        "%" PRIu64 " %s: at most %" PRIu64 " are read", count,
                        what, max);
    *out = count;
    return MEMPLAN_OK;
}

static memplan_status check_room(const mpl_gguf_reader *reader, uint64_t count,
                                 uint64_t each_bytes, const char *what)
{
    if (count <= mpl_gguf_bytes_left(reader) / each_bytes)
        return MEMPLAN_OK;
    return mpl_fail(reader->error, MEMPLAN_E_CORRUPT, reader->bytes.at,
                    "%" PRIu64 " %s do not fit into the %" PRIu64
                    " bytes after byte %" PRIu64,
                    count, what, mpl_gguf_bytes_left(reader), reader->bytes.at);
}

static memplan_status read_keys(mpl_gguf_piece *piece, mpl_gguf_reader *reader)
{
    memplan_status status =
        check_room(reader, piece->key_count, KEY_MIN_BYTES, "keys");
    if (status != MEMPLAN_OK)
        return status;
    piece->keys =
        mpl_arena_alloc(reader->arena, piece->key_count, sizeof *piece->keys);
    if (piece->keys == NULL)
        return mpl_fail_memory(reader->error);
    for (uint64_t at = 0; at < piece->key_count; at++)
        if ((status = mpl_gguf_read_key(&piece->keys[at], reader)) !=
            MEMPLAN_OK)
            return status;
    if (!mpl_name_index_build(&piece->key_index, reader->arena,
                              &piece->keys->name, sizeof *piece->keys,
                              piece->key_count))
        return mpl_fail_memory(reader->error);
    const uint64_t twice = piece->key_index.duplicate;
    if (twice != MEMPLAN_UNKNOWN)
        return mpl_fail(reader->error, MEMPLAN_E_CORRUPT,
                        piece->keys[twice].file_offset,
                        "key \"%.80s\" stands twice", piece->keys[twice].name);
    return MEMPLAN_OK;
}

static memplan_status find_alignment(const mpl_gguf_piece *piece,
                                     const mpl_gguf_reader *reader,
                                     uint64_t *out)
{
    *out = DEFAULT_ALIGNMENT;
    const uint64_t at =
        mpl_name_index_find(&piece->key_index, "general.alignment");
    if (at == MEMPLAN_UNKNOWN)
        return MEMPLAN_OK;
    const mpl_gguf_key *const key = &piece->keys[at];
    if (key->type != MPL_GGUF_U32)
        return mpl_fail(reader->error, MEMPLAN_E_CORRUPT, key->file_offset,
                        "general.alignment is of type %s, not u32",
                        mpl_gguf_type_name(key->type));
    *out = key->values[0];
    if (*out == 0 || (*out & (*out - 1)) != 0)
        return mpl_fail(reader->error, MEMPLAN_E_CORRUPT, key->file_offset,
                        "general.alignment %" PRIu64 " is no power of two",
                        *out);
    return MEMPLAN_OK;
}

static memplan_status fail_tensor(const mpl_gguf_reader *reader,
                                  const mpl_gguf_tensor *tensor,
                                  const char *why, uint64_t value)
{
    return mpl_fail(reader->error, MEMPLAN_E_CORRUPT, reader->bytes.at,
                    "tensor \"%s\": %s (%" PRIu64 ")", tensor->name, why,
                    value);
}

/* Bytes of a tensor from its type and shape. */
static memplan_status size_tensor(mpl_gguf_tensor *tensor,
                                  const mpl_gguf_reader *reader)
{
    const mpl_dtype dtype = mpl_dtype_from_ggml(tensor->ggml_type);
    if (dtype == MPL_DTYPE_COUNT)
        return fail_tensor(reader, tensor, "no such type", tensor->ggml_type);
    uint64_t elements = 1;
    for (uint32_t at = 0; at < 4; at++)
        if (tensor->ne[at] > INT64_MAX ||
            !mpl_mul(&elements, elements, tensor->ne[at]) ||
            elements > INT64_MAX)
            return fail_tensor(reader, tensor,
                               "the elements pass 63 bits with dimension",
                               tensor->ne[at]);
    if (tensor->ne[0] % mpl_dtype_block_elements(dtype) != 0)
        return fail_tensor(reader, tensor, "a row is no whole number of blocks",
                           tensor->ne[0]);
    if (!mpl_dtype_bytes(&tensor->bytes, dtype, elements))
        return fail_tensor(reader, tensor, "the bytes pass 64 bits, elements",
                           elements);
    return MEMPLAN_OK;
}

static memplan_status read_tensor(mpl_gguf_tensor *tensor,
                                  mpl_gguf_reader *reader)
{
    const memplan_status status = mpl_gguf_take_name(
        reader, &tensor->name, TENSOR_NAME_MAX_BYTES, "a tensor's name");
    if (status != MEMPLAN_OK)
        return status;
    tensor->dimension_count = mpl_bytes_u32(&reader->bytes);
    if (!reader->bytes.failed && tensor->dimension_count > 4)
        return fail_tensor(reader, tensor, "more than 4 dimensions",
                           tensor->dimension_count);
    for (uint32_t at = 0; at < 4; at++)
        tensor->ne[at] =
            at < tensor->dimension_count ? mpl_bytes_u64(&reader->bytes) : 1;
    tensor->ggml_type = mpl_bytes_u32(&reader->bytes);
    tensor->offset = mpl_bytes_u64(&reader->bytes);
    if (reader->bytes.failed)
        return mpl_gguf_fail_short(reader, "a tensor");
    return size_tensor(tensor, reader);
}

static memplan_status read_tensors(mpl_gguf_piece *piece,
                                   mpl_gguf_reader *reader)
{
    mpl_gguf_part *const part = &piece->part;
    memplan_status status =
        check_room(reader, part->tensor_count, TENSOR_MIN_BYTES, "tensors");
    if (status != MEMPLAN_OK)
        return status;
    piece->tensors = mpl_arena_alloc(reader->arena, part->tensor_count,
                                     sizeof *piece->tensors);
    if (piece->tensors == NULL)
        return mpl_fail_memory(reader->error);
    for (uint32_t at = 0; at < part->tensor_count; at++) {
        mpl_gguf_tensor *const tensor = &piece->tensors[at];
        if ((status = read_tensor(tensor, reader)) != MEMPLAN_OK)
            return status;
        if (tensor->offset != part->data_bytes)
            return mpl_fail(reader->error, MEMPLAN_E_CORRUPT,
                            reader->bytes.at - 8,
                            "tensor \"%s\": offset %" PRIu64
                            ", but the tensors before it end at %" PRIu64,
                            tensor->name, tensor->offset, part->data_bytes);
        uint64_t padded = 0;
        if (!mpl_align_up(&padded, tensor->bytes, part->alignment) ||
            !mpl_add(&part->data_bytes, part->data_bytes, padded))
            return fail_tensor(reader, tensor, "the data pass 64 bits, bytes",
                               tensor->bytes);
    }
    return MEMPLAN_OK;
}

/* Where the data begin, and whether the file holds them all. */
static memplan_status find_data(mpl_gguf_part *part,
                                const mpl_gguf_reader *reader)
{
    part->header_bytes = reader->bytes.at;
    part->data_offset = reader->bytes.at;
    part->file_bytes = reader->bytes.input->file_bytes;
    uint64_t end = 0;
    if ((part->tensor_count > 0 &&
         !mpl_align_up(&part->data_offset, part->header_bytes,
                       part->alignment)) ||
        !mpl_add(&end, part->data_offset, part->data_bytes))
        return mpl_fail(reader->error, MEMPLAN_E_TOO_LARGE, reader->bytes.at,
                        "the tensors' bytes pass 64 bits");
    if (part->data_offset > part->file_bytes)
        return mpl_fail(reader->error, MEMPLAN_E_CORRUPT, reader->bytes.at,
                        "the file ends inside the padding before byte %" PRIu64,
                        part->data_offset);
    part->is_complete = end <= part->file_bytes;
    return MEMPLAN_OK;
}

static memplan_status read_header(mpl_gguf_piece *piece,
                                  mpl_gguf_reader *reader)
{
    uint64_t tensor_count = 0;
    memplan_status status = read_version(reader, &piece->part.version);
    if (status == MEMPLAN_OK)
        status = read_count(reader, &tensor_count, TENSOR_MAX_COUNT, "tensors");
    if (status == MEMPLAN_OK)
        status = read_count(reader, &piece->key_count, KEY_MAX_COUNT, "keys");
    if (status != MEMPLAN_OK)
        return status;
    piece->part.tensor_count = (uint32_t)tensor_count;
    status = read_keys(piece, reader);
    if (status == MEMPLAN_OK)
        status = find_alignment(piece, reader, &piece->part.alignment);
    if (status == MEMPLAN_OK)
        status = read_tensors(piece, reader);
    return status == MEMPLAN_OK ? find_data(&piece->part, reader) : status;
}

memplan_status mpl_gguf_read_piece(mpl_gguf_piece *out, mpl_arena *arena,
                                   const char *path, uint64_t header_max_bytes,
                                   memplan_error *error)
{
    mpl_input input;
    memplan_status status =
        mpl_input_open(&input, path, header_max_bytes, error);
    if (status != MEMPLAN_OK)
        return status;
    mpl_gguf_piece made = {.part = {.path = path}};
    mpl_gguf_reader reader = {
        .bytes = {.input = &input}, .arena = arena, .error = error};
    status = read_header(&made, &reader);
    mpl_input_close(&input);
    if (status != MEMPLAN_OK) {
        mpl_fail_in(error, path);
        return status;
    }
    *out = made;
    return MEMPLAN_OK;
}
