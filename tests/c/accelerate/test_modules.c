/* SPDX-License-Identifier: MIT */
/* Trees of modules: the cases of vectors/modules.json. */
#include <criterion/criterion.h>
#include <string.h>

#include "engine/accelerate/document.h"
#include "memplan/accelerate.h"
#include "support/vectors.h"

static const char *text_of(const vector_case *one, const char *key)
{
    return mpl_json_string(mpl_json_get(one->given, key), NULL);
}

static bool is_same_scalar(mpl_json_value a, mpl_json_value b)
{
    double left = 0;
    double right = 0;
    if (mpl_json_real(a, &left))
        return mpl_json_real(b, &right) && left == right;
    const char *text = mpl_json_string(a, NULL);
    const char *other = mpl_json_string(b, NULL);
    return text != NULL && other != NULL && strcmp(text, other) == 0;
}

/* Objects of numbers and texts, in one order. */
static void expect_same(const char *name, mpl_json_value given,
                        mpl_json_value wanted)
{
    mpl_json_walk here = mpl_json_begin(given);
    mpl_json_walk there = mpl_json_begin(wanted);
    while (mpl_json_next(&there)) {
        cr_assert(mpl_json_next(&here), "%s: \"%s\" is missing", name,
                  there.key);
        cr_expect_str_eq(here.key, there.key, "%s", name);
        cr_expect(is_same_scalar(here.value, there.value), "%s: \"%s\"", name,
                  here.key);
    }
    cr_expect_not(mpl_json_next(&here), "%s: more than was expected", name);
}

static memplan_status call_tree(char **out, const vector_case *one,
                                const char *call, memplan_error *error)
{
    const char *json = text_of(one, "tree");
    const char *budgets = text_of(one, "max_memory");
    memplan_modules *tree = NULL;
    memplan_status status =
        memplan_modules_parse(&tree, json, strlen(json), error);
    if (status == MEMPLAN_OK && strcmp(call, "sizes") == 0)
        status = memplan_modules_sizes(out, tree, NULL, error);
    else if (status == MEMPLAN_OK && strcmp(call, "balance") == 0)
        status = memplan_modules_balance(out, tree, budgets, NULL, error);
    else if (status == MEMPLAN_OK)
        status = memplan_modules_map(out, tree, budgets, NULL, error);
    memplan_modules_free(tree);
    return status;
}

static void expect_text(const vector_case *one, const char *text)
{
    mpl_json *document = NULL;
    cr_assert_eq(mpl_document_parse(&document, text, strlen(text), NULL),
                 MEMPLAN_OK, "%s: %s", one->name, text);
    const mpl_json_value root = mpl_json_root(document);
    const mpl_json_value map = mpl_json_get(one->expect, "device_map");
    if (mpl_json_type_of(map) == MPL_JSON_OBJECT)
        expect_same(one->name, mpl_json_get(root, "device_map"), map);
    else
        expect_same(one->name, root, mpl_json_get(one->expect, "result"));
    mpl_json_free(document);
}

static void check_case(const vector_case *one)
{
    const char *call = text_of(one, "call");
    const char *says = mpl_json_string(mpl_json_get(one->expect, "says"), NULL);
    memplan_error error = {0};
    memplan_status status;
    char *text = NULL;
    uint64_t bytes = 0;
    if (strcmp(call, "bytes") == 0)
        status = memplan_accelerate_bytes_parse(&bytes, text_of(one, "text"),
                                                &error);
    else if (strcmp(call, "clean") == 0)
        status =
            memplan_device_map_clean(&text, text_of(one, "device_map"), &error);
    else
        status = call_tree(&text, one, call, &error);
    if (says != NULL) {
        cr_expect_str_eq(
            memplan_status_name(status),
            mpl_json_string(mpl_json_get(one->expect, "status"), NULL), "%s",
            one->name);
        cr_expect_not_null(strstr(error.message, says), "%s: \"%s\"", one->name,
                           error.message);
        cr_expect_null(text, "%s", one->name);
        return;
    }
    cr_assert_eq(status, MEMPLAN_OK, "%s: %s", one->name, error.message);
    if (text != NULL)
        expect_text(one, text);
    else
        cr_expect_eq(bytes, vectors_u64(mpl_json_get(one->expect, "bytes")),
                     "%s", one->name);
    memplan_text_free(text);
}

Test(modules, vectors)
{
    vectors_run("modules.json", check_case);
}
