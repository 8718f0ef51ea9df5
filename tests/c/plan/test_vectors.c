/* SPDX-License-Identifier: MIT */
/* The vectors that pytest and busted read too: plans and refusals. */
#include <criterion/criterion.h>
#include <string.h>

#include "memplan.h"
#include "support/vectors.h"

static const char *text_of(mpl_json_value given, const char *key)
{
    return mpl_json_string(mpl_json_get(given, key), NULL);
}

/* plan() of what a case gives. */
static memplan_status plan_of(memplan_plan **out, mpl_json_value given,
                              memplan_error *error)
{
    memplan_request request = MEMPLAN_REQUEST_INIT;
    request.engine = text_of(given, "engine");
    request.dtype = text_of(given, "dtype");
    request.kv_dtype = text_of(given, "kv_dtype");
    request.pins = text_of(given, "pins");
    request.cache = text_of(given, "cache");
    (void)mpl_json_u64(mpl_json_get(given, "context"), &request.context_tokens);
    (void)mpl_json_u64(mpl_json_get(given, "sequences"), &request.sequences);
    memplan_model *model = NULL;
    memplan_machine *machine = NULL;
    memplan_status status =
        memplan_model_open(&model, text_of(given, "model"), NULL, error);
    if (status == MEMPLAN_OK)
        status = memplan_machine_declare(&machine, NULL,
                                         text_of(given, "max_memory"), error);
    if (status == MEMPLAN_OK)
        status = memplan_plan_create(out, model, machine, &request, error);
    memplan_model_free(model);
    memplan_machine_free(machine);
    return status;
}

/* The bytes of a category over all pools. */
static uint64_t sum(const memplan_plan *plan, const char *category)
{
    uint64_t bytes = 0;
    memplan_pool_info pool = MEMPLAN_POOL_INFO_INIT;
    for (uint64_t at = 0; memplan_plan_pool(plan, at, &pool) == MEMPLAN_OK;
         at++) {
        memplan_row_info row = MEMPLAN_ROW_INFO_INIT;
        for (uint64_t line = 0;
             memplan_plan_row(plan, at, line, &row) == MEMPLAN_OK; line++)
            if (strcmp(row.category, category) == 0)
                bytes += row.bytes;
    }
    return bytes;
}

static void check_plan(const vector_case *one)
{
    memplan_plan *plan = NULL;
    memplan_error error = {0};
    cr_assert_eq(plan_of(&plan, one->given, &error), MEMPLAN_OK, "%s: %s",
                 one->name, error.message);
    memplan_plan_info info = MEMPLAN_PLAN_INFO_INIT;
    memplan_plan_describe(plan, &info);
    bool fits = false;
    cr_assert(mpl_json_bool(mpl_json_get(one->expect, "fits"), &fits));
    cr_expect_eq(info.fits != 0, fits, "%s", one->name);
    static const char *const CATEGORIES[] = {"weights", "kv_cache"};
    for (size_t at = 0; at < 2; at++) {
        const mpl_json_value wanted = mpl_json_get(one->expect, CATEGORIES[at]);
        const uint64_t bytes = sum(plan, CATEGORIES[at]);
        if (mpl_json_type_of(wanted) != MPL_JSON_NONE)
            cr_expect_eq(bytes, vectors_u64(wanted), "%s: %s is %llu",
                         one->name, CATEGORIES[at], (unsigned long long)bytes);
    }
    const char *const kind = text_of(one->expect, "first_fix");
    memplan_fix_info fix = MEMPLAN_FIX_INFO_INIT;
    if (kind != NULL) {
        cr_assert_eq(memplan_plan_fix(plan, 0, &fix), MEMPLAN_OK);
        cr_expect_str_eq(fix.kind, kind, "%s", one->name);
    }
    memplan_plan_free(plan);
}

static void check_refusal(const vector_case *one)
{
    memplan_plan *plan = NULL;
    memplan_error error = {0};
    const memplan_status status = plan_of(&plan, one->given, &error);
    cr_expect_str_eq(memplan_status_name(status),
                     text_of(one->expect, "status"), "%s: %s", one->name,
                     error.message);
    cr_expect_not_null(strstr(error.message, text_of(one->expect, "says")),
                       "%s: %s", one->name, error.message);
    cr_expect_null(plan, "%s: written on failure", one->name);
}

Test(vectors, plans)
{
    vectors_run("plans.json", check_plan);
}

Test(vectors, errors)
{
    vectors_run("errors.json", check_refusal);
}
