/* SPDX-License-Identifier: MIT */
/*
 * A model declared by the modules that a program already has: its tensors as
 * they are, grouped by their names; the state and the facts from its
 * configuration, where there is one of a family that is known.
 */
#include <string.h>

#include "base/checked.h"
#include "base/ending.h"
#include "base/failure.h"
#include "engine/accelerate/document.h"
#include "engine/accelerate/modules.h"
#include "model/checkpoint.h"
#include "model/hf_config.h"
#include "model/model.h"
#include "model/name_index.h"
#include "model/safetensors.h"

/* What the class of a module says of its weight. */
static const struct {
    const char *ending;
    uint32_t flags;
} CLASSES[] = {
    {"Linear", MPL_TENSOR_LINEAR},     {"Linear8bitLt", MPL_TENSOR_LINEAR},
    {"Linear4bit", MPL_TENSOR_LINEAR}, {"Embedding", MPL_TENSOR_LOOKUP},
    {"Experts", MPL_TENSOR_EXPERT},
};

static uint32_t flags_of(const memplan_modules *tree,
                         const mpl_module_tensor *from)
{
    uint32_t flags = 0;
    if (from->kind != MPL_MODULE_PARAMETER)
        flags |= MPL_TENSOR_BUFFER;
    if (from->kind == MPL_MODULE_TRANSIENT)
        flags |= MPL_TENSOR_TRANSIENT;
    if (from->kind != MPL_MODULE_PARAMETER ||
        mpl_ends_with(from->name, ".bias"))
        return flags;
    const char *class_name = tree->modules[from->module].class_name;
    for (size_t at = 0; at < sizeof CLASSES / sizeof *CLASSES; at++)
        if (mpl_ends_with(class_name, CLASSES[at].ending))
            return flags | CLASSES[at].flags;
    return flags;
}

static memplan_status copy_tensor(memplan_model *model,
                                  const memplan_modules *tree, uint32_t index,
                                  memplan_error *error)
{
    const mpl_module_tensor *from = &tree->tensors[index];
    mpl_tensor *to = &model->tensors[index];
    const mpl_dtype dtype = mpl_dtype_from_name(from->dtype);
    if (dtype == MPL_DTYPE_COUNT)
        return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                        "\"%s\": its dtype \"%s\" is not known", from->name,
                        from->dtype);
    uint64_t *shape =
        mpl_arena_alloc(model->arena, from->dimension_count, sizeof *shape);
    *to = (mpl_tensor){
        .name = mpl_arena_strdup(model->arena, from->name),
        .shape = shape,
        .dimension_count = from->dimension_count,
        .dtype = dtype,
        .element_count = from->element_count,
        .file_offset = MEMPLAN_UNKNOWN,
        .tied_to = MPL_NO_INDEX,
        .flags = flags_of(tree, from),
    };
    if (to->name == NULL || shape == NULL)
        return mpl_fail_memory(error);
    if (from->dimension_count > 0)
        memcpy(shape, from->shape, from->dimension_count * sizeof *shape);
    if (!mpl_dtype_bytes(&to->bytes, dtype, from->element_count))
        return mpl_fail(error, MEMPLAN_E_TOO_LARGE, MPL_NOWHERE,
                        "\"%s\": its bytes pass 64 bits", from->name);
    return MEMPLAN_OK;
}

/* Grouping moved the tensors: owners are found again by name. */
static memplan_status tie(memplan_model *model, const memplan_modules *tree,
                          memplan_error *error)
{
    mpl_arena *scratch = mpl_arena_create();
    mpl_name_index names;
    if (scratch == NULL ||
        !mpl_name_index_build(&names, scratch, &model->tensors->name,
                              sizeof *model->tensors, model->tensor_count)) {
        mpl_arena_free(scratch);
        return mpl_fail_memory(error);
    }
    for (uint32_t at = 0; at < tree->tensor_count; at++) {
        const mpl_module_tensor *from = &tree->tensors[at];
        if (from->first == at)
            continue;
        const uint64_t tied = mpl_name_index_find(&names, from->name);
        model->tensors[tied].tied_to = (uint32_t)mpl_name_index_find(
            &names, tree->tensors[from->first].name);
    }
    mpl_arena_free(scratch);
    return MEMPLAN_OK;
}

static memplan_status fill(memplan_model *model, const memplan_modules *tree,
                           memplan_error *error)
{
    model->tensor_count = tree->tensor_count;
    model->tensors = mpl_arena_alloc(model->arena, tree->tensor_count,
                                     sizeof *model->tensors);
    if (model->tensors == NULL)
        return mpl_fail_memory(error);
    if (tree->tensor_count == 0)
        return mpl_fail(error, MEMPLAN_E_ARGUMENT, MPL_NOWHERE,
                        "module tree: it holds no tensor");
    for (uint32_t at = 0; at < tree->tensor_count; at++) {
        const memplan_status status = copy_tensor(model, tree, at, error);
        if (status != MEMPLAN_OK)
            return status;
    }
    if (!mpl_group_modules(model))
        return mpl_fail_memory(error);
    return tie(model, tree, error);
}

/* Takes state and facts from the configuration; a family that is not known
 * leaves the modules as they are. `model` is taken on failure. */
static memplan_status join_config(memplan_model **model, const char *config,
                                  memplan_error *error)
{
    mpl_json *document = NULL;
    memplan_model *configured = NULL;
    memplan_status status =
        mpl_document_parse(&document, config, strlen(config), error);
    if (status == MEMPLAN_OK)
        status = mpl_config_read(&configured, document, MPL_CONFIG_ALONE,
                                 "config", error);
    if (status == MEMPLAN_OK)
        return mpl_checkpoint_join(model, *model, configured, error);
    if (status == MEMPLAN_E_UNSUPPORTED)
        return MEMPLAN_OK;
    memplan_model_free(*model);
    return status;
}

memplan_status memplan_model_declare(memplan_model **out,
                                     const memplan_modules *tree,
                                     const char *name, const char *config,
                                     memplan_error *error)
{
    memplan_model *model = mpl_model_create();
    if (model == NULL)
        return mpl_fail_memory(error);
    memplan_status status = fill(model, tree, error);
    if (status != MEMPLAN_OK) {
        memplan_model_free(model);
        return status;
    }
    model->architecture = "";
    if (config != NULL)
        status = join_config(&model, config, error);
    if (status != MEMPLAN_OK)
        return status;
    model->format = "declared";
    model->source = mpl_arena_strdup(model->arena, name);
    model->name = model->source;
    status = model->source == NULL ? mpl_fail_memory(error)
                                   : mpl_model_finish(model, error);
    if (status != MEMPLAN_OK) {
        memplan_model_free(model);
        return status;
    }
    *out = model;
    return MEMPLAN_OK;
}
