/* SPDX-License-Identifier: MIT */
/*
 * Every allocation of a call fails once: the call says so, leaves its
 * out-parameter alone and leaks nothing (the sanitizers look).
 */
#include <criterion/criterion.h>
#include <string.h>

#include "memplan/accelerate.h"
#include "support/faults.h"

static const char TREE[] =
    "{\"modules\": [[\"\", \"Net\", null, 0], [\"a\", \"Block\", 0, 1],"
    " [\"x\", \"Linear\", 1, 2], [\"y\", \"Linear\", 1, 3],"
    " [\"b\", \"Linear\", 0, 4]],"
    " \"tensors\": [[\"w\", \"P\", 2, 0, \"float16\", [9], 0],"
    " [\"w\", \"P\", 3, 0, \"float32\", [8], 1],"
    " [\"m\", \"B\", 3, 1, \"bool\", [8], 2],"
    " [\"w\", \"P\", 4, 0, \"float16\", [9], 0]]}";

typedef memplan_status call(char **out, memplan_error *error);

static memplan_status with_tree(char **out, bool is_map, memplan_error *error)
{
    memplan_modules_options options = MEMPLAN_MODULES_OPTIONS_INIT;
    options.dtype = "float16";
    options.special_dtypes = "{\"b.w\": \"float32\"}";
    options.no_split = "[\"Linear\"]";
    memplan_modules *tree = NULL;
    memplan_status status =
        memplan_modules_parse(&tree, TREE, strlen(TREE), error);
    const char *budgets = "{\"0\": 200, \"1\": 300, \"cpu\": \"1KB\"}";
    if (status == MEMPLAN_OK)
        status =
            is_map
                ? memplan_modules_map(out, tree, budgets, &options, error)
                : memplan_modules_balance(out, tree, budgets, &options, error);
    memplan_modules_free(tree);
    return status;
}

static memplan_status call_map(char **out, memplan_error *error)
{
    return with_tree(out, true, error);
}

static memplan_status call_balance(char **out, memplan_error *error)
{
    return with_tree(out, false, error);
}

static memplan_status call_check(char **out, memplan_error *error)
{
    memplan_modules *tree = NULL;
    memplan_status status =
        memplan_modules_parse(&tree, TREE, strlen(TREE), error);
    if (status == MEMPLAN_OK)
        status = memplan_modules_check(out, tree, "{\"keys\": [\"a\", \"c\"]}",
                                       error);
    memplan_modules_free(tree);
    return status;
}

static memplan_status call_clean(char **out, memplan_error *error)
{
    return memplan_device_map_clean(
        out, "{\"a.x\": 0, \"a.y\": 0, \"b\": \"cpu\"}", error);
}

static memplan_status call_declare(char **out, memplan_error *error)
{
    memplan_modules *tree = NULL;
    memplan_model *model = NULL;
    memplan_status status =
        memplan_modules_parse(&tree, TREE, strlen(TREE), error);
    if (status == MEMPLAN_OK)
        status = memplan_model_declare(&model, tree, "net", NULL, error);
    if (status == MEMPLAN_OK)
        status = memplan_model_render(out, model, "json", NULL, error);
    memplan_model_free(model);
    memplan_modules_free(tree);
    return status;
}

static call *const CALLS[] = {call_map, call_balance, call_check, call_clean,
                              call_declare};

Test(module_faults, every_allocation, .timeout = 60)
{
    for (size_t which = 0; which < sizeof CALLS / sizeof *CALLS; which++) {
        char *expected = NULL;
        /* Once without: the JSON reader learns of the processor. */
        cr_assert_eq(CALLS[which](&expected, NULL), MEMPLAN_OK, "%zu", which);
        bool has_failed = true;
        for (uint64_t n = 0; has_failed; n++) {
            char *text = NULL;
            memplan_error error = {0};
            faults_arm(n);
            const memplan_status status = CALLS[which](&text, &error);
            has_failed = faults_disarm();
            cr_assert_eq(text != NULL, status == MEMPLAN_OK);
            if (status == MEMPLAN_OK)
                cr_expect_str_eq(text, expected, "call %zu, %d", which, (int)n);
            else
                cr_expect_eq(status, MEMPLAN_E_NO_MEMORY, "call %zu: %s", which,
                             error.message);
            memplan_text_free(text);
        }
        memplan_text_free(expected);
    }
}
