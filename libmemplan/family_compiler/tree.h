/* SPDX-License-Identifier: MIT */
/* The lines below "tree CLASS", read into the tables. */
#ifndef MEMPLAN_FAMILY_COMPILER_TREE_H
#define MEMPLAN_FAMILY_COMPILER_TREE_H

#include "line.h"
#include "tables.h"

/* The lines from `*at` on that stand at `indent` or below such a line; leaves
 * `*at` behind them. NULL, or where the text is broken. */
const char *tree_read(family_tables *tables, const mpl_family *family,
                      const char **at, const char *end, uint32_t indent);

#endif
