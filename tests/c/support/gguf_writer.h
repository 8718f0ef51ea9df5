/* SPDX-License-Identifier: MIT */
/*
 * Writes GGUF headers for tests, right ones and wrong ones: every field goes
 * out as it is given.
 *
 *     gguf_writer out = {0};
 *     gguf_header(&out, 3, 1, 1);
 *     gguf_key_text(&out, "general.architecture", "llama");
 *     gguf_tensor(&out, "token_embd.weight", 0, 2, (uint64_t[]){32, 8});
 *     gguf_finish(&out);
 */
#ifndef MEMPLAN_TESTS_GGUF_WRITER_H
#define MEMPLAN_TESTS_GGUF_WRITER_H

#include <stddef.h>
#include <stdint.h>

typedef struct gguf_writer {
    uint8_t *data;
    size_t size;
    size_t capacity;
    uint64_t next_offset; /* of the next tensor */
    uint64_t alignment;   /* 0: 32 */
} gguf_writer;

void gguf_free(gguf_writer *out);

void gguf_u8(gguf_writer *out, uint8_t value);
void gguf_u16(gguf_writer *out, uint16_t value);
void gguf_u32(gguf_writer *out, uint32_t value);
void gguf_u64(gguf_writer *out, uint64_t value);
void gguf_bytes(gguf_writer *out, const void *data, size_t size);
void gguf_string(gguf_writer *out, const char *text);

void gguf_header(gguf_writer *out, uint32_t version, uint64_t tensor_count,
                 uint64_t key_count);
void gguf_key(gguf_writer *out, const char *name, uint32_t type);
void gguf_key_text(gguf_writer *out, const char *name, const char *text);
void gguf_key_u16(gguf_writer *out, const char *name, uint16_t value);
void gguf_key_u32(gguf_writer *out, const char *name, uint32_t value);
void gguf_key_i32(gguf_writer *out, const char *name, int32_t value);
void gguf_key_array(gguf_writer *out, const char *name, uint32_t item_type,
                    uint64_t count);

/* The offset follows from the tensors before it. */
void gguf_tensor(gguf_writer *out, const char *name, uint32_t type,
                 uint32_t dimension_count, const uint64_t *ne);

/* Pads to where the data begin. */
void gguf_finish(gguf_writer *out);

/* A small sound model: 2 layers, every kind of key, 8 tensors. */
void gguf_write_example(gguf_writer *out, uint32_t version);

#endif
