/* SPDX-License-Identifier: MIT */
/*
 * Hyper-parameters: what llama.cpp reads from a GGUF's metadata before it
 * makes a tensor. Names follow what a thing is; the comment gives the key
 * ("ARCH." left out) or the rule.
 */
#ifndef MPL_ENGINE_LLAMACPP_HPARAMS_H
#define MPL_ENGINE_LLAMACPP_HPARAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "memplan.h"
#include "model/model.h"

/* Limits of llama.cpp 0.5.0. */
enum {
    MPL_LLAMA_MAX_LAYERS = 512,
    MPL_LLAMA_MAX_EXPERTS = 1024,
    MPL_LLAMA_MAX_SEQUENCES = 256,
    MPL_LLAMA_MAX_DEVICES = 16,
    MPL_LLAMA_MAX_OVERRIDES = 4096
};

/* An architecture: one row of architectures.def. */
typedef enum mpl_llama_arch {
#define ARCH(id, name, ...) MPL_LLAMA_ARCH_##id,
#include "engine/llamacpp/architectures.def"
#undef ARCH
    MPL_LLAMA_ARCH_COUNT
} mpl_llama_arch;

/* Per layer; layer_count_all entries (MTP layers included). */
typedef struct mpl_llama_layer {
    uint32_t head_count;
    uint32_t kv_head_count; /* 0: no attention */
    uint32_t ff_width;
    uint32_t expert_ff_width;
    uint32_t experts_used;
    uint32_t key_width;   /* of a head */
    uint32_t value_width; /* of a head */
    uint32_t rope_width;
    uint32_t compress_ratio; /* DeepSeek-V4: 0, 4 or 128 */
    int32_t kv_owner;        /* whose cache it reads: itself, another layer, or
                                -1: none */
    bool is_swa;
    bool is_recurrent;
    bool has_rope;
    bool is_indexer_full; /* has an indexer of its own */
    bool is_ple;
} mpl_llama_layer;

typedef struct mpl_llama_hparams {
    mpl_llama_arch arch;
    const char *arch_name;
    const struct mpl_gguf *gguf; /* for keys that no field holds */

    uint32_t context_train; /* context_length */
    uint32_t embd;          /* embedding_length */
    uint32_t embd_in;       /* width of inp_embd, deepstack included */
    uint32_t embd_in_enc;   /* the same of an encoder */
    uint32_t embd_out;      /* embedding_length_out */
    uint32_t vocab_count;
    uint32_t layer_count;     /* without MTP */
    uint32_t layer_count_all; /* block_count */
    uint32_t dec_layer_count; /* encoder-decoder: the decoder's */
    mpl_llama_layer *layers;  /* layer_count_all */

    uint32_t expert_count;
    uint32_t expert_shared_count;
    uint32_t expert_shared_ff_width;
    uint32_t expert_chunk_ff_width;
    uint32_t expert_group_count;
    uint32_t expert_groups_used;
    uint32_t expert_gating; /* 0 none, 1 softmax, 2 sigmoid, 3 softmax of the
                               chosen, 4 sqrt(softplus) */
    bool expert_weights_norm;
    bool has_expert_weights_scale; /* neither 0 nor 1 */
    uint32_t dense_lead_count;     /* leading_dense_block_count */
    uint32_t moe_every;            /* moe_every_n_layers */
    uint32_t moe_step;             /* interleave_moe_layer_step */
    uint32_t moe_latent_width;

    bool is_mla;
    uint32_t mla_key_width; /* attention.key_length_mla */
    uint32_t mla_value_width;
    uint32_t q_rank;
    uint32_t kv_rank;
    uint32_t kv_rank_swa;

    uint32_t swa_window; /* attention.sliding_window; 0: none */
    uint32_t swa_kind;   /* 0 none, 1 standard, 2 chunked, 3 symmetric */
    bool has_swa;        /* any layer is_swa */
    uint32_t rope_kind;  /* 0 norm, 2 neox, 8 mrope, 24 vision, 40 imrope;
                            UINT32_MAX: none */
    uint32_t positions_per_token; /* 4 for multi-rope, else 1 */
    uint32_t rope_sections[4];

    bool is_causal;
    bool uses_alibi;
    bool has_attn_softcap;
    bool has_final_softcap; /* final_logit_softcapping is not 0 */
    bool has_router_softcap;
    bool has_clamp_kqv;
    bool has_logit_scale;
    bool has_residual_scale;
    bool has_embedding_scale;
    bool has_attention_scale;
    bool uses_kq_norm;
    bool uses_parallel_residual;
    bool has_swin_norm;
    uint32_t pooling; /* 0 none, 1 mean, 2 cls, 3 last, 4 rank */
    uint32_t class_count;

    /* Recurrent families. */
    uint32_t ssm_conv;
    uint32_t ssm_inner;
    uint32_t ssm_state;
    uint32_t ssm_dt_rank;
    uint32_t ssm_group_count;
    bool ssm_dt_b_c_rms;
    uint32_t la_width;  /* linear attention: a head */
    uint32_t kda_width; /* delta attention: a head */
    uint32_t shortconv_cache;
    uint32_t wkv_head_width;
    uint32_t token_shift_count;
    uint64_t r_width; /* elements of a conv or shift state, a sequence */
    uint64_t s_width; /* elements of a recurrent state, a sequence */
    uint64_t ple_conv_width;
    bool is_recurrent_arch; /* every layer recurrent: no attention cache */
    bool is_hybrid_arch;    /* attention and recurrent layers */

    /* Sparse indexers. */
    uint32_t indexer_head_count;
    uint32_t indexer_width;
    uint32_t indexer_top_k;
    uint32_t indexer_block;
    uint32_t indexer_local_blocks;
    uint32_t indexer_pool; /* attention.indexer.kpool; 0: none */

    uint32_t hc_mult;  /* hyper-connections (DeepSeek-V4) */
    uint32_t hc_rank;
    uint32_t deepstack_count;
    uint32_t embd_per_layer; /* Gemma 3n, 4 */
    uint32_t altup_count;
    uint32_t kv_from_start; /* only so many first layers own a cache;
                               UINT32_MAX: all */
    uint32_t norm_group_count;
    uint32_t nope_step; /* each such layer has no rope; UINT32_MAX: all do */
    uint32_t relative_bucket_count;
    uint32_t loop_count; /* nanbeige: the layers run so many times */
    uint32_t hrm_stack_layers; /* hrm_text: layers of a stack, and cycles */
    uint32_t hrm_h_cycles;
    uint32_t hrm_l_cycles;
    bool has_router_layer; /* granite-switch: the last layer is no MTP layer */

    /* As read, before the layers take them. */
    uint32_t key_width_full;
    uint32_t value_width_full;
    uint32_t key_width_swa;
    uint32_t value_width_swa;
    uint32_t rope_width_full;
    uint32_t rope_width_swa;
    uint32_t shared_kv_count; /* attention.shared_kv_layers */
    uint32_t full_interval;   /* full_attention_interval */
} mpl_llama_hparams;

/* What a row of architectures.def says. */
typedef enum mpl_llama_rope {
    MPL_LLAMA_ROPE_NONE,
    MPL_LLAMA_ROPE_NORM,
    MPL_LLAMA_ROPE_NEOX,
    MPL_LLAMA_ROPE_MROPE,
    MPL_LLAMA_ROPE_IMROPE
} mpl_llama_rope;

typedef enum mpl_llama_memory {
    MPL_LLAMA_MEMORY_ATTENTION,
    MPL_LLAMA_MEMORY_RECURRENT,
    MPL_LLAMA_MEMORY_HYBRID,
    MPL_LLAMA_MEMORY_NONE
} mpl_llama_memory;

typedef enum mpl_llama_output {
    MPL_LLAMA_OUTPUT_OWN,
    MPL_LLAMA_OUTPUT_TIED,
    MPL_LLAMA_OUTPUT_TWICE
} mpl_llama_output;

typedef enum mpl_llama_recurrent {
    MPL_LLAMA_RECURRENT_NO,
    MPL_LLAMA_RECURRENT_ALL,
    MPL_LLAMA_RECURRENT_NO_HEADS,
    MPL_LLAMA_RECURRENT_NO_HEADS_FF,
    MPL_LLAMA_RECURRENT_INTERVAL_4,
    MPL_LLAMA_RECURRENT_INTERVAL_8
} mpl_llama_recurrent;

typedef enum mpl_llama_gating {
    MPL_LLAMA_GATING_NONE,
    MPL_LLAMA_GATING_SOFTMAX,
    MPL_LLAMA_GATING_SIGMOID
} mpl_llama_gating;

typedef struct mpl_llama_arch_row {
    const char *name;
    mpl_llama_rope rope;
    mpl_llama_memory memory;
    mpl_llama_output output;
    mpl_llama_recurrent recurrent;
    mpl_llama_gating gating;
} mpl_llama_arch_row;

extern const mpl_llama_arch_row MPL_LLAMA_ARCHES[MPL_LLAMA_ARCH_COUNT];

/* Reads them; the error is the one llama.cpp would give. Lives in `arena`. */
memplan_status mpl_llama_hparams_read(mpl_llama_hparams *out,
                                      mpl_arena *arena,
                                      const memplan_model *model,
                                      memplan_error *error);

#endif
