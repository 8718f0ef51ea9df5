/* SPDX-License-Identifier: MIT */
#include "engine/llamacpp/refusal.h"

static const struct {
    const char *words;
    const char *meaning;
} REFUSALS[MPL_REFUSAL_COUNT] = {
    {"", ""},
#define REFUSAL(id, words, meaning) {words, meaning},
#include "engine/llamacpp/refusals.def"
#undef REFUSAL
};

const char *mpl_refusal_words(mpl_llama_refusal refusal)
{
    return REFUSALS[refusal].words;
}

const char *mpl_refusal_meaning(mpl_llama_refusal refusal)
{
    return REFUSALS[refusal].meaning;
}
