/* SPDX-License-Identifier: MIT */
/*
 * Test cases as data: tests/vectors/NAME.json, read alike by C, Python and
 * Lua. A case has a name, a why, given and expect.
 */
#ifndef TESTS_SUPPORT_VECTORS_H
#define TESTS_SUPPORT_VECTORS_H

#include "base/json.h"

typedef struct vector_case {
    const char *name;
    mpl_json_value given;
    mpl_json_value expect;
} vector_case;

/* Runs `check` on each case of the file. Fails the test when the file is
 * missing, a case has no name, why or expect, or the number of cases is not
 * the one that the file declares. */
void vectors_run(const char *file, void (*check)(const vector_case *));

/* A number: an integer, or a string of digits where it passes 2^53. */
uint64_t vectors_u64(mpl_json_value value);

#endif
