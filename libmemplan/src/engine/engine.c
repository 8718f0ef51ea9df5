/* SPDX-License-Identifier: MIT */
/* The table of engines, in the order in which they are asked for a model. */
#include "engine/engine.h"

#include <string.h>

extern const mpl_engine mpl_engine_transformers;
extern const mpl_engine mpl_engine_llamacpp;

static const mpl_engine *const ENGINES[] = {
    &mpl_engine_transformers,
    &mpl_engine_llamacpp,
};
enum { ENGINE_COUNT = sizeof ENGINES / sizeof *ENGINES };

const mpl_engine *mpl_engine_at(uint32_t position)
{
    return position < ENGINE_COUNT ? ENGINES[position] : NULL;
}

const mpl_engine *mpl_engine_find(const char *name)
{
    for (uint32_t at = 0; at < ENGINE_COUNT; at++)
        if (strcmp(ENGINES[at]->name, name) == 0)
            return ENGINES[at];
    return NULL;
}

const mpl_engine *mpl_engine_for(const memplan_model *model)
{
    for (uint32_t at = 0; at < ENGINE_COUNT; at++)
        if (ENGINES[at]->claims(model))
            return ENGINES[at];
    return NULL;
}
