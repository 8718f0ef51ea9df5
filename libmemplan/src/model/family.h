/* SPDX-License-Identifier: MIT */
/*
 * A family of models: which keys its configuration has, and which modules a
 * model makes of them. Families are written as text, in data/families: see
 * README.md there for the language. When the library is built family_compiler/
 * makes tables of them, whose rows name each other by their places; at place 0
 * is nothing. A table of pointers would be written to whenever the library
 * loads.
 */
#ifndef MPL_MODEL_FAMILY_H
#define MPL_MODEL_FAMILY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memplan.h"
#include "model/expression_node.h"

typedef enum mpl_node_kind {
    MPL_NODE_PARAM,
    MPL_NODE_BUFFER,
    MPL_NODE_LIST,   /* what is below, once for each index */
    MPL_NODE_MODULE, /* what is below, under a name */
    MPL_NODE_WHEN,   /* what is below, on a condition */
    MPL_NODE_USE,    /* another tree, under a name */
    MPL_NODE_TIE,    /* name has the bytes of target */
    MPL_NODE_CACHE,  /* keys, values, window of a layer */
    MPL_NODE_INDEXER, /* what the indexer of a sparse attention keeps */
    MPL_NODE_CROSS,   /* keys and values of a token of the encoder */
    MPL_NODE_FIXED,   /* elements of a sequence, whatever the length */
    MPL_NODE_STEP,    /* elements of a step's tokens, until the next step */
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

/* A line of a tree. The lines below it follow, up to `end`. */
typedef struct mpl_node {
    uint32_t flags; /* MPL_TENSOR_… and MPL_NODE_… */
    uint16_t kind;  /* mpl_node_kind */
    uint16_t dtype; /* MPL_DTYPE_COUNT: the model's */
    uint32_t name;     /* a word, as are the next three */
    uint32_t target;   /* a class, a role, or the owner of tied bytes */
    uint32_t config;   /* use: the key of the nested configuration */
    uint32_t fallback; /* use: its model_type where it says none, or ever */
    uint32_t first_argument; /* of dimensions, a count, … */
    uint32_t argument_count;
    uint32_t condition; /* an expression; 0: always */
    uint32_t end;
} mpl_node;

typedef struct mpl_key {
    uint32_t first_path; /* of spellings in the order tried: the name first */
    uint32_t path_count;
    uint32_t value; /* an expression; 0: there is no default */
    uint32_t count; /* of a list, whose items `value` gives */
    uint32_t replaces_null; /* 1: a null is as good as absent */
} mpl_key;

/* A class that a model is run as; the nodes are those of its tree. */
typedef struct mpl_tree {
    uint32_t class_name; /* a word */
    uint32_t first;      /* 0: the class is known by name alone */
    uint32_t end;
} mpl_tree;

typedef struct mpl_role {
    uint32_t role; /* words */
    uint32_t class_name;
} mpl_role;

/* What a key of a nested object is where the object is left out. */
typedef struct mpl_absence {
    uint32_t part; /* words */
    uint32_t key;
    uint32_t value; /* an expression */
} mpl_absence;

typedef struct mpl_family {
    uint32_t name; /* a word */
    uint32_t first_key;
    uint32_t key_count;
    uint32_t first_tree;
    uint32_t tree_count;
    uint32_t first_role;
    uint32_t role_count;
    uint32_t first_absence;
    uint32_t absence_count;
} mpl_family;

/* A model_type: of a family, by its name or an alias, or `family` is 0: only
 * the code beside the weights can build it. */
typedef struct mpl_family_name {
    uint32_t name; /* a word */
    uint32_t family;
} mpl_family_name;

/* In data/families.c. */
extern const mpl_node mpl_nodes[];
extern const uint32_t mpl_arguments[]; /* expressions */
extern const mpl_key mpl_keys[];
extern const uint32_t mpl_paths[]; /* words */
extern const mpl_tree mpl_trees[];
extern const mpl_role mpl_roles[];
extern const mpl_absence mpl_absences[];
extern const mpl_family mpl_families[];
extern const uint32_t mpl_family_count;           /* from 1 on */
extern const mpl_family_name mpl_family_names[];  /* from 1 on, sorted */
extern const uint32_t mpl_family_name_count;

static inline const mpl_key *mpl_key_at(const mpl_family *family,
                                        uint32_t slot)
{
    return &mpl_keys[family->first_key + slot];
}

static inline const char *mpl_key_path(const mpl_key *key, uint32_t at)
{
    return mpl_word(mpl_paths[key->first_path + at]);
}

static inline const char *mpl_key_name(const mpl_family *family, uint32_t slot)
{
    return mpl_key_path(mpl_key_at(family, slot), 0);
}

static inline const mpl_expression *mpl_node_argument(const mpl_node *node,
                                                      uint32_t at)
{
    return mpl_expression_at(mpl_arguments[node->first_argument + at]);
}

/* The nodes from `first` up to `end`, each past those below it. */
typedef struct mpl_branch {
    uint32_t first;
    uint32_t end;
} mpl_branch;

static inline mpl_branch mpl_branch_below(const mpl_node *node)
{
    return (mpl_branch){(uint32_t)(node - mpl_nodes) + 1, node->end};
}

/* The family of a model_type, or NULL. */
const mpl_family *mpl_family_find(const char *model_type);

/* The same, or a failure that names the nearest family; `path` is what stands
 * before the key "model_type". */
memplan_status mpl_family_require(const mpl_family **out,
                                  const char *model_type, const char *path,
                                  memplan_error *error);

/* The class that plays a role ("base", "causal", "default"), or NULL. */
const char *mpl_family_role(const mpl_family *family, const char *role);

/* The class by its name, with or without a tree, or NULL. */
const mpl_tree *mpl_family_class(const mpl_family *family, const char *name);

/* The model_types that a family has, in order; NULL past the last one. */
const char *mpl_family_name_at(uint32_t index);

/* True for a model_type that only code beside its weights can build. */
bool mpl_family_is_remote(const char *model_type);

#endif
