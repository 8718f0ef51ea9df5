/* SPDX-License-Identifier: MIT */
#include "base/failure.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

/* One printable line that ends at a character's end. */
static void tidy(char *message, size_t size)
{
    message[size - 1] = '\0';
    const size_t length = strlen(message);
    for (size_t at = 0; at < length;) {
        const size_t step = mpl_utf8_step(message + at, length - at);
        if (step > 0 && (unsigned char)message[at] >= 0x20 &&
            message[at] != 0x7f) {
            at += step;
        } else if (step == 0 && length == size - 1 && length - at < 4) {
            message[at] = '\0'; /* a character cut in two by the limit */
            return;
        } else {
            message[at++] = '?';
        }
    }
}

memplan_status mpl_fail(memplan_error *error, memplan_status status,
                        uint64_t offset, const char *format, ...)
{
    if (error == NULL)
        return status;
    error->status = status;
    error->line = 0;
    error->offset = offset;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(error->message, sizeof error->message, format, args);
    va_end(args);
    tidy(error->message, sizeof error->message);
    return status;
}

memplan_status mpl_fail_memory(memplan_error *error)
{
    return mpl_fail(error, MEMPLAN_E_NO_MEMORY, MPL_NOWHERE,
                    "the host refused memory");
}

void mpl_fail_in(memplan_error *error, const char *source)
{
    if (error == NULL)
        return;
    char joined[2 * sizeof error->message];
    (void)snprintf(joined, sizeof joined, "%.160s: %s", source, error->message);
    memcpy(error->message, joined, sizeof error->message);
    tidy(error->message, sizeof error->message);
}
