/* SPDX-License-Identifier: MIT */
/* What each command does. The result is the exit code of the process. */
#ifndef MEMPLAN_CLI_COMMANDS_H
#define MEMPLAN_CLI_COMMANDS_H

#include "options.h"

enum { EXIT_FITS = 0, EXIT_DOES_NOT_FIT = 1, EXIT_WRONG = 2 };

int command_machine(const options *asked);
int command_model(const options *asked);
int command_plan(const options *asked);
int command_price(const options *asked);
int command_list(const options *asked);

/* One line on standard error; returns EXIT_WRONG. */
int say_wrong(const memplan_error *error);

/* Writes a text to standard output and frees it. False: it did not go out,
 * and `error` says so. */
bool put_text(char *text, memplan_error *error);

#endif
