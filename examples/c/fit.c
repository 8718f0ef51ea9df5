/* SPDX-License-Identifier: MIT */
/*
 * Does a model fit into these budgets, and where does each part go?
 *
 *   cc fit.c -o fit $(pkg-config --cflags --libs memplan)
 *   ./fit llama-2-70b 0=20GB,cpu=60GB int4 4096
 *
 * examples/fit.py and examples/fit.lua print the same bytes. Exit code: 0 it
 * fits, 1 it does not, 2 the request is wrong.
 */
#include <inttypes.h>
#include <memplan.h>
#include <stdio.h>
#include <stdlib.h>

static void print_plan(const memplan_plan *plan)
{
    memplan_plan_info info = MEMPLAN_PLAN_INFO_INIT;
    memplan_plan_describe(plan, &info);
    printf("%s at %" PRIu64 " tokens: %s\n", info.dtype, info.context_tokens,
           info.fits ? "fits" : "does not fit");
    for (uint64_t index = 0; index < info.pool_count; index++) {
        memplan_pool_info pool = MEMPLAN_POOL_INFO_INIT;
        (void)memplan_plan_pool(plan, index, &pool);
        printf("%s: %" PRIu64 " of %" PRIu64 " bytes\n", pool.key,
               pool.used_bytes, pool.capacity_bytes);
    }
    for (uint64_t index = 0; index < info.unit_count; index++) {
        memplan_placement_info unit = MEMPLAN_PLACEMENT_INFO_INIT;
        memplan_pool_info pool = MEMPLAN_POOL_INFO_INIT;
        (void)memplan_plan_placement(plan, index, &unit);
        (void)memplan_plan_pool(plan, unit.pool_index, &pool);
        printf("%s -> %s\n", unit.unit, pool.key);
    }
    for (uint64_t index = 0; index < info.fix_count; index++) {
        memplan_fix_info fix = MEMPLAN_FIX_INFO_INIT;
        (void)memplan_plan_fix(plan, index, &fix);
        printf("to make it fit: %s\n", fix.text);
    }
}

/* Every handle is freed whatever happened: NULL is fine. */
static memplan_status fit(const char *name, const char *budgets,
                          const memplan_request *request, int *out_exit,
                          memplan_error *error)
{
    memplan_model *model = NULL;
    memplan_machine *machine = NULL;
    memplan_plan *plan = NULL;
    memplan_status status = memplan_model_open(&model, name, NULL, error);
    if (status == MEMPLAN_OK)
        status = memplan_machine_declare(&machine, NULL, budgets, error);
    if (status == MEMPLAN_OK)
        status = memplan_plan_create(&plan, model, machine, request, error);
    memplan_model_free(model); /* a plan outlives what it was made of */
    memplan_machine_free(machine);
    if (status == MEMPLAN_OK) {
        memplan_plan_info info = MEMPLAN_PLAN_INFO_INIT;
        memplan_plan_describe(plan, &info);
        print_plan(plan);
        *out_exit = info.fits ? 0 : 1;
    }
    memplan_plan_free(plan);
    return status;
}

int main(int count, char **arguments)
{
    if (count < 3 || count > 5) {
        fprintf(stderr, "usage: fit MODEL BUDGETS [DTYPE [CONTEXT]]\n");
        return 2;
    }
    memplan_request request = MEMPLAN_REQUEST_INIT;
    request.dtype = count > 3 ? arguments[3] : NULL;
    request.context_tokens = count > 4 ? strtoull(arguments[4], NULL, 10) : 0;
    memplan_error error;
    int exit_code = 2;
    if (fit(arguments[1], arguments[2], &request, &exit_code, &error) !=
        MEMPLAN_OK)
        fprintf(stderr, "fit: %s\n", error.message);
    return exit_code;
}
