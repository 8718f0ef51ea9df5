/* SPDX-License-Identifier: MIT */
/* The text of all families, one after the other, as families/ has them. */
#ifndef MPL_DATA_FAMILIES_H
#define MPL_DATA_FAMILIES_H

/* From the first byte to the one after the last. */
extern const char mpl_families_begin[];
extern const char mpl_families_end[];

#endif
