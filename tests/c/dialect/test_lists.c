/* SPDX-License-Identifier: MIT */
/* What is listed is what is read. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "memplan.h"

Test(lists, entries_have_names_and_end)
{
    memplan_entry_info list = MEMPLAN_ENTRY_INFO_INIT;
    uint64_t at = 0;
    for (; memplan_list_entry("lists", at, &list) == MEMPLAN_OK; at++) {
        memplan_entry_info entry = MEMPLAN_ENTRY_INFO_INIT;
        uint64_t count = 0;
        for (; memplan_list_entry(list.name, count, &entry) == MEMPLAN_OK;
             count++)
            cr_expect(entry.name[0] != '\0' && entry.group != NULL &&
                          entry.text != NULL,
                      "%s", list.name);
        cr_expect_gt(count, 0, "%s", list.name);
        cr_expect_eq(memplan_list_entry(list.name, UINT64_MAX, &entry),
                     MEMPLAN_E_ARGUMENT);
    }
    cr_expect_gt(at, 5);
    cr_expect_eq(memplan_list_entry("gpu", 0, &list), MEMPLAN_E_NOT_FOUND);
}

/* Each of transformers' names of `list` is taken where a request has it. */
static void check_requests(const char *list, const char **field,
                           const memplan_request *request)
{
    memplan_model *model = NULL;
    memplan_machine *machine = NULL;
    memplan_entry_info entry = MEMPLAN_ENTRY_INFO_INIT;
    cr_assert_eq(memplan_model_open(&model, "llama-2-7b", NULL, NULL),
                 MEMPLAN_OK);
    cr_assert_eq(memplan_machine_parse(&machine, "h100-sxm, 256GiB ram", NULL),
                 MEMPLAN_OK);
    for (uint64_t at = 0; memplan_list_entry(list, at, &entry) == MEMPLAN_OK;
         at++) {
        memplan_plan *plan = NULL;
        memplan_error error = {0};
        if (strcmp(entry.group, "transformers") != 0)
            continue;
        *field = entry.name;
        cr_expect_eq(
            memplan_plan_create(&plan, model, machine, request, &error),
            MEMPLAN_OK, "%s: %s", entry.name, error.message);
        memplan_plan_free(plan);
    }
    memplan_machine_free(machine);
    memplan_model_free(model);
}

Test(lists, names_are_taken)
{
    memplan_request request = MEMPLAN_REQUEST_INIT;
    check_requests("dtypes", &request.dtype, &request);
    request.dtype = NULL;
    check_requests("caches", &request.cache, &request);
}

Test(lists, gpus_and_models_are_read)
{
    memplan_entry_info entry = MEMPLAN_ENTRY_INFO_INIT;
    for (uint64_t at = 0; memplan_list_entry("gpus", at, &entry) == MEMPLAN_OK;
         at++) {
        char text[128];
        memplan_machine *machine = NULL;
        memplan_error error = {0};
        (void)snprintf(text, sizeof text, "%s, 64GiB ram", entry.name);
        cr_expect_eq(memplan_machine_parse(&machine, text, &error), MEMPLAN_OK,
                     "%s", error.message);
        memplan_machine_free(machine);
    }
    for (uint64_t at = 0;
         memplan_list_entry("models", at, &entry) == MEMPLAN_OK; at++) {
        memplan_model *model = NULL;
        cr_expect_eq(memplan_model_open(&model, entry.text, NULL, NULL),
                     MEMPLAN_OK, "%s", entry.text);
        memplan_model_free(model);
    }
}
