/* SPDX-License-Identifier: MIT */
/* What an architecture makes of its keys. */
#ifndef MPL_ENGINE_LLAMACPP_HPARAMS_RULES_H
#define MPL_ENGINE_LLAMACPP_HPARAMS_RULES_H

#include "engine/llamacpp/keys.h"

/* Defaults that differ from the common ones; before the keys are read. */
void mpl_llama_rules_before(mpl_llama_hparams *out);

/* Windows, recurrent layers, shared caches, state widths; after. */
void mpl_llama_rules_apply(mpl_llama_keys *keys, mpl_llama_hparams *out);

/* hparams_windows.c: which layers have a sliding window. */
void mpl_llama_rules_windows(mpl_llama_keys *keys, mpl_llama_hparams *out);

#endif
