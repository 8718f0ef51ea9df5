/* SPDX-License-Identifier: MIT */
#include "failure.h"

#include <stdarg.h>
#include <stdio.h>

bool fail(memplan_error *error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(error->message, sizeof error->message, format, args);
    va_end(args);
    error->status = MEMPLAN_E_ARGUMENT;
    /* What was typed may hold anything; a message is one clean line. */
    for (char *at = error->message; *at != '\0'; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = '?';
    return false;
}
