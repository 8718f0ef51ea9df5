/* SPDX-License-Identifier: MIT */
/*
 * What a command line asks for. One table (options.def) says which options
 * there are, which commands take them and what their help says.
 */
#ifndef MEMPLAN_CLI_OPTIONS_H
#define MEMPLAN_CLI_OPTIONS_H

#include <memplan.h>
#include <stdbool.h>
#include <stdint.h>

/* Commands, as bits: an option is taken by several. */
enum {
    COMMAND_MACHINE = 1 << 0,
    COMMAND_MODEL = 1 << 1,
    COMMAND_PLAN = 1 << 2,
    COMMAND_PRICE = 1 << 3,
    COMMAND_LIST = 1 << 4
};

typedef enum when { WHEN_AUTO, WHEN_ALWAYS, WHEN_NEVER, WHEN_ASCII } when;

typedef struct options {
    int argument_count; /* of the command, its name first */
    char **arguments;
    const char *source; /* MODEL, of list WHAT, or NULL */
    const char *max_memory;
    const char *machine;
    const char *topology;
    const char *disk;
    const char *revision;
    const char *engine;
    const char *dtype;
    const char *kv_dtype;
    const char *cache;
    const char *emit;
    const char *placement;
    char *settings; /* all --set, joined; freed by options_free() */
    char *pins;     /* all --pin, joined */
    uint64_t context_tokens;
    uint64_t sequences;
    uint64_t prompt_tokens;
    uint64_t encoder_tokens;
    uint64_t reserve_bytes;
    uint64_t width;
    uint64_t color; /* a when */
    uint64_t bars;  /* a when */
    bool json;
    bool tensors;
    bool rules;
    bool measure;
    bool watch;
    bool help;
} options;

/* Reads the arguments of one command. False: `error` says what to change. */
bool options_read(options *out, unsigned command, const char *command_name,
                  int count, char **arguments, memplan_error *error);

/* --set help: which settings there are. */
bool options_want_settings(const options *asked);

void options_free(options *asked);

/* Prints the options that a command takes, for its help. */
void options_print_help(unsigned command);

#endif
