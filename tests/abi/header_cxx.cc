/* SPDX-License-Identifier: MIT */
/* The public headers need nothing before them, in C++17, and their
 * initialisers work there. */
#include "memplan/accelerate.h"

static memplan_request request = MEMPLAN_REQUEST_INIT;
static memplan_model_options model = MEMPLAN_MODEL_OPTIONS_INIT;
static memplan_machine_options machine = MEMPLAN_MACHINE_OPTIONS_INIT;
static memplan_render_options render = MEMPLAN_RENDER_OPTIONS_INIT;
static memplan_modules_options modules = MEMPLAN_MODULES_OPTIONS_INIT;
static memplan_plan_info info = MEMPLAN_PLAN_INFO_INIT;

extern unsigned long long abi_header_cxx;
unsigned long long abi_header_cxx =
    request.size + model.size + machine.size + render.size + modules.size +
    info.size;
