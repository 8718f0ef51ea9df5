/* SPDX-License-Identifier: MIT */
/* Configurations that llama.cpp ends on: the rows of refusals.def. */
#ifndef MPL_ENGINE_LLAMACPP_REFUSAL_H
#define MPL_ENGINE_LLAMACPP_REFUSAL_H

typedef enum mpl_llama_refusal {
    MPL_REFUSAL_NONE,
#define REFUSAL(id, ...) MPL_REFUSAL_##id,
#include "engine/llamacpp/refusals.def"
#undef REFUSAL
    MPL_REFUSAL_COUNT
} mpl_llama_refusal;

/* What llama.cpp says, and what that means. */
const char *mpl_refusal_words(mpl_llama_refusal refusal);
const char *mpl_refusal_meaning(mpl_llama_refusal refusal);

#endif
