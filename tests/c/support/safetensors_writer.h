/* SPDX-License-Identifier: MIT */
/* Writes safetensors files for tests, right ones and wrong ones. The data are
 * a hole: they take no disk and are never read. */
#ifndef MEMPLAN_TESTS_SAFETENSORS_WRITER_H
#define MEMPLAN_TESTS_SAFETENSORS_WRITER_H

#include <stdint.h>

#include "support/folder.h"

/* A file of a header, as it is given, and `data_bytes` after it. `length` is
 * what the first 8 bytes say; UINT64_MAX - 1: the header's own length. Returns
 * the path, which lives until the next call. */
#define SAFETENSORS_OWN_LENGTH (UINT64_MAX - 1)
const char *safetensors_write(const folder *at, const char *name,
                              const char *header, uint64_t length,
                              uint64_t data_bytes);

#endif
