/* SPDX-License-Identifier: MIT */
/* A place in the header of one GGUF file, and how reading it fails. */
#ifndef MPL_MODEL_GGUF_READER_H
#define MPL_MODEL_GGUF_READER_H

#include "base/arena.h"
#include "base/bytes.h"
#include "memplan.h"

typedef struct mpl_gguf_reader {
    mpl_bytes bytes;
    mpl_arena *arena;
    memplan_error *error;
} mpl_gguf_reader;

/* Why the last read was short: the file ends inside `what`, or the header
 * passes the cap, or the disk failed. */
memplan_status mpl_gguf_fail_short(const mpl_gguf_reader *reader,
                                   const char *what);

/* A string: length, then bytes, which are no text yet: not terminated, and
 * anything may be in them. */
memplan_status mpl_gguf_take_string(mpl_gguf_reader *reader,
                                    const char **out_text, uint64_t *out_length,
                                    const char *what);

/* A string that names something: a terminated copy, of `length_max` bytes at
 * most, without a NUL inside. */
memplan_status mpl_gguf_take_name(mpl_gguf_reader *reader, const char **out,
                                  uint64_t length_max, const char *what);

/* Bytes of the file that have not been read. */
uint64_t mpl_gguf_bytes_left(const mpl_gguf_reader *reader);

#endif
