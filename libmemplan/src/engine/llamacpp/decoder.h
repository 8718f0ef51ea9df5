/* SPDX-License-Identifier: MIT */
/*
 * The usual decoder: norm, attention, residual, norm, feed-forward network,
 * residual. Most architectures are a row of decoders.def.
 */
#ifndef MPL_ENGINE_LLAMACPP_DECODER_H
#define MPL_ENGINE_LLAMACPP_DECODER_H

#include "engine/llamacpp/build.h"

/* What comes before the layers, and attention. */
enum {
    MPL_A_SCALE_EMBD = 1 << 0, /* embeddings times a constant */
    MPL_A_NORM_EMBD = 1 << 1,  /* normed, without weight */
    MPL_A_POSITIONS = 1 << 2,  /* learned positions where there are some */
    MPL_A_NO_CACHE = 1 << 3,   /* diffusion: all tokens see each other */
    MPL_A_NO_INPUT_NORM = 1 << 4,  /* only outputs are normed */
    MPL_A_FACTORS = 1 << 5,        /* rope with factors */
    MPL_A_QK_NORM = 1 << 6,        /* q and k normed by head before rope */
    MPL_A_QK_NORM_AFTER = 1 << 7,  /* after rope */
    MPL_A_QK_NORM_WIDE = 1 << 8,   /* over all heads */
    MPL_A_QK_NORM_BARE = 1 << 9,   /* without weight, if the model says so */
    MPL_A_SCALE_Q = 1 << 10,
    MPL_A_TEMPERATURE = 1 << 11, /* q times a factor by position */
    MPL_A_GATED = 1 << 12,       /* output times a gate of the input */
    MPL_A_POST_NORM = 1 << 13,   /* output normed after the crop */
    MPL_A_POST_NORM_EARLY = 1 << 14, /* before */
    MPL_A_POST_NORM_LOOSE = 1 << 15, /* not pinned to its layer's device */
    MPL_A_PLAIN_QKV = 1 << 16,       /* without the weights' scales */
    MPL_A_QKV_REGROUPED = 1 << 17,   /* reshaped once more on the way */
    MPL_A_SCALE_OUT = 1 << 18, /* output scaled, if the model says so */
    MPL_A_NO_OUT_BIAS = 1 << 19, /* biases in the file are not used */
    MPL_A_NO_QKV_BIAS = 1 << 20
};

/* Residuals, feed-forward networks and the end. */
enum {
    MPL_B_PARALLEL = 1 << 0,             /* the FFN reads the same norm */
    MPL_B_PARALLEL_INPUT_FIRST = 1 << 1, /* its sum starts with the input */
    MPL_B_RESIDUAL_FIRST = 1 << 2,     /* residual + output, not the reverse */
    MPL_B_FFN_RESIDUAL_FIRST = 1 << 3, /* the same after the FFN */
    MPL_B_FFN_POST_NORM = 1 << 4,
    MPL_B_FFN_POST_NORM_LOOSE = 1 << 5,
    MPL_B_SHARED_GATE = 1 << 6,   /* shared expert times a gate */
    MPL_B_SHARED_SCALE = 1 << 7,  /* the scales of its weights are used */
    MPL_B_SHARED_MERGED = 1 << 8, /* it has one product for gate and up */
    MPL_B_DEEPSTACK = 1 << 9,     /* image features added after layers */
    MPL_B_SKIP = 1 << 10,         /* the embeddings added after each layer */
    MPL_B_CROP_LATE = 1 << 11,    /* after the last layer */
    MPL_B_KEEP_LAST = 1 << 12,    /* what the last layer gave is kept */
    MPL_B_LOGIT_SCALE = 1 << 13,  /* where the model has one */
    MPL_B_LOGIT_SCALE_ALWAYS = 1 << 14,
    MPL_B_NO_OUTPUT_SCALE = 1 << 15,
    MPL_B_PAD_VOCABULARY = 1 << 16, /* to that of the embeddings */
    MPL_B_CROP_NORMED = 1 << 17,    /* after the last norm, which is kept */
    MPL_B_SCALE_NORMED = 1 << 18,
    MPL_B_SOFTCAP = 1 << 19, /* of the logits, if the model says so */
    MPL_B_NO_CROP = 1 << 20,
    MPL_B_NO_OUTPUT_BIAS = 1 << 21,
    MPL_B_DENSE_ONLY = 1 << 22, /* experts in the file are not used */
    MPL_B_NO_LOGITS = 1 << 23,  /* embedders end with the norm */
    MPL_B_CLAMPED = 1 << 24,    /* gates are limited in layers that say so */
    MPL_B_ANY_OTHER_CROP =
        MPL_B_CROP_LATE | MPL_B_CROP_NORMED | MPL_B_NO_CROP
};

/* Which layers turn positions. */
typedef enum mpl_decoder_rope {
    MPL_ROPE_ALL,
    MPL_ROPE_NEVER,
    MPL_ROPE_WINDOW, /* sliding window layers; all, if there is no window */
    MPL_ROPE_STEP,   /* not each n-th */
    MPL_ROPE_LISTED, /* as the model lists */
    MPL_ROPE_SMALL   /* Baichuan: only the model of 32 layers */
} mpl_decoder_rope;

typedef struct mpl_decoder {
    bool is_described;
    mpl_norm_kind norm;
    mpl_decoder_rope rope;
    uint32_t attention; /* MPL_A_... */
    uint32_t block;     /* MPL_B_... */
    const char *ffn_norm;  /* base of the norm before the FFN; NULL: none */
    const char *post_norm; /* base of the norm after attention */
    mpl_activation activation;
    uint32_t ffn;
    mpl_gating gating;
    uint32_t moe;
} mpl_decoder;

/* NULL: not a usual decoder. */
const mpl_decoder *mpl_decoder_of(mpl_llama_arch arch);

/* One whole graph of this shape. */
void mpl_build_decoder(mpl_build *b);

/* The end that most graphs share: norm, output product, what follows. */
void mpl_build_end(mpl_build *b, mpl_node *x, mpl_norm_kind norm,
                   uint32_t block);

#endif
