/* SPDX-License-Identifier: MIT */
#include "commands.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "advice.h"
#include "failure.h"
#include "inputs.h"
#include "placement.h"
#include "terminal.h"

int say_wrong(const memplan_error *error)
{
    (void)fprintf(stderr, "memplan: %s\n", error->message);
    return EXIT_WRONG;
}

bool put_text(char *text, memplan_error *error)
{
    const size_t length = strlen(text);
    const bool is_out =
        fwrite(text, 1, length, stdout) == length && fflush(stdout) == 0;
    memplan_text_free(text);
    return is_out || fail(error, "standard output: %s", strerror(errno));
}

static const char *dialect_of(const options *asked)
{
    return asked->json ? "json" : asked->emit != NULL ? asked->emit : "table";
}

static bool show_machine(const options *asked, memplan_error *error)
{
    const memplan_render_options style = terminal_style(asked);
    memplan_machine *machine = NULL;
    char *text = NULL;
    const bool is_made =
        inputs_open_machine(&machine, asked, error) &&
        memplan_machine_render(&text, machine, dialect_of(asked), &style,
                               error) == MEMPLAN_OK;
    memplan_machine_free(machine);
    return is_made && put_text(text, error);
}

static volatile sig_atomic_t was_interrupted;

static void note_interrupt(int signal_number)
{
    (void)signal_number;
    was_interrupted = 1;
}

/* Only of this machine does anything change. */
static bool is_elsewhere(const options *asked)
{
    return asked->topology != NULL ||
           (asked->machine != NULL && strcmp(asked->machine, "here") != 0) ||
           (asked->machine == NULL && asked->max_memory != NULL);
}

/* Draws over the last picture each second; to a file, one after the other. */
static bool watch_machine(const options *asked, memplan_error *error)
{
    const bool draws_over = isatty(STDOUT_FILENO) == 1;
    if (is_elsewhere(asked))
        return fail(error, "--watch watches this machine; leave out the other "
                           "one, or write --machine here");
    const struct timespec second = {.tv_sec = 1};
    struct sigaction action = {.sa_handler = note_interrupt};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    while (was_interrupted == 0) {
        if (draws_over)
            (void)fputs("\x1b[H\x1b[J", stdout);
        if (!show_machine(asked, error))
            return false;
        (void)nanosleep(&second, NULL); /* cut short by the interrupt */
    }
    return true;
}

int command_machine(const options *asked)
{
    memplan_error error = {0};
    const bool is_done = asked->watch ? watch_machine(asked, &error)
                                      : show_machine(asked, &error);
    return is_done ? EXIT_FITS : say_wrong(&error);
}

int command_model(const options *asked)
{
    const memplan_render_options style = terminal_style(asked);
    memplan_model *model = NULL;
    memplan_error error = {0};
    char *text = NULL;
    const bool is_made = inputs_open_model(&model, asked, &error) &&
                         memplan_model_render(&text, model, dialect_of(asked),
                                              &style, &error) == MEMPLAN_OK;
    memplan_model_free(model);
    return is_made && put_text(text, &error) ? EXIT_FITS : say_wrong(&error);
}

/* Plans or prices, by `make`. */
static bool make_plan(memplan_plan **out, const options *asked, bool is_price,
                      memplan_error *error)
{
    const memplan_request request = inputs_request(asked);
    memplan_model *model = NULL;
    memplan_machine *machine = NULL;
    char *placement = NULL;
    bool is_made = inputs_open_model(&model, asked, error) &&
                   inputs_open_machine(&machine, asked, error);
    if (is_made && is_price)
        is_made = placement_read(&placement, asked->placement, error) &&
                  memplan_plan_price(out, model, machine, &request, placement,
                                     error) == MEMPLAN_OK;
    else if (is_made)
        is_made = memplan_plan_create(out, model, machine, &request, error) ==
                  MEMPLAN_OK;
    free(placement);
    memplan_machine_free(machine);
    memplan_model_free(model);
    return is_made;
}

/* The plan in the dialect asked for, and what only this command can add. */
static bool show_plan(const memplan_plan *plan, const options *asked,
                      memplan_error *error)
{
    const memplan_render_options style = terminal_style(asked);
    const char *const dialect = dialect_of(asked);
    const bool is_table = strcmp(dialect, "table") == 0;
    char *text = NULL;
    const memplan_status status =
        memplan_plan_render(&text, plan, dialect, &style, error);
    if (status != MEMPLAN_OK) {
        if (strstr(error->message, "set ngl") != NULL)
            advice_find_layers(asked, error);
        return false;
    }
    /* Who prices a map has it. */
    const bool has_map = is_table && asked->placement == NULL &&
                         advice_wants_map(text);
    if (!put_text(text, error))
        return false;
    if (has_map)
        advice_print_map(asked);
    if (is_table)
        advice_print(plan, asked, &style);
    return true;
}

static int run_plan(const options *asked, bool is_price)
{
    if (options_want_settings(asked))
        return command_list(&(options){.source = "settings"});
    memplan_plan_info info = MEMPLAN_PLAN_INFO_INIT;
    memplan_plan *plan = NULL;
    memplan_error error = {0};
    const bool is_made = make_plan(&plan, asked, is_price, &error) &&
                         show_plan(plan, asked, &error);
    if (is_made)
        memplan_plan_describe(plan, &info);
    memplan_plan_free(plan);
    if (!is_made)
        return say_wrong(&error);
    return info.fits ? EXIT_FITS : EXIT_DOES_NOT_FIT;
}

int command_plan(const options *asked)
{
    return run_plan(asked, false);
}

int command_price(const options *asked)
{
    return run_plan(asked, true);
}
