/* SPDX-License-Identifier: MIT */
/* How to draw: what was asked for, else what standard output can show. */
#ifndef MEMPLAN_CLI_TERMINAL_H
#define MEMPLAN_CLI_TERMINAL_H

#include "options.h"

memplan_render_options terminal_style(const options *asked);

#endif
