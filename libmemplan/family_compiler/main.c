/* SPDX-License-Identifier: MIT */
/*
 * Makes tables of the families' text when the library is built:
 *
 *     family_compiler families.def families/llama.txt …
 *
 * What is broken in them stops the build, with its file and line.
 */
#include <stdlib.h>
#include <string.h>

#include "family.h"

enum { TEXT_MAX_BYTES = 4 << 20 };

static int fail(const char *path, const char *what)
{
    (void)fprintf(stderr, "%s: %s\n", path, what);
    return EXIT_FAILURE;
}

static int fail_at(const char *path, const char *text, const char *broken)
{
    unsigned line_number = 1;
    for (const char *at = text; at < broken; at++)
        line_number += *at == '\n';
    (void)fprintf(stderr, "%s:%u: cannot be read from \"%.*s\" on\n", path,
                  line_number, (int)strcspn(broken, "\n"), broken);
    return EXIT_FAILURE;
}

/* Words of it stand in the tables as copies: `text` may be used again. */
static int compile(family_tables *tables, const char *path, char *text)
{
    FILE *const file = fopen(path, "rb");
    if (file == NULL)
        return fail(path, "cannot be opened");
    const size_t length = fread(text, 1, TEXT_MAX_BYTES, file);
    const bool is_read = feof(file) != 0 && ferror(file) == 0;
    (void)fclose(file);
    text[length] = '\0';
    if (!is_read)
        return fail(path, "cannot be read, or is too long");
    const char *const broken = families_read(tables, text, length);
    return broken == NULL ? EXIT_SUCCESS : fail_at(path, text, broken);
}

static int write_all(family_tables *tables, const char *path)
{
    const char *const alias = families_join(tables);
    if (alias != NULL)
        return fail(alias, "an alias of no family");
    FILE *const out = fopen(path, "wb");
    if (out == NULL)
        return fail(path, "cannot be written");
    tables_write(tables, out);
    const bool is_written = ferror(out) == 0;
    return fclose(out) == 0 && is_written ? EXIT_SUCCESS
                                          : fail(path, "cannot be written");
}

int main(int count, char **arguments)
{
    family_tables tables;
    char *const text = malloc(TEXT_MAX_BYTES + 1);
    int status = EXIT_SUCCESS;
    if (count < 3)
        status = fail(arguments[0], "expects OUT FAMILIES …");
    else if (text == NULL || !tables_create(&tables))
        status = fail(arguments[0], "out of memory");
    if (status != EXIT_SUCCESS) {
        free(text);
        return status;
    }
    for (int at = 2; status == EXIT_SUCCESS && at < count; at++)
        status = compile(&tables, arguments[at], text);
    if (status == EXIT_SUCCESS)
        status = write_all(&tables, arguments[1]);
    tables_free(&tables);
    free(text);
    return status;
}
