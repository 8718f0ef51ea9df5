/* SPDX-License-Identifier: MIT */
/* The text of all families, one after the other, as families/ has them. */
#ifndef MPL_DATA_FAMILIES_H
#define MPL_DATA_FAMILIES_H

#include <stdbool.h>
#include <stdint.h>

/* The text of one family, by its name or an alias. */
bool mpl_families_find(const char *name, const char **out_text,
                       uint64_t *out_bytes);

/* From the first byte to the one after the last. */
extern const char mpl_families_begin[];
extern const char mpl_families_end[];

#endif
