/* SPDX-License-Identifier: MIT */
/* A placement to price: the text itself, or "@FILE" that holds it. */
#ifndef MEMPLAN_CLI_PLACEMENT_H
#define MEMPLAN_CLI_PLACEMENT_H

#include <memplan.h>
#include <stdbool.h>

/* Free *out with free(); NULL for NULL. */
bool placement_read(char **out, const char *given, memplan_error *error);

#endif
