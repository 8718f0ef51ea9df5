/* SPDX-License-Identifier: MIT */
/*
 * Units from module names alone, for a checkpoint without a known family.
 *
 * Names with a number are members of a list of blocks: "model.layers.7.…" of
 * the list "model.layers". The list with most bytes is the trunk: its blocks
 * are layers. The blocks of other lists (vision towers, encoders) come before
 * it, and what is in no list is a unit by its module ("model.norm").
 */
#include <string.h>

#include "base/checked.h"
#include "model/fronts.h"
#include "model/grouping.h"
#include "model/safetensors.h"

/* Blocks have at most this many digits. */
enum { NUMBER_DIGITS = 6 };

/* Where units stand among each other. */
typedef enum rank {
    RANK_OTHER_BLOCK,
    RANK_EMBEDDING,
    RANK_LAYER,
    RANK_OTHER,
    RANK_NORM,
    RANK_HEAD
} rank;

typedef struct role {
    const char *module; /* the last part of a module's name */
    rank where;
    mpl_unit_kind kind;
} role;

static const role ROLES[] = {
    {"embed_tokens", RANK_EMBEDDING, MPL_UNIT_EMBEDDING},
    {"tok_embeddings", RANK_EMBEDDING, MPL_UNIT_EMBEDDING},
    {"word_embeddings", RANK_EMBEDDING, MPL_UNIT_EMBEDDING},
    {"word_embeddings_layernorm", RANK_EMBEDDING, MPL_UNIT_NORM},
    {"position_embeddings", RANK_EMBEDDING, MPL_UNIT_EMBEDDING},
    {"token_type_embeddings", RANK_EMBEDDING, MPL_UNIT_EMBEDDING},
    {"embed_positions", RANK_EMBEDDING, MPL_UNIT_EMBEDDING},
    {"embeddings", RANK_EMBEDDING, MPL_UNIT_EMBEDDING},
    {"embed_in", RANK_EMBEDDING, MPL_UNIT_EMBEDDING},
    {"wte", RANK_EMBEDDING, MPL_UNIT_EMBEDDING},
    {"wpe", RANK_EMBEDDING, MPL_UNIT_EMBEDDING},
    {"shared", RANK_EMBEDDING, MPL_UNIT_EMBEDDING},
    {"norm", RANK_NORM, MPL_UNIT_NORM},
    {"norm_f", RANK_NORM, MPL_UNIT_NORM},
    {"ln_f", RANK_NORM, MPL_UNIT_NORM},
    {"final_layernorm", RANK_NORM, MPL_UNIT_NORM},
    {"final_layer_norm", RANK_NORM, MPL_UNIT_NORM},
    {"lm_head", RANK_HEAD, MPL_UNIT_HEAD},
    {"embed_out", RANK_HEAD, MPL_UNIT_HEAD},
    {"output", RANK_HEAD, MPL_UNIT_HEAD},
};

/* A name that is a member of a list: "model.layers" and 7. */
typedef struct member {
    uint32_t list_length; /* of the list's name; 0: no member */
    uint32_t list;        /* its number among lists */
    uint32_t number;
    uint32_t length; /* with the number */
} member;

/* The first part of a name that is a whole number. */
static member find_member(const char *name)
{
    for (const char *dot = strchr(name, '.'); dot != NULL;
         dot = strchr(dot + 1, '.')) {
        const char *const digits = dot + 1;
        const size_t count = strspn(digits, "0123456789");
        if (count == 0 || count > NUMBER_DIGITS || digits[count] != '.')
            continue;
        member found = {.list_length = (uint32_t)(dot - name),
                        .length = (uint32_t)(digits + count - name)};
        for (size_t at = 0; at < count; at++)
            found.number = found.number * 10 + (uint32_t)(digits[at] - '0');
        return found;
    }
    return (member){0};
}

/* "model.norm" of "model.norm.weight": all but the last part. */
static uint32_t module_length(const char *name)
{
    const char *const dot = strrchr(name, '.');
    return (uint32_t)(dot != NULL ? (size_t)(dot - name) : strlen(name));
}

static const role *find_role(const char *name, uint32_t length)
{
    for (size_t row = 0; row < sizeof ROLES / sizeof *ROLES; row++) {
        const uint32_t part = (uint32_t)strlen(ROLES[row].module);
        if (part <= length &&
            memcmp(name + length - part, ROLES[row].module, part) == 0 &&
            (part == length || name[length - part - 1] == '.'))
            return &ROLES[row];
    }
    return NULL;
}

typedef struct grouper {
    mpl_fronts lists;
    mpl_fronts modules;
    uint64_t list_bytes[MPL_FRONTS_MAX + 1];
    uint32_t trunk; /* of lists */
} grouper;

static void find_trunk(grouper *to, const memplan_model *model, member *members)
{
    for (uint32_t at = 0; at < model->tensor_count; at++) {
        const mpl_tensor *const tensor = &model->tensors[at];
        members[at] = find_member(tensor->name);
        if (members[at].list_length == 0)
            continue;
        members[at].list = mpl_fronts_number(&to->lists, tensor->name,
                                             members[at].list_length);
        /* Data that a file holds cannot pass 64 bits together. */
        to->list_bytes[members[at].list] += tensor->bytes;
    }
    to->trunk = 0;
    for (uint32_t list = 1; list < to->lists.count; list++)
        if (to->list_bytes[list] > to->list_bytes[to->trunk])
            to->trunk = list;
}

static uint64_t order_of(rank where, uint32_t front, uint32_t number)
{
    return (uint64_t)where << 56 | (uint64_t)front << 32 | number;
}

static mpl_place find_place(grouper *to, const char *name, member in)
{
    if (in.list_length > 0) {
        const bool is_layer = in.list == to->trunk;
        return (mpl_place){
            .order = order_of(is_layer ? RANK_LAYER : RANK_OTHER_BLOCK, in.list,
                              in.number),
            .name_length = in.length,
            .layer_number = in.number,
            .kind = is_layer ? MPL_UNIT_LAYER : MPL_UNIT_OTHER};
    }
    const uint32_t length = module_length(name);
    const role *const known = find_role(name, length);
    const uint32_t module = mpl_fronts_number(&to->modules, name, length);
    return (mpl_place){
        .order = order_of(known != NULL ? known->where : RANK_OTHER, module, 0),
        .name_length = length,
        .kind = known != NULL ? known->kind : MPL_UNIT_OTHER};
}

static uint32_t flags_of(const mpl_tensor *tensor, mpl_unit_kind kind)
{
    if (kind == MPL_UNIT_EMBEDDING)
        return MPL_TENSOR_LOOKUP;
    uint32_t flags = 0;
    if (strstr(tensor->name, ".experts.") != NULL)
        flags |= MPL_TENSOR_EXPERT;
    if (tensor->dimension_count == 2 && kind != MPL_UNIT_NORM)
        flags |= MPL_TENSOR_LINEAR;
    return flags;
}

static bool group(memplan_model *model, mpl_arena *scratch)
{
    grouper *const to = mpl_arena_alloc(scratch, 1, sizeof *to);
    member *const members =
        mpl_arena_alloc(scratch, model->tensor_count, sizeof *members);
    mpl_place *const places =
        mpl_arena_alloc(scratch, model->tensor_count, sizeof *places);
    if (to == NULL || members == NULL || places == NULL)
        return false;
    find_trunk(to, model, members);
    for (uint32_t at = 0; at < model->tensor_count; at++) {
        mpl_tensor *const tensor = &model->tensors[at];
        places[at] = find_place(to, tensor->name, members[at]);
        tensor->flags = flags_of(tensor, places[at].kind);
    }
    return mpl_group_tensors(model, places, scratch, NULL);
}

bool mpl_group_modules(memplan_model *model)
{
    mpl_arena *const scratch = mpl_arena_create();
    const bool is_done = scratch != NULL && group(model, scratch);
    mpl_arena_free(scratch);
    return is_done;
}
