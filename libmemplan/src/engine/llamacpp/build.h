/* SPDX-License-Identifier: MIT */
/*
 * Shared pieces of graphs: inputs, norms, products with weights, attention,
 * feed-forward networks, experts, recurrent states. A builder of a family puts
 * them together; variants are named by flags or seen from the weights.
 *
 * Only the order in which mpl_graph_expand meets nodes matters, not the order
 * in which they are made.
 */
#ifndef MPL_ENGINE_LLAMACPP_BUILD_H
#define MPL_ENGINE_LLAMACPP_BUILD_H

#include "engine/llamacpp/graph.h"
#include "engine/llamacpp/setup.h"

/* What an attention cache gives to every layer that reads it. */
typedef struct mpl_attn_inputs {
    const mpl_llama_cache *cache; /* NULL: attention without a cache */
    mpl_node *k_ids;
    mpl_node *v_ids;
    mpl_node *mask;
    mpl_node *k_rotation; /* quantized caches */
    mpl_node *v_rotation;
} mpl_attn_inputs;

typedef struct mpl_build {
    const mpl_llama_setup *setup;
    const mpl_llama_hparams *h;
    mpl_graph *g;
    uint32_t tokens;  /* of the batch; a multiple of sequences */
    uint32_t sequences;
    uint32_t outputs; /* tokens that want logits */
    uint32_t streams; /* of the masks: caches that are not unified */
    bool pins_norms;  /* norms are pinned to the device of their layer */
    bool fuses_delta_one;  /* gated delta rule in one operator: a token */
    bool fuses_delta_many; /* ... many tokens a sequence */
    bool fuses_indexer;    /* sparse attention's scores in one operator */
    bool pins_host_attention; /* -nkvo without flash attention */
    mpl_node **weights;       /* by weight; made on first use */
    const uint32_t *sources;  /* layers run several times: whose weights each
                                 has; NULL: its own */
    mpl_node *factors[MPL_LLAMA_BUFFER_MAX]; /* rope factors, by buffer */
    mpl_node **cache_nodes; /* see mpl_cache_slot */
    mpl_node *token_ids;
    mpl_node *positions;
    mpl_node *out_ids;
    mpl_node *embd; /* as it left the table, before scaling */
    mpl_node *temperature;
    mpl_attn_inputs full;
    mpl_attn_inputs swa;
    mpl_node *state_main;  /* rows of recurrent states to read */
    mpl_node *state_extra; /* rows only copied */
} mpl_build;

/* A builder adds a whole graph. */
typedef void mpl_builder(mpl_build *b);

/* By architecture; NULL: not described here. */
mpl_builder *mpl_builder_of(mpl_llama_arch arch);

/* A number of the model's metadata ("ARCH." left out) that is neither absent
 * nor zero. */
bool mpl_key_is_set(const mpl_build *b, const char *key);
bool mpl_key_exists(const mpl_build *b, const char *key);
/* The same of a layer's item, or of a scalar for all layers: positive. */
bool mpl_layer_key_is_set(const mpl_build *b, const char *key, int layer);
/* A whole number of the metadata, at least 1; `otherwise`: there is none. */
uint32_t mpl_key_u32(const mpl_build *b, const char *key, uint32_t otherwise);

/* The layer in which new nodes stand (-1: none). */
void mpl_at_layer(mpl_build *b, int layer);
const mpl_llama_layer *mpl_layer_of(const mpl_build *b, int layer);

/* A weight as a node; NULL where the model has none. `layer` -1: of the whole
 * model. `base` has no suffix: "attn_q" and ".weight", ".bias", ".scale". */
mpl_node *mpl_weight(mpl_build *b, int layer, const char *base,
                     const char *suffix);
bool mpl_has(mpl_build *b, int layer, const char *base);

/* ---- inputs (build_inputs.c) ---- */

/* Token rows (and the input for embeddings); `base` is the table. */
mpl_node *mpl_embed(mpl_build *b, const char *base);
mpl_node *mpl_positions(mpl_build *b); /* made on first use */
mpl_node *mpl_out_ids(mpl_build *b);
/* Inputs of attention over the caches that the setup has. */
void mpl_open_attention(mpl_build *b);
/* The same without any cache. */
void mpl_open_attention_no_cache(mpl_build *b);
void mpl_open_cache_inputs(mpl_build *b, mpl_attn_inputs *out,
                           mpl_llama_cache_kind kind, bool has_v);
/* Keys of heads so wide are turned by a matrix of this side. */
mpl_node *mpl_k_rotation(mpl_build *b, uint64_t width);
/* The same where a cache is quantized; else NULL. */
mpl_node *mpl_quantized_rotation(mpl_build *b, const mpl_llama_cache *cache);
const mpl_attn_inputs *mpl_attn_inputs_of(const mpl_build *b, int layer);
/* F32 [1, 1, tokens]: a temperature for each position. */
mpl_node *mpl_attn_temperature(mpl_build *b);
/* Where the node of a cache's K (0) or V (1) is kept. */
mpl_node **mpl_cache_slot(mpl_build *b, mpl_llama_cache_kind kind, int which,
                          int layer);
/* The K (0) or V (1) tensor of a layer's cache. */
mpl_node *mpl_cache_node(mpl_build *b, const mpl_llama_cache *cache, int which,
                         int layer);

/* ---- small pieces (build.c) ---- */

typedef enum mpl_norm_kind { MPL_NORM_RMS, MPL_NORM_LAYER } mpl_norm_kind;

/* Norm, then weight and bias where the model has them; pinned to the device
 * of `pin_layer` unless that is -1. base NULL: without weight. */
mpl_node *mpl_norm(mpl_build *b, mpl_node *x, mpl_norm_kind kind, int layer,
                   const char *base, int pin_layer);
/* On the device of a layer, where llama.cpp pins. */
void mpl_pin(mpl_build *b, mpl_node *node, int layer);
/* W x, times the weight's scale where there is one. */
mpl_node *mpl_linear(mpl_build *b, int layer, const char *base, mpl_node *x);
mpl_node *mpl_linear_bare(mpl_build *b, int layer, const char *base,
                          mpl_node *x);
/* x + bias where there is one. */
mpl_node *mpl_add_bias(mpl_build *b, int layer, const char *base, mpl_node *x);
mpl_node *mpl_plus(mpl_build *b, mpl_node *x, mpl_node *y);
mpl_node *mpl_times(mpl_build *b, mpl_node *x, mpl_node *y);
mpl_node *mpl_scale(mpl_build *b, mpl_node *x);
mpl_node *mpl_unary(mpl_build *b, mpl_node *x);
/* scale, tanh, scale */
mpl_node *mpl_softcap(mpl_build *b, mpl_node *x);
/* Rotary positions; with factors where the flag asks and the model has some. */
mpl_node *mpl_rope(mpl_build *b, mpl_node *x, int layer, bool has_factors);
mpl_node *mpl_rope_plain(mpl_build *b, mpl_node *x);
/* The rows that want logits. */
mpl_node *mpl_crop(mpl_build *b, mpl_node *x);
bool mpl_is_last(const mpl_build *b, int layer);
/* Behind the last layer's mixing only these go on, here and past it. */
void mpl_crop_last(mpl_build *b, int layer, mpl_node **x, mpl_node **past);
mpl_node *mpl_reshape2(mpl_build *b, mpl_node *x, uint64_t ne0, uint64_t ne1);
mpl_node *mpl_reshape3(mpl_build *b, mpl_node *x, uint64_t ne0, uint64_t ne1,
                       uint64_t ne2);
/* ne2 slices of a wider row, as columns: strides of one head and one token. */
mpl_node *mpl_heads_view(mpl_build *b, mpl_node *x, uint64_t width,
                         uint64_t heads, uint64_t nb1);
void mpl_expand(mpl_build *b, mpl_node *x);
/* Logits of tokens that only the input table has: minus infinity. */
mpl_node *mpl_pad_vocabulary(mpl_build *b, mpl_node *x);

/* ---- attention (build_attention.c) ---- */

typedef struct mpl_qkv {
    mpl_node *q;
    mpl_node *k;
    mpl_node *v;
} mpl_qkv;

enum {
    MPL_QKV_FLAT = 1 << 0, /* rows stay whole: norms over all heads follow */
    MPL_QKV_PLAIN = 1 << 1, /* the weights' scales are not used */
    MPL_QKV_REGROUPED = 1 << 2, /* a merged product is cut into heads first */
    MPL_QKV_NO_BIAS = 1 << 3
};

/* Products with attn_q, attn_k, attn_v or attn_qkv, biases, clamps, heads. */
mpl_qkv mpl_project_qkv(mpl_build *b, int layer, mpl_node *x, uint32_t flags);

typedef struct mpl_attn_options {
    const char *out; /* the output product's base; NULL: none */
    bool has_no_bias; /* its bias is not used */
    mpl_node *sinks;
    mpl_node *score_bias; /* added to the scores: no flash attention */
    mpl_node *v_up;       /* MLA: from the latent back to heads */
} mpl_attn_options;

/* Stores K and V, attends, multiplies. */
mpl_node *mpl_attend(mpl_build *b, int layer, mpl_qkv x,
                     const mpl_attn_options *options);
/* The same over a K-only cache whose first elements are V: as many as a head
 * of x.v has. */
mpl_node *mpl_attend_latent(mpl_build *b, int layer,
                            const mpl_attn_inputs *inputs, mpl_qkv x,
                            const mpl_attn_options *options);
/* Only the attention itself. */
mpl_node *mpl_attention_core(mpl_build *b, mpl_node *q, mpl_node *k,
                             mpl_node *v, mpl_node *mask,
                             const mpl_attn_options *options);
/* Parts of it, for builders of their own. */
mpl_node *mpl_store_k(mpl_build *b, const mpl_attn_inputs *in, int layer,
                      mpl_node *k);
mpl_node *mpl_store_v(mpl_build *b, const mpl_attn_inputs *in, int layer,
                      mpl_node *v);
mpl_node *mpl_cached_k(mpl_build *b, const mpl_attn_inputs *in, int layer);
mpl_node *mpl_cached_v(mpl_build *b, const mpl_attn_inputs *in, int layer);
mpl_node *mpl_rotate(mpl_build *b, mpl_node *x, mpl_node *rotation);
mpl_node *mpl_attn_out(mpl_build *b, int layer, mpl_node *x,
                       const mpl_attn_options *options);

/* ---- feed-forward networks (build_ffn.c) ---- */

typedef enum mpl_activation {
    MPL_ACT_SILU,
    MPL_ACT_GELU,
    MPL_ACT_RELU,
    MPL_ACT_RELU_SQUARED,
    MPL_ACT_SWIGLU, /* of the halves of one product */
    MPL_ACT_SWIGLU_OAI,
    MPL_ACT_SITU
} mpl_activation;

/* Biases are used where the model has them; scales only where the family's
 * graph multiplies by them. */
enum {
    MPL_FFN_GATE = 1 << 0,       /* a second product gates the first */
    MPL_FFN_SCALE = 1 << 1,      /* the scales of weights are used */
    MPL_FFN_SCALE_DOWN = 1 << 2, /* that of the last product only */
    MPL_FFN_SHARED = 1 << 3,     /* names end in _shexp */
    MPL_FFN_CLAMPED = 1 << 4,    /* both factors of the gate are limited */
    MPL_FFN_NO_BIAS = 1 << 5     /* biases in the file are not used */
};

/* beta tanh(gate / beta) sigmoid(gate), times `up`, limited the same way where
 * the model says so. */
mpl_node *mpl_situ(mpl_build *b, mpl_node *gate, mpl_node *up);

mpl_node *mpl_ffn(mpl_build *b, int layer, mpl_node *x,
                  mpl_activation activation, uint32_t flags);

enum {
    MPL_MOE_NORM = 1 << 0,   /* weights are divided by their sum */
    MPL_MOE_SCALE = 1 << 1,  /* experts' weights carry scales */
    MPL_MOE_WEIGHT_FIRST = 1 << 2, /* chosen by logits and weighted before the
                                      experts: Llama 4 */
    MPL_MOE_CHUNKS = 1 << 3,   /* names end in _chexps: Grove */
    MPL_MOE_CLAMPED = 1 << 4,
    MPL_MOE_UNSCALED = 1 << 5, /* expert_weights_scale is not used */
    MPL_MOE_NORM_MODEL = 1 << 6 /* MPL_MOE_NORM where the model says so */
};

/* How router outputs become weights. */
typedef enum mpl_gating {
    MPL_GATING_FROM_MODEL, /* expert_gating_func */
    MPL_GATING_SOFTMAX,
    MPL_GATING_SIGMOID,
    MPL_GATING_SOFTMAX_CHOSEN,
    MPL_GATING_SQRT_SOFTPLUS
} mpl_gating;

typedef struct mpl_moe {
    mpl_activation activation;
    mpl_gating gating;
    uint32_t flags;
    uint32_t experts;      /* 0: expert_count */
    uint32_t experts_used; /* 0: the layer's */
    mpl_node *router;      /* its output, if made elsewhere */
    mpl_node *chosen;      /* experts chosen elsewhere */
} mpl_moe;

mpl_node *mpl_experts(mpl_build *b, int layer, mpl_node *x,
                      const mpl_moe *options);

/* ---- recurrent states (build_state.c) ---- */

void mpl_open_states(mpl_build *b);
/* The place of a layer's R (0), S (1) or n-gram (2) states: [width, rows]. */
mpl_node *mpl_state_place(mpl_build *b, int layer, int which);
/* Clears what new sequences get and gives all rows, to be read by
 * b->state_main; close, once read, moves the rows that are only kept. */
mpl_node *mpl_states_open(mpl_build *b, int layer, int which);
void mpl_states_close(mpl_build *b, int layer, int which, mpl_node *states);
/* Both around a plain gathering of rows: [width, sequences]. */
mpl_node *mpl_read_state(mpl_build *b, int layer, int which);
/* Keeps `from` as the states of this batch's sequences. */
void mpl_keep_state(mpl_build *b, int layer, int which, mpl_node *from);

/* State space layers (build_ssm.c). */
mpl_node *mpl_mamba(mpl_build *b, int layer, mpl_node *x);
mpl_node *mpl_mamba2(mpl_build *b, int layer, mpl_node *x);
mpl_node *mpl_mamba_plamo(mpl_build *b, int layer, mpl_node *x);

/* ---- the end (build.c) ---- */

/* Marks what the host reads. */
void mpl_mark_output(mpl_node *x);

#endif
