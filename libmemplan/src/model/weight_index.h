/* SPDX-License-Identifier: MIT */
/* A weight index (model.safetensors.index.json): which shard holds which
 * tensor. */
#ifndef MPL_MODEL_WEIGHT_INDEX_H
#define MPL_MODEL_WEIGHT_INDEX_H

#include "base/arena.h"
#include "memplan.h"
#include "model/model.h"

typedef struct mpl_weight_entry {
    const char *tensor;
    const char *file; /* beside the index */
} mpl_weight_entry;

typedef struct mpl_weight_index {
    const mpl_weight_entry *entries;
    uint64_t entry_count;
    const char *const *paths; /* of the shards, each once */
    uint64_t path_count;
    uint64_t total_bytes; /* metadata.total_size, or MEMPLAN_UNKNOWN */
} mpl_weight_index;

/* MEMPLAN_OK, _NOT_FOUND, _IO, _CORRUPT, _TOO_LARGE, _NO_MEMORY; the message
 * names the file. */
memplan_status mpl_weight_index_read(mpl_weight_index *out, mpl_arena *arena,
                                     const char *path, uint64_t max_bytes,
                                     memplan_error *error);

/* Every tensor of the index is in the model: MEMPLAN_OK or _CORRUPT. */
memplan_status mpl_weight_index_check(const mpl_weight_index *index,
                                      const memplan_model *model,
                                      const char *path, memplan_error *error);

#endif
