/* SPDX-License-Identifier: MIT */
/*
 * The weights of a file, as llama.cpp's loader sees them: a class and a use by
 * name (tensors.def), a layer by number, and one more where the output is the
 * token embedding.
 */
#include "engine/llamacpp/weights.h"

#include <assert.h>
#include <string.h>

#include "base/failure.h"

typedef struct tensor_row {
    const char *name;
    size_t length;
    mpl_llama_class class_;
    mpl_llama_use use;
} tensor_row;

static const tensor_row TENSORS[] = {
#define TENSOR(name, class, use)                                               \
    {name, sizeof name - 1, MPL_LLAMA_CLASS_##class, MPL_LLAMA_USE_##use},
#include "engine/llamacpp/tensors.def"
#undef TENSOR
};
enum { TENSOR_COUNT = sizeof TENSORS / sizeof TENSORS[0] };

/* Parts of names, and for each part the weight of each layer. The last column
 * is for weights without a layer. */
struct mpl_llama_weight_index {
    mpl_name_index parts;
    const char **part_names;
    uint32_t *weights; /* [part * column_count + layer] */
    uint32_t column_count;
};

/* The first bytes of the name, then what follows its number: most often that
 * alone. */
static bool join_part(mpl_llama_weight *weight, mpl_arena *arena, size_t kept,
                      const char *rest)
{
    const size_t length = strlen(rest);
    weight->part = rest;
    if (kept == 0)
        return true;
    char *const part = mpl_arena_alloc(arena, kept + length + 1, 1);
    if (part == NULL)
        return false;
    memcpy(part, weight->name, kept);
    memcpy(part + kept, rest, length + 1);
    weight->part = part;
    return true;
}

/* Names are cut at their number: "blk.7.attn_q.weight" is layer 7's
 * "attn_q.weight", "dec.blk.7.x" its "dec.x", "posnet.7.x" its "posnet.x". */
static bool cut_name(mpl_llama_weight *weight, mpl_arena *arena)
{
    static const char *const stems[] = {"blk.", "posnet.", "convnext."};
    weight->layer = MPL_NO_INDEX;
    weight->part = weight->name;
    for (uint32_t i = 0; i < sizeof stems / sizeof stems[0]; i++) {
        const char *stem = strstr(weight->name, stems[i]);
        if (stem == NULL)
            continue;
        const char *digits = stem + strlen(stems[i]);
        const size_t length = strspn(digits, "0123456789");
        if (length == 0 || length > 4 || digits[length] != '.')
            continue;
        uint32_t layer = 0;
        for (size_t d = 0; d < length; d++)
            layer = layer * 10 + (uint32_t)(digits[d] - '0');
        weight->layer = layer;
        const size_t kept =
            (size_t)((i == 0 ? stem : digits) - weight->name);
        return join_part(weight, arena, kept, digits + length + 1);
    }
    return true;
}

/* Rows by the length of their name: heads and links are row numbers + 1. */
enum { ROW_LENGTHS = 64 };
typedef struct row_lists {
    uint8_t head[ROW_LENGTHS];
    uint8_t next[TENSOR_COUNT];
} row_lists;
static_assert(TENSOR_COUNT < UINT8_MAX, "rows are counted in a byte");

static row_lists list_rows(void)
{
    row_lists out = {0};
    for (uint32_t i = TENSOR_COUNT; i-- > 0;) {
        uint8_t *const head = &out.head[TENSORS[i].length % ROW_LENGTHS];
        out.next[i] = *head;
        *head = (uint8_t)(i + 1);
    }
    return out;
}

static const tensor_row *find_row(const row_lists *lists, const char *part,
                                  size_t length)
{
    for (uint32_t at = lists->head[length % ROW_LENGTHS]; at != 0;
         at = lists->next[at - 1]) {
        const uint32_t i = at - 1;
        if (TENSORS[i].length == length &&
            memcmp(TENSORS[i].name, part, length) == 0)
            return &TENSORS[i];
    }
    return NULL;
}

static bool starts(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* llama.cpp's own patterns, of -cmoe and of -ncffn, as tests of a part:
 * \.ffn_(up|down|gate|gate_up)_(ch|)exps   and   \.ffn_(up|down|gate)\. */
static void set_ffn(mpl_llama_weight *weight)
{
    static const char *const kinds[] = {"up", "down", "gate", "gate_up"};
    static const uint32_t parts[] = {1, 4, 2, 2};
    const char *at = strstr(weight->name, ".ffn_");
    if (at == NULL)
        return;
    at += strlen(".ffn_");
    for (uint32_t i = 0; i < 4; i++) {
        if (!starts(at, kinds[i]))
            continue;
        const char *rest = at + strlen(kinds[i]);
        if (starts(rest, "_exps") || starts(rest, "_chexps")) {
            weight->is_expert_ffn = true;
            weight->expert_part = parts[i];
        }
        if (i < 3 && *rest == '.')
            weight->is_dense_ffn = true;
    }
}

static void classify(mpl_llama_weight *weight, const row_lists *lists,
                     mpl_llama_arch arch)
{
    const char *dot = strrchr(weight->part, '.');
    const size_t length =
        dot != NULL ? (size_t)(dot - weight->part) : strlen(weight->part);
    const bool is_bias = dot != NULL && strcmp(dot, ".bias") == 0;
    const tensor_row *row = find_row(lists, weight->part, length);
    if (row == NULL)
        row = find_row(lists, weight->part, strlen(weight->part));
    weight->class_ = row != NULL ? row->class_ : MPL_LLAMA_CLASS_LAYER;
    weight->use = row != NULL ? row->use : MPL_LLAMA_USE_MATMUL;
    if (is_bias && weight->use != MPL_LLAMA_USE_UNUSED)
        weight->use = MPL_LLAMA_USE_OTHER;
    if ((arch == MPL_LLAMA_ARCH_LFM2 || arch == MPL_LLAMA_ARCH_LFM2MOE) &&
        starts(weight->part, "token_embd_norm"))
        weight->class_ = MPL_LLAMA_CLASS_OUTPUT;
    weight->is_shared = starts(weight->part, "rope_f");
    set_ffn(weight);
}

static memplan_status read_weight(mpl_llama_weight *out, mpl_arena *arena,
                                  const mpl_gguf *gguf, uint64_t at,
                                  const row_lists *lists, mpl_llama_arch arch,
                                  memplan_error *error)
{
    const mpl_gguf_tensor *tensor = &gguf->tensors[at];
    const mpl_gguf_part *part = &gguf->parts[tensor->part_index];
    out->name = tensor->name;
    out->dtype = mpl_dtype_from_ggml(tensor->ggml_type);
    memcpy(out->ne, tensor->ne, sizeof out->ne);
    out->bytes = tensor->bytes;
    out->file_index = tensor->part_index;
    out->file_offset = part->data_offset + tensor->offset;
    out->dimension_count = 1;
    for (uint32_t i = 1; i < 4; i++)
        if (out->ne[i] > 1)
            out->dimension_count = i + 1;
    if (!cut_name(out, arena))
        return mpl_fail_memory(error);
    classify(out, lists, arch);
    return MEMPLAN_OK;
}

/* llama.cpp counts what it makes; a layer past the last is never made. */
static memplan_status check_layer(const mpl_llama_weight *weight,
                                  const mpl_llama_hparams *hparams,
                                  memplan_error *error)
{
    uint32_t layers = hparams->layer_count_all;
    if (hparams->dec_layer_count > layers)
        layers = hparams->dec_layer_count;
    if (weight->layer == MPL_NO_INDEX || weight->layer < layers)
        return MEMPLAN_OK;
    return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                    "llama.cpp refuses it: wrong number of tensors: \"%s\" is "
                    "past the %u layers of %s.block_count",
                    weight->name, layers, hparams->arch_name);
}

/* Shapes that follow from the hyper-parameters alone. */
static memplan_status check_shape(const mpl_llama_weight *weight,
                                  const mpl_llama_hparams *hparams,
                                  memplan_error *error)
{
    const bool is_embd = strcmp(weight->name, "token_embd.weight") == 0 &&
                         hparams->arch != MPL_LLAMA_ARCH_WAVTOKENIZER_DEC;
    const bool is_query =
        strcmp(weight->part, "attn_q.weight") == 0 &&
        weight->layer < hparams->layer_count_all &&
        MPL_LLAMA_ARCHES[hparams->arch].memory != MPL_LLAMA_MEMORY_HYBRID;
    const uint64_t rows =
        is_query ? (uint64_t)hparams->layers[weight->layer].head_count *
                       hparams->layers[weight->layer].key_width
                 : hparams->vocab_count;
    const bool is_wrong = (is_embd && (weight->ne[0] != hparams->embd ||
                                       weight->ne[1] != rows)) ||
                          (is_query && rows == 0);
    if (!is_wrong)
        return MEMPLAN_OK;
    return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                    "llama.cpp refuses it: tensor '%s' has wrong shape; "
                    "expected %u, %llu, got %llu, %llu",
                    weight->name, hparams->embd, (unsigned long long)rows,
                    (unsigned long long)weight->ne[0],
                    (unsigned long long)weight->ne[1]);
}

static bool build_index(mpl_llama_weights *out, mpl_arena *arena,
                        uint32_t layer_count)
{
    struct mpl_llama_weight_index *index =
        mpl_arena_alloc(arena, 1, sizeof *index);
    mpl_name_index all;
    if (index == NULL ||
        !mpl_name_index_build(&all, arena, &out->items[0].part,
                              sizeof out->items[0], out->count))
        return false;
    index->column_count = layer_count + 1;
    index->part_names =
        mpl_arena_alloc(arena, (uint64_t)out->count + 1, sizeof(char *));
    uint32_t *part_of =
        mpl_arena_alloc(arena, (uint64_t)out->count + 1, sizeof(uint32_t));
    if (index->part_names == NULL || part_of == NULL)
        return false;
    uint32_t part_count = 0;
    for (uint32_t i = 0; i < out->count; i++) {
        const uint64_t first = mpl_name_index_find(&all, out->items[i].part);
        part_of[i] = first == i ? part_count : part_of[first];
        if (first == i)
            index->part_names[part_count++] = out->items[i].part;
    }
    const uint64_t cells = (uint64_t)part_count * index->column_count;
    index->weights = mpl_arena_alloc(arena, cells, sizeof(uint32_t));
    if (index->weights == NULL ||
        !mpl_name_index_build(&index->parts, arena, index->part_names,
                              sizeof(char *), part_count))
        return false;
    for (uint64_t i = 0; i < cells; i++)
        index->weights[i] = MPL_NO_INDEX;
    for (uint32_t i = 0; i < out->count; i++) {
        const uint32_t layer = out->items[i].layer;
        const uint32_t column = layer == MPL_NO_INDEX ? layer_count : layer;
        index->weights[(uint64_t)part_of[i] * index->column_count + column] = i;
    }
    out->index = index;
    return true;
}

/* The output is made of the token embedding where the file has none. */
static memplan_status add_output(mpl_llama_weights *out,
                                 mpl_llama_weight *items,
                                 const mpl_llama_hparams *hparams,
                                 bool has_output, memplan_error *error)
{
    const mpl_llama_output rule = MPL_LLAMA_ARCHES[hparams->arch].output;
    if (has_output || rule == MPL_LLAMA_OUTPUT_OWN)
        return MEMPLAN_OK;
    if (out->token_embd == MPL_NO_INDEX)
        return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                        "llama.cpp refuses it: missing tensor "
                        "'token_embd.weight'");
    mpl_llama_weight *copy = &items[out->count++];
    *copy = items[out->token_embd];
    copy->part = "output.weight";
    copy->class_ = MPL_LLAMA_CLASS_OUTPUT;
    copy->use = MPL_LLAMA_USE_MATMUL;
    copy->is_copy = true;
    return MEMPLAN_OK;
}

memplan_status mpl_llama_weights_read(mpl_llama_weights *out, mpl_arena *arena,
                                      const mpl_llama_hparams *hparams,
                                      const mpl_gguf *gguf,
                                      memplan_error *error)
{
    if (gguf->tensor_count == 0 || gguf->tensor_count >= INT32_MAX)
        return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                        "llama.cpp refuses it: %llu tensors",
                        (unsigned long long)gguf->tensor_count);
    mpl_llama_weight *items =
        mpl_arena_alloc(arena, gguf->tensor_count + 1, sizeof *items);
    if (items == NULL)
        return mpl_fail_memory(error);
    *out = (mpl_llama_weights){.items = items, .token_embd = MPL_NO_INDEX};
    const row_lists lists = list_rows();
    bool has_output = false;
    uint32_t layers = hparams->layer_count_all;
    for (uint64_t i = 0; i < gguf->tensor_count; i++) {
        memplan_status status =
            read_weight(&items[i], arena, gguf, i, &lists, hparams->arch,
                        error);
        if (status == MEMPLAN_OK)
            status = check_layer(&items[i], hparams, error);
        if (status == MEMPLAN_OK)
            status = check_shape(&items[i], hparams, error);
        if (status != MEMPLAN_OK)
            return status;
        if (strcmp(items[i].name, "token_embd.weight") == 0)
            out->token_embd = (uint32_t)i;
        has_output = has_output || strcmp(items[i].name, "output.weight") == 0;
        if (items[i].layer != MPL_NO_INDEX && items[i].layer >= layers)
            layers = items[i].layer + 1;
        out->count++;
    }
    const memplan_status status =
        add_output(out, items, hparams, has_output, error);
    if (status != MEMPLAN_OK)
        return status;
    return build_index(out, arena, layers) ? MEMPLAN_OK
                                           : mpl_fail_memory(error);
}

static bool is_at_home(const mpl_llama_setup *setup, uint32_t layer,
                       uint32_t buffer)
{
    return buffer >= MPL_LLAMA_BUFFER_DEVICE &&
           buffer - MPL_LLAMA_BUFFER_DEVICE == setup->layer_device[layer];
}

static bool is_quantized(uint32_t dtype)
{
    return mpl_dtype_block_elements(dtype) > 1;
}

bool mpl_llama_weights_alike(const mpl_llama_setup *setup, uint32_t a,
                             uint32_t b)
{
    const struct mpl_llama_weight_index *index = setup->index;
    const uint64_t parts = index->parts.count;
    for (uint64_t part = 0; part < parts; part++) {
        const uint32_t *const row =
            &index->weights[part * index->column_count];
        const bool has = row[a] != MPL_NO_INDEX;
        if (has != (row[b] != MPL_NO_INDEX))
            return false;
        if (!has)
            continue;
        const mpl_llama_weight *const x = &setup->weights[row[a]];
        const mpl_llama_weight *const y = &setup->weights[row[b]];
        const uint16_t buffer = setup->weight_buffer[row[a]];
        const bool is_any = is_at_home(setup, a, buffer) &&
                            is_quantized(x->dtype) && is_quantized(y->dtype);
        if (buffer != setup->weight_buffer[row[b]] ||
            memcmp(x->ne, y->ne, sizeof x->ne) != 0 ||
            (x->dtype != y->dtype && !is_any))
            return false;
    }
    return true;
}

const mpl_llama_weight *mpl_llama_find_weight(const mpl_llama_setup *setup,
                                              uint32_t layer, const char *part)
{
    const struct mpl_llama_weight_index *index = setup->index;
    const uint64_t row = mpl_name_index_find(&index->parts, part);
    uint32_t column = layer;
    if (layer == MPL_NO_INDEX)
        column = index->column_count - 1;
    else if (setup->layer_source != NULL &&
             layer < setup->hparams->layer_count_all)
        column = setup->layer_source[layer];
    if (row == MEMPLAN_UNKNOWN || column >= index->column_count)
        return NULL;
    const uint32_t at = index->weights[row * index->column_count + column];
    return at != MPL_NO_INDEX &&
                   setup->weight_buffer[at] != MPL_LLAMA_BUFFER_NONE
               ? &setup->weights[at]
               : NULL;
}
