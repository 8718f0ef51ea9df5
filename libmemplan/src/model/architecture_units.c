/* SPDX-License-Identifier: MIT */
#include "model/architecture_units.h"

#include <stddef.h>
#include <string.h>

#include "base/failure.h"

/* Room for what stands before and after the blocks; more comes as needed. */
enum { SPARE_UNITS = 8 };

/* Names with what they stand for: open addressing, a power of two of slots. */
typedef struct name_table {
    const char **names;
    uint32_t *values;
    uint64_t mask;
} name_table;

static uint64_t hash_name(const char *name, uint64_t length)
{
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
    for (uint64_t at = 0; at < length; at++)
        hash = (hash ^ (uint8_t)name[at]) * UINT64_C(1099511628211);
    return hash ^ (hash >> 29);
}

static bool table_create(name_table *out, mpl_arena *arena, uint64_t count)
{
    uint64_t slots = 16;
    while (slots < 2 * count)
        slots *= 2;
    out->names = mpl_arena_alloc(arena, slots, sizeof *out->names);
    out->values = mpl_arena_alloc(arena, slots, sizeof *out->values);
    out->mask = slots - 1;
    return out->names != NULL && out->values != NULL;
}

/* The slot of a name of that length, or the free one where it belongs. */
static uint64_t table_slot(const name_table *table, const char *name,
                           uint64_t length)
{
    uint64_t slot = hash_name(name, length) & table->mask;
    while (table->names[slot] != NULL &&
           (strncmp(table->names[slot], name, length) != 0 ||
            table->names[slot][length] != '\0'))
        slot = (slot + 1) & table->mask;
    return slot;
}

memplan_status mpl_ties_resolve(memplan_model *model, const mpl_tie *ties,
                                uint64_t tie_count, memplan_error *error)
{
    name_table table;
    if (tie_count == 0)
        return MEMPLAN_OK;
    if (!table_create(&table, model->arena, model->tensor_count))
        return mpl_fail_memory(error);
    mpl_model_number_tensors(model);
    for (uint32_t at = 0; at < model->tensor_count; at++) {
        const char *const name = model->tensors[at].name;
        const uint64_t slot = table_slot(&table, name, strlen(name));
        table.names[slot] = name;
        table.values[slot] = at;
    }
    for (uint64_t at = 0; at < tie_count; at++) {
        const uint64_t name =
            table_slot(&table, ties[at].name, strlen(ties[at].name));
        const uint64_t owner =
            table_slot(&table, ties[at].owner, strlen(ties[at].owner));
        if (table.names[name] == NULL || table.names[owner] == NULL)
            return mpl_fail(error, MEMPLAN_E_CORRUPT, MPL_NOWHERE,
                            "the built-in family \"%s\" ties \"%s\" to "
                            "\"%s\", and one of them is missing",
                            model->architecture, ties[at].name, ties[at].owner);
        uint32_t root = table.values[owner];
        if (model->tensors[root].tied_to != MPL_NO_INDEX)
            root = model->tensors[root].tied_to;
        mpl_tensor *const tied = &model->tensors[table.values[name]];
        if (tied->element_count != model->tensors[root].element_count)
            return mpl_fail(error, MEMPLAN_E_CORRUPT, MPL_NOWHERE,
                            "\"%s\" is tied to \"%s\", and their sizes differ",
                            ties[at].name, ties[at].owner);
        if (&model->tensors[root] == tied)
            continue;
        tied->tied_to = root;
        mpl_model_tell_apart(model, tied->unit_index);
    }
    return MEMPLAN_OK;
}

/* Every module above a block: such a module is never a unit. */
static bool add_ancestors(name_table *table, mpl_arena *arena,
                          const char *block)
{
    const char *stop = strrchr(block, '.');
    while (stop != NULL && stop > block) {
        const uint64_t length = (uint64_t)(stop - block);
        const uint64_t slot = table_slot(table, block, length);
        if (table->names[slot] != NULL)
            return true; /* and so are those above it */
        table->names[slot] = mpl_arena_copy(arena, block, length);
        if (table->names[slot] == NULL)
            return false;
        do
            stop--;
        while (stop > block && *stop != '.');
    }
    return true;
}

/* The length of the shortest module name that holds the tensor and no block;
 * the tensor's own where it belongs to a module above one. */
static uint64_t unit_length(const name_table *ancestors, const char *name)
{
    const char *stop = strchr(name, '.');
    while (stop != NULL) {
        const uint64_t length = (uint64_t)(stop - name);
        if (ancestors->names[table_slot(ancestors, name, length)] == NULL)
            return length;
        stop = strchr(stop + 1, '.');
    }
    return strlen(name);
}

/* By what the unit holds: a table of rows, a row of scales, or else. */
static mpl_unit_kind kind_of(const memplan_model *model, const mpl_unit *unit,
                             bool is_after_layers)
{
    bool has_matrix = false;
    bool has_lookup = false;
    bool has_param = false;
    for (uint32_t at = 0; at < unit->tensor_count; at++) {
        const mpl_tensor *const tensor =
            &model->tensors[unit->first_tensor + at];
        has_lookup |= (tensor->flags & MPL_TENSOR_LOOKUP) != 0;
        if ((tensor->flags & MPL_TENSOR_BUFFER) != 0)
            continue;
        has_param = true;
        has_matrix |= tensor->dimension_count > 1;
    }
    if (has_lookup)
        return is_after_layers ? MPL_UNIT_OTHER : MPL_UNIT_EMBEDDING;
    if (has_param && !has_matrix)
        return MPL_UNIT_NORM;
    return is_after_layers && has_matrix && unit->tensor_count <= 2
               ? MPL_UNIT_HEAD
               : MPL_UNIT_OTHER;
}

/* The next unit, to be filled as a whole. */
static mpl_unit *add_unit(memplan_model *model, uint64_t *capacity)
{
    mpl_unit *const units = mpl_arena_grow(
        model->arena, model->units, model->unit_count, capacity, sizeof *units);
    if (units == NULL)
        return NULL;
    model->units = units;
    return &units[model->unit_count++];
}

/* One unit of the tensors from `first` to `end` that belong together. */
static memplan_status add_loose(memplan_model *model, uint64_t *capacity,
                                const name_table *ancestors, uint32_t first,
                                uint32_t end, memplan_error *error)
{
    while (first < end) {
        const char *const name = model->tensors[first].name;
        const uint64_t length = unit_length(ancestors, name);
        mpl_unit *const unit = add_unit(model, capacity);
        if (unit == NULL)
            return mpl_fail_memory(error);
        *unit = (mpl_unit){
            .name = mpl_arena_copy(model->arena, name, length),
            .first_tensor = first,
            .layer_index = MPL_NO_INDEX,
        };
        if (unit->name == NULL)
            return mpl_fail_memory(error);
        do
            first++;
        while (first < end &&
               strncmp(model->tensors[first].name, name, length) == 0 &&
               (model->tensors[first].name[length] == '.' ||
                model->tensors[first].name[length] == '\0'));
        unit->tensor_count = first - unit->first_tensor;
        const bool is_after_layers =
            model->unit_count > 1 && model->layer_count > 0;
        unit->kind = kind_of(model, unit, is_after_layers);
    }
    return MEMPLAN_OK;
}

/* The unit that a block is. */
static memplan_status add_block(memplan_model *model, uint64_t *capacity,
                                mpl_block *block, memplan_error *error)
{
    const uint32_t index = model->unit_count;
    mpl_unit *const unit = add_unit(model, capacity);
    if (unit == NULL)
        return mpl_fail_memory(error);
    block->unit_index = index;
    *unit = (mpl_unit){
        .name = block->name,
        .kind = block->is_layer ? MPL_UNIT_LAYER : MPL_UNIT_OTHER,
        .first_tensor = block->first_tensor,
        .tensor_count = block->tensor_count,
        .layer_index = block->is_layer ? model->layer_count++ : MPL_NO_INDEX,
        .like_before = block->like_before > 0
                           ? index - (block - block->like_before)->unit_index
                           : 0,
        .state = block->state,
    };
    return MEMPLAN_OK;
}

/* The modules above all blocks. Blocks that are alike are below the same. */
static bool gather_ancestors(name_table *out, mpl_arena *arena,
                             const mpl_block *blocks, uint64_t block_count)
{
    uint64_t depth_total = 8;
    for (uint64_t at = 0; at < block_count; at++)
        depth_total += blocks[at].like_before > 0 ? 0 : 4;
    if (!table_create(out, arena, depth_total))
        return false;
    for (uint64_t at = 0; at < block_count; at++)
        if (blocks[at].like_before == 0 &&
            !add_ancestors(out, arena, blocks[at].name))
            return false;
    return true;
}

memplan_status mpl_units_gather(memplan_model *model, mpl_block *blocks,
                                uint64_t block_count, memplan_error *error)
{
    name_table ancestors;
    uint64_t capacity = block_count + SPARE_UNITS;
    uint32_t next = 0;
    memplan_status status = MEMPLAN_OK;
    model->units = mpl_arena_take(model->arena, capacity, sizeof *model->units);
    if (model->units == NULL ||
        !gather_ancestors(&ancestors, model->arena, blocks, block_count))
        return mpl_fail_memory(error);
    model->layer_count = 0;
    for (uint64_t at = 0; status == MEMPLAN_OK && at < block_count; at++) {
        const uint32_t first = blocks[at].first_tensor;
        if (next < first)
            status =
                add_loose(model, &capacity, &ancestors, next, first, error);
        if (status == MEMPLAN_OK)
            status = add_block(model, &capacity, &blocks[at], error);
        next = first + blocks[at].tensor_count;
    }
    if (status == MEMPLAN_OK)
        status = add_loose(model, &capacity, &ancestors, next,
                           model->tensor_count, error);
    return status;
}
