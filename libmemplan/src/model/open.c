/* SPDX-License-Identifier: MIT */
/* From a user's words to a model: locate, read, finish. */
#include <stddef.h>

#include "base/failure.h"
#include "base/sized.h"
#include "model/catalogue.h"
#include "model/checkpoint.h"
#include "model/gguf.h"
#include "model/hf_config.h"
#include "model/locate.h"
#include "model/model.h"
#include "model/path.h"
#include "model/safetensors.h"
#include "model/weight_index.h"

#define DEFAULT_HEADER_MAX_BYTES (UINT64_C(1) << 30)

/* A config.json and an index are texts: longer ones are something else. */
#define TEXT_MAX_BYTES (UINT64_C(256) << 20)

typedef struct opening {
    mpl_source source;
    const char *asked;
    uint64_t header_max_bytes;
    uint64_t text_max_bytes;
    memplan_error *error;
} opening;

/* What modelopt leaves beside a config.json; NULL where there is none. */
static memplan_status read_quantization(mpl_json **out, const opening *from,
                                        const char *path)
{
    mpl_arena *const arena = mpl_arena_create();
    const char *const beside =
        arena != NULL ? mpl_path_beside(arena, path, "hf_quant_config.json")
                      : NULL;
    memplan_status status =
        beside != NULL ? MEMPLAN_OK : mpl_fail_memory(from->error);
    if (status == MEMPLAN_OK && mpl_path_is_file(beside))
        status = mpl_json_open(out, beside, from->text_max_bytes, from->error);
    mpl_arena_free(arena);
    return status;
}

/* `dtype` is of the weights that it stands beside, or MPL_DTYPE_COUNT. */
static memplan_status read_config(memplan_model **out, const opening *from,
                                  const char *path, uint32_t dtype)
{
    mpl_json *json = NULL;
    mpl_json *beside = NULL;
    memplan_status status = read_quantization(&beside, from, path);
    if (status == MEMPLAN_OK)
        status = mpl_json_open(&json, path, from->text_max_bytes, from->error);
    if (status == MEMPLAN_OK)
        status = mpl_config_read(
            out, json,
            (mpl_config_beside){
                beside != NULL
                    ? mpl_json_get(mpl_json_root(beside), "quantization")
                    : MPL_JSON_ABSENT,
                dtype},
            path, from->error);
    mpl_json_free(beside);
    return status;
}

static memplan_status read_catalogue(memplan_model **out, const opening *from)
{
    mpl_json *json = NULL;
    memplan_status status =
        mpl_catalogue_config(&json, from->source.row, from->error);
    if (status == MEMPLAN_OK)
        status = mpl_config_read(out, json, MPL_CONFIG_ALONE,
                                 from->source.row->name, from->error);
    if (status != MEMPLAN_OK)
        return status;
    memplan_model *const model = *out;
    model->format = "catalogue";
    model->repository = from->source.row->source;
    if (!mpl_catalogue_is_own(from->source.row, from->asked) &&
        !mpl_model_add_note(model,
                            "the catalogue has no \"%s\": by likeness of the "
                            "name its sizes are those of %s, not quantized",
                            from->asked, model->repository))
        return mpl_fail_memory(from->error);
    return MEMPLAN_OK;
}

static memplan_status read_gguf(memplan_model **out, const opening *from)
{
    memplan_model *const model = mpl_model_create();
    if (model == NULL)
        return mpl_fail_memory(from->error);
    const memplan_status status = mpl_gguf_open(
        model, from->source.path, from->header_max_bytes, from->error);
    if (status == MEMPLAN_OK)
        *out = model;
    else
        memplan_model_free(model);
    return status;
}

/* Weights, joined with the config.json beside them. A family that is not
 * known leaves the weights as they are. */
static memplan_status join_config(memplan_model **out, const opening *from,
                                  memplan_model *weights)
{
    memplan_model *config = NULL;
    memplan_status status = MEMPLAN_E_UNSUPPORTED;
    if (from->source.config_path != NULL)
        status = read_config(&config, from, from->source.config_path,
                             mpl_checkpoint_dtype(weights));
    if (status == MEMPLAN_OK)
        return mpl_checkpoint_join(out, weights, config, from->error);
    if (status == MEMPLAN_E_UNSUPPORTED) {
        *out = weights;
        return MEMPLAN_OK;
    }
    memplan_model_free(weights);
    return status;
}

static memplan_status read_weights(memplan_model **out, const opening *from,
                                   const char *const *paths, uint64_t count,
                                   const mpl_weight_index *index)
{
    memplan_model *const weights = mpl_model_create();
    if (weights == NULL)
        return mpl_fail_memory(from->error);
    memplan_status status = MEMPLAN_OK;
    const char **const kept =
        mpl_arena_alloc(weights->arena, count, sizeof *kept);
    for (uint64_t at = 0; kept != NULL && at < count; at++)
        if ((kept[at] = mpl_arena_strdup(weights->arena, paths[at])) == NULL)
            status = mpl_fail_memory(from->error);
    if (kept == NULL)
        status = mpl_fail_memory(from->error);
    if (status == MEMPLAN_OK)
        status = mpl_safetensors_open(weights, kept, count,
                                      from->header_max_bytes, from->error);
    if (status == MEMPLAN_OK && index != NULL)
        status = mpl_weight_index_check(index, weights, from->source.path,
                                        from->error);
    if (status == MEMPLAN_OK)
        return join_config(out, from, weights);
    memplan_model_free(weights);
    return status;
}

/* Shards that are not there at all are no fault: the config says what they
 * hold. */
static memplan_status read_index_alone(memplan_model **out, const opening *from,
                                       const mpl_weight_index *index)
{
    if (from->source.config_path == NULL)
        return mpl_fail(from->error, MEMPLAN_E_NOT_FOUND, MPL_NOWHERE,
                        "%.120s: neither the shards nor a config.json are "
                        "beside it",
                        from->source.path);
    memplan_model *made = NULL;
    memplan_status status =
        read_config(&made, from, from->source.config_path, MPL_DTYPE_COUNT);
    if (status != MEMPLAN_OK)
        return status;
    if (!mpl_config_names_dtype(mpl_json_root(made->config)) &&
        mpl_checkpoint_is_half(made, index->total_bytes)) {
        memplan_model_free(made);
        made = NULL;
        status =
            read_config(&made, from, from->source.config_path, MPL_DTYPE_BF16);
        if (status != MEMPLAN_OK)
            return status;
    }
    made->format = "index";
    if (!mpl_checkpoint_take_total(made, index->total_bytes)) {
        memplan_model_free(made);
        return mpl_fail_memory(from->error);
    }
    *out = made;
    return MEMPLAN_OK;
}

static memplan_status read_index(memplan_model **out, const opening *from)
{
    mpl_arena *const arena = mpl_arena_create();
    if (arena == NULL)
        return mpl_fail_memory(from->error);
    mpl_weight_index index;
    memplan_status status = mpl_weight_index_read(
        &index, arena, from->source.path, from->text_max_bytes, from->error);
    uint64_t missing = 0;
    uint64_t first_missing = 0;
    for (uint64_t at = 0; status == MEMPLAN_OK && at < index.path_count; at++)
        if (!mpl_path_is_file(index.paths[at]) && missing++ == 0)
            first_missing = at;
    if (status == MEMPLAN_OK) {
        if (missing == index.path_count)
            status = read_index_alone(out, from, &index);
        else if (missing > 0)
            status = mpl_fail(from->error, MEMPLAN_E_NOT_FOUND, MPL_NOWHERE,
                              "%.160s: missing, a shard that the index names",
                              index.paths[first_missing]);
        else
            status =
                read_weights(out, from, index.paths, index.path_count, &index);
    }
    mpl_arena_free(arena);
    return status;
}

/* fp32 is what torch makes where no dtype is named; weights that are not here
 * may say else. */
static memplan_status read_config_alone(memplan_model **out,
                                        const opening *from)
{
    const memplan_status status =
        read_config(out, from, from->source.path, MPL_DTYPE_COUNT);
    if (status != MEMPLAN_OK || (*out)->quantizer != NULL ||
        mpl_config_names_dtype(mpl_json_root((*out)->config)) ||
        mpl_model_add_note(*out, "config.json names no dtype, and there are no "
                                 "weights to ask: counted in fp32; where these "
                                 "are bf16 or fp16, it takes half"))
        return status;
    return mpl_fail_memory(from->error);
}

static memplan_status read_source(memplan_model **out, const opening *from)
{
    switch (from->source.kind) {
    case MPL_SOURCE_GGUF:
        return read_gguf(out, from);
    case MPL_SOURCE_SAFETENSORS:
        return read_weights(out, from, from->source.paths,
                            from->source.path_count, NULL);
    case MPL_SOURCE_INDEX:
        return read_index(out, from);
    case MPL_SOURCE_CONFIG:
        return read_config_alone(out, from);
    default:
        return read_catalogue(out, from);
    }
}

/* What every reader leaves to its caller. */
static memplan_status finish(memplan_model *model, const opening *from)
{
    model->source = mpl_arena_strdup(model->arena, from->asked);
    if (model->name == NULL || model->gguf == NULL)
        model->name = mpl_arena_strdup(model->arena, from->source.name);
    if (model->architecture == NULL)
        model->architecture = "";
    if (model->source == NULL || model->name == NULL)
        return mpl_fail_memory(from->error);
    if (from->source.kind == MPL_SOURCE_CONFIG ||
        from->source.kind == MPL_SOURCE_CATALOGUE)
        return MEMPLAN_OK; /* summed up when its configuration was read */
    const memplan_status status = mpl_model_finish(model, from->error);
    if (status != MEMPLAN_OK)
        mpl_fail_in(from->error, from->asked);
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
    mpl_arena *const arena = mpl_arena_create();
    if (arena == NULL)
        return mpl_fail_memory(error);
    opening from = {.asked = source,
                    .header_max_bytes = known.header_max_bytes,
                    .text_max_bytes = TEXT_MAX_BYTES,
                    .error = error};
    memplan_model *model = NULL;
    status = mpl_locate(&from.source, arena, source, &known, error);
    if (status == MEMPLAN_OK)
        status = read_source(&model, &from);
    if (status == MEMPLAN_OK)
        status = finish(model, &from);
    mpl_arena_free(arena);
    if (status == MEMPLAN_OK)
        *out = model;
    else
        memplan_model_free(model);
    return status;
}
