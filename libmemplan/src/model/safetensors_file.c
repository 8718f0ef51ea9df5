/* SPDX-License-Identifier: MIT */
/*
 * The header of one safetensors file:
 *
 *     u64 N, N bytes of JSON:
 *         {"__metadata__": {text: text, …},
 *          NAME: {"dtype": "BF16", "shape": [2, 3], "data_offsets": [0, 12]},
 *          …}
 *
 * Offsets count from the end of the header. The tensors must cover the data
 * from its first byte to the file's last, without a gap and without sharing.
 */
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/failure.h"
#include "base/input.h"
#include "base/json.h"
#include "base/sort.h"
#include "model/lfs_pointer.h"
#include "model/safetensors.h"

/* The reference reader's own limit. */
#define HEADER_MAX_BYTES UINT64_C(100000000)

enum { LENGTH_BYTES = 8, DIMENSION_MAX_COUNT = 64 };

/* Low enough for 32-bit positions, far above any published file. */
enum { TENSOR_MAX_COUNT = 1 << 22 };

typedef struct reader {
    mpl_arena *arena;
    memplan_error *error;
    uint64_t data_offset;
    mpl_dtype last_dtype; /* most tensors have the type of the one before */
    const char *last_dtype_name;
} reader;

static memplan_status fail_tensor(const reader *from, const char *name,
                                  const char *why)
{
    return mpl_fail(from->error, MEMPLAN_E_CORRUPT, LENGTH_BYTES,
                    "tensor \"%.120s\": %s", name, why);
}

static memplan_status read_dtype(mpl_tensor *out, reader *from,
                                 mpl_json_value value)
{
    const char *const name = mpl_json_string(value, NULL);
    if (name == NULL)
        return fail_tensor(from, out->name, "dtype is missing or no text");
    if (from->last_dtype_name == NULL ||
        strcmp(name, from->last_dtype_name) != 0) {
        from->last_dtype = mpl_dtype_from_safetensors(name);
        from->last_dtype_name = name;
    }
    out->dtype = from->last_dtype;
    if (out->dtype == MPL_DTYPE_COUNT)
        return mpl_fail(from->error, MEMPLAN_E_UNSUPPORTED, LENGTH_BYTES,
                        "tensor \"%.120s\": dtype \"%.40s\" is not known",
                        out->name, name);
    return MEMPLAN_OK;
}

static memplan_status read_shape(mpl_tensor *out, reader *from,
                                 mpl_json_value value)
{
    if (mpl_json_type_of(value) != MPL_JSON_ARRAY)
        return fail_tensor(from, out->name, "shape is missing or no array");
    uint64_t shape[DIMENSION_MAX_COUNT];
    uint32_t count = 0;
    out->element_count = 1;
    for (mpl_json_walk walk = mpl_json_begin(value); mpl_json_next(&walk);) {
        if (count == DIMENSION_MAX_COUNT)
            return fail_tensor(from, out->name, "more than 64 dimensions");
        if (!mpl_json_u64(walk.value, &shape[count]))
            return fail_tensor(from, out->name,
                               "a dimension is no whole number from 0");
        if (!mpl_mul(&out->element_count, out->element_count, shape[count]))
            return fail_tensor(from, out->name, "the elements pass 64 bits");
        count++;
    }
    uint64_t *const kept = mpl_arena_alloc(from->arena, count, sizeof *kept);
    if (kept == NULL)
        return mpl_fail_memory(from->error);
    memcpy(kept, shape, count * sizeof *kept);
    out->shape = kept;
    out->dimension_count = count;
    return MEMPLAN_OK;
}

/* Sets file_offset and bytes; the end is their sum. */
static memplan_status read_offsets(mpl_tensor *out, reader *from,
                                   mpl_json_value value)
{
    uint64_t ends[2] = {0, 0};
    uint32_t count = 0;
    mpl_json_walk walk = mpl_json_begin(value);
    for (; mpl_json_next(&walk); count++)
        if (walk.is_object || count == 2 ||
            !mpl_json_u64(walk.value, &ends[count]))
            return fail_tensor(from, out->name,
                               "data_offsets are not two whole numbers");
    if (count != 2)
        return fail_tensor(from, out->name,
                           "data_offsets are not two whole numbers");
    if (ends[1] < ends[0])
        return fail_tensor(from, out->name,
                           "data_offsets end before they begin");
    if (!mpl_add(&out->file_offset, from->data_offset, ends[0]))
        return fail_tensor(from, out->name, "data_offsets pass 64 bits");
    out->bytes = ends[1] - ends[0];
    return MEMPLAN_OK;
}

static bool is_key(const mpl_json_walk *walk, const char *key, uint64_t length)
{
    return walk->key_length == length && memcmp(walk->key, key, length) == 0;
}

static memplan_status read_tensor(mpl_tensor *out, reader *from,
                                  const mpl_json_walk *entry)
{
    if (strlen(entry->key) != entry->key_length)
        return fail_tensor(from, entry->key, "a zero byte in the name");
    out->name = mpl_arena_copy(from->arena, entry->key, entry->key_length);
    if (out->name == NULL)
        return mpl_fail_memory(from->error);
    out->tied_to = MPL_NO_INDEX;
    if (mpl_json_type_of(entry->value) != MPL_JSON_OBJECT)
        return fail_tensor(from, out->name, "no object stands for it");
    mpl_json_value dtype = MPL_JSON_ABSENT;
    mpl_json_value shape = MPL_JSON_ABSENT;
    mpl_json_value offsets = MPL_JSON_ABSENT;
    mpl_json_walk walk = mpl_json_begin(entry->value);
    while (mpl_json_next(&walk)) {
        if (is_key(&walk, "dtype", 5))
            dtype = walk.value;
        else if (is_key(&walk, "shape", 5))
            shape = walk.value;
        else if (is_key(&walk, "data_offsets", 12))
            offsets = walk.value;
    }
    memplan_status status = read_dtype(out, from, dtype);
    if (status == MEMPLAN_OK)
        status = read_shape(out, from, shape);
    if (status == MEMPLAN_OK)
        status = read_offsets(out, from, offsets);
    if (status != MEMPLAN_OK)
        return status;
    uint64_t bytes;
    if (!mpl_dtype_bytes(&bytes, out->dtype, out->element_count) ||
        bytes != out->bytes)
        return fail_tensor(from, out->name,
                           "data_offsets do not span what dtype and shape "
                           "take");
    return MEMPLAN_OK;
}

static memplan_status check_metadata(const reader *from, mpl_json_value value)
{
    bool is_sound = mpl_json_type_of(value) == MPL_JSON_OBJECT;
    mpl_json_walk walk = mpl_json_begin(value);
    while (is_sound && mpl_json_next(&walk))
        is_sound = mpl_json_type_of(walk.value) == MPL_JSON_STRING;
    return is_sound ? MEMPLAN_OK
                    : mpl_fail(from->error, MEMPLAN_E_CORRUPT, LENGTH_BYTES,
                               "__metadata__ is no object of texts");
}

static memplan_status read_tensors(mpl_shard *out, reader *from,
                                   mpl_json_value root)
{
    if (mpl_json_type_of(root) != MPL_JSON_OBJECT)
        return mpl_fail(from->error, MEMPLAN_E_CORRUPT, LENGTH_BYTES,
                        "the header is %s, not an object",
                        mpl_json_type_name(root));
    const uint64_t members = mpl_json_count(root);
    if (members > TENSOR_MAX_COUNT)
        return mpl_fail(from->error, MEMPLAN_E_TOO_LARGE, LENGTH_BYTES,
                        "%" PRIu64 " tensors: at most %d are read", members,
                        TENSOR_MAX_COUNT);
    out->tensors = mpl_arena_alloc(from->arena, members, sizeof *out->tensors);
    if (out->tensors == NULL)
        return mpl_fail_memory(from->error);
    bool has_metadata = false;
    mpl_json_walk walk = mpl_json_begin(root);
    while (mpl_json_next(&walk)) {
        const bool is_metadata = is_key(&walk, "__metadata__", 12);
        if (is_metadata && has_metadata)
            return fail_tensor(from, walk.key, "it stands twice");
        has_metadata |= is_metadata;
        const memplan_status status =
            is_metadata
                ? check_metadata(from, walk.value)
                : read_tensor(&out->tensors[out->tensor_count], from, &walk);
        if (status != MEMPLAN_OK)
            return status;
        out->tensor_count += !is_metadata;
    }
    return MEMPLAN_OK;
}

/* By end, then by begin: a stable sort leaves an empty tensor before the one
 * that begins where it does. */
static mpl_sort_item *sort_by_place(const mpl_shard *shard, mpl_arena *scratch)
{
    const uint64_t count = shard->tensor_count;
    mpl_sort_item *const order = mpl_arena_alloc(scratch, count, sizeof *order);
    mpl_sort_item *const spare = mpl_arena_alloc(scratch, count, sizeof *spare);
    if (order == NULL || spare == NULL)
        return NULL;
    for (uint64_t at = 0; at < count; at++)
        order[at] = (mpl_sort_item){
            shard->tensors[at].file_offset + shard->tensors[at].bytes, at};
    mpl_sort(order, spare, count);
    for (uint64_t at = 0; at < count; at++)
        order[at].key = shard->tensors[order[at].value].file_offset;
    mpl_sort(order, spare, count);
    return order;
}

static memplan_status check_places(const mpl_shard *shard, const reader *from,
                                   mpl_arena *scratch)
{
    const mpl_sort_item *const order = sort_by_place(shard, scratch);
    if (order == NULL)
        return mpl_fail_memory(from->error);
    uint64_t end = from->data_offset;
    for (uint64_t at = 0; at < shard->tensor_count; at++) {
        const mpl_tensor *const tensor = &shard->tensors[order[at].value];
        if (tensor->file_offset != end)
            return fail_tensor(from, tensor->name,
                               tensor->file_offset < end
                                   ? "its data overlap another tensor's"
                                   : "a gap lies before its data");
        if (!mpl_add(&end, end, tensor->bytes) || end > shard->file_bytes)
            return fail_tensor(from, tensor->name,
                               "its data pass the end of the file");
    }
    if (end != shard->file_bytes)
        return mpl_fail(from->error, MEMPLAN_E_CORRUPT, end,
                        "%" PRIu64 " bytes follow the last tensor",
                        shard->file_bytes - end);
    return MEMPLAN_OK;
}

/* The JSON of the header, which needs the file no more. */
static memplan_status parse(mpl_json **out, reader *from, mpl_input *input)
{
    mpl_bytes bytes = {.input = input};
    const uint64_t length = mpl_bytes_u64(&bytes);
    if (bytes.failed)
        return mpl_fail(from->error, MEMPLAN_E_CORRUPT, 0,
                        "%" PRIu64 " bytes are too few for a safetensors file",
                        input->file_bytes);
    if (mpl_is_lfs_pointer(input))
        return mpl_fail_lfs_pointer(from->error);
    if (length > input->file_bytes - LENGTH_BYTES)
        return mpl_fail(from->error, MEMPLAN_E_CORRUPT, 0,
                        "a header of %" PRIu64
                        " bytes is announced, but the file has %" PRIu64,
                        length, input->file_bytes);
    if (length > HEADER_MAX_BYTES ||
        length > mpl_sub_floor(input->cap_bytes, LENGTH_BYTES))
        return mpl_fail(from->error, MEMPLAN_E_TOO_LARGE, 0,
                        "a header of %" PRIu64 " bytes: at most %" PRIu64
                        " are read",
                        length, mpl_min(HEADER_MAX_BYTES, input->cap_bytes));
    const uint8_t *const text = mpl_bytes_take(&bytes, length);
    if (text == NULL)
        return mpl_fail(from->error, MEMPLAN_E_IO, bytes.at,
                        "the header cannot be read");
    from->data_offset = LENGTH_BYTES + length;
    const memplan_status status =
        mpl_json_parse(out, text, length, from->error);
    if (status != MEMPLAN_OK && from->error != NULL &&
        from->error->offset != MPL_NOWHERE)
        from->error->offset += LENGTH_BYTES;
    return status;
}

static memplan_status read_file(mpl_shard *out, reader *from,
                                uint64_t header_max_bytes)
{
    mpl_input input;
    mpl_json *json = NULL;
    memplan_status status =
        mpl_input_open(&input, out->path, header_max_bytes, from->error);
    if (status != MEMPLAN_OK)
        return status;
    out->file_bytes = input.file_bytes;
    status = parse(&json, from, &input);
    mpl_input_close(&input); /* before the tensors take memory */
    if (status == MEMPLAN_OK)
        status = read_tensors(out, from, mpl_json_root(json));
    mpl_json_free(json);
    if (status == MEMPLAN_OK) {
        mpl_arena *const scratch = mpl_arena_create();
        status = scratch != NULL ? check_places(out, from, scratch)
                                 : mpl_fail_memory(from->error);
        mpl_arena_free(scratch);
    }
    if (status != MEMPLAN_OK)
        mpl_fail_in(from->error, out->path);
    return status;
}

memplan_status mpl_safetensors_read(mpl_shard *out, mpl_arena *arena,
                                    const char *path, uint64_t header_max_bytes,
                                    memplan_error *error)
{
    mpl_shard made = {.path = path};
    reader from = {.arena = arena, .error = error};
    const memplan_status status = read_file(&made, &from, header_max_bytes);
    if (status == MEMPLAN_OK)
        *out = made;
    return status;
}
