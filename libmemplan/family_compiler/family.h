/* SPDX-License-Identifier: MIT */
/* The text of a file of families, read into the tables. */
#ifndef MEMPLAN_FAMILY_COMPILER_FAMILY_H
#define MEMPLAN_FAMILY_COMPILER_FAMILY_H

#include "tables.h"

/* NULL, or where the text is broken. */
const char *families_read(family_tables *tables, const char *text,
                          uint64_t length);

/* Gives each alias its family, once all files are read; NULL, or an alias of
 * no family. */
const char *families_join(family_tables *tables);

#endif
