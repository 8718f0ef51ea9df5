/* SPDX-License-Identifier: MIT */
/* The manual, a page for each command. */
#ifndef MEMPLAN_CLI_HELP_H
#define MEMPLAN_CLI_HELP_H

void help_all(void);

/* A COMMAND_… bit. */
void help_command(unsigned command);

#endif
