/* SPDX-License-Identifier: MIT */
/* A plan with what it was made of. */
#ifndef TESTS_PLAN_FIXTURE_H
#define TESTS_PLAN_FIXTURE_H

#include "memplan.h"

typedef struct fixture {
    memplan_model *model;
    memplan_machine *machine;
    memplan_plan *plan;
    memplan_plan_info info;
    memplan_error error;
    memplan_status status;
} fixture;

/* The plan's status is left to the caller; model and budgets must be right. */
fixture make(const char *model, const char *budgets,
             const memplan_request *request);
/* The same on a machine in words, whose rates are known where it says so. */
fixture make_on(const char *model, const char *words,
                const memplan_request *request);
void drop(fixture *made);

#endif
