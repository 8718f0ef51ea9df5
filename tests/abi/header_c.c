/* SPDX-License-Identifier: MIT */
/* The public headers need nothing before them, in C11. */
#include "memplan/accelerate.h"

extern int abi_header_c;
int abi_header_c = (int)sizeof(memplan_error);
