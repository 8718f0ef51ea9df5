/* SPDX-License-Identifier: MIT */
/* The options that carry out the fixes of a plan. */
#ifndef MEMPLAN_CLI_ADVICE_H
#define MEMPLAN_CLI_ADVICE_H

#include "options.h"

/* After a plan's table; nothing where no fix is an option. */
void advice_print(const memplan_plan *plan, const options *asked,
                  const memplan_render_options *style);

/* Whether the table has the device map read from a file; how to make it. */
bool advice_wants_map(const char *table);
void advice_print_map(const options *asked);

/* Of a plan that Ollama cannot be told: the most whole layers on GPUs that
 * fit, added to what `error` says, where there are any. */
void advice_find_layers(const options *asked, memplan_error *error);

#endif
