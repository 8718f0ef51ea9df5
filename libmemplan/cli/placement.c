/* SPDX-License-Identifier: MIT */
#include "placement.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failure.h"

enum { FILE_MAX_BYTES = 16 << 20 };

static bool read_file(char **out, const char *path, FILE *file,
                      memplan_error *error)
{
    char *const text = malloc(FILE_MAX_BYTES + 1);
    if (text == NULL)
        return fail(error, "the host refused memory");
    const size_t length = fread(text, 1, FILE_MAX_BYTES + 1, file);
    const bool is_whole = ferror(file) == 0 && length <= FILE_MAX_BYTES;
    if (!is_whole || memchr(text, '\0', length) != NULL) {
        free(text);
        return fail(error, "%.120s: %s", path,
                    length > FILE_MAX_BYTES ? "a placement has at most 16 MiB"
                    : is_whole ? "a placement is text, and has no NUL"
                               : strerror(errno));
    }
    text[length] = '\0';
    *out = text;
    return true;
}

bool placement_read(char **out, const char *given, memplan_error *error)
{
    *out = NULL;
    if (given == NULL)
        return true;
    if (given[0] != '@') {
        *out = strdup(given);
        return *out != NULL || fail(error, "the host refused memory");
    }
    FILE *const file = fopen(given + 1, "rb");
    if (file == NULL)
        return fail(error, "%.120s: %s", given + 1, strerror(errno));
    const bool is_read = read_file(out, given + 1, file, error);
    (void)fclose(file);
    return is_read;
}
