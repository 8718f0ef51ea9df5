/* SPDX-License-Identifier: MIT */
/* The options that carry out the fixes of a plan. */
#ifndef MEMPLAN_CLI_ADVICE_H
#define MEMPLAN_CLI_ADVICE_H

#include "options.h"

/* After a plan's table; nothing where no fix is an option. */
void advice_print(const memplan_plan *plan, const options *asked,
                  const memplan_render_options *style);

#endif
