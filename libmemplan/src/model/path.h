/* SPDX-License-Identifier: MIT */
/* Paths: their parts, and what lies at them. */
#ifndef MPL_MODEL_PATH_H
#define MPL_MODEL_PATH_H

#include <stdbool.h>

#include "base/arena.h"
#include "memplan.h"

typedef enum mpl_path_kind {
    MPL_PATH_NONE,
    MPL_PATH_FILE,
    MPL_PATH_FOLDER,
    MPL_PATH_DANGLING, /* a symbolic link to nothing */
    MPL_PATH_OTHER     /* a device, a pipe, or what may not be looked at */
} mpl_path_kind;

mpl_path_kind mpl_path_look(const char *path);

/* The same where all else is as good as nothing. */
bool mpl_path_is_file(const char *path);

bool mpl_has_suffix(const char *text, const char *suffix);

/* The last part, behind the last slash that does not end the path. */
const char *mpl_path_name(const char *path);

/* "folder/name"; NULL: no memory. */
const char *mpl_path_join(mpl_arena *arena, const char *folder,
                          const char *name);

/* A file beside `path`; NULL: no memory. */
const char *mpl_path_beside(mpl_arena *arena, const char *path,
                            const char *name);

/* True for a name that stays below the folder it is joined to: relative,
 * and without "..". */
bool mpl_path_is_below(const char *name);

/* The names in a folder, sorted, those that begin with a dot left out.
 * MEMPLAN_OK, _IO, _NOT_FOUND, _TOO_LARGE, _NO_MEMORY. */
memplan_status mpl_path_list(const char ***out, uint64_t *out_count,
                             mpl_arena *arena, const char *folder,
                             memplan_error *error);

/* Reads "PREFIX-00002-of-00005SUFFIX": the length of PREFIX, and the count.
 * False for other names. */
bool mpl_path_is_part(const char *path, const char *suffix,
                      uint64_t *out_prefix_length, uint64_t *out_count);

/* The path of part `number` (from 1) of such a set; NULL: no memory. */
const char *mpl_path_part(mpl_arena *arena, const char *path,
                          uint64_t prefix_length, uint64_t number,
                          uint64_t count, const char *suffix);

#endif
