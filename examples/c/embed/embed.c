/* SPDX-License-Identifier: MIT */
/*
 * A scheduler's question: which of these models may start on this machine now,
 * and how much memory shall be set aside for each?
 *
 * The machine is opened once and shared; planning takes a few milliseconds, so
 * a scheduler may ask again for each job.
 */
#include <inttypes.h>
#include <memplan.h>
#include <stdio.h>
#include <string.h>

/* The bytes to set aside in each pool, or why not. */
static void admit(const memplan_machine *machine, const char *name)
{
    memplan_model *model = NULL;
    memplan_plan *plan = NULL;
    memplan_request request = MEMPLAN_REQUEST_INIT;
    memplan_error error;
    memset(&error, 0, sizeof error);
    request.context_tokens = 4096;
    request.dtype = "int8";
    if (memplan_model_open(&model, name, NULL, &error) != MEMPLAN_OK ||
        memplan_plan_create(&plan, model, machine, &request, &error) !=
            MEMPLAN_OK) {
        printf("%s: %s\n", name, error.message);
        memplan_model_free(model);
        return;
    }
    memplan_plan_info info = MEMPLAN_PLAN_INFO_INIT;
    memplan_plan_describe(plan, &info);
    printf("%s: %s\n", name, info.fits ? "may start" : "must wait");
    for (uint64_t index = 0; index < info.pool_count; index++) {
        memplan_pool_info pool = MEMPLAN_POOL_INFO_INIT;
        (void)memplan_plan_pool(plan, index, &pool);
        printf("  %s %" PRIu64 "\n", pool.key, pool.used_bytes);
    }
    memplan_plan_free(plan);
    memplan_model_free(model);
}

int main(int count, char **names)
{
    memplan_machine *machine = NULL;
    memplan_error error;
    memset(&error, 0, sizeof error);
    if (memplan_machine_declare(&machine, NULL, "0=24GiB,cpu=32GiB", &error) !=
        MEMPLAN_OK) {
        fprintf(stderr, "embed: %s\n", error.message);
        return 2;
    }
    for (int at = 1; at < count; at++)
        admit(machine, names[at]);
    memplan_machine_free(machine);
    return 0;
}
