/* SPDX-License-Identifier: MIT */
/* The public header needs nothing before it, in C11. */
#include "memplan.h"

extern int abi_header_c;
int abi_header_c = (int)sizeof(memplan_error);
