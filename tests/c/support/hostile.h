/* SPDX-License-Identifier: MIT */
/* Every way to break a small file by one cut or one bit. */
#ifndef MEMPLAN_TESTS_HOSTILE_H
#define MEMPLAN_TESTS_HOSTILE_H

#include <stddef.h>
#include <stdint.h>

/*
 * Opens every prefix of a file: each must be refused, in one line that names
 * the file, with an offset inside the prefix or none. `whole` bytes from the
 * front are needed; longer prefixes may open.
 */
void hostile_prefixes(const char *name, const uint8_t *data, size_t size,
                      size_t whole);

/* Opens the file with each single bit of its first `count` bytes turned: each
 * must be refused in one line, or give a model whose sums are right. Returns
 * how many were refused. */
size_t hostile_bit_flips(const char *name, const uint8_t *data, size_t size,
                         size_t count);

#endif
