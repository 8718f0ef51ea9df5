/* SPDX-License-Identifier: MIT */
#include "plan/request.h"

#include <stddef.h>

#include "base/checked.h"
#include "base/failure.h"
#include "base/nearest.h"
#include "base/sized.h"

/* Enough for a conversation; few machines hold a model's whole context. */
enum { DEFAULT_CONTEXT_TOKENS = 4096 };

/* No model holds as many; products of these stay far from 64 bits. */
#define TOKENS_MAX    (UINT64_C(1) << 40)
#define SEQUENCES_MAX (UINT64_C(1) << 24)

/* Names the nearest, or all where none is near. */
static memplan_status fail_engine(const char *name, memplan_error *error)
{
    enum { MOST = 8 };
    const char *names[MOST];
    uint32_t count = 0;
    char list[MPL_WORDS_SIZE];
    for (; count < MOST && mpl_engine_at(count) != NULL; count++)
        names[count] = mpl_engine_at(count)->name;
    const char *const near = memplan_word_nearest(name, names, count);
    return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                    "no engine \"%.40s\"; %s %s", name,
                    near != NULL ? "the nearest is" : "there are",
                    near != NULL ? near
                                 : mpl_words_join(list, names, count, "",
                                                  "and"));
}

static memplan_status find_engine(const mpl_engine **out,
                                  const memplan_model *model, const char *name,
                                  memplan_error *error)
{
    const mpl_engine *const engine =
        name != NULL ? mpl_engine_find(name) : mpl_engine_for(model);
    if (engine != NULL) {
        *out = engine;
        return MEMPLAN_OK;
    }
    if (name == NULL)
        return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                        "%.80s: no engine here runs the format \"%.20s\"",
                        model->source, model->format);
    return fail_engine(name, error);
}

memplan_status mpl_request_resolve(mpl_request *out, const memplan_model *model,
                                   const memplan_request *request,
                                   memplan_error *error)
{
    memplan_request given;
    memplan_status status =
        mpl_copy_options(&given, sizeof given, request, error);
    if (status != MEMPLAN_OK)
        return status;
    if (given.context_tokens > TOKENS_MAX || given.prompt_tokens > TOKENS_MAX ||
        given.encoder_tokens > TOKENS_MAX)
        return mpl_fail(
            error, MEMPLAN_E_TOO_LARGE, MPL_NOWHERE,
            "a context of %llu tokens: at most 2^40",
            (unsigned long long)mpl_max(
                given.context_tokens,
                mpl_max(given.prompt_tokens, given.encoder_tokens)));
    if (given.sequences > SEQUENCES_MAX)
        return mpl_fail(error, MEMPLAN_E_TOO_LARGE, MPL_NOWHERE,
                        "%llu sequences: at most 2^24",
                        (unsigned long long)given.sequences);
    mpl_request made = {
        .context_tokens = given.context_tokens,
        .sequences = given.sequences != 0 ? given.sequences : 1,
        .prompt_tokens = given.prompt_tokens,
        .dtype = given.dtype,
        .kv_dtype = given.kv_dtype,
        .settings = given.settings,
        .pins = given.pins,
        .reserve_bytes =
            given.reserve_bytes != 0 ? given.reserve_bytes : MEMPLAN_UNKNOWN,
        .cache = given.cache,
        .encoder_tokens = given.encoder_tokens,
    };
    if (made.context_tokens == 0)
        made.context_tokens = mpl_max(
            1, mpl_min(model->facts.context_tokens, DEFAULT_CONTEXT_TOKENS));
    status = find_engine(&made.engine, model, given.engine, error);
    if (status == MEMPLAN_OK)
        *out = made;
    return status;
}
