/* SPDX-License-Identifier: MIT */
/* A llama of 4 layers, small enough to add up by hand. */
#ifndef MEMPLAN_TESTS_TINY_MODEL_H
#define MEMPLAN_TESTS_TINY_MODEL_H

#include <stdint.h>

#include "memplan.h"

/* What a test may get wrong on purpose; zero is right. */
typedef struct tiny_options {
    const char *architecture; /* NULL: "llama" */
    uint32_t layers;          /* 0: 4 */
    uint32_t heads;           /* 0: 2; UINT32_MAX: no key */
    uint32_t experts;         /* 0: no key */
    uint32_t experts_used;
    uint32_t window;        /* 0: no key */
    uint32_t rope_width;    /* 0: no key */
    uint32_t lacks_context; /* 1: no context_length */
    uint32_t signed_layers; /* 1: block_count is an i32 */
    uint32_t has_expert_tensors; /* 1: of `experts`, in place of FFNs; gates of
                                    every other layer in float16 */
} tiny_options;

/*
 * embd 64, head 32 wide, 1 KV head, FFN 128, 256 tokens, trained on 512;
 * float32 but for token_embd in float16. Its output is token_embd's.
 *
 *     a layer   attn_norm 256 + q 16384 + k 8192 + v 8192 + output 16384
 *               + ffn_norm 256 + gate, up, down 32768 each = 147968 bytes
 *     others    token_embd 32768 + output_norm 256
 */
enum {
    TINY_LAYER_BYTES = 147968,
    TINY_EMBD_BYTES = 32768,
    TINY_NORM_BYTES = 256
};

/* The status of opening it; frees nothing of the caller's. */
memplan_status tiny_open(memplan_model **out, const tiny_options *options,
                         memplan_error *error);

#endif
