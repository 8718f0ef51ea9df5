/* SPDX-License-Identifier: MIT */
/* What a user's words for a model mean: a path, or a name somewhere. */
#ifndef MPL_MODEL_LOCATE_H
#define MPL_MODEL_LOCATE_H

#include "base/arena.h"
#include "memplan.h"

typedef enum mpl_source_kind {
    MPL_SOURCE_GGUF,
    MPL_SOURCE_SAFETENSORS, /* one file */
    MPL_SOURCE_INDEX,       /* a weight index; its shards lie beside it */
    MPL_SOURCE_SHARDS,      /* a folder of shards without an index */
    MPL_SOURCE_CONFIG,      /* a config.json alone */
    MPL_SOURCE_CATALOGUE    /* a row of the built-in catalogue */
} mpl_source_kind;

typedef struct mpl_source {
    mpl_source_kind kind;
    const char *path;        /* of the file or folder; the catalogue: a name */
    const char *config_path; /* a config.json beside the weights, or NULL */
    const char *name;        /* for people, or NULL: the reader knows */
} mpl_source;

/* MEMPLAN_OK, _NOT_FOUND (the message lists the nearest names), _IO,
 * _UNSUPPORTED (a file that is no model), _NO_MEMORY. */
memplan_status mpl_locate(mpl_source *out, mpl_arena *arena,
                          const char *source,
                          const memplan_model_options *options,
                          memplan_error *error);

#endif
