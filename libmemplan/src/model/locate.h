/* SPDX-License-Identifier: MIT */
/* What a user's words for a model mean: a path, or a name somewhere. */
#ifndef MPL_MODEL_LOCATE_H
#define MPL_MODEL_LOCATE_H

#include <stdbool.h>

#include "base/arena.h"
#include "memplan.h"
#include "model/path.h"

typedef enum mpl_source_kind {
    MPL_SOURCE_GGUF,
    MPL_SOURCE_SAFETENSORS, /* one file, or all shards of a set */
    MPL_SOURCE_INDEX,       /* a weight index; its shards lie beside it */
    MPL_SOURCE_CONFIG,      /* a config.json alone */
    MPL_SOURCE_CATALOGUE    /* a row of the built-in catalogue */
} mpl_source_kind;

typedef struct mpl_source {
    mpl_source_kind kind;
    const char *path;         /* the file; NULL for the catalogue */
    const char *const *paths; /* safetensors: all files */
    uint64_t path_count;
    const char *config_path; /* a config.json beside the weights, or NULL */
    const struct mpl_catalogue_row *row; /* the catalogue's */
    const char *name;                    /* for people */
} mpl_source;

/* What `source` means. MEMPLAN_OK, _NOT_FOUND (the message lists the nearest
 * names), _IO, _CORRUPT, _UNSUPPORTED (a file that is no model),
 * _NO_MEMORY. */
memplan_status mpl_locate(mpl_source *out, mpl_arena *arena, const char *source,
                          const memplan_model_options *options,
                          memplan_error *error);

/* ---- The places, one file each ----------------------------------------- */

/* locate_path.c: a file or a folder, which was found to be of that kind. */
memplan_status mpl_locate_path(mpl_source *out, mpl_arena *arena,
                               const char *path, mpl_path_kind kind,
                               memplan_error *error);

/* hub_cache.c: "org/name" in a Hugging Face cache; the folder of the
 * revision. MEMPLAN_E_NOT_FOUND with no message when the cache does not have
 * that repository at all. */
memplan_status mpl_locate_hub(const char **out_folder, mpl_arena *arena,
                              const char *cache, const char *revision,
                              const char *name, memplan_error *error);

/* ollama_store.c: "name", "name:tag", "user/name:tag" in an Ollama store; the
 * path of the GGUF. MEMPLAN_E_NOT_FOUND with no message when the store does
 * not have that name. */
memplan_status mpl_locate_ollama(const char **out_path, mpl_arena *arena,
                                 const char *store, const char *name,
                                 memplan_error *error);

#endif
