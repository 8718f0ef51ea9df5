/* SPDX-License-Identifier: MIT */
/* What libFuzzer and replay.c both call. */
#ifndef MEMPLAN_TESTS_FUZZ_TARGET_H
#define MEMPLAN_TESTS_FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Opens the bytes as a model file whose name ends in `suffix`: any outcome is
 * right but a crash, a broken model, or an error without a message. */
void fuzz_open(const uint8_t *data, size_t size, const char *suffix);

#endif
