/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include <criterion/criterion.h>

static fixture open_model(const char *model)
{
    fixture made = {.info = {sizeof made.info}};
    cr_assert_eq(memplan_model_open(&made.model, model, NULL, &made.error),
                 MEMPLAN_OK, "%s", made.error.message);
    return made;
}

static void create(fixture *made, const memplan_request *request)
{
    made->status = memplan_plan_create(&made->plan, made->model, made->machine,
                                       request, &made->error);
    if (made->status == MEMPLAN_OK)
        memplan_plan_describe(made->plan, &made->info);
}

fixture make(const char *model, const char *budgets,
             const memplan_request *request)
{
    fixture made = open_model(model);
    cr_assert_eq(
        memplan_machine_declare(&made.machine, NULL, budgets, &made.error),
        MEMPLAN_OK, "%s", made.error.message);
    create(&made, request);
    return made;
}

fixture make_on(const char *model, const char *words,
                const memplan_request *request)
{
    fixture made = open_model(model);
    cr_assert_eq(memplan_machine_parse(&made.machine, words, &made.error),
                 MEMPLAN_OK, "%s", made.error.message);
    create(&made, request);
    return made;
}

void drop(fixture *made)
{
    memplan_plan_free(made->plan);
    memplan_machine_free(made->machine);
    memplan_model_free(made->model);
}
