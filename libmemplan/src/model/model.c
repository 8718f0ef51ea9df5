/* SPDX-License-Identifier: MIT */
#include "model/model.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/failure.h"
#include "base/json.h"
#include "base/sized.h"
#include "model/quantization_config.h"

const char *mpl_unit_kind_name(mpl_unit_kind kind)
{
    static const char *const NAMES[] = {"embedding", "layer", "norm", "head",
                                        "other"};
    return NAMES[kind];
}

memplan_model *mpl_model_create(void)
{
    mpl_arena *const arena = mpl_arena_create();
    memplan_model *const model =
        arena != NULL ? mpl_arena_alloc(arena, 1, sizeof *model) : NULL;
    if (model == NULL) {
        mpl_arena_free(arena);
        return NULL;
    }
    model->arena = arena;
    model->file_bytes = MEMPLAN_UNKNOWN;
    model->facts = (mpl_facts){MEMPLAN_UNKNOWN,
                               MEMPLAN_UNKNOWN,
                               MEMPLAN_UNKNOWN,
                               MEMPLAN_UNKNOWN,
                               MEMPLAN_UNKNOWN,
                               MEMPLAN_UNKNOWN,
                               MEMPLAN_UNKNOWN,
                               0,
                               0,
                               MEMPLAN_UNKNOWN};
    return model;
}

bool mpl_model_add_note(memplan_model *model, const char *format, ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args);
    va_end(args);
    for (uint32_t at = 0; at < model->note_count; at++)
        if (strcmp(model->notes[at], line) == 0)
            return true;
    char *const note = mpl_arena_strdup(model->arena, line);
    const char **const notes =
        mpl_arena_grow(model->arena, model->notes, model->note_count,
                       &model->note_capacity, sizeof *notes);
    if (note == NULL || notes == NULL)
        return false;
    model->notes = notes;
    notes[model->note_count++] = note;
    return true;
}

void memplan_model_free(memplan_model *model)
{
    if (model == NULL)
        return;
    mpl_json_free(model->config);
    mpl_arena_free(model->arena); /* the model itself lives in it */
}

/* Bytes of what a unit owns and elements of its parameters. */
static bool sum_unit(const memplan_model *model, uint32_t index,
                     uint64_t *out_bytes, uint64_t *out_elements)
{
    const mpl_unit *const unit = &model->units[index];
    uint64_t bytes = 0;
    uint64_t elements = 0;
    for (uint32_t at = 0; at < unit->tensor_count; at++) {
        const mpl_tensor *const tensor =
            &model->tensors[unit->first_tensor + at];
        if (tensor->tied_to != MPL_NO_INDEX)
            continue;
        if (!mpl_add(&bytes, bytes, tensor->bytes))
            return false;
        if ((tensor->flags & MPL_TENSOR_BUFFER) == 0 &&
            !mpl_add(&elements, elements, tensor->element_count))
            return false;
    }
    *out_bytes = bytes;
    *out_elements = elements;
    return true;
}

static bool has_same_shape(const mpl_tensor *a, const mpl_tensor *b)
{
    return a->dimension_count == b->dimension_count &&
           (a->shape == b->shape ||
            memcmp(a->shape, b->shape, a->dimension_count * sizeof *a->shape) ==
                0);
}

/* Whether two units, of which neither has a tied tensor, differ in names
 * alone. */
static bool is_like(const memplan_model *model, const mpl_unit *unit,
                    const mpl_unit *other)
{
    if (unit->tensor_count != other->tensor_count ||
        memcmp(&unit->state, &other->state, sizeof unit->state) != 0)
        return false;
    for (uint32_t at = 0; at < unit->tensor_count; at++) {
        const mpl_tensor *const a = &model->tensors[unit->first_tensor + at];
        const mpl_tensor *const b = &model->tensors[other->first_tensor + at];
        if (a->bytes != b->bytes || a->dtype != b->dtype ||
            a->flags != b->flags || a->dense_bytes != b->dense_bytes ||
            a->dense_dtype != b->dense_dtype || a->tied_to != MPL_NO_INDEX ||
            b->tied_to != MPL_NO_INDEX || !has_same_shape(a, b))
            return false;
    }
    return true;
}

void mpl_model_number_tensors(memplan_model *model)
{
    for (uint32_t index = 0; index < model->unit_count; index++) {
        mpl_tensor *tensor = &model->tensors[model->units[index].first_tensor];
        const mpl_tensor *const end = tensor + model->units[index].tensor_count;
        while (tensor < end)
            (tensor++)->unit_index = index;
    }
}

void mpl_model_tell_apart(memplan_model *model, uint32_t index)
{
    model->units[index].like_before = 0;
    for (uint32_t at = index + 1; at < model->unit_count; at++)
        if (model->units[at].like_before == at - index)
            model->units[at].like_before = 0;
}

void mpl_model_compare_units(memplan_model *model)
{
    for (uint32_t index = 0; index < model->unit_count; index++) {
        mpl_unit *const unit = &model->units[index];
        if (unit->like_before > 0 &&
            !is_like(model, unit, unit - unit->like_before))
            unit->like_before = 0;
    }
}

static bool sum_or_copy(memplan_model *model, uint32_t index)
{
    mpl_unit *const unit = &model->units[index];
    const mpl_unit *const like = unit - unit->like_before;
    if (unit->like_before == 0)
        return sum_unit(model, index, &unit->weight_bytes,
                        &unit->element_count);
    unit->weight_bytes = like->weight_bytes;
    unit->element_count = like->element_count;
    return true;
}

memplan_status mpl_model_finish(memplan_model *model, memplan_error *error)
{
    uint32_t next_tensor = 0;
    model->layer_count = 0;
    model->weight_bytes = 0;
    model->parameter_count = 0;
    for (uint32_t index = 0; index < model->unit_count; index++) {
        mpl_unit *const unit = &model->units[index];
        if (unit->first_tensor != next_tensor)
            return mpl_fail(error, MEMPLAN_E_CORRUPT, MPL_NOWHERE,
                            "unit \"%s\" does not follow its neighbour",
                            unit->name);
        next_tensor += unit->tensor_count;
        if (!sum_or_copy(model, index) ||
            !mpl_add(&model->weight_bytes, model->weight_bytes,
                     unit->weight_bytes) ||
            !mpl_add(&model->parameter_count, model->parameter_count,
                     unit->element_count))
            return mpl_fail(error, MEMPLAN_E_TOO_LARGE, MPL_NOWHERE,
                            "the tensors' bytes pass 64 bits");
        model->layer_count += unit->kind == MPL_UNIT_LAYER;
    }
    if (next_tensor != model->tensor_count)
        return mpl_fail(error, MEMPLAN_E_CORRUPT, MPL_NOWHERE,
                        "%u of %u tensors belong to no unit",
                        model->tensor_count - next_tensor, model->tensor_count);
    mpl_model_number_tensors(model);
    return MEMPLAN_OK;
}

bool mpl_model_is_valid(const memplan_model *model)
{
    uint64_t total_bytes = 0;
    uint64_t total_elements = 0;
    uint32_t next_tensor = 0;
    for (uint32_t index = 0; index < model->unit_count; index++) {
        const mpl_unit *const unit = &model->units[index];
        uint64_t bytes;
        uint64_t elements;
        if (unit->first_tensor != next_tensor ||
            !sum_unit(model, index, &bytes, &elements) ||
            bytes != unit->weight_bytes || elements != unit->element_count ||
            !mpl_add(&total_bytes, total_bytes, bytes) ||
            !mpl_add(&total_elements, total_elements, elements) ||
            unit->like_before > index ||
            (unit->like_before > 0 &&
             !is_like(model, unit, unit - unit->like_before)))
            return false;
        next_tensor += unit->tensor_count;
    }
    for (uint32_t at = 0; at < model->tensor_count; at++) {
        const uint32_t owner = model->tensors[at].tied_to;
        if (owner != MPL_NO_INDEX &&
            (owner >= model->tensor_count ||
             model->tensors[owner].tied_to != MPL_NO_INDEX))
            return false;
    }
    return next_tensor == model->tensor_count &&
           total_bytes == model->weight_bytes &&
           total_elements == model->parameter_count;
}

const char *mpl_model_dtype_name(const memplan_model *model, uint32_t dtype)
{
    enum { WORD = 12 }; /* a longer name is no word in a table */
    const bool is_word = dtype == MPL_DTYPE_I32 || dtype == MPL_DTYPE_I8 ||
                         dtype == MPL_DTYPE_U8;
    if (!is_word || model->quantizer == NULL)
        return mpl_dtype_name(dtype);
    return strlen(model->quantizer->name) <= WORD ? model->quantizer->name
                                                  : "packed";
}

/* The dtype that holds most of the bytes. */
static const char *main_dtype(const memplan_model *model)
{
    uint64_t bytes[MPL_DTYPE_COUNT] = {0};
    uint32_t best = 0;
    for (uint32_t at = 0; at < model->tensor_count; at++) {
        const mpl_tensor *const tensor = &model->tensors[at];
        if (tensor->tied_to != MPL_NO_INDEX)
            continue;
        bytes[tensor->dtype] += tensor->bytes;
        if (bytes[tensor->dtype] > bytes[best])
            best = tensor->dtype;
    }
    return bytes[best] > 0 ? mpl_model_dtype_name(model, best) : "";
}

memplan_status memplan_model_describe(const memplan_model *model,
                                      memplan_model_info *out_info)
{
    const memplan_model_info row = {
        .source = model->source,
        .name = model->name,
        .format = model->format,
        .architecture = model->architecture,
        .dtype = main_dtype(model),
        .parameter_count = model->parameter_count,
        .weight_bytes = model->weight_bytes,
        .file_bytes = model->file_bytes,
        .tensor_count = model->tensor_count,
        .unit_count = model->unit_count,
        .layer_count = model->layer_count,
        .context_tokens = model->facts.context_tokens,
        .note_count = model->note_count,
    };
    return mpl_copy_row(out_info, &row, sizeof row);
}

const char *memplan_model_note(const memplan_model *model, uint64_t index)
{
    return index < model->note_count ? model->notes[index] : NULL;
}

memplan_status memplan_model_tensor(const memplan_model *model, uint64_t index,
                                    memplan_tensor_info *out_info)
{
    if (index >= model->tensor_count)
        return MEMPLAN_E_ARGUMENT;
    const mpl_tensor *const tensor = &model->tensors[index];
    const memplan_tensor_info row = {
        .name = tensor->name,
        .dtype = mpl_dtype_name(tensor->dtype),
        .shape = tensor->shape,
        .dimension_count = tensor->dimension_count,
        .bytes = tensor->bytes,
        .unit_index = tensor->unit_index,
        .is_buffer = (tensor->flags & MPL_TENSOR_BUFFER) != 0,
        .tied_to = tensor->tied_to != MPL_NO_INDEX
                       ? model->tensors[tensor->tied_to].name
                       : NULL,
    };
    return mpl_copy_row(out_info, &row, sizeof row);
}

memplan_status memplan_model_unit(const memplan_model *model, uint64_t index,
                                  memplan_unit_info *out_info)
{
    if (index >= model->unit_count)
        return MEMPLAN_E_ARGUMENT;
    const mpl_unit *const unit = &model->units[index];
    const memplan_unit_info row = {
        .name = unit->name,
        .kind = mpl_unit_kind_name(unit->kind),
        .weight_bytes = unit->weight_bytes,
        .parameter_count = unit->element_count,
        .tensor_count = unit->tensor_count,
    };
    return mpl_copy_row(out_info, &row, sizeof row);
}
