/* SPDX-License-Identifier: MIT */
/*
 * A GGUF's tensors by unit: "blk.7.attn_q.weight" belongs to "blk.7".
 *
 * Units stand in execution order: the rows of UNITS first to last, blocks by
 * number. Within a unit tensors keep the order of the file.
 */
#include <stdlib.h>
#include <string.h>

#include "base/failure.h"
#include "base/sort.h"
#include "model/gguf_file.h"

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

/* What a tensor's name says of its unit. */
typedef struct place {
    uint32_t row;    /* of UNITS; ROW_COUNT: none */
    uint32_t number; /* of a block */
    uint32_t length; /* of the unit's name, the front of the tensor's */
} place;

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

static bool matches(const unit_row *row, const char *name, place *out)
{
    const size_t length = strlen(row->name);
    if (strncmp(name, row->name, length) != 0 ||
        (name[length] != '.' && name[length] != '\0'))
        return false;
    out->length = (uint32_t)length;
    out->number = 0;
    if (row->kind != MPL_UNIT_LAYER)
        return true;
    uint32_t digits;
    if (name[length] != '.' ||
        !read_number(name + length + 1, &out->number, &digits))
        return false;
    out->length += 1 + digits;
    return true;
}

static place find_place(const char *name)
{
    place found = {.row = 0};
    for (; found.row < ROW_COUNT; found.row++)
        if (matches(&UNITS[found.row], name, &found))
            return found;
    const char *const dot = strchr(name, '.');
    found.length = (uint32_t)(dot != NULL ? (size_t)(dot - name)
                                          : strlen(name));
    found.number = 0;
    return found;
}

static bool is_same_unit(const place *a, const char *a_name, const place *b,
                         const char *b_name)
{
    return a->row == b->row && a->number == b->number &&
           a->length == b->length && memcmp(a_name, b_name, a->length) == 0;
}

/* Other tensors by the name's front, in the order in which fronts appear:
 * numbers them, so that one key sorts all. A file has few of them; a hostile
 * one has at most MAX_OTHERS, the rest share the last. */
enum { MAX_OTHERS = 64 };

static void number_others(const mpl_gguf_tensor *tensors, uint64_t count,
                          place *places)
{
    uint64_t firsts[MAX_OTHERS];
    uint32_t known = 0;
    for (uint64_t at = 0; at < count; at++) {
        if (places[at].row < ROW_COUNT)
            continue;
        uint32_t number = 0;
        while (number < known) {
            const uint64_t first = firsts[number];
            places[at].number = places[first].number;
            if (is_same_unit(&places[at], tensors[at].name, &places[first],
                             tensors[first].name))
                break;
            number++;
        }
        if (number == known && known < MAX_OTHERS)
            firsts[known++] = at;
        places[at].number = number;
    }
}

/* Projections are matrices; embeddings are read a row a token. */
static uint32_t flags_of(const mpl_gguf_tensor *tensor, const place *where)
{
    const mpl_unit_kind kind =
        where->row < ROW_COUNT ? UNITS[where->row].kind : MPL_UNIT_OTHER;
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

static bool open_unit(memplan_model *model, const place *where,
                      const mpl_gguf_tensor *tensor, uint32_t first_tensor)
{
    mpl_unit *const unit = &model->units[model->unit_count++];
    unit->name = mpl_arena_copy(model->arena, tensor->name, where->length);
    unit->kind =
        where->row < ROW_COUNT ? UNITS[where->row].kind : MPL_UNIT_OTHER;
    unit->layer_index =
        unit->kind == MPL_UNIT_LAYER ? where->number : MPL_NO_INDEX;
    unit->first_tensor = first_tensor;
    return unit->name != NULL;
}

/* The tensors in the order of `sorted`, cut into units. */
static bool fill(memplan_model *model, const mpl_gguf *gguf,
                 mpl_gguf_tensor *tensors, const place *places,
                 const mpl_sort_item *sorted)
{
    for (uint32_t at = 0; at < model->tensor_count; at++) {
        mpl_gguf_tensor *const tensor = &tensors[sorted[at].value];
        const place *const where = &places[sorted[at].value];
        mpl_tensor *const out = &model->tensors[at];
        if (!fill_tensor(out, model->arena, tensor,
                         &gguf->parts[tensor->part_index]))
            return false;
        out->flags = flags_of(tensor, where);
        tensor->model_index = at;
        if ((at == 0 || sorted[at].key != sorted[at - 1].key) &&
            !open_unit(model, where, tensor, at))
            return false;
        model->units[model->unit_count - 1].tensor_count++;
    }
    return true;
}

static uint32_t count_units(const mpl_sort_item *sorted, uint64_t count)
{
    uint32_t units = count > 0;
    for (uint64_t at = 1; at < count; at++)
        units += sorted[at].key != sorted[at - 1].key;
    return units;
}

memplan_status mpl_gguf_group(memplan_model *model, const mpl_gguf *gguf,
                              mpl_gguf_tensor *tensors, memplan_error *error)
{
    const uint64_t count = gguf->tensor_count;
    mpl_arena *const arena = model->arena;
    place *const places = mpl_arena_alloc(arena, count, sizeof *places);
    mpl_sort_item *const sorted =
        mpl_arena_alloc(arena, count, sizeof *sorted);
    mpl_sort_item *const scratch =
        mpl_arena_alloc(arena, count, sizeof *scratch);
    model->tensors = mpl_arena_alloc(arena, count, sizeof *model->tensors);
    if (places == NULL || sorted == NULL || scratch == NULL ||
        model->tensors == NULL)
        return mpl_fail_memory(error);
    for (uint64_t at = 0; at < count; at++)
        places[at] = find_place(tensors[at].name);
    number_others(tensors, count, places);
    for (uint64_t at = 0; at < count; at++)
        sorted[at] = (mpl_sort_item){
            (uint64_t)places[at].row << 32 | places[at].number, at};
    mpl_sort(sorted, scratch, count);
    model->tensor_count = (uint32_t)count;
    model->units = mpl_arena_alloc(arena, count_units(sorted, count),
                                   sizeof *model->units);
    if (model->units == NULL ||
        !fill(model, gguf, tensors, places, sorted))
        return mpl_fail_memory(error);
    return MEMPLAN_OK;
}
