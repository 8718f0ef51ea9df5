/* SPDX-License-Identifier: MIT */
/* From a user's words to a model: locate, read, finish. */
#include <stddef.h>

#include "base/failure.h"
#include "base/sized.h"
#include "model/gguf.h"
#include "model/locate.h"
#include "model/model.h"

#define DEFAULT_HEADER_MAX_BYTES (UINT64_C(1) << 30)

static memplan_status read_source(memplan_model *model,
                                  const mpl_source *source,
                                  const memplan_model_options *options,
                                  memplan_error *error)
{
    switch (source->kind) {
    case MPL_SOURCE_GGUF:
        return mpl_gguf_open(model, source->path, options->header_max_bytes,
                             error);
    default:
        return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                        "%.160s: this kind of model is not read yet",
                        source->path);
    }
}

static memplan_status fill(memplan_model *model, const char *source,
                           const memplan_model_options *options,
                           memplan_error *error)
{
    mpl_source found = {0};
    model->source = mpl_arena_strdup(model->arena, source);
    if (model->source == NULL)
        return mpl_fail_memory(error);
    memplan_status status =
        mpl_locate(&found, model->arena, source, options, error);
    if (status == MEMPLAN_OK)
        status = read_source(model, &found, options, error);
    if (status == MEMPLAN_OK &&
        (status = mpl_model_finish(model, error)) != MEMPLAN_OK)
        mpl_fail_in(error, source);
    return status;
}

memplan_status memplan_model_open(memplan_model **out, const char *source,
                                  const memplan_model_options *options,
                                  memplan_error *error)
{
    memplan_model_options known;
    memplan_status status =
        mpl_copy_options(&known, sizeof known, options, error);
    if (status != MEMPLAN_OK)
        return status;
    if (known.header_max_bytes == 0)
        known.header_max_bytes = DEFAULT_HEADER_MAX_BYTES;
    memplan_model *const model = mpl_model_create();
    if (model == NULL)
        return mpl_fail_memory(error);
    status = fill(model, source, &known, error);
    if (status != MEMPLAN_OK) {
        memplan_model_free(model);
        return status;
    }
    *out = model;
    return MEMPLAN_OK;
}
