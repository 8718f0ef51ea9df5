/* SPDX-License-Identifier: MIT */
/*
 * Metadata keys read as llama.cpp reads them: a scalar must have exactly the
 * type that the code expects, and a missing one is either fine or the end.
 */
#ifndef MPL_ENGINE_LLAMACPP_KEYS_H
#define MPL_ENGINE_LLAMACPP_KEYS_H

#include "base/failure.h"
#include "engine/llamacpp/hparams.h"
#include "model/gguf.h"

/* Sticky: after the first failure every read leaves its value alone. */
typedef struct mpl_llama_keys {
    const mpl_gguf *gguf;
    memplan_error *error;
    memplan_status status;
} mpl_llama_keys;

typedef enum mpl_llama_need { MPL_LLAMA_MAY, MPL_LLAMA_MUST } mpl_llama_need;

/* What llama.cpp would end with. Once; later ones are ignored. */
void mpl_llama_refuse(mpl_llama_keys *keys, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Each returns whether the key is there, and sets `*out` only then. Names are
 * without the architecture. */
bool mpl_llama_key_u32(mpl_llama_keys *keys, const char *name,
                       mpl_llama_need need, uint32_t *out);
bool mpl_llama_key_bool(mpl_llama_keys *keys, const char *name,
                        mpl_llama_need need, bool *out);
bool mpl_llama_key_f32(mpl_llama_keys *keys, const char *name,
                       mpl_llama_need need, double *out);

/* A scalar for all, or an array of exactly `count`: `out[i]` is
 * `stride_bytes` after `out[i - 1]`. */
bool mpl_llama_key_each(mpl_llama_keys *keys, const char *name,
                        mpl_llama_need need, uint32_t count, uint32_t *out,
                        uint32_t stride_bytes);

/* An array of at most `most` numbers or truths; `*out_count` of them set. */
bool mpl_llama_key_array(mpl_llama_keys *keys, const char *name,
                         mpl_llama_need need, uint32_t most, int64_t *out,
                         uint32_t *out_count);

/* The keys of reads.def for the architecture of `out`. */
void mpl_llama_keys_read(mpl_llama_keys *keys, mpl_llama_hparams *out);

#endif
