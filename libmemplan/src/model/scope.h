/* SPDX-License-Identifier: MIT */
/*
 * A family's keys with the values that one configuration gives them: read
 * when first asked for, defaults worked out of other keys.
 */
#ifndef MPL_MODEL_SCOPE_H
#define MPL_MODEL_SCOPE_H

#include "base/arena.h"
#include "base/json.h"
#include "model/expression.h"
#include "model/family.h"

typedef struct mpl_slot {
    mpl_value value;
    const char *spelling; /* that the configuration has; NULL: none */
    enum { MPL_SLOT_EMPTY, MPL_SLOT_BUSY, MPL_SLOT_READY } state;
} mpl_slot;

typedef struct mpl_scope {
    const mpl_family *family;
    mpl_json_value config; /* absent: all defaults */
    const char *path;      /* "" or "text_config.": for messages */
    mpl_arena *arena;
    mpl_slot *slots;
} mpl_scope;

/* NULL when memory is refused. */
mpl_scope *mpl_scope_create(mpl_arena *arena, const mpl_family *family,
                            mpl_json_value config, const char *path);

/* The scope of the nested configuration `part`, which may be absent: then it
 * has what the outer family says of it. NULL when memory is refused. */
mpl_scope *mpl_scope_create_part(const mpl_scope *outer,
                                 const mpl_family *family,
                                 mpl_json_value config, const char *path,
                                 const char *part);

mpl_value mpl_scope_value(mpl_scope *scope, uint32_t slot,
                          mpl_evaluation *evaluation);

/* The name of a key, for messages: as the configuration spells it. */
const char *mpl_scope_name(const mpl_scope *scope, uint32_t slot);

/* The value of a key by name; NONE where the family has no such key. */
mpl_value mpl_scope_get(mpl_scope *scope, const char *name,
                        mpl_evaluation *evaluation);

/* A member by a path of names with points between, or absent. */
mpl_json_value mpl_config_path(mpl_json_value config, const char *path);

/* A JSON value as expressions see it. */
mpl_value mpl_value_of_json(mpl_json_value json);

/* Whether older files of this family may have the text model's keys at the
 * root, and its class reads them there. */
bool mpl_scope_reads_root(const mpl_scope *scope);

#endif
