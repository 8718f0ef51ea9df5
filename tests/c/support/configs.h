/* SPDX-License-Identifier: MIT */
/* Models of configurations that are in memory. */
#ifndef TESTS_SUPPORT_CONFIGS_H
#define TESTS_SUPPORT_CONFIGS_H

#include "model/hf_config.h"

/* As mpl_config_read(), of a text; the source is called "test". */
memplan_status config_read_text(memplan_model **out, const char *text,
                                memplan_error *error);

#endif
