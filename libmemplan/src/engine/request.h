/* SPDX-License-Identifier: MIT */
/*
 * A request as engines read it: memplan_request with the engine found and
 * defaults filled in. Names of dtypes are the engine's to judge.
 */
#ifndef MPL_ENGINE_REQUEST_H
#define MPL_ENGINE_REQUEST_H

#include "memplan.h"

struct mpl_engine;

typedef struct mpl_request {
    const struct mpl_engine *engine;
    uint64_t context_tokens; /* never 0 */
    uint64_t sequences;      /* never 0 */
    uint64_t prompt_tokens;  /* 0: the engine's default */
    const char *dtype;       /* NULL: the file's */
    const char *kv_dtype;    /* NULL: the engine's default */
    const char *settings;    /* NULL: none */
    const char *pins;        /* NULL: none */
    uint64_t reserve_bytes;  /* MEMPLAN_UNKNOWN: the engine's own */
    const char *cache;       /* NULL: the engine's default */
    uint64_t encoder_tokens; /* 0: the model's own */
} mpl_request;

#endif
