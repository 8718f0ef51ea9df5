/* SPDX-License-Identifier: MIT */
/*
 * getopt_long() reads; its table is made of the rows of options.def that the
 * command takes, and each row says what kind of value goes into which field.
 */
#include "options.h"

#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failure.h"
#include "page.h"

typedef enum kind { FLAG, TEXT, COUNT, BYTES, WHEN, LIST, LINES } kind;

typedef struct option_row {
    const char *name;
    const char *metavar;
    kind kind;
    size_t place; /* of its field */
    unsigned commands;
    const char *help;
} option_row;

static const option_row ROWS[] = {
#define OPTION(name, metavar, kind, field, commands, help)                     \
    {name, metavar, kind, offsetof(options, field), commands, help},
#include "options.def"
#undef OPTION
};
enum { ROW_COUNT = sizeof ROWS / sizeof *ROWS };

static void *field_of(options *asked, const option_row *row)
{
    return (char *)asked + row->place;
}

/* A whole number above zero, in decimal digits alone. */
static bool read_count(uint64_t *out, const option_row *row, const char *text,
                       memplan_error *error)
{
    uint64_t count = 0;
    const size_t length = strlen(text);
    if (length == 0 || length > 18 || strspn(text, "0123456789") != length)
        return fail(error, "--%s %.60s: a whole number is wanted, such as 4096",
                    row->name, text);
    for (size_t at = 0; at < length; at++)
        count = count * 10 + (uint64_t)(text[at] - '0');
    if (count == 0)
        return fail(error, "--%s 0: at least 1 is wanted", row->name);
    *out = count;
    return true;
}

static bool read_bytes(uint64_t *out, const option_row *row, const char *text,
                       memplan_error *error)
{
    memplan_error reason;
    if (memplan_bytes_parse(out, text, &reason) != MEMPLAN_OK)
        return fail(error, "--%s: %s", row->name, reason.message);
    return true;
}

static bool read_when(uint64_t *out, const option_row *row, const char *text,
                      memplan_error *error)
{
    static const char *const WORDS[] = {"auto", "always", "never", "ascii"};
    const uint64_t count = strcmp(row->name, "bars") == 0 ? 4 : 3;
    for (uint64_t at = 0; at < count; at++) {
        if (strcmp(WORDS[at], text) == 0) {
            *out = at;
            return true;
        }
    }
    return fail(error, "--%s %.60s: write auto, always%s or never", row->name,
                text, count == 4 ? ", ascii" : "");
}

/* Puts another item behind those that were given before. */
static bool join(char **field, const char *text, char between,
                 memplan_error *error)
{
    const size_t old = *field != NULL ? strlen(*field) : 0;
    const size_t more = strlen(text);
    char *const joined = realloc(*field, old + more + 2);
    if (joined == NULL)
        return fail(error, "the host refused memory");
    *field = joined;
    if (old > 0)
        joined[old] = between;
    memcpy(joined + old + (old > 0), text, more + 1);
    return true;
}

static bool take(options *asked, const option_row *row, const char *text,
                 memplan_error *error)
{
    void *const field = field_of(asked, row);
    switch (row->kind) {
    case FLAG:
        *(bool *)field = true;
        return true;
    case TEXT:
        *(const char **)field = text;
        return true;
    case COUNT:
        return read_count(field, row, text, error);
    case BYTES:
        return read_bytes(field, row, text, error);
    case WHEN:
        return read_when(field, row, text, error);
    case LIST:
        return join(field, text, ',', error);
    case LINES:
        return join(field, text, '\n', error);
    }
    return false;
}

/* The option that was probably meant, or where to read of all. */
static bool fail_option(const char *command_name, unsigned command,
                        const char *given, memplan_error *error)
{
    const char *words[ROW_COUNT];
    uint64_t count = 0;
    char name[64];
    const char *const start = given + strspn(given, "-");
    (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(start, "="), start);
    for (size_t at = 0; at < ROW_COUNT; at++) {
        if (strcmp(ROWS[at].name, name) == 0 &&
            (ROWS[at].commands & command) == 0)
            return fail(error,
                        "%s takes no --%s; see memplan %s --help",
                        command_name, name, command_name);
        if (ROWS[at].commands & command)
            words[count++] = ROWS[at].name;
    }
    const char *const nearest = memplan_word_nearest(name, words, count);
    if (nearest != NULL)
        return fail(error, "unknown option \"%.60s\"; did you mean --%s?",
                    given, nearest);
    return fail(error, "unknown option \"%.60s\"; see memplan %s --help", given,
                command_name);
}

static bool fail_getopt(int code, const char *command_name, unsigned command,
                        const char *given, memplan_error *error)
{
    if (code != ':')
        return fail_option(command_name, command, given, error);
    const char *const name = given + strspn(given, "-");
    for (size_t at = 0; at < ROW_COUNT; at++)
        if (strcmp(ROWS[at].name, name) == 0)
            return fail(error, "%s wants a value: %s %s", given, given,
                        ROWS[at].metavar);
    return fail(error, "%.60s wants a value", given);
}

bool options_want_settings(const options *asked)
{
    return asked->settings != NULL && strcmp(asked->settings, "help") == 0;
}

/* The one argument that is no option: MODEL, of list WHAT. */
static bool take_source(options *asked, const char *command_name,
                        unsigned command, int count, char **arguments,
                        memplan_error *error)
{
    const bool wants_model = command != COMMAND_LIST && !asked->help &&
                             !options_want_settings(asked);
    if (command == COMMAND_MACHINE && count > 0)
        return fail(error,
                    "machine takes no \"%.60s\"; for another "
                    "machine write --machine or --topology",
                    arguments[0]);
    if (command != COMMAND_MACHINE && wants_model && count == 0)
        return fail(error, "which model? memplan %s MODEL, a path or a name",
                    command_name);
    if (count > 1)
        return fail(error, "one %s at a time, not \"%.40s\" and \"%.40s\"",
                    command == COMMAND_LIST ? "list" : "model", arguments[0],
                    arguments[1]);
    if (count == 1)
        asked->source = arguments[0];
    return true;
}

bool options_read(options *out, unsigned command, const char *command_name,
                  int count, char **arguments, memplan_error *error)
{
    struct option table[ROW_COUNT + 1] = {0};
    size_t rows[ROW_COUNT];
    size_t used = 0;
    for (size_t at = 0; at < ROW_COUNT; at++) {
        if ((ROWS[at].commands & command) == 0)
            continue;
        rows[used] = at;
        table[used++] = (struct option){
            ROWS[at].name,
            ROWS[at].kind == FLAG ? no_argument : required_argument, NULL, 0};
    }
    *out = (options){.argument_count = count, .arguments = arguments};
    opterr = 0;
    for (;;) {
        int chosen = -1;
        const int place = optind;
        const int code = getopt_long(count, arguments, ":h", table, &chosen);
        if (code == -1)
            break;
        if (code == 'h')
            out->help = true;
        else if (code != 0)
            return fail_getopt(code, command_name, command,
                               arguments[optind > place ? optind - 1 : place],
                               error);
        else if (!take(out, &ROWS[rows[chosen]], optarg, error))
            return false;
    }
    return take_source(out, command_name, command, count - optind,
                       arguments + optind, error);
}

void options_free(options *asked)
{
    free(asked->settings);
    free(asked->pins);
}

void options_print_help(unsigned command)
{
    for (size_t at = 0; at < ROW_COUNT; at++) {
        const option_row *const row = &ROWS[at];
        char head[64];
        if ((row->commands & command) == 0)
            continue;
        (void)snprintf(head, sizeof head, "--%s%s%s", row->name,
                       row->metavar != NULL ? " " : "",
                       row->metavar != NULL ? row->metavar : "");
        page_item(head, row->help);
    }
}
