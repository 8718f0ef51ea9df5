/* SPDX-License-Identifier: MIT */
/*
 * The model, the machine and the request that a command line names, with what
 * the environment adds. The library reads no environment; this file does.
 */
#ifndef MEMPLAN_CLI_INPUTS_H
#define MEMPLAN_CLI_INPUTS_H

#include "options.h"

bool inputs_open_model(memplan_model **out, const options *asked,
                       memplan_error *error);

bool inputs_open_machine(memplan_machine **out, const options *asked,
                         memplan_error *error);

memplan_request inputs_request(const options *asked);

#endif
