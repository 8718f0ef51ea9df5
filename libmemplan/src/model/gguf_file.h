/* SPDX-License-Identifier: MIT */
/* The steps from the files of a GGUF to a model, for gguf.c. */
#ifndef MPL_MODEL_GGUF_FILE_H
#define MPL_MODEL_GGUF_FILE_H

#include "model/gguf.h"

/* What one file holds. */
typedef struct mpl_gguf_piece {
    mpl_gguf_part part;
    mpl_gguf_key *keys;
    uint64_t key_count;
    mpl_name_index key_index;
    mpl_gguf_tensor *tensors; /* part.tensor_count of them */
} mpl_gguf_piece;

/* gguf_file.c: reads the header of one file. */
memplan_status mpl_gguf_read_piece(mpl_gguf_piece *out, mpl_arena *arena,
                                   const char *path, uint64_t header_max_bytes,
                                   memplan_error *error);

/* gguf_key.c: reads one key with its value. */
struct mpl_gguf_reader;
memplan_status mpl_gguf_read_key(mpl_gguf_key *out,
                                 struct mpl_gguf_reader *reader);

/* gguf_units.c: makes the model's tensors and units. */
memplan_status mpl_gguf_group(memplan_model *model, const mpl_gguf *gguf,
                              mpl_gguf_tensor *tensors, memplan_error *error);

/* gguf_facts.c: facts, and the state of each layer, from the metadata. */
void mpl_gguf_read_facts(memplan_model *model, const mpl_gguf *gguf);

#endif
