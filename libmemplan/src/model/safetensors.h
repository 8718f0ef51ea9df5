/* SPDX-License-Identifier: MIT */
/*
 * safetensors: u64 header length, a JSON header, then data, which nobody here
 * reads. One file, or the shards of a model.
 */
#ifndef MPL_MODEL_SAFETENSORS_H
#define MPL_MODEL_SAFETENSORS_H

#include <stdint.h>

#include "memplan.h"
#include "model/model.h"

/* What one file holds, in the order of its header. */
typedef struct mpl_shard {
    const char *path;
    mpl_tensor *tensors;
    uint64_t tensor_count;
    uint64_t file_bytes;
} mpl_shard;

/* Reads one header. MEMPLAN_OK, _NOT_FOUND, _IO, _CORRUPT, _UNSUPPORTED (a
 * dtype that is not known), _TOO_LARGE, _NO_MEMORY; the message names the
 * file. */
memplan_status mpl_safetensors_read(mpl_shard *out, mpl_arena *arena,
                                    const char *path, uint64_t header_max_bytes,
                                    memplan_error *error);

/* Reads `count` files and puts all their tensors into a new model, grouped
 * into units by their names. A name that stands twice is refused. */
memplan_status mpl_safetensors_open(memplan_model *model,
                                    const char *const *paths, uint64_t count,
                                    uint64_t header_max_bytes,
                                    memplan_error *error);

/* safetensors_units.c: groups model->tensors into units by module names.
 * False: no memory. */
bool mpl_group_modules(memplan_model *model);

#endif
