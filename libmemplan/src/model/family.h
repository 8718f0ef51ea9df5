/* SPDX-License-Identifier: MIT */
/*
 * A family of models: which keys its configuration has, and which modules a
 * model makes of them. The rows are text, in data/families: see README.md
 * there for the language. A family is parsed when it is asked for, and of its
 * trees only those that are used.
 */
#ifndef MPL_MODEL_FAMILY_H
#define MPL_MODEL_FAMILY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/nearest.h"
#include "model/expression.h"
#include "model/model.h"

typedef enum mpl_node_kind {
    MPL_NODE_PARAM,
    MPL_NODE_BUFFER,
    MPL_NODE_LIST,   /* children, once for each index */
    MPL_NODE_MODULE, /* children, below a name */
    MPL_NODE_WHEN,   /* children, on a condition */
    MPL_NODE_USE,    /* another tree, below a name */
    MPL_NODE_TIE,    /* name has the bytes of target */
    MPL_NODE_CACHE,  /* keys, values, window of a layer */
    MPL_NODE_INDEXER, /* what the indexer of a sparse attention keeps */
    MPL_NODE_CROSS,   /* keys and values of a token of the encoder */
    MPL_NODE_FIXED,   /* elements of a sequence, whatever the length */
    MPL_NODE_ENCODER, /* how many tokens the encoder makes */
    MPL_NODE_REFUSE,  /* a key's value that the family is not described with */
    MPL_NODE_KIND_COUNT
} mpl_node_kind;

enum {
    MPL_NODE_BLOCK = 1 << 16,      /* a unit: never split */
    MPL_NODE_LAYER = 1 << 17,      /* a unit, and a layer of the trunk */
    MPL_NODE_KEEP_FP32 = 1 << 18,  /* fp32 where the model is fp16 or bf16 */
    MPL_NODE_KEEP_FP16 = 1 << 19,  /* fp32 where the model is fp16 */
    MPL_NODE_ONE_TYPE = 1 << 20    /* use: whatever model_type the part has */
};

typedef struct mpl_node {
    mpl_node_kind kind;
    uint32_t flags; /* MPL_TENSOR_… and MPL_NODE_… */
    uint32_t dtype; /* MPL_DTYPE_COUNT: the model's */
    uint32_t argument_count;
    const char *name;
    const char *target;   /* a class, a role, or the owner of tied bytes */
    const char *config;   /* use: the key of the nested configuration */
    const char *fallback; /* use: its model_type where it says none, or ever */
    const mpl_expression **arguments; /* dimensions, a count, … */
    const mpl_expression *condition;  /* NULL: always */
    const struct mpl_node *children;
    const struct mpl_node *next;
} mpl_node;

typedef struct mpl_key {
    const char *name;
    const char **paths; /* spellings in the order tried, the name first */
    uint32_t path_count;
    bool has_default;
    bool replaces_null; /* a null is as good as absent */
    const mpl_expression *value;
    const mpl_expression *count; /* of a list, whose items `value` gives */
} mpl_key;

typedef struct mpl_family {
    const char *name;
    mpl_arena *arena;
    const char *text; /* of the whole family, in the data */
    uint64_t length;
    mpl_key *keys;
    uint32_t key_count;
} mpl_family;

/* Finds the family of a model_type; NULL in `*out` where there is none.
 * MEMPLAN_OK, _NO_MEMORY, _CORRUPT (the data is broken: a defect). */
memplan_status mpl_family_open(const mpl_family **out, mpl_arena *arena,
                               const char *model_type, memplan_error *error);

/* The same, or a failure that names the nearest family; `path` is what stands
 * before the key "model_type". */
memplan_status mpl_family_require(const mpl_family **out, mpl_arena *arena,
                                  const char *model_type, const char *path,
                                  memplan_error *error);

/* The class that plays a role ("base", "causal", "default"), or NULL. */
const char *mpl_family_role(const mpl_family *family, const char *role);

/* True when the family knows the class by name, with or without a tree. */
bool mpl_family_has_class(const mpl_family *family, const char *name);

/* Parses one tree; NULL in `*out` where the family has none of that name. */
memplan_status mpl_family_tree(const mpl_node **out, const mpl_family *family,
                               const char *name, memplan_error *error);

/* Offers the names of all families to a search for the nearest. */
void mpl_families_offer(mpl_nearest *nearest, mpl_arena *arena,
                        const char *wanted);

/* True for a model_type that only code beside its weights can build. */
bool mpl_family_is_remote(const char *model_type);

#endif
