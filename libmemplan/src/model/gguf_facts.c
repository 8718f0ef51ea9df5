/* SPDX-License-Identifier: MIT */
/*
 * Facts and state from the keys that all architectures share. An engine that
 * knows an architecture better reads the metadata itself.
 *
 *     head         key_length, value_length; else embedding_length / heads
 *     state        kv heads * head, for keys and for values
 *     MLA          keys alone: the latent and its rotary part
 *     window       a layer marked in sliding_window_pattern keeps
 *                  sliding_window tokens
 *     recurrent    a layer without kv heads, or each one where ssm.* is all
 *                  there is: (conv - 1) * (inner + 2 * groups * state) +
 *                  state * inner, in fp32
 */
#include <stddef.h>

#include "base/checked.h"
#include "model/gguf_file.h"

static uint64_t largest_u64(const mpl_gguf *gguf, const char *name,
                            uint64_t fallback)
{
    const mpl_gguf_key *const key = mpl_gguf_find_arch(gguf, name);
    uint64_t best = 0;
    bool is_found = false;
    for (uint64_t at = 0; key != NULL && at < key->count; at++) {
        uint64_t value;
        if (!mpl_gguf_u64(key, at, &value))
            break;
        best = mpl_max(best, value);
        is_found = true;
    }
    return is_found ? best : fallback;
}

static uint64_t vocabulary_count(const mpl_gguf *gguf)
{
    const uint64_t stated =
        mpl_gguf_arch_u64(gguf, "vocab_size", MEMPLAN_UNKNOWN);
    const mpl_gguf_key *const tokens =
        mpl_gguf_find(gguf, "tokenizer.ggml.tokens");
    if (tokens != NULL && tokens->type == MPL_GGUF_ARRAY)
        return tokens->count;
    return stated;
}

/* The widest inner width, all experts of a token together. */
static uint64_t ffn_elements(const mpl_gguf *gguf)
{
    uint64_t dense = largest_u64(gguf, "feed_forward_length", MEMPLAN_UNKNOWN);
    const uint64_t expert = largest_u64(gguf, "expert_feed_forward_length", 0);
    const uint64_t used = mpl_gguf_arch_u64(gguf, "expert_used_count", 0);
    uint64_t routed = 0;
    if (used == 0)
        return dense;
    if (!mpl_mul(&routed, expert != 0 ? expert : dense, used))
        return MEMPLAN_UNKNOWN;
    if (dense == MEMPLAN_UNKNOWN)
        dense = 0;
    return mpl_max(dense, routed);
}

static uint64_t head_elements(const mpl_gguf *gguf, const char *name,
                              const mpl_facts *facts)
{
    const uint64_t stated = mpl_gguf_arch_u64(gguf, name, MEMPLAN_UNKNOWN);
    if (stated != MEMPLAN_UNKNOWN)
        return stated;
    return facts->hidden_elements != MEMPLAN_UNKNOWN &&
                   facts->head_count != MEMPLAN_UNKNOWN && facts->head_count > 0
               ? facts->hidden_elements / facts->head_count
               : MEMPLAN_UNKNOWN;
}

/* heads * width, or nothing where either is unknown or beyond reason. */
static uint64_t cached_elements(uint64_t heads, uint64_t width)
{
    uint64_t product;
    return heads != MEMPLAN_UNKNOWN && width != MEMPLAN_UNKNOWN &&
                   mpl_mul(&product, heads, width)
               ? product
               : 0;
}

static bool is_windowed(const mpl_gguf *gguf, uint64_t layer)
{
    const mpl_gguf_key *const key =
        mpl_gguf_find_arch(gguf, "attention.sliding_window_pattern");
    bool flag;
    uint64_t value;
    if (key == NULL)
        return false;
    if (key->type == MPL_GGUF_ARRAY)
        return mpl_gguf_bool(key, layer, &flag)
                   ? flag
                   : mpl_gguf_u64(key, layer, &value) && value != 0;
    /* Every n-th layer is full. */
    return mpl_gguf_u64(key, 0, &value) &&
           (value == 0 || layer % value < value - 1);
}

static uint64_t recurrent_bytes(const mpl_gguf *gguf)
{
    const uint64_t conv = mpl_gguf_arch_u64(gguf, "ssm.conv_kernel", 0);
    const uint64_t inner = mpl_gguf_arch_u64(gguf, "ssm.inner_size", 0);
    const uint64_t state = mpl_gguf_arch_u64(gguf, "ssm.state_size", 0);
    const uint64_t groups = mpl_gguf_arch_u64(gguf, "ssm.group_count", 0);
    uint64_t shifted = 0;
    uint64_t wide = 0;
    uint64_t bytes = 0;
    if (!mpl_mul(&shifted, groups, state) || !mpl_mul(&shifted, shifted, 2) ||
        !mpl_add(&shifted, shifted, inner) ||
        !mpl_mul(&shifted, shifted, mpl_sub_floor(conv, 1)) ||
        !mpl_mul(&wide, state, inner) || !mpl_add(&bytes, shifted, wide) ||
        !mpl_mul(&bytes, bytes, 4))
        return 0;
    return bytes;
}

static void read_state(mpl_state *state, const mpl_gguf *gguf,
                       const mpl_facts *facts, uint64_t layer)
{
    const uint64_t heads =
        mpl_gguf_layer_u64(gguf, "attention.head_count_kv", layer,
                           mpl_gguf_layer_u64(gguf, "attention.head_count",
                                              layer, MEMPLAN_UNKNOWN));
    const bool is_latent =
        mpl_gguf_arch_u64(gguf, "attention.key_length_mla", 0) > 0;
    state->key_elements = cached_elements(
        heads, head_elements(gguf, "attention.key_length", facts));
    if (!is_latent)
        state->value_elements = cached_elements(
            heads, head_elements(gguf, "attention.value_length", facts));
    if (is_windowed(gguf, layer))
        state->window_tokens =
            mpl_gguf_arch_u64(gguf, "attention.sliding_window", 0);
    if (state->key_elements == 0)
        state->fixed_bytes = recurrent_bytes(gguf);
}

void mpl_gguf_read_facts(memplan_model *model, const mpl_gguf *gguf)
{
    mpl_facts *const facts = &model->facts;
    facts->context_tokens =
        mpl_gguf_arch_u64(gguf, "context_length", MEMPLAN_UNKNOWN);
    facts->hidden_elements =
        mpl_gguf_arch_u64(gguf, "embedding_length", MEMPLAN_UNKNOWN);
    facts->ffn_elements = ffn_elements(gguf);
    facts->vocabulary_count = vocabulary_count(gguf);
    facts->head_count =
        largest_u64(gguf, "attention.head_count", MEMPLAN_UNKNOWN);
    facts->kv_head_count =
        largest_u64(gguf, "attention.head_count_kv", facts->head_count);
    facts->head_elements = head_elements(gguf, "attention.key_length", facts);
    facts->expert_count = mpl_gguf_arch_u64(gguf, "expert_count", 0);
    facts->experts_used = mpl_gguf_arch_u64(gguf, "expert_used_count", 0);
    for (uint32_t at = 0; at < model->unit_count; at++)
        if (model->units[at].kind == MPL_UNIT_LAYER)
            read_state(&model->units[at].state, gguf, facts,
                       model->units[at].layer_index);
}
