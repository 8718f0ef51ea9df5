/* SPDX-License-Identifier: MIT */
/* A model as JSON: schema memplan.model/1, tests/schema/model.json. */
#include <stddef.h>

#include "base/json_writer.h"
#include "dialect/dialect.h"
#include "dialect/model_figures.h"

static void write_state(mpl_json_writer *out, const memplan_model *model)
{
    const mpl_state_figures state = mpl_model_state(model);
    mpl_json_open_object(out, "state");
    mpl_json_text(out, "cache_dtype", "fp16");
    mpl_json_number(out, "context_tokens", model->facts.context_tokens);
    mpl_json_number(out, "cache_bytes_per_token", state.token_bytes);
    mpl_json_number(out, "context_cache_bytes", state.context_bytes);
    mpl_json_number(out, "cross_bytes_per_encoder_token", state.cross_bytes);
    mpl_json_number(out, "encoder_tokens",
                    state.cross_bytes > 0 ? model->facts.encoder_tokens
                                          : MEMPLAN_UNKNOWN);
    mpl_json_number(out, "fixed_state_bytes", state.fixed_bytes);
    mpl_json_number(out, "cached_layer_count", state.cached_layers);
    mpl_json_number(out, "windowed_layer_count", state.windowed_layers);
    mpl_json_number(out, "window_tokens",
                    state.windowed_layers > 0 ? state.window_tokens
                                              : MEMPLAN_UNKNOWN);
    mpl_json_number(out, "fixed_state_layer_count", state.fixed_layers);
    mpl_json_close(out);
}

static void write_units(mpl_json_writer *out, const memplan_model *model)
{
    mpl_json_open_array(out, "units");
    for (uint32_t at = 0; at < model->unit_count; at++) {
        const mpl_unit *const unit = &model->units[at];
        out->is_inline = true;
        mpl_json_open_object(out, NULL);
        mpl_json_text(out, "name", unit->name);
        mpl_json_text(out, "kind", mpl_unit_kind_name(unit->kind));
        mpl_json_number(out, "weight_bytes", unit->weight_bytes);
        mpl_json_number(out, "parameter_count", unit->element_count);
        mpl_json_number(out, "tensor_count", unit->tensor_count);
        mpl_json_close(out);
        out->is_inline = false;
    }
    mpl_json_close(out);
}

static void write_tensor(mpl_json_writer *out, const memplan_model *model,
                         const mpl_tensor *tensor)
{
    out->is_inline = true;
    mpl_json_open_object(out, NULL);
    mpl_json_text(out, "name", tensor->name);
    mpl_json_text(out, "dtype", mpl_dtype_name(tensor->dtype));
    mpl_json_open_array(out, "shape");
    for (uint32_t at = 0; at < tensor->dimension_count; at++)
        mpl_json_number(out, NULL, tensor->shape[at]);
    mpl_json_close(out);
    mpl_json_number(out, "bytes", tensor->bytes);
    mpl_json_text(out, "unit", model->units[tensor->unit_index].name);
    mpl_json_flag(out, "is_buffer", (tensor->flags & MPL_TENSOR_BUFFER) != 0);
    mpl_json_text(out, "tied_to",
                  tensor->tied_to == MPL_NO_INDEX
                      ? NULL
                      : model->tensors[tensor->tied_to].name);
    mpl_json_close(out);
    out->is_inline = false;
}

MPL_MODEL_WRITER(mpl_model_write_json)
{
    mpl_json_writer out = {.text = text};
    memplan_model_info info = {.size = sizeof info};
    memplan_model_describe(model, &info);
    mpl_json_open_object(&out, NULL);
    mpl_json_text(&out, "schema", "memplan.model/1");
    mpl_json_text(&out, "source", info.source);
    mpl_json_text(&out, "name", info.name);
    mpl_json_text(&out, "format", info.format);
    mpl_json_text(&out, "architecture", info.architecture);
    mpl_json_text(&out, "dtype", info.dtype);
    mpl_json_number(&out, "parameter_count", info.parameter_count);
    mpl_json_number(&out, "weight_bytes", info.weight_bytes);
    mpl_json_number(&out, "file_bytes", info.file_bytes);
    mpl_json_number(&out, "tensor_count", info.tensor_count);
    mpl_json_number(&out, "layer_count", info.layer_count);
    mpl_json_number(&out, "context_tokens", info.context_tokens);
    write_state(&out, model);
    write_units(&out, model);
    mpl_json_open_array(&out, "notes");
    for (uint32_t at = 0; at < model->note_count; at++)
        mpl_json_text(&out, NULL, model->notes[at]);
    mpl_json_close(&out);
    if (style->with_tensors) {
        mpl_json_open_array(&out, "tensors");
        for (uint32_t at = 0; at < model->tensor_count; at++)
            write_tensor(&out, model, &model->tensors[at]);
        mpl_json_close(&out);
    }
    mpl_json_close(&out);
    mpl_text_add(text, "\n");
    (void)error;
    return MEMPLAN_OK;
}
