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

typedef struct tiny_part {
    const char *part;
    uint64_t ne[3];
} tiny_part;

static void add_part(tiny *at, uint32_t layer, const tiny_part *part,
                     uint32_t type)
{
    char name[64];
    (void)snprintf(name, sizeof name, "blk.%u.%s.weight", layer, part->part);
    gguf_tensor(&at->out, name, type,
                part->ne[2] != 0   ? 3
                : part->ne[1] != 0 ? 2
                                   : 1,
                part->ne);
}

enum { ATTENTION_PARTS = 6, FFN_PARTS = 3, EXPERT_PARTS = 4 };

static void add_layer(tiny *at, uint32_t layer, const tiny_options *options)
{
    static const tiny_part ATTENTION[ATTENTION_PARTS] = {
        {"attn_norm", {64, 0}},    {"attn_q", {64, 64}},
        {"attn_k", {64, 32}},      {"attn_v", {64, 32}},
        {"attn_output", {64, 64}}, {"ffn_norm", {64, 0}}};
    static const tiny_part FFN[FFN_PARTS] = {{"ffn_gate", {64, 128}},
                                             {"ffn_up", {64, 128}},
                                             {"ffn_down", {128, 64}}};
    const uint64_t count = options->experts;
    const tiny_part EXPERTS[EXPERT_PARTS] = {
        {"ffn_gate_inp", {64, count}},
        {"ffn_gate_exps", {64, 128, count}},
        {"ffn_up_exps", {64, 128, count}},
        {"ffn_down_exps", {128, 64, count}}};
    for (uint32_t i = 0; i < ATTENTION_PARTS; i++)
        add_part(at, layer, &ATTENTION[i], TYPE_F32);
    for (uint32_t i = 0; i < FFN_PARTS && options->has_expert_tensors == 0; i++)
        add_part(at, layer, &FFN[i], TYPE_F32);
    for (uint32_t i = 0; i < EXPERT_PARTS && options->has_expert_tensors != 0;
         i++)
        add_part(at, layer, &EXPERTS[i],
                 i == 1 && layer % 2 == 0 ? TYPE_F16 : TYPE_F32);
}

static void add_all(tiny *at, const tiny_options *options, uint64_t keys)
{
    const uint32_t layers = options->layers != 0 ? options->layers : 4;
    const uint64_t parts =
        ATTENTION_PARTS +
        (options->has_expert_tensors != 0 ? EXPERT_PARTS : FFN_PARTS);
    gguf_header(&at->out, 3, 2 + parts * (layers <= 64 ? layers : 4), keys);
    add_keys(at, options);
    gguf_tensor(&at->out, "token_embd.weight", TYPE_F16, 2,
                (const uint64_t[]){64, 256});
    gguf_tensor(&at->out, "output_norm.weight", TYPE_F32, 1,
                (const uint64_t[]){64});
    for (uint32_t i = 0; i < (layers <= 64 ? layers : 4); i++)
        add_layer(at, i, options);
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
