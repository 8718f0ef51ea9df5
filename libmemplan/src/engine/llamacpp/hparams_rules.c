/* SPDX-License-Identifier: MIT */
/*
 * What keys alone do not say. Before they are read: the defaults in which an
 * architecture differs from the others. After: its own rule, by a table, then
 * what follows for all in this order, since each step reads the one before:
 * recurrent layers, windows, indexers, owners of caches, RoPE, widths, and the
 * widths of states.
 */
#include "engine/llamacpp/hparams_rules.h"

#include <stdio.h>

#include "base/checked.h"

/* ---- Before the keys --------------------------------------------------- */

void mpl_llama_rules_before(mpl_llama_hparams *out)
{
    switch (out->arch) {
    case MPL_LLAMA_ARCH_GEMMA3:
    case MPL_LLAMA_ARCH_DFLASH:
        out->has_final_softcap = false;
        return;
    case MPL_LLAMA_ARCH_GROK:
        out->has_final_softcap = false;
        out->has_attn_softcap = true;
        out->has_logit_scale = true;
        out->has_embedding_scale = true;
        return;
    case MPL_LLAMA_ARCH_GEMMA2:
        out->has_attn_softcap = true;
        return;
    case MPL_LLAMA_ARCH_MINICPM:
        out->has_logit_scale = true;
        out->has_embedding_scale = true;
        out->has_residual_scale = true;
        return;
    case MPL_LLAMA_ARCH_LAGUNA:
        out->expert_shared_count = 1;
        return;
    case MPL_LLAMA_ARCH_MINIMAX_01:
        out->full_interval = 8;
        return;
    default:
        return;
    }
}

/* ---- Recurrent layers -------------------------------------------------- */

static bool is_recurrent(const mpl_llama_hparams *out, uint32_t i)
{
    const mpl_llama_layer *layer = &out->layers[i];
    const bool is_trunk = i < out->layer_count;
    switch (MPL_LLAMA_ARCHES[out->arch].recurrent) {
    case MPL_LLAMA_RECURRENT_NO:
        return false;
    case MPL_LLAMA_RECURRENT_ALL:
        return true;
    case MPL_LLAMA_RECURRENT_NO_HEADS:
        return is_trunk && layer->kv_head_count == 0;
    case MPL_LLAMA_RECURRENT_NO_HEADS_FF:
        return is_trunk && layer->kv_head_count == 0 && layer->ff_width == 0;
    case MPL_LLAMA_RECURRENT_INTERVAL_4:
    case MPL_LLAMA_RECURRENT_INTERVAL_8:
        return is_trunk && out->full_interval != 0 &&
               (i + 1) % out->full_interval != 0;
    }
    return false;
}

static void set_recurrent(mpl_llama_keys *keys, mpl_llama_hparams *out)
{
    static const char name[] = "attention.recurrent_layers";
    const mpl_llama_arch_row *row = &MPL_LLAMA_ARCHES[out->arch];
    const bool may_list = row->recurrent >= MPL_LLAMA_RECURRENT_INTERVAL_4;
    uint32_t flags[MPL_LLAMA_MAX_LAYERS] = {0};
    const bool is_listed =
        may_list &&
        mpl_llama_key_each(keys, name, MPL_LLAMA_MAY, out->layer_count_all,
                           flags, sizeof flags[0]);
    if (may_list && !is_listed) {
        (void)mpl_llama_key_u32(keys, "full_attention_interval", MPL_LLAMA_MAY,
                                &out->full_interval);
        if (out->full_interval == 0)
            mpl_llama_refuse(keys, "full_attention_interval 0");
    }
    for (uint32_t i = 0; i < out->layer_count_all; i++)
        out->layers[i].is_recurrent =
            is_listed ? flags[i] != 0 : is_recurrent(out, i);
    out->is_recurrent_arch = row->memory == MPL_LLAMA_MEMORY_RECURRENT;
    out->is_hybrid_arch = row->memory == MPL_LLAMA_MEMORY_HYBRID;
}

/* A product that stays where sizes made of it are refused as too large. */
static uint64_t times(uint64_t a, uint64_t b)
{
    uint64_t product = 0;
    return mpl_mul(&product, a, b) ? mpl_min(product, UINT64_C(1) << 60)
                                   : UINT64_C(1) << 60;
}

/* Widths of a sequence's states: see mpl_llama_hparams. */
static void set_state_widths(mpl_llama_hparams *out)
{
    const uint64_t heads = out->layers[0].head_count;
    const uint64_t conv = out->ssm_conv > 0 ? out->ssm_conv - 1 : 0;
    const uint64_t kda = out->kda_width;
    if (out->wkv_head_width != 0) {
        out->r_width = times(out->token_shift_count, out->embd);
        out->s_width = times(out->embd, out->wkv_head_width);
        return;
    }
    out->r_width =
        times(conv, out->ssm_inner + times(2 * (uint64_t)out->ssm_group_count,
                                           out->ssm_state));
    out->s_width = times(out->ssm_state, out->ssm_inner);
    if (out->shortconv_cache != 0)
        out->r_width = times(out->embd, out->shortconv_cache - 1);
    if (kda != 0) {
        out->s_width = times(times(kda, kda), heads);
        if (out->shortconv_cache == 0)
            out->r_width =
                times(3 * (out->ssm_conv > 0 ? conv : 3), times(heads, kda));
    } else if (out->la_width != 0) {
        out->s_width = times(times(out->la_width, out->la_width), heads);
    }
}

/* ---- Keys that fit no table -------------------------------------------- */

static void set_compress_ratios(mpl_llama_keys *keys, mpl_llama_hparams *out)
{
    int64_t ratios[MPL_LLAMA_MAX_LAYERS];
    uint32_t count = 0;
    if (!mpl_llama_key_array(keys, "attention.compress_ratios", MPL_LLAMA_MUST,
                             MPL_LLAMA_MAX_LAYERS, ratios, &count))
        return;
    if (count < out->layer_count_all)
        mpl_llama_refuse(
            keys, "DeepSeek-V4 compress_ratios is shorter than block_count");
    for (uint32_t i = 0; i < count && i < out->layer_count_all; i++)
        out->layers[i].compress_ratio = (uint32_t)ratios[i];
}

/* Files without the MTP layers still count them. */
static void drop_missing_mtp(mpl_llama_keys *keys, mpl_llama_hparams *out)
{
    char name[64];
    (void)snprintf(name, sizeof name, "blk.%u.nextn.eh_proj.weight",
                   out->layer_count);
    if (mpl_gguf_find_tensor(keys->gguf, name) == NULL)
        out->layer_count = out->layer_count_all;
}

/* GLM 5.2 has an indexer of its own in the first three layers and then in
 * each fourth; 5 and 5.1 in all of them. */
static bool glm_indexer(const mpl_llama_hparams *out, uint32_t i)
{
    return out->context_train < 1048576 || i < 3 || (i - 2) % 4 == 0;
}

static void set_indexers(mpl_llama_keys *keys, mpl_llama_hparams *out)
{
    int64_t types[MPL_LLAMA_MAX_LAYERS] = {0};
    uint32_t count = 0;
    const bool must = out->arch == MPL_LLAMA_ARCH_DOTS3NOTE;
    for (uint32_t i = 0; i < out->layer_count_all; i++)
        out->layers[i].is_indexer_full =
            out->arch == MPL_LLAMA_ARCH_GLM_DSA     ? glm_indexer(out, i)
            : out->arch == MPL_LLAMA_ARCH_GLM5_NEXT ? true
                                                    : false;
    if (!mpl_llama_key_array(keys, "attention.indexer.types",
                             must ? MPL_LLAMA_MUST : MPL_LLAMA_MAY,
                             MPL_LLAMA_MAX_LAYERS, types, &count))
        return;
    for (uint32_t i = 0; i < count && i < out->layer_count_all; i++)
        out->layers[i].is_indexer_full = types[i] != 0;
}

/* Distinct inputs of Granite Vision's deepstack. */
static void set_deepstack(mpl_llama_keys *keys, mpl_llama_hparams *out)
{
    int64_t inputs[MPL_LLAMA_MAX_LAYERS];
    uint32_t count = 0;
    if (!mpl_llama_key_array(keys, "deepstack_mapping", MPL_LLAMA_MAY,
                             MPL_LLAMA_MAX_LAYERS, inputs, &count))
        return;
    uint32_t distinct = 0;
    for (uint32_t i = 0; i < count; i++) {
        bool is_new = inputs[i] >= 0;
        for (uint32_t j = 0; is_new && j < i; j++)
            is_new = inputs[j] != inputs[i];
        distinct += is_new ? 1 : 0;
    }
    for (uint32_t i = 0; i < count; i++)
        if (inputs[i] > (int64_t)distinct)
            mpl_llama_refuse(keys, "Invalid deepstack index: %lld > %u",
                             (long long)inputs[i], distinct);
    out->deepstack_count = distinct;
}

static void set_rope_pattern(mpl_llama_keys *keys, mpl_llama_hparams *out,
                             bool is_listed)
{
    bool all = true;
    int64_t flags[MPL_LLAMA_MAX_LAYERS];
    uint32_t count = 0;
    if (is_listed) {
        (void)mpl_llama_key_array(keys, "attention.rope_pattern", MPL_LLAMA_MAY,
                                  MPL_LLAMA_MAX_LAYERS, flags, &count);
        for (uint32_t i = 0; i < count && i < out->layer_count_all; i++)
            out->layers[i].has_rope = flags[i] != 0;
        return;
    }
    (void)mpl_llama_key_bool(keys, "rope.scaling.finetuned", MPL_LLAMA_MAY,
                             &all);
    for (uint32_t i = 0; i < out->layer_count_all; i++)
        out->layers[i].has_rope = all;
}

/* The one module of n-gram embeddings, and its convolution's history. */
static void set_ple(mpl_llama_keys *keys, mpl_llama_hparams *out)
{
    int64_t layers[MPL_LLAMA_MAX_LAYERS];
    uint32_t count = 0;
    uint32_t ngram = 0;
    uint32_t kernel = 0;
    uint32_t heads = 0;
    if (!mpl_llama_key_array(keys, "ple.layers", MPL_LLAMA_MAY,
                             MPL_LLAMA_MAX_LAYERS, layers, &count) ||
        count == 0)
        return;
    (void)mpl_llama_key_u32(keys, "ple.ngram_size", MPL_LLAMA_MUST, &ngram);
    (void)mpl_llama_key_u32(keys, "ple.heads_per_ngram", MPL_LLAMA_MUST,
                            &heads);
    (void)mpl_llama_key_u32(keys, "ple.conv_kernel", MPL_LLAMA_MUST, &kernel);
    if (count != 1)
        mpl_llama_refuse(keys,
                         "ple.layers lists %u layers, but only one is "
                         "supported",
                         count);
    if (layers[0] < 0 || layers[0] >= (int64_t)out->layer_count_all)
        mpl_llama_refuse(keys, "PLE layer %lld is out of range",
                         (long long)layers[0]);
    if (ngram < 2 || ngram > 8 || kernel == 0 || heads == 0)
        mpl_llama_refuse(keys, "PLE n-gram size %u is out of range", ngram);
    if (keys->status != MEMPLAN_OK)
        return;
    out->layers[layers[0]].is_ple = true;
    out->ple_conv_width =
        times(times(kernel - 1, ngram), times(out->hc_mult, out->embd));
}

/* ---- More layers than blocks ------------------------------------------- */

/* Nanbeige runs its layers again: each run has caches of its own. */
static void set_loops(mpl_llama_keys *keys, mpl_llama_hparams *out)
{
    (void)mpl_llama_key_u32(keys, "num_loops", MPL_LLAMA_MAY, &out->loop_count);
    const uint64_t layers = out->layer_count;
    if (out->loop_count == 0 ||
        layers * out->loop_count > MPL_LLAMA_MAX_LAYERS) {
        mpl_llama_refuse(keys, "num_loops %u with %u layers", out->loop_count,
                         out->layer_count);
        return;
    }
    if (out->loop_count == 1)
        return;
    for (uint32_t i = out->layer_count; i < layers * out->loop_count; i++) {
        out->layers[i] = out->layers[i % layers];
        out->layers[i].kv_owner = (int32_t)i;
    }
    out->layer_count_all = (uint32_t)layers * out->loop_count;
    out->layer_count = out->layer_count_all;
}

/* Granite Switch adds one single-head layer that routes. */
static void set_router(mpl_llama_keys *keys, mpl_llama_hparams *out)
{
    const uint32_t real = out->layer_count;
    if (real >= MPL_LLAMA_MAX_LAYERS) {
        mpl_llama_refuse(keys, "block_count %u leaves no room for a router",
                         real);
        return;
    }
    out->layers[real] = (mpl_llama_layer){
        .head_count = 1, .kv_head_count = 1, .kv_owner = (int32_t)real};
    out->layer_count_all = real + 1;
    out->has_router_layer = true;
}

static void check_stacks(mpl_llama_keys *keys, mpl_llama_hparams *out)
{
    const uint64_t slots = (uint64_t)out->hrm_stack_layers * out->hrm_h_cycles *
                           ((uint64_t)out->hrm_l_cycles + 1);
    if (slots != out->layer_count)
        mpl_llama_refuse(keys,
                         "block_count %u is not %llu, the stacks times "
                         "their cycles",
                         out->layer_count, (unsigned long long)slots);
}

/* ---- What follows ------------------------------------------------------ */

/* Layers past kv_from_start read the cache of the last owner of their kind. */
static void set_owners(mpl_llama_keys *keys, mpl_llama_hparams *out)
{
    if (out->arch == MPL_LLAMA_ARCH_GEMMA3N)
        out->kv_from_start = 20;
    if (out->arch == MPL_LLAMA_ARCH_GEMMA4)
        out->kv_from_start = out->shared_kv_count > out->layer_count_all
                                 ? 0
                                 : out->layer_count_all - out->shared_kv_count;
    if (out->kv_from_start == UINT32_MAX)
        return;
    if (out->kv_from_start < 2) {
        mpl_llama_refuse(keys, "only %u layers own a cache, at least 2 must",
                         out->kv_from_start);
        return;
    }
    for (uint32_t i = out->kv_from_start; i < out->layer_count_all; i++)
        out->layers[i].kv_owner =
            (int32_t)(out->kv_from_start - (out->layers[i].is_swa ? 2 : 1));
}

static void set_layers(mpl_llama_hparams *out)
{
    for (uint32_t i = 0; i < out->layer_count_all; i++) {
        mpl_llama_layer *layer = &out->layers[i];
        layer->key_width =
            layer->is_swa ? out->key_width_swa : out->key_width_full;
        layer->value_width =
            layer->is_swa ? out->value_width_swa : out->value_width_full;
        layer->rope_width =
            layer->is_swa ? out->rope_width_swa : out->rope_width_full;
    }
}

static const uint32_t ROPE_KINDS[] = {[MPL_LLAMA_ROPE_NONE] = UINT32_MAX,
                                      [MPL_LLAMA_ROPE_NORM] = 0,
                                      [MPL_LLAMA_ROPE_NEOX] = 2,
                                      [MPL_LLAMA_ROPE_MROPE] = 8,
                                      [MPL_LLAMA_ROPE_IMROPE] = 40};

static void set_rope(mpl_llama_hparams *out)
{
    mpl_llama_rope rope = MPL_LLAMA_ARCHES[out->arch].rope;
    const bool has_sections =
        out->rope_sections[0] > 0 && out->rope_sections[1] > 0;
    const bool may_have = out->arch == MPL_LLAMA_ARCH_GLM4 ||
                          out->arch == MPL_LLAMA_ARCH_GLM4_MOE ||
                          out->arch == MPL_LLAMA_ARCH_HUNYUAN_VL ||
                          out->arch == MPL_LLAMA_ARCH_BAILINGMOE3;
    if (may_have && has_sections)
        rope = MPL_LLAMA_ROPE_MROPE;
    out->rope_kind = ROPE_KINDS[rope];
    out->positions_per_token =
        rope == MPL_LLAMA_ROPE_MROPE || rope == MPL_LLAMA_ROPE_IMROPE ? 4 : 1;
}

static void set_widths(mpl_llama_keys *keys, mpl_llama_hparams *out)
{
    const bool is_wide_out = out->arch == MPL_LLAMA_ARCH_DEEPSEEK4 ||
                             out->arch == MPL_LLAMA_ARCH_QWEN4EXP;
    if (out->arch == MPL_LLAMA_ARCH_WAVTOKENIZER_DEC) {
        out->embd_out = out->embd;
        (void)mpl_llama_key_u32(keys, "features_length", MPL_LLAMA_MUST,
                                &out->embd);
    }
    if (is_wide_out)
        out->embd_out = out->hc_mult * out->embd;
    if (out->embd_out == 0)
        out->embd_out = out->embd;
    out->embd_in = out->embd * (1 + out->deepstack_count);
    if (out->arch == MPL_LLAMA_ARCH_GEMMA4_ASSISTANT)
        out->embd_in = out->embd_out;
    out->embd_in_enc = out->embd_in;
    if (out->dec_layer_count == 0)
        out->dec_layer_count = out->layer_count;
}

/* ---- Rules of single architectures ------------------------------------- */

static void set_lightning_width(mpl_llama_keys *keys, mpl_llama_hparams *out)
{
    (void)keys;
    out->la_width = out->key_width_full;
}

static void set_rank_values(mpl_llama_keys *keys, mpl_llama_hparams *out)
{
    (void)keys;
    out->value_width_full = out->kv_rank;
}

static void halve_rope(mpl_llama_keys *keys, mpl_llama_hparams *out)
{
    (void)keys;
    out->rope_width_full /= 2;
}

static void set_deepseek4(mpl_llama_keys *keys, mpl_llama_hparams *out)
{
    drop_missing_mtp(keys, out);
    set_compress_ratios(keys, out);
}

static void set_granite(mpl_llama_keys *keys, mpl_llama_hparams *out)
{
    set_deepstack(keys, out);
    set_rope_pattern(keys, out, out->arch == MPL_LLAMA_ARCH_GRANITE_SWA);
}

static void set_granite_hybrid(mpl_llama_keys *keys, mpl_llama_hparams *out)
{
    set_rope_pattern(keys, out, false);
}

static void set_granite_switch(mpl_llama_keys *keys, mpl_llama_hparams *out)
{
    set_rope_pattern(keys, out, false);
    set_router(keys, out);
}

static void set_qwen4(mpl_llama_keys *keys, mpl_llama_hparams *out)
{
    (void)mpl_llama_key_each(keys, "attention.compress_ratios", MPL_LLAMA_MAY,
                             out->layer_count_all,
                             &out->layers[0].compress_ratio,
                             sizeof *out->layers);
    set_ple(keys, out);
}

static void check_indexer(mpl_llama_keys *keys, mpl_llama_hparams *out)
{
    if (out->indexer_block == 0)
        mpl_llama_refuse(keys, "attention.indexer.block_size 0");
}

static void see_all_tokens(mpl_llama_keys *keys, mpl_llama_hparams *out)
{
    (void)keys;
    out->is_causal = false;
}

static void set_llama4(mpl_llama_keys *keys, mpl_llama_hparams *out)
{
    if (mpl_gguf_find_arch(keys->gguf, "attention.sliding_window") &&
        out->swa_window == 0)
        out->nope_step = UINT32_MAX;
}

/* NULL: the architecture has none. */
static void (*const OWN_RULES[MPL_LLAMA_ARCH_COUNT])(mpl_llama_keys *,
                                                     mpl_llama_hparams *) = {
    [MPL_LLAMA_ARCH_MINIMAX_01] = set_lightning_width,
    [MPL_LLAMA_ARCH_KIMI_K3] = set_rank_values,
    [MPL_LLAMA_ARCH_GLM5_NEXT] = set_rank_values,
    [MPL_LLAMA_ARCH_STEP35] = halve_rope,
    [MPL_LLAMA_ARCH_DEEPSEEK4] = set_deepseek4,
    [MPL_LLAMA_ARCH_GRANITE] = set_granite,
    [MPL_LLAMA_ARCH_GRANITE_SWA] = set_granite,
    [MPL_LLAMA_ARCH_GRANITE_HYBRID] = set_granite_hybrid,
    [MPL_LLAMA_ARCH_GRANITE_SWITCH] = set_granite_switch,
    [MPL_LLAMA_ARCH_NANBEIGE] = set_loops,
    [MPL_LLAMA_ARCH_HRM_TEXT] = check_stacks,
    [MPL_LLAMA_ARCH_QWEN4EXP] = set_qwen4,
    [MPL_LLAMA_ARCH_MINIMAX_M3] = check_indexer,
    [MPL_LLAMA_ARCH_GEMMA_EMBEDDING] = see_all_tokens,
    [MPL_LLAMA_ARCH_DREAM] = see_all_tokens,
    [MPL_LLAMA_ARCH_LLADA] = see_all_tokens,
    [MPL_LLAMA_ARCH_LLADA_MOE] = see_all_tokens,
    [MPL_LLAMA_ARCH_RND1] = see_all_tokens,
    [MPL_LLAMA_ARCH_LLAMA4] = set_llama4,
};

void mpl_llama_rules_apply(mpl_llama_keys *keys, mpl_llama_hparams *out)
{
    static const uint32_t GATINGS[] = {[MPL_LLAMA_GATING_NONE] = 0,
                                       [MPL_LLAMA_GATING_SOFTMAX] = 1,
                                       [MPL_LLAMA_GATING_SIGMOID] = 2};
    if (out->expert_gating == 0)
        out->expert_gating = GATINGS[MPL_LLAMA_ARCHES[out->arch].gating];
    if (OWN_RULES[out->arch] != NULL)
        OWN_RULES[out->arch](keys, out);
    set_recurrent(keys, out);
    mpl_llama_rules_windows(keys, out);
    set_indexers(keys, out);
    set_layers(out);
    set_owners(keys, out);
    set_rope(out);
    set_widths(keys, out);
    set_state_widths(out);
    out->is_mla = out->mla_key_width != 0 && out->mla_value_width != 0;
}
