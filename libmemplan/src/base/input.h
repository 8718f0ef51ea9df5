/* SPDX-License-Identifier: MIT */
/*
 * The beginning of a regular file, read as far as somebody asks.
 *
 * The window is reserved as address space for the whole file (or the cap) and
 * filled in steps, so places in it never move and no byte past the header is
 * read but the rest of its last step. The file is read, not mapped: a file
 * that shrinks meanwhile is a short read and not a signal.
 */
#ifndef MPL_BASE_INPUT_H
#define MPL_BASE_INPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "memplan.h"

typedef struct mpl_input {
    const uint8_t *data;     /* the window, NULL for an empty file */
    uint64_t size_bytes;     /* how much of it has been read */
    uint64_t file_bytes;     /* size of the whole file */
    uint64_t cap_bytes;      /* the most that will be read */
    uint64_t reserved_bytes; /* of the window; 0: borrowed memory */
    int descriptor;          /* -1: nothing left to read */
    int read_error;          /* errno of a read that failed, or 0 */
} mpl_input;

/* Opens a regular file. Reads nothing yet. Refuses folders, pipes, devices.
 * MEMPLAN_OK, _NOT_FOUND, _IO, _NO_MEMORY; the message names the path. */
memplan_status mpl_input_open(mpl_input *out, const char *path,
                              uint64_t cap_bytes, memplan_error *error);

/* Stands for a file whose bytes are in memory; they are not copied. */
void mpl_input_borrow(mpl_input *out, const void *data, uint64_t size_bytes);

/* True when `count` bytes from `offset` are in the window; reads them if need
 * be. False past the end of the file or the cap, or when reading failed. */
bool mpl_input_need(mpl_input *input, uint64_t offset, uint64_t count);

/* Opens a file and reads all of it, with 64 zero bytes after it, as the JSON
 * reader wants. MEMPLAN_E_TOO_LARGE above `cap_bytes`. */
memplan_status mpl_input_read_all(mpl_input *out, const char *path,
                                  uint64_t cap_bytes, memplan_error *error);

/* Gives the window back. Safe on a zeroed struct, and twice. */
void mpl_input_close(mpl_input *input);

#endif
