/* SPDX-License-Identifier: MIT */
/*
 * A GGUF's tensors by unit: "blk.7.attn_q.weight" belongs to "blk.7".
 *
 * Units stand in execution order: the rows of UNITS first to last, blocks by
 * number. Within a unit tensors keep the order of the file.
 */
#include <string.h>

#include "base/failure.h"
#include "model/fronts.h"
#include "model/gguf_file.h"
#include "model/grouping.h"

typedef struct unit_row {
    const char *name;
    mpl_unit_kind kind;
} unit_row;

/* Layers are followed by a block's number. */
static const unit_row UNITS[] = {
    {"token_embd", MPL_UNIT_EMBEDDING},
    {"position_embd", MPL_UNIT_EMBEDDING},
    {"token_types", MPL_UNIT_EMBEDDING},
    {"token_embd_norm", MPL_UNIT_NORM},
    {"per_layer_token_embd", MPL_UNIT_EMBEDDING},
    {"per_layer_model_proj", MPL_UNIT_OTHER},
    {"per_layer_proj_norm", MPL_UNIT_NORM},
    {"altup_proj", MPL_UNIT_OTHER},
    {"enc.blk", MPL_UNIT_LAYER},
    {"enc.output_norm", MPL_UNIT_NORM},
    {"blk", MPL_UNIT_LAYER},
    {"dec.blk", MPL_UNIT_LAYER},
    {"dec.output_norm", MPL_UNIT_NORM},
    {"altup_unembd_proj", MPL_UNIT_OTHER},
    {"output_norm", MPL_UNIT_NORM},
    {"output", MPL_UNIT_HEAD},
    {"cls", MPL_UNIT_HEAD},
};
enum { ROW_COUNT = sizeof UNITS / sizeof *UNITS };

/* Blocks have at most this many digits; other names are no blocks. */
enum { NUMBER_DIGITS = 6 };

/* A whole number without leading zeros that a dot follows. */
static bool read_number(const char *text, uint32_t *out, uint32_t *out_length)
{
    uint32_t number = 0;
    uint32_t length = 0;
    for (; text[length] >= '0' && text[length] <= '9'; length++) {
        if (length == NUMBER_DIGITS)
            return false;
        number = number * 10 + (uint32_t)(text[length] - '0');
    }
    if (length == 0 || text[length] != '.' || (text[0] == '0' && length > 1))
        return false;
    *out = number;
    *out_length = length;
    return true;
}

static bool matches(const unit_row *row, const char *name, mpl_place *out)
{
    const size_t length = strlen(row->name);
    if (strncmp(name, row->name, length) != 0 ||
        (name[length] != '.' && name[length] != '\0'))
        return false;
    *out = (mpl_place){.name_length = (uint32_t)length, .kind = row->kind};
    if (row->kind != MPL_UNIT_LAYER)
        return true;
    uint32_t digits;
    if (name[length] != '.' ||
        !read_number(name + length + 1, &out->layer_number, &digits))
        return false;
    out->name_length += 1 + digits;
    return true;
}

/* The row and the block order the units; what has no row comes last, by the
 * front of its name, in the order of the file. */
static mpl_place find_place(const char *name, mpl_fronts *others)
{
    mpl_place place;
    for (uint32_t row = 0; row < ROW_COUNT; row++)
        if (matches(&UNITS[row], name, &place)) {
            place.order = (uint64_t)row << 32 | place.layer_number;
            return place;
        }
    const uint32_t length = (uint32_t)strcspn(name, ".");
    const uint32_t number = mpl_fronts_number(others, name, length);
    return (mpl_place){.order = (uint64_t)ROW_COUNT << 32 | number,
                       .name_length = length,
                       .kind = MPL_UNIT_OTHER};
}

/* Projections are matrices; embeddings are read a row a token. */
static uint32_t flags_of(const mpl_gguf_tensor *tensor, mpl_unit_kind kind)
{
    if (kind == MPL_UNIT_EMBEDDING)
        return MPL_TENSOR_LOOKUP;
    uint32_t flags = 0;
    if (strstr(tensor->name, "_exps.") != NULL)
        flags |= MPL_TENSOR_EXPERT;
    const size_t length = strlen(tensor->name);
    if (tensor->dimension_count >= 2 && length > 7 &&
        strcmp(tensor->name + length - 7, ".weight") == 0 &&
        (kind == MPL_UNIT_LAYER || kind == MPL_UNIT_HEAD))
        flags |= MPL_TENSOR_LINEAR;
    return flags;
}

static bool fill_tensor(mpl_tensor *out, mpl_arena *arena,
                        const mpl_gguf_tensor *from, const mpl_gguf_part *part)
{
    uint64_t *const shape =
        mpl_arena_alloc(arena, from->dimension_count, sizeof *shape);
    if (shape == NULL)
        return false;
    out->element_count = 1;
    for (uint32_t at = 0; at < from->dimension_count; at++) {
        shape[at] = from->ne[from->dimension_count - 1 - at];
        out->element_count *= shape[at]; /* checked by the reader */
    }
    out->name = from->name;
    out->shape = shape;
    out->dimension_count = from->dimension_count;
    out->dtype = mpl_dtype_from_ggml(from->ggml_type);
    out->bytes = from->bytes;
    out->file_offset = part->data_offset + from->offset;
    out->file_index = from->part_index;
    out->tied_to = MPL_NO_INDEX;
    return true;
}

static bool group(memplan_model *model, const mpl_gguf *gguf,
                  mpl_gguf_tensor *tensors, mpl_arena *scratch)
{
    const uint64_t count = gguf->tensor_count;
    mpl_fronts *const others = mpl_arena_alloc(scratch, 1, sizeof *others);
    mpl_place *const places = mpl_arena_alloc(scratch, count, sizeof *places);
    model->tensors =
        mpl_arena_alloc(model->arena, count, sizeof *model->tensors);
    model->tensor_count = (uint32_t)count;
    if (others == NULL || places == NULL || model->tensors == NULL)
        return false;
    for (uint64_t at = 0; at < count; at++) {
        const mpl_gguf_tensor *const tensor = &tensors[at];
        if (!fill_tensor(&model->tensors[at], model->arena, tensor,
                         &gguf->parts[tensor->part_index]))
            return false;
        places[at] = find_place(tensor->name, others);
        model->tensors[at].flags = flags_of(tensor, places[at].kind);
    }
    const mpl_sort_item *order = NULL;
    if (!mpl_group_tensors(model, places, scratch, &order))
        return false;
    for (uint64_t at = 0; at < count; at++)
        tensors[order[at].value].model_index = (uint32_t)at;
    return true;
}

memplan_status mpl_gguf_group(memplan_model *model, const mpl_gguf *gguf,
                              mpl_gguf_tensor *tensors, memplan_error *error)
{
    mpl_arena *const scratch = mpl_arena_create();
    const bool is_done =
        scratch != NULL && group(model, gguf, tensors, scratch);
    mpl_arena_free(scratch);
    return is_done ? MEMPLAN_OK : mpl_fail_memory(error);
}
