/* SPDX-License-Identifier: MIT */
/*
 * A launcher for llama.cpp: plans for the GGUF that it is given and prints the
 * command line that it would run.
 *
 *   cc launcher.c -o launcher $(pkg-config --cflags --libs memplan)
 *   ./launcher model.gguf               on this machine
 *   ./launcher model.gguf 0=8GB,cpu=16GB
 *
 * A real launcher would hand the words to execvp() instead.
 */
#include <memplan.h>
#include <stdio.h>
#include <string.h>

static memplan_status open_machine(memplan_machine **out, const char *budgets,
                                   memplan_error *error)
{
    return budgets != NULL
               ? memplan_machine_declare(out, NULL, budgets, error)
               : memplan_machine_detect(out, NULL, error);
}

int main(int count, char **arguments)
{
    if (count < 2 || count > 3) {
        fprintf(stderr, "usage: launcher MODEL.gguf [BUDGETS]\n");
        return 2;
    }
    memplan_model *model = NULL;
    memplan_machine *machine = NULL;
    memplan_plan *plan = NULL;
    char *command = NULL;
    memplan_request request = MEMPLAN_REQUEST_INIT;
    memplan_error error;
    memset(&error, 0, sizeof error);
    request.engine = "llama.cpp";
    int exit_code = 2;
    if (memplan_model_open(&model, arguments[1], NULL, &error) == MEMPLAN_OK &&
        open_machine(&machine, count > 2 ? arguments[2] : NULL, &error) ==
            MEMPLAN_OK &&
        memplan_plan_create(&plan, model, machine, &request, &error) ==
            MEMPLAN_OK &&
        memplan_plan_render(&command, plan, "llamacpp", NULL, &error) ==
            MEMPLAN_OK) {
        memplan_plan_info info = MEMPLAN_PLAN_INFO_INIT;
        memplan_plan_describe(plan, &info);
        exit_code = info.fits ? 0 : 1;
        printf("%s\n", command);
        if (!info.fits)
            fprintf(stderr, "launcher: does not fit; run it smaller\n");
    } else {
        fprintf(stderr, "launcher: %s\n", error.message);
    }
    memplan_text_free(command);
    memplan_plan_free(plan);
    memplan_machine_free(machine);
    memplan_model_free(model);
    return exit_code;
}
