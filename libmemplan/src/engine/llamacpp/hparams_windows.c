/* SPDX-License-Identifier: MIT */
/*
 * Sliding windows: the row of windows.def for the architecture, and the
 * pattern of the file.
 *
 *     period p, dense last    layer il has a window when il % p < p - 1
 *     period p, dense first   when il % p != 0
 *     period 0                always
 *
 * MTP layers have none.
 */
#include "engine/llamacpp/hparams_rules.h"

#include <stddef.h>

#define ARRAY UINT32_MAX

enum { STANDARD = 1, CHUNKED = 2, SYMMETRIC = 3 };
enum { ALWAYS, POSITIVE };
enum { LAST, FIRST };

typedef struct window_row {
    mpl_llama_arch arch;
    uint32_t kind;
    uint32_t when;
    uint32_t default_tokens;
    uint32_t forced_tokens;
    uint32_t period;
    uint32_t dense;
} window_row;

static const window_row WINDOWS[] = {
#define WINDOW(id, kind, when, otherwise, forced, period, dense)               \
    {MPL_LLAMA_ARCH_##id, kind, when, otherwise, forced, period, dense},
#include "engine/llamacpp/windows.def"
#undef WINDOW
};

static const char PATTERN[] = "attention.sliding_window_pattern";

/* The file's own pattern, one flag a layer; false where it has none. */
static bool read_flags(mpl_llama_keys *keys, mpl_llama_hparams *out,
                       mpl_llama_need need)
{
    int64_t flags[MPL_LLAMA_MAX_LAYERS];
    uint32_t count = 0;
    if (!mpl_llama_key_array(keys, PATTERN, need, MPL_LLAMA_MAX_LAYERS, flags,
                             &count))
        return false;
    for (uint32_t i = 0; i < count && i < out->layer_count_all; i++)
        out->layers[i].is_swa = flags[i] != 0;
    return true;
}

static void set_pattern(mpl_llama_keys *keys, mpl_llama_hparams *out,
                        const window_row *row)
{
    uint32_t period = row->period;
    if (read_flags(keys, out, period == ARRAY ? MPL_LLAMA_MUST : MPL_LLAMA_MAY))
        return;
    if (period == ARRAY)
        return;
    const mpl_gguf_key *key = mpl_gguf_find_arch(keys->gguf, PATTERN);
    if (key != NULL && key->type != MPL_GGUF_ARRAY)
        (void)mpl_llama_key_u32(keys, PATTERN, MPL_LLAMA_MAY, &period);
    for (uint32_t i = 0; i < out->layer_count; i++) {
        const uint32_t at = period == 0 ? 0 : i % period;
        const bool is_dense = row->dense == FIRST ? at == 0 : at + 1 >= period;
        out->layers[i].is_swa = period == 0 || !is_dense;
    }
}

/* Rules that no column holds. */
static void set_exceptions(mpl_llama_hparams *out)
{
    for (uint32_t i = 0; i < out->layer_count_all; i++) {
        if (out->arch == MPL_LLAMA_ARCH_LFM2) /* attention layers only */
            out->layers[i].is_swa =
                i < out->layer_count && !out->layers[i].is_recurrent;
        if (out->arch == MPL_LLAMA_ARCH_DEEPSEEK4) /* MTP layers too */
            out->layers[i].is_swa = true;
    }
}

void mpl_llama_rules_windows(mpl_llama_keys *keys, mpl_llama_hparams *out)
{
    static const char name[] = "attention.sliding_window";
    const window_row *row = NULL;
    for (uint32_t i = 0; i < sizeof WINDOWS / sizeof WINDOWS[0]; i++)
        if (WINDOWS[i].arch == out->arch)
            row = &WINDOWS[i];
    const bool is_small_exaone =
        out->arch == MPL_LLAMA_ARCH_EXAONE4 && out->layer_count != 64;
    if (row == NULL || is_small_exaone) {
        if (!is_small_exaone)
            out->swa_window = 0;
        return;
    }
    if (mpl_gguf_find_arch(keys->gguf, name) == NULL)
        out->swa_window = row->default_tokens;
    if (row->when == POSITIVE && out->swa_window == 0)
        return;
    if (row->forced_tokens != 0)
        out->swa_window = row->forced_tokens;
    out->swa_kind = row->kind;
    set_pattern(keys, out, row);
    set_exceptions(out);
    for (uint32_t i = 0; i < out->layer_count_all; i++)
        out->has_swa = out->has_swa || out->layers[i].is_swa;
    if (!out->has_swa)
        mpl_llama_refuse(keys, "no layer has the sliding window of %u tokens",
                         out->swa_window);
}
