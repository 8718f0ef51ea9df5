/* SPDX-License-Identifier: MIT */
/*
 * Every allocation of a plan fails once: the call says so, leaves its
 * out-parameter alone and leaks nothing (the sanitizers look).
 */
#include <criterion/criterion.h>

#include "memplan.h"
#include "support/faults.h"

enum { ALLOCATIONS_MAX = 100000 };

typedef struct subject {
    memplan_model *model;
    memplan_machine *machine;
    memplan_plan *plan;
    memplan_request request;
    const char *text; /* a placement, or a dialect */
} subject;

typedef memplan_status (*call)(const subject *on, void **out,
                               memplan_error *error);

static memplan_status create(const subject *on, void **out,
                             memplan_error *error)
{
    memplan_plan *plan = NULL;
    const memplan_status status =
        memplan_plan_create(&plan, on->model, on->machine, &on->request, error);
    *out = plan;
    return status;
}

static memplan_status price(const subject *on, void **out, memplan_error *error)
{
    memplan_plan *plan = NULL;
    const memplan_status status = memplan_plan_price(
        &plan, on->model, on->machine, &on->request, on->text, error);
    *out = plan;
    return status;
}

static memplan_status render(const subject *on, void **out,
                             memplan_error *error)
{
    char *text = NULL;
    const memplan_status status =
        memplan_plan_render(&text, on->plan, on->text, NULL, error);
    *out = text;
    return status;
}

static memplan_status map(const subject *on, void **out, memplan_error *error)
{
    memplan_map *made = NULL;
    const memplan_status status = memplan_plan_map(&made, on->plan, error);
    *out = made;
    return status;
}

static void free_map(void *made)
{
    memplan_map_free(made);
}

static void free_plan(void *plan)
{
    memplan_plan_free(plan);
}

static void free_text(void *text)
{
    memplan_text_free(text);
}

static void fail_each(const char *name, call does, void (*release)(void *),
                      const subject *on)
{
    for (uint64_t n = 0; n < ALLOCATIONS_MAX; n++) {
        void *out = NULL;
        memplan_error error = {0};
        faults_arm(n);
        const memplan_status status = does(on, &out, &error);
        const bool has_failed = faults_disarm();
        if (!has_failed) {
            cr_expect_eq(status, MEMPLAN_OK, "%s: %s", name, error.message);
            release(out);
            cr_expect_gt(n, 0, "%s allocates nothing", name);
            return;
        }
        cr_assert_eq(status, MEMPLAN_E_NO_MEMORY, "%s: allocation %llu: %d",
                     name, (unsigned long long)n, (int)status);
        cr_assert_null(out, "%s: allocation %llu", name, (unsigned long long)n);
    }
    cr_assert_fail("%s: more than %d allocations", name, ALLOCATIONS_MAX);
}

static subject open_subject(const char *budgets, const char *dtype)
{
    subject on = {.request = MEMPLAN_REQUEST_INIT};
    memplan_error error;
    on.request.dtype = dtype;
    cr_assert_eq(memplan_model_open(&on.model, "qwen2.5-0.5b", NULL, &error),
                 MEMPLAN_OK);
    cr_assert_eq(memplan_machine_declare(&on.machine, NULL, budgets, &error),
                 MEMPLAN_OK);
    return on;
}

static void close_subject(subject *on)
{
    memplan_plan_free(on->plan);
    memplan_machine_free(on->machine);
    memplan_model_free(on->model);
}

Test(plan_faults, create)
{
    static const char *const BUDGETS[] = {
        "0=4GB,cpu=8GB", "0=1GB,1=1GB,cpu=4GB,disk=9GB", "0=700MB,cpu=1100MB"};
    for (size_t at = 0; at < sizeof BUDGETS / sizeof *BUDGETS; at++) {
        subject on = open_subject(BUDGETS[at], NULL);
        fail_each(BUDGETS[at], create, free_plan, &on);
        close_subject(&on);
    }
}

Test(plan_faults, price)
{
    subject on = open_subject("0=4GB,cpu=8GB", "nf4");
    on.text = "{\"model\": 0, \"lm_head\": \"cpu\"}";
    fail_each("price", price, free_plan, &on);
    close_subject(&on);
}

Test(plan_faults, render)
{
    subject on = open_subject("0=1GB,cpu=8GB", "int8");
    cr_assert_eq(
        memplan_plan_create(&on.plan, on.model, on.machine, &on.request, NULL),
        MEMPLAN_OK);
    static const char *const DIALECTS[] = {"table", "json", "svg",
                                           "device_map"};
    for (size_t at = 0; at < sizeof DIALECTS / sizeof *DIALECTS; at++) {
        on.text = DIALECTS[at];
        fail_each(on.text, render, free_text, &on);
    }
    fail_each("map", map, free_map, &on);
    close_subject(&on);
}
