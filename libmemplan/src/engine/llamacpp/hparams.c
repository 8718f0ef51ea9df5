/* SPDX-License-Identifier: MIT */
/*
 * Hyper-parameters in llama.cpp's order: the common keys, the architecture's
 * own keys (reads.def), the architecture's rules (hparams_rules.c), and what
 * follows from them.
 */
#include "engine/llamacpp/hparams.h"

#include <string.h>

#include "engine/llamacpp/hparams_rules.h"
#include "engine/llamacpp/keys.h"

const mpl_llama_arch_row MPL_LLAMA_ARCHES[MPL_LLAMA_ARCH_COUNT] = {
#define ARCH(id, name, rope, memory, output, recurrent, gating)                \
    [MPL_LLAMA_ARCH_##id] = {name,                                             \
                             MPL_LLAMA_ROPE_##rope,                            \
                             MPL_LLAMA_MEMORY_##memory,                        \
                             MPL_LLAMA_OUTPUT_##output,                        \
                             MPL_LLAMA_RECURRENT_##recurrent,                  \
                             MPL_LLAMA_GATING_##gating},
#include "engine/llamacpp/architectures.def"
#undef ARCH
};

static mpl_llama_arch find_arch(const char *name)
{
    for (uint32_t i = 0; i < MPL_LLAMA_ARCH_COUNT; i++)
        if (strcmp(MPL_LLAMA_ARCHES[i].name, name) == 0)
            return (mpl_llama_arch)i;
    return MPL_LLAMA_ARCH_COUNT;
}

#define EACH(member) &out->layers[0].member, sizeof(mpl_llama_layer)

static uint32_t max_experts_used(const mpl_llama_hparams *out)
{
    uint32_t most = 0;
    for (uint32_t i = 0; i < out->layer_count_all; i++)
        if (out->layers[i].experts_used > most)
            most = out->layers[i].experts_used;
    return most;
}

static void read_shape(mpl_llama_keys *keys, mpl_llama_hparams *out)
{
    (void)mpl_llama_key_u32(keys, "context_length", MPL_LLAMA_MUST,
                            &out->context_train);
    (void)mpl_llama_key_u32(keys, "embedding_length", MPL_LLAMA_MUST,
                            &out->embd);
    (void)mpl_llama_key_u32(keys, "embedding_length_out", MPL_LLAMA_MAY,
                            &out->embd_out);
    (void)mpl_llama_key_bool(keys, "attention.causal", MPL_LLAMA_MAY,
                             &out->is_causal);
    (void)mpl_llama_key_u32(keys, "pooling_type", MPL_LLAMA_MAY, &out->pooling);
    (void)mpl_llama_key_u32(keys, "block_count", MPL_LLAMA_MUST,
                            &out->layer_count_all);
    if (out->layer_count_all == 0 ||
        out->layer_count_all > MPL_LLAMA_MAX_LAYERS)
        mpl_llama_refuse(keys, "block_count %u, not in 1 to %d",
                         out->layer_count_all, MPL_LLAMA_MAX_LAYERS);
    uint32_t mtp = 0;
    (void)mpl_llama_key_u32(keys, "nextn_predict_layers", MPL_LLAMA_MAY, &mtp);
    if (mtp > out->layer_count_all)
        mpl_llama_refuse(keys, "nextn_predict_layers %u, more than %u blocks",
                         mtp, out->layer_count_all);
    out->layer_count = out->layer_count_all - mtp;
}

static void check_experts(mpl_llama_keys *keys, const mpl_llama_hparams *out)
{
    const uint32_t used = max_experts_used(out);
    const uint32_t groups = out->expert_group_count;
    if (out->expert_count > MPL_LLAMA_MAX_EXPERTS)
        mpl_llama_refuse(keys, "expert_count %u, at most %d", out->expert_count,
                         MPL_LLAMA_MAX_EXPERTS);
    if (used > out->expert_count)
        mpl_llama_refuse(keys, "expert_used_count %u, more than %u experts",
                         used, out->expert_count);
    if (out->expert_count > 0 && used == 0)
        mpl_llama_refuse(keys, "expert_used_count 0 with %u experts",
                         out->expert_count);
    if (groups > 0 && groups >= out->expert_count)
        mpl_llama_refuse(keys, "expert_group_count %u with %u experts", groups,
                         out->expert_count);
    if (groups > 1 && out->expert_count % groups != 0)
        mpl_llama_refuse(keys, "expert_group_count %u does not divide %u",
                         groups, out->expert_count);
    if (groups > 1 &&
        (out->expert_groups_used == 0 || out->expert_groups_used >= groups))
        mpl_llama_refuse(keys, "expert_group_used_count %u of %u groups",
                         out->expert_groups_used, groups);
}

static void read_experts(mpl_llama_keys *keys, mpl_llama_hparams *out)
{
    (void)mpl_llama_key_u32(keys, "expert_count", MPL_LLAMA_MAY,
                            &out->expert_count);
    (void)mpl_llama_key_each(keys, "expert_used_count", MPL_LLAMA_MAY,
                             out->layer_count_all, EACH(experts_used));
    (void)mpl_llama_key_u32(keys, "expert_group_count", MPL_LLAMA_MAY,
                            &out->expert_group_count);
    (void)mpl_llama_key_u32(keys, "expert_group_used_count", MPL_LLAMA_MAY,
                            &out->expert_groups_used);
    const bool is_hunyuan = out->arch == MPL_LLAMA_ARCH_HUNYUAN_VL ||
                            out->arch == MPL_LLAMA_ARCH_HUNYUAN_DENSE;
    if (is_hunyuan && out->expert_count <= 1) {
        out->expert_count = 0;
        for (uint32_t i = 0; i < out->layer_count_all; i++)
            out->layers[i].experts_used = 0;
    }
    check_experts(keys, out);
}

static void read_heads(mpl_llama_keys *keys, mpl_llama_hparams *out)
{
    const uint32_t count = out->layer_count_all;
    (void)mpl_llama_key_each(keys, "feed_forward_length", MPL_LLAMA_MAY, count,
                             EACH(ff_width));
    (void)mpl_llama_key_each(keys, "attention.head_count", MPL_LLAMA_MAY, count,
                             EACH(head_count));
    for (uint32_t i = 0; i < count; i++)
        out->layers[i].kv_head_count = out->layers[i].head_count;
    (void)mpl_llama_key_each(keys, "attention.head_count_kv", MPL_LLAMA_MAY,
                             count, EACH(kv_head_count));
}

static bool rope_must_fill(mpl_llama_arch arch)
{
    return arch == MPL_LLAMA_ARCH_LLAMA || arch == MPL_LLAMA_ARCH_DECI ||
           arch == MPL_LLAMA_ARCH_FALCON || arch == MPL_LLAMA_ARCH_LLAMA_EMBED;
}

static void read_head_widths(mpl_llama_keys *keys, mpl_llama_hparams *out)
{
    const uint32_t heads = out->layers[0].head_count;
    if (heads > 0) {
        out->key_width_full = out->embd / heads;
        out->value_width_full = out->embd / heads;
        (void)mpl_llama_key_u32(keys, "attention.key_length", MPL_LLAMA_MAY,
                                &out->key_width_full);
        (void)mpl_llama_key_u32(keys, "attention.value_length", MPL_LLAMA_MAY,
                                &out->value_width_full);
        out->rope_width_full = out->key_width_full;
        (void)mpl_llama_key_u32(keys, "rope.dimension_count", MPL_LLAMA_MAY,
                                &out->rope_width_full);
        if (rope_must_fill(out->arch) &&
            out->rope_width_full != out->key_width_full)
            mpl_llama_refuse(keys, "invalid n_rot: %u, expected %u",
                             out->rope_width_full, out->key_width_full);
    }
    out->key_width_swa = out->key_width_full;
    out->value_width_swa = out->value_width_full;
    out->rope_width_swa = out->rope_width_full;
    (void)mpl_llama_key_u32(keys, "attention.key_length_swa", MPL_LLAMA_MAY,
                            &out->key_width_swa);
    (void)mpl_llama_key_u32(keys, "attention.value_length_swa", MPL_LLAMA_MAY,
                            &out->value_width_swa);
    (void)mpl_llama_key_u32(keys, "rope.dimension_count_swa", MPL_LLAMA_MAY,
                            &out->rope_width_swa);
}

/* Entries of the vocabulary: its tokens, or a number where it has none. */
static void read_vocabulary(mpl_llama_keys *keys, mpl_llama_hparams *out)
{
    const char *kind =
        mpl_gguf_text(mpl_gguf_find(keys->gguf, "tokenizer.ggml.model"));
    const mpl_gguf_key *tokens =
        mpl_gguf_find(keys->gguf, "tokenizer.ggml.tokens");
    if (kind == NULL)
        mpl_llama_refuse(keys, "key not found in model: tokenizer.ggml.model");
    else if (strcmp(kind, "no_vocab") == 0 || strcmp(kind, "none") == 0)
        (void)mpl_llama_key_u32(keys, "vocab_size", MPL_LLAMA_MAY,
                                &out->vocab_count);
    else if (tokens == NULL || tokens->count > UINT32_MAX)
        mpl_llama_refuse(keys, "cannot find tokenizer vocab in model file");
    else
        out->vocab_count = (uint32_t)tokens->count;
    const mpl_gguf_key *labels =
        mpl_gguf_find_arch(keys->gguf, "classifier.output_labels");
    out->class_count =
        labels != NULL && labels->count > 0 && labels->count <= UINT32_MAX
            ? (uint32_t)labels->count
            : 1;
}

/* Values that stand where no key says otherwise. */
static void set_defaults(mpl_llama_hparams *out)
{
    out->is_causal = true;
    out->has_final_softcap = true;
    out->has_router_softcap = true;
    out->token_shift_count = 2;
    out->kv_from_start = UINT32_MAX;
    out->nope_step = 4;
    out->altup_count = 4;
    out->loop_count = 1;
    out->full_interval = 4;
}

/* Rooms for the layers: a model that loops has more than it has blocks. */
static bool make_layers(mpl_llama_hparams *out, mpl_arena *arena)
{
    out->layers =
        mpl_arena_alloc(arena, MPL_LLAMA_MAX_LAYERS + 1, sizeof *out->layers);
    if (out->layers == NULL)
        return false;
    for (uint32_t i = 0; i <= MPL_LLAMA_MAX_LAYERS; i++) {
        out->layers[i].has_rope = true;
        out->layers[i].kv_owner = (int32_t)i;
    }
    return true;
}

memplan_status mpl_llama_hparams_read(mpl_llama_hparams *out, mpl_arena *arena,
                                      const memplan_model *model,
                                      memplan_error *error)
{
    *out = (mpl_llama_hparams){.gguf = model->gguf};
    const char *name = model->gguf->architecture;
    out->arch = find_arch(name);
    if (out->arch == MPL_LLAMA_ARCH_COUNT)
        return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                        "llama.cpp refuses it: unknown model architecture: "
                        "'%s'",
                        name);
    out->arch_name = MPL_LLAMA_ARCHES[out->arch].name;
    set_defaults(out);
    if (!make_layers(out, arena))
        return mpl_fail_memory(error);
    mpl_llama_keys keys = {model->gguf, error, MEMPLAN_OK};
    read_shape(&keys, out);
    if (keys.status != MEMPLAN_OK)
        return keys.status;
    read_experts(&keys, out);
    read_heads(&keys, out);
    read_head_widths(&keys, out);
    read_vocabulary(&keys, out);
    mpl_llama_rules_before(out);
    mpl_llama_keys_read(&keys, out);
    if (keys.status == MEMPLAN_OK)
        mpl_llama_rules_apply(&keys, out);
    return keys.status;
}
