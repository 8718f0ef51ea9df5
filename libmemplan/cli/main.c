/* SPDX-License-Identifier: MIT */
/* memplan: will this model run on this machine, and where does it go? */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "failure.h"
#include "help.h"
#include "options.h"

typedef struct command {
    const char *name;
    unsigned bit;
    int (*run)(const options *asked);
} command;

static const command COMMANDS[] = {
    {"machine", COMMAND_MACHINE, command_machine},
    {"model", COMMAND_MODEL, command_model},
    {"plan", COMMAND_PLAN, command_plan},
    {"price", COMMAND_PRICE, command_price},
    {"list", COMMAND_LIST, command_list},
};
enum { COMMAND_COUNT = sizeof COMMANDS / sizeof *COMMANDS };

static const command *find_command(const char *name)
{
    for (size_t at = 0; at < COMMAND_COUNT; at++)
        if (strcmp(COMMANDS[at].name, name) == 0)
            return &COMMANDS[at];
    return NULL;
}

static int fail_command(const char *given)
{
    static const char *const WORDS[] = {"machine", "model", "plan",   "price",
                                        "list",    "help",  "version"};
    const char *const nearest =
        memplan_word_nearest(given, WORDS, sizeof WORDS / sizeof *WORDS);
    memplan_error error = {0};
    if (nearest != NULL)
        (void)fail(&error, "unknown command \"%.60s\"; did you mean %s?", given,
                   nearest);
    else
        (void)fail(&error, "unknown command \"%.60s\"; see memplan help",
                   given);
    return say_wrong(&error);
}

static bool is_word(const char *given, const char *word)
{
    return strcmp(given + (strncmp(given, "--", 2) == 0 ? 2 : 0), word) == 0;
}

static int run_help(const char *name)
{
    const command *const known = name != NULL ? find_command(name) : NULL;
    if (name != NULL && known == NULL)
        return fail_command(name);
    if (known != NULL)
        help_command(known->bit);
    else
        help_all();
    return EXIT_FITS;
}

static int run_command(const command *known, int count, char **arguments)
{
    options asked;
    memplan_error error = {0};
    int code = EXIT_FITS;
    if (!options_read(&asked, known->bit, known->name, count, arguments,
                      &error))
        code = say_wrong(&error);
    else if (asked.help)
        help_command(known->bit);
    else
        code = known->run(&asked);
    options_free(&asked);
    return code;
}

int main(int count, char **arguments)
{
    if (count < 2) {
        memplan_error error = {0};
        (void)fail(&error, "no command; try memplan machine, memplan plan "
                           "llama-2-70b, or memplan help");
        return say_wrong(&error);
    }
    const char *const name = arguments[1];
    if (is_word(name, "help") || strcmp(name, "-h") == 0)
        return run_help(count > 2 ? arguments[2] : NULL);
    if (is_word(name, "version")) {
        (void)printf("memplan %s\n", memplan_version());
        return EXIT_FITS;
    }
    const command *const known = find_command(name);
    if (known == NULL)
        return fail_command(name);
    return run_command(known, count - 1, arguments + 1);
}
