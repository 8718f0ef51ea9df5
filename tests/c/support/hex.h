/* SPDX-License-Identifier: MIT */
/* Annotated hexadecimal: "47 47 55 46  # magic", one text a line. */
#ifndef MEMPLAN_TESTS_HEX_H
#define MEMPLAN_TESTS_HEX_H

#include <stddef.h>
#include <stdint.h>

#include "base/json.h"

/* The bytes of an array of lines; fails the test on anything else. Free
 * them. */
uint8_t *hex_bytes(mpl_json_value lines, size_t *out_size);

#endif
