/* SPDX-License-Identifier: MIT */
#include "support/gguf_writer.h"

#include <stdlib.h>
#include <string.h>

#include "model/dtype.h"

void gguf_free(gguf_writer *out)
{
    free(out->data);
    *out = (gguf_writer){0};
}

void gguf_bytes(gguf_writer *out, const void *data, size_t size)
{
    while (out->capacity - out->size < size) {
        out->capacity = out->capacity > 0 ? 2 * out->capacity : 4096;
        out->data = realloc(out->data, out->capacity);
        if (out->data == NULL)
            abort();
    }
    if (size > 0)
        memcpy(out->data + out->size, data, size);
    out->size += size;
}

static void put(gguf_writer *out, uint64_t value, size_t bytes)
{
    uint8_t data[8];
    for (size_t at = 0; at < bytes; at++)
        data[at] = (uint8_t)(value >> (8 * at));
    gguf_bytes(out, data, bytes);
}

void gguf_u8(gguf_writer *out, uint8_t value)
{
    put(out, value, 1);
}

void gguf_u16(gguf_writer *out, uint16_t value)
{
    put(out, value, 2);
}

void gguf_u32(gguf_writer *out, uint32_t value)
{
    put(out, value, 4);
}

void gguf_u64(gguf_writer *out, uint64_t value)
{
    put(out, value, 8);
}

void gguf_string(gguf_writer *out, const char *text)
{
    gguf_u64(out, strlen(text));
    gguf_bytes(out, text, strlen(text));
}

void gguf_header(gguf_writer *out, uint32_t version, uint64_t tensor_count,
                 uint64_t key_count)
{
    gguf_bytes(out, "GGUF", 4);
    gguf_u32(out, version);
    gguf_u64(out, tensor_count);
    gguf_u64(out, key_count);
}

void gguf_key(gguf_writer *out, const char *name, uint32_t type)
{
    gguf_string(out, name);
    gguf_u32(out, type);
}

void gguf_key_text(gguf_writer *out, const char *name, const char *text)
{
    gguf_key(out, name, 8);
    gguf_string(out, text);
}

void gguf_key_u16(gguf_writer *out, const char *name, uint16_t value)
{
    gguf_key(out, name, 2);
    gguf_u16(out, value);
}

void gguf_key_u32(gguf_writer *out, const char *name, uint32_t value)
{
    gguf_key(out, name, 4);
    gguf_u32(out, value);
}

void gguf_key_i32(gguf_writer *out, const char *name, int32_t value)
{
    gguf_key(out, name, 5);
    gguf_u32(out, (uint32_t)value);
}

void gguf_key_array(gguf_writer *out, const char *name, uint32_t item_type,
                    uint64_t count)
{
    gguf_key(out, name, 9);
    gguf_u32(out, item_type);
    gguf_u64(out, count);
}

static uint64_t alignment_of(const gguf_writer *out)
{
    return out->alignment > 0 ? out->alignment : 32;
}

void gguf_tensor(gguf_writer *out, const char *name, uint32_t type,
                 uint32_t dimension_count, const uint64_t *ne)
{
    uint64_t elements = 1;
    gguf_string(out, name);
    gguf_u32(out, dimension_count);
    for (uint32_t at = 0; at < dimension_count; at++) {
        gguf_u64(out, ne[at]);
        elements *= ne[at];
    }
    gguf_u32(out, type);
    gguf_u64(out, out->next_offset);
    const mpl_dtype dtype = mpl_dtype_from_ggml(type);
    if (dtype == MPL_DTYPE_COUNT)
        return;
    const uint64_t bytes = elements / mpl_dtype_block_elements(dtype) *
                           mpl_dtype_block_bytes(dtype);
    const uint64_t mask = alignment_of(out) - 1;
    out->next_offset = (out->next_offset + bytes + mask) & ~mask;
}

void gguf_finish(gguf_writer *out)
{
    while (out->size % alignment_of(out) != 0)
        gguf_u8(out, 0);
}

static void write_example_keys(gguf_writer *out)
{
    gguf_key_text(out, "general.architecture", "llama");
    gguf_key_u32(out, "llama.block_count", 2);
    gguf_key_u32(out, "llama.embedding_length", 64);
    gguf_key_u32(out, "llama.attention.head_count", 4);
    gguf_key_array(out, "llama.attention.head_count_kv", 5, 2);
    gguf_u32(out, 2);
    gguf_u32(out, 1);
    gguf_key(out, "u8", 0);
    gguf_u8(out, 200);
    gguf_key(out, "i8", 1);
    gguf_u8(out, 0xff);
    gguf_key_u16(out, "u16", 65535);
    gguf_key(out, "i16", 3);
    gguf_u16(out, 0x8000);
    gguf_key_i32(out, "i32", -7);
    gguf_key(out, "f32", 6);
    gguf_u32(out, 0x3fc00000);
    gguf_key(out, "bool", 7);
    gguf_u8(out, 2);
    gguf_key(out, "u64", 10);
    gguf_u64(out, UINT64_MAX);
    gguf_key(out, "i64", 11);
    gguf_u64(out, (uint64_t)INT64_MIN);
    gguf_key(out, "f64", 12);
    gguf_u64(out, 0xbfe0000000000000);
    gguf_key_array(out, "tokenizer.ggml.tokens", 8, 3);
    gguf_string(out, "a");
    gguf_string(out, "");
    gguf_string(out, "bcd");
}

void gguf_write_example(gguf_writer *out, uint32_t version)
{
    gguf_header(out, version, 8, 16);
    write_example_keys(out);
    gguf_tensor(out, "output.weight", 8, 2, (uint64_t[]){64, 3});
    gguf_tensor(out, "blk.1.attn_q.weight", 2, 2, (uint64_t[]){64, 64});
    gguf_tensor(out, "blk.0.attn_q.weight", 2, 2, (uint64_t[]){64, 64});
    gguf_tensor(out, "blk.0.ffn_up_exps.weight", 12, 3,
                (uint64_t[]){256, 2, 2});
    gguf_tensor(out, "token_embd.weight", 1, 2, (uint64_t[]){64, 3});
    gguf_tensor(out, "output_norm.weight", 0, 1, (uint64_t[]){64});
    gguf_tensor(out, "rope_freqs.weight", 0, 1, (uint64_t[]){8});
    gguf_tensor(out, "scalar", 0, 0, NULL);
    gguf_finish(out);
}
