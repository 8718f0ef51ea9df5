/* SPDX-License-Identifier: MIT */
/*
 * A walk over a family's tree: each line makes its tensors under the name of
 * the modules above it, lists once for each index.
 */
#include "model/architecture.h"

#include <stddef.h>
#include <string.h>

#include "base/checked.h"
#include "base/failure.h"
#include "model/architecture_builder.h"
#include "model/architecture_repeat.h"
#include "model/layer_state.h"

enum {
    MAX_LIST = 4096, /* items of one list: layers, experts */
    MAX_USES = 8     /* trees in trees */
};

/* No dimension of a real model comes near. */
static const uint64_t MAX_SIZE = UINT64_C(1) << 40;

typedef mpl_builder builder;

static memplan_status walk(builder *to, mpl_branch branch,
                           mpl_evaluation *with);

static memplan_status too_large(mpl_evaluation *with, const char *what)
{
    return mpl_fail(with->error, MEMPLAN_E_TOO_LARGE, MPL_NOWHERE,
                    "the model has more %s than can be described", what);
}

/* Puts ".NAME" on the path; "." stands for the module itself. */
static bool push(builder *to, const char *name)
{
    const size_t length = strcmp(name, ".") == 0 ? 0 : strlen(name);
    const bool needs_point = to->path_length > 0 && length > 0;
    if (to->path_length + length + 2 > MPL_BUILDER_NAME_SIZE)
        return false;
    if (needs_point)
        to->path[to->path_length++] = '.';
    memcpy(to->path + to->path_length, name, length);
    to->path_length += length;
    to->path[to->path_length] = '\0';
    return true;
}

static void pop(builder *to, uint64_t length)
{
    to->path_length = length;
    to->path[length] = '\0';
}

static bool push_index(builder *to, uint64_t index)
{
    char digits[24];
    uint32_t at = sizeof digits - 1;
    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + index % 10);
        index /= 10;
    } while (index > 0);
    return push(to, digits + at);
}

static uint32_t tensor_dtype(const builder *to, const mpl_node *node)
{
    if (node->dtype != MPL_DTYPE_COUNT)
        return node->dtype;
    const bool is_fp16 = to->dtype == MPL_DTYPE_FP16;
    if (((node->flags & MPL_NODE_KEEP_FP32) != 0 &&
         (is_fp16 || to->dtype == MPL_DTYPE_BF16)) ||
        ((node->flags & MPL_NODE_KEEP_FP16) != 0 && is_fp16))
        return MPL_DTYPE_FP32;
    return to->dtype;
}

static memplan_status add_tensor(builder *to, const mpl_node *node,
                                 mpl_evaluation *with)
{
    static const uint32_t TENSOR_FLAGS = (1u << 16) - 1;
    memplan_model *const model = to->model;
    const uint64_t outer = to->path_length;
    if (model->tensor_count >= MPL_BUILDER_TENSORS_MAX)
        return too_large(with, "tensors");
    mpl_tensor *const tensors =
        mpl_arena_grow(model->arena, model->tensors, model->tensor_count,
                       &to->tensor_capacity, sizeof *tensors);
    uint64_t *const shape =
        mpl_arena_alloc(model->arena, node->argument_count, sizeof *shape);
    if (tensors == NULL || shape == NULL)
        return mpl_fail_memory(with->error);
    model->tensors = tensors;
    if (!push(to, mpl_word(node->name)))
        return too_large(with, "levels");
    mpl_tensor *const tensor = &tensors[model->tensor_count];
    *tensor = (mpl_tensor){
        .name = mpl_arena_copy(model->arena, to->path, to->path_length),
        .shape = shape,
        .dimension_count = node->argument_count,
        .dtype = tensor_dtype(to, node),
        .element_count = 1,
        .file_offset = MEMPLAN_UNKNOWN,
        .tied_to = MPL_NO_INDEX,
        .flags = node->flags & TENSOR_FLAGS,
    };
    if ((node->flags & (MPL_NODE_KEEP_FP32 | MPL_NODE_KEEP_FP16)) != 0)
        tensor->flags |= MPL_TENSOR_KEPT;
    pop(to, outer);
    if (tensor->name == NULL)
        return mpl_fail_memory(with->error);
    for (uint32_t at = 0; at < node->argument_count; at++) {
        shape[at] =
            mpl_expression_count(mpl_node_argument(node, at), MAX_SIZE, with);
        if (with->status != MEMPLAN_OK)
            return with->status;
        if (!mpl_mul(&tensor->element_count, tensor->element_count, shape[at]))
            return too_large(with, "elements in one tensor");
    }
    if (!mpl_dtype_bytes(&tensor->bytes, tensor->dtype, tensor->element_count))
        return too_large(with, "bytes in one tensor");
    model->tensor_count++;
    return MEMPLAN_OK;
}

/* What a layer keeps; towers keep nothing between tokens. */
static memplan_status add_state(builder *to, const mpl_node *node,
                                mpl_evaluation *with)
{
    if (to->block == NULL || !to->is_trunk)
        return MEMPLAN_OK;
    return mpl_layer_state_add(&to->block->state, node, with);
}

/* Children of a module that is a unit, or that lies inside one. */
static memplan_status walk_block(builder *to, const mpl_node *node,
                                 mpl_evaluation *with)
{
    if ((node->flags & MPL_NODE_BLOCK) == 0 || to->block != NULL)
        return walk(to, mpl_branch_below(node), with);
    mpl_block *const blocks =
        mpl_arena_grow(to->model->arena, to->blocks, to->block_count,
                       &to->block_capacity, sizeof *blocks);
    if (blocks == NULL)
        return mpl_fail_memory(with->error);
    to->blocks = blocks;
    mpl_block *const block = &blocks[to->block_count++];
    *block = (mpl_block){
        .name = mpl_arena_copy(to->model->arena, to->path, to->path_length),
        .first_tensor = to->model->tensor_count,
        .is_layer = (node->flags & MPL_NODE_LAYER) != 0 && to->is_trunk,
    };
    if (block->name == NULL)
        return mpl_fail_memory(with->error);
    if (block->is_layer && to->out->trunk == NULL)
        to->out->trunk = with->scope;
    to->block = block;
    const memplan_status status = walk(to, mpl_branch_below(node), with);
    to->block = NULL;
    block->tensor_count = to->model->tensor_count - block->first_tensor;
    if (block->tensor_count == 0)
        to->block_count--;
    return status;
}

/* The first item of its kind. */
static memplan_status walk_item(builder *to, mpl_repeats *repeats,
                                const mpl_node *node, uint64_t index,
                                uint64_t count, mpl_evaluation *with)
{
    const uint64_t outer = to->path_length;
    const mpl_repeat_mark mark = mpl_repeats_mark(to);
    const mpl_repeat_kind *kind = NULL;
    const uint32_t depth = to->list_depth++;
    if (!push_index(to, index))
        return too_large(with, "levels");
    memplan_status status = walk_block(to, node, with);
    if (status == MEMPLAN_OK && repeats->list == NULL && index + 1 < count) {
        status = mpl_repeats_begin(repeats, to, node, depth, with);
        if (status == MEMPLAN_OK)
            status = mpl_repeats_find(repeats, &kind, with);
    }
    if (status == MEMPLAN_OK && repeats->list != NULL)
        mpl_repeats_learn(repeats, to, mark);
    to->list_depth = depth;
    pop(to, outer);
    return status;
}

/* Those that are alike and follow each other, from `run->first` on; none,
 * where that one must be walked. */
static memplan_status find_run(mpl_repeat_run *run, const builder *to,
                               mpl_repeats *repeats, mpl_evaluation *with)
{
    const mpl_repeat_kind *kind = NULL;
    uint64_t tensor_count = to->model->tensor_count;
    run->kind = NULL;
    run->end = run->first;
    while (repeats->list != NULL && run->end < run->list_end) {
        with->indices[to->list_depth] = (int64_t)run->end;
        const memplan_status status = mpl_repeats_find(repeats, &kind, with);
        if (status != MEMPLAN_OK)
            return status;
        if (run->end == run->first)
            run->kind = kind;
        if (kind == NULL || kind != run->kind ||
            (tensor_count += kind->tensor_count) > MPL_BUILDER_TENSORS_MAX)
            break;
        run->end++;
    }
    return MEMPLAN_OK;
}

/* Walks the first item of its kind, and copies the others. */
static memplan_status add_items(builder *to, mpl_repeats *repeats,
                                const mpl_node *node, uint64_t count,
                                mpl_evaluation *with)
{
    mpl_repeat_run run = {.list_end = count};
    while (run.first < count) {
        memplan_status status = find_run(&run, to, repeats, with);
        if (status == MEMPLAN_OK && run.end > run.first) {
            status = mpl_repeats_copy(to, run, with);
        } else if (status == MEMPLAN_OK) {
            with->indices[to->list_depth] = (int64_t)run.first;
            status = walk_item(to, repeats, node, run.first, count, with);
            run.end = run.first + 1;
        }
        if (status != MEMPLAN_OK)
            return status;
        run.first = run.end;
    }
    return MEMPLAN_OK;
}

static memplan_status walk_list(builder *to, const mpl_node *node,
                                mpl_evaluation *with)
{
    const uint64_t outer = to->path_length;
    const uint64_t count =
        mpl_expression_count(mpl_node_argument(node, 0), MAX_LIST, with);
    mpl_repeats repeats;
    repeats.list = NULL;
    if (with->status != MEMPLAN_OK)
        return with->status;
    if (to->list_depth == MPL_MAX_NESTING)
        return too_large(with, "lists in lists");
    if (!push(to, mpl_word(node->name)))
        return too_large(with, "levels");
    const memplan_status status = add_items(to, &repeats, node, count, with);
    pop(to, outer);
    return status;
}

static memplan_status walk_module(builder *to, const mpl_node *node,
                                  mpl_evaluation *with)
{
    const uint64_t outer = to->path_length;
    if (!push(to, mpl_word(node->name)))
        return too_large(with, "levels");
    const memplan_status status = walk_block(to, node, with);
    pop(to, outer);
    return status;
}

/* A name below the module that the line is in. */
static const char *full_name(builder *to, const char *name)
{
    const uint64_t outer = to->path_length;
    if (!push(to, name))
        return NULL;
    const char *const out =
        mpl_arena_copy(to->model->arena, to->path, to->path_length);
    pop(to, outer);
    return out;
}

static memplan_status add_tie(builder *to, const mpl_node *node,
                              mpl_evaluation *with)
{
    mpl_tie *const ties =
        mpl_arena_grow(to->model->arena, to->ties, to->tie_count,
                       &to->tie_capacity, sizeof *ties);
    if (ties == NULL)
        return mpl_fail_memory(with->error);
    to->ties = ties;
    mpl_tie *const tie = &ties[to->tie_count++];
    tie->name = full_name(to, mpl_word(node->name));
    tie->owner = full_name(to, mpl_word(node->target));
    return tie->name != NULL && tie->owner != NULL
               ? MEMPLAN_OK
               : mpl_fail_memory(with->error);
}

/* A part whose family the file does not name: that of the whole implies it. */
static memplan_status require_implied(const mpl_family **out,
                                      const mpl_node *node,
                                      const mpl_evaluation *with)
{
    *out = mpl_family_find(mpl_word(node->fallback));
    if (*out != NULL)
        return MEMPLAN_OK;
    return mpl_fail(with->error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                    "\"%smodel_type\" is \"%s\", whose %s is of a family "
                    "that is not known: \"%s\"",
                    with->scope->path, mpl_word(with->scope->family->name),
                    mpl_word(node->config), mpl_word(node->fallback));
}

/* The scope of a nested configuration, with the family it names. */
static memplan_status open_nested(mpl_scope **out, builder *to,
                                  const mpl_node *node, mpl_evaluation *with)
{
    mpl_arena *const arena = to->model->arena;
    const mpl_json_value outer = with->scope->config;
    const char *const part = mpl_word(node->config);
    mpl_json_value config = mpl_config_path(outer, part);
    const mpl_json_type type = mpl_json_type_of(config);
    const char *model_type =
        mpl_json_string(mpl_json_get(config, "model_type"), NULL);
    if (type != MPL_JSON_NONE && type != MPL_JSON_NULL &&
        type != MPL_JSON_OBJECT)
        return mpl_fail(with->error, MEMPLAN_E_CORRUPT, MPL_NOWHERE,
                        "\"%s%s\" is %s, not an object", with->scope->path,
                        part, mpl_json_type_name(config));
    /* Some files repeat the outer type in a part. */
    if (model_type == NULL || (node->flags & MPL_NODE_ONE_TYPE) != 0 ||
        strcmp(model_type, mpl_word(with->scope->family->name)) == 0)
        model_type = NULL;
    const bool is_named = model_type != NULL;
    if (mpl_json_type_of(config) == MPL_JSON_NONE &&
        strcmp(part, "text_config") == 0 && mpl_scope_reads_root(with->scope) &&
        mpl_json_type_of(mpl_json_get(outer, "hidden_size")) != MPL_JSON_NONE)
        config = outer;
    const char *const path =
        mpl_arena_format(arena, "%s%s.", with->scope->path, part);
    if (path == NULL)
        return mpl_fail_memory(with->error);
    if (!is_named && node->fallback == 0)
        return mpl_fail(with->error, MEMPLAN_E_CORRUPT, MPL_NOWHERE,
                        "\"%smodel_type\" is missing", path);
    const mpl_family *family;
    const memplan_status status =
        is_named ? mpl_family_require(&family, model_type, path, with->error)
                 : require_implied(&family, node, with);
    if (status != MEMPLAN_OK)
        return status;
    *out = mpl_scope_create_part(with->scope, family, config, path, part);
    return *out != NULL ? MEMPLAN_OK : mpl_fail_memory(with->error);
}

static memplan_status walk_tree(builder *to, mpl_scope *scope,
                                const char *target, memplan_error *error)
{
    const char *const role = mpl_family_role(scope->family, target);
    const mpl_tree *const tree =
        mpl_family_class(scope->family, role != NULL ? role : target);
    mpl_evaluation with = {.scope = scope, .error = error};
    if (tree == NULL || tree->first == 0)
        return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                        "\"%smodel_type\": family %s is not known as a %s",
                        scope->path, mpl_word(scope->family->name), target);
    return walk(to, (mpl_branch){tree->first, tree->end}, &with);
}

static memplan_status walk_use(builder *to, const mpl_node *node,
                               mpl_evaluation *with)
{
    const uint64_t outer = to->path_length;
    const uint32_t outer_lists = to->list_depth;
    const bool was_trunk = to->is_trunk;
    mpl_scope *scope = with->scope;
    if (++to->use_depth > MAX_USES || !push(to, mpl_word(node->name)))
        return too_large(with, "levels");
    memplan_status status = MEMPLAN_OK;
    if (node->config != 0) {
        const char *const part = mpl_word(node->config);
        to->is_trunk &=
            strncmp(part, "vision", 6) != 0 && strncmp(part, "audio", 5) != 0;
        status = open_nested(&scope, to, node, with);
    }
    to->list_depth = 0;
    if (status == MEMPLAN_OK)
        status = walk_tree(to, scope, mpl_word(node->target), with->error);
    to->list_depth = outer_lists;
    to->is_trunk = was_trunk;
    to->use_depth--;
    pop(to, outer);
    return status;
}

static memplan_status refuse(const mpl_node *node, mpl_evaluation *with)
{
    char text[64];
    const char *const key = mpl_word(node->name);
    const mpl_value value = mpl_scope_get(with->scope, key, with);
    mpl_value_write(text, sizeof text, &value);
    return mpl_fail(with->error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                    "\"%s%s\" is %s, which family %s is not described with",
                    with->scope->path, key, text,
                    mpl_word(with->scope->family->name));
}

static memplan_status walk_node(builder *to, const mpl_node *node,
                                mpl_evaluation *with)
{
    switch ((mpl_node_kind)node->kind) {
    case MPL_NODE_PARAM:
    case MPL_NODE_BUFFER:
        return add_tensor(to, node, with);
    case MPL_NODE_LIST:
        return walk_list(to, node, with);
    case MPL_NODE_MODULE:
        return walk_module(to, node, with);
    case MPL_NODE_WHEN:
        return walk(to, mpl_branch_below(node), with);
    case MPL_NODE_USE:
        return walk_use(to, node, with);
    case MPL_NODE_TIE:
        return add_tie(to, node, with);
    case MPL_NODE_CACHE:
    case MPL_NODE_INDEXER:
    case MPL_NODE_CROSS:
    case MPL_NODE_FIXED:
    case MPL_NODE_STEP:
        return add_state(to, node, with);
    case MPL_NODE_ENCODER:
        return mpl_encoder_tokens(&to->model->facts.encoder_tokens, node, with);
    case MPL_NODE_REFUSE:
        return refuse(node, with);
    case MPL_NODE_KIND_COUNT:
        break;
    }
    return MEMPLAN_OK;
}

static memplan_status walk(builder *to, mpl_branch branch, mpl_evaluation *with)
{
    for (uint32_t at = branch.first; at < branch.end; at = mpl_nodes[at].end) {
        const mpl_node *const node = &mpl_nodes[at];
        const bool is_there =
            node->condition == 0 ||
            mpl_expression_is_true(mpl_expression_at(node->condition), with);
        if (with->status != MEMPLAN_OK)
            return with->status;
        const memplan_status status =
            is_there ? walk_node(to, node, with) : MEMPLAN_OK;
        if (status != MEMPLAN_OK)
            return status;
    }
    return MEMPLAN_OK;
}

memplan_status mpl_architecture_build(mpl_architecture *out,
                                      memplan_model *model,
                                      const mpl_family *family,
                                      mpl_json_value config,
                                      const char *class_name, uint32_t dtype,
                                      memplan_error *error)
{
    builder to = {.model = model, .out = out, .dtype = dtype, .is_trunk = true};
    *out = (mpl_architecture){
        .root = mpl_scope_create(model->arena, family, config, ""),
    };
    if (out->root == NULL)
        return mpl_fail_memory(error);
    memplan_status status = walk_tree(&to, out->root, class_name, error);
    if (status == MEMPLAN_OK)
        status = mpl_units_gather(model, to.blocks, to.block_count, error);
    if (status == MEMPLAN_OK)
        status = mpl_ties_resolve(model, to.ties, to.tie_count, error);
    if (out->trunk == NULL)
        out->trunk = out->root;
    return status;
}
