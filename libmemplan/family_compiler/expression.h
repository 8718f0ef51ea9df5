/* SPDX-License-Identifier: MIT */
/* Expressions, as model/expression.h describes them, read into the tables. */
#ifndef MEMPLAN_FAMILY_COMPILER_EXPRESSION_H
#define MEMPLAN_FAMILY_COMPILER_EXPRESSION_H

#include "line.h"
#include "tables.h"

/* The place of the expression that a text is as a whole, over the keys of a
 * family; 0 where it is none. */
uint32_t expression_read(family_tables *tables, const mpl_family *family,
                         const char *text, uint64_t length);

#endif
