/* SPDX-License-Identifier: MIT */
#include "llamacpp/tiny_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/folder.h"
#include "support/gguf_writer.h"

enum { TYPE_F32 = 0, TYPE_F16 = 1, KEY_F32 = 6 };

typedef struct tiny {
    gguf_writer out;
    const char *arch;
    uint64_t keys;
} tiny;

static void add_u32(tiny *at, const char *name, uint32_t value)
{
    char full[96];
    (void)snprintf(full, sizeof full, "%s.%s", at->arch, name);
    gguf_key_u32(&at->out, full, value);
    at->keys++;
}

static void add_keys(tiny *at, const tiny_options *options)
{
    char full[96];
    const uint32_t layers = options->layers != 0 ? options->layers : 4;
    gguf_key_text(&at->out, "general.architecture", at->arch);
    gguf_key_text(&at->out, "tokenizer.ggml.model", "no_vocab");
    at->keys += 2;
    add_u32(at, "vocab_size", 256);
    if (options->lacks_context == 0)
        add_u32(at, "context_length", 512);
    add_u32(at, "embedding_length", 64);
    add_u32(at, "feed_forward_length", 128);
    if (options->heads != UINT32_MAX)
        add_u32(at, "attention.head_count",
                options->heads != 0 ? options->heads : 2);
    add_u32(at, "attention.head_count_kv", 1);
    if (options->experts != 0) {
        add_u32(at, "expert_count", options->experts);
        add_u32(at, "expert_used_count", options->experts_used);
    }
    if (options->window != 0)
        add_u32(at, "attention.sliding_window", options->window);
    if (options->rope_width != 0)
        add_u32(at, "rope.dimension_count", options->rope_width);
    (void)snprintf(full, sizeof full, "%s.block_count", at->arch);
    if (options->signed_layers != 0)
        gguf_key_i32(&at->out, full, (int32_t)layers);
    else
        gguf_key_u32(&at->out, full, layers);
    (void)snprintf(full, sizeof full, "%s.attention.layer_norm_rms_epsilon",
                   at->arch);
    gguf_key(&at->out, full, KEY_F32);
    gguf_u32(&at->out, 0x3727c5ac); /* 1e-5 */
    at->keys += 2;
}

static void add_layer(tiny *at, uint32_t layer)
{
    static const struct {
        const char *part;
        uint64_t ne[2];
    } PARTS[] = {{"attn_norm", {64, 0}},    {"attn_q", {64, 64}},
                 {"attn_k", {64, 32}},      {"attn_v", {64, 32}},
                 {"attn_output", {64, 64}}, {"ffn_norm", {64, 0}},
                 {"ffn_gate", {64, 128}},   {"ffn_up", {64, 128}},
                 {"ffn_down", {128, 64}}};
    char name[64];
    for (size_t i = 0; i < sizeof PARTS / sizeof *PARTS; i++) {
        (void)snprintf(name, sizeof name, "blk.%u.%s.weight", layer,
                       PARTS[i].part);
        gguf_tensor(&at->out, name, TYPE_F32, PARTS[i].ne[1] != 0 ? 2 : 1,
                    PARTS[i].ne);
    }
}

static void add_all(tiny *at, const tiny_options *options, uint64_t keys)
{
    const uint32_t layers = options->layers != 0 ? options->layers : 4;
    gguf_header(&at->out, 3, 2 + 9 * (uint64_t)(layers <= 64 ? layers : 4),
                keys);
    add_keys(at, options);
    gguf_tensor(&at->out, "token_embd.weight", TYPE_F16, 2,
                (const uint64_t[]){64, 256});
    gguf_tensor(&at->out, "output_norm.weight", TYPE_F32, 1,
                (const uint64_t[]){64});
    for (uint32_t i = 0; i < (layers <= 64 ? layers : 4); i++)
        add_layer(at, i);
    gguf_finish(&at->out);
}

memplan_status tiny_open(memplan_model **out, const tiny_options *options,
                         memplan_error *error)
{
    const char *arch =
        options->architecture != NULL ? options->architecture : "llama";
    tiny count = {.arch = arch};
    add_all(&count, options, 0); /* to count the keys */
    tiny made = {.arch = arch};
    add_all(&made, options, count.keys);
    folder at;
    folder_make(&at);
    const uint64_t data = 8 + made.out.next_offset;
    uint8_t *file = calloc(1, made.out.size + data);
    memcpy(file, made.out.data, made.out.size);
    const char *const path =
        folder_write(&at, "tiny.gguf", file, made.out.size + data);
    const memplan_status status = memplan_model_open(out, path, NULL, error);
    folder_remove(&at);
    free(file);
    gguf_free(&count.out);
    gguf_free(&made.out);
    return status;
}
