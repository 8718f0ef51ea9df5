/* SPDX-License-Identifier: MIT */
/* config.json: from a configuration alone to tensors, units and state. */
#include <criterion/criterion.h>
#include <string.h>

#include "memplan.h"
#include "support/configs.h"
#include "support/vectors.h"

static void expect_number(const vector_case *one, const char *key,
                          uint64_t given)
{
    const mpl_json_value wanted = mpl_json_get(one->expect, key);
    if (mpl_json_type_of(wanted) != MPL_JSON_NONE)
        cr_expect_eq(given, vectors_u64(wanted), "%s: %s is %llu", one->name,
                     key, (unsigned long long)given);
}

static void expect_unit(const vector_case *one, const memplan_model *model,
                        mpl_json_value wanted)
{
    const char *const name =
        mpl_json_string(mpl_json_get(wanted, "name"), NULL);
    for (uint32_t at = 0; at < model->unit_count; at++) {
        const mpl_unit *const unit = &model->units[at];
        if (strcmp(unit->name, name) != 0)
            continue;
        const vector_case part = {.name = one->name, .expect = wanted};
        expect_number(&part, "weight_bytes", unit->weight_bytes);
        expect_number(&part, "key_elements", unit->state.key_elements);
        expect_number(&part, "value_elements", unit->state.value_elements);
        expect_number(&part, "window_tokens", unit->state.window_tokens);
        expect_number(&part, "cross_key_elements",
                      unit->state.cross_key_elements);
        expect_number(&part, "cross_value_elements",
                      unit->state.cross_value_elements);
        expect_number(&part, "fixed_elements", unit->state.fixed_elements);
        expect_number(&part, "fixed_bytes", unit->state.fixed_bytes);
        expect_number(&part, "step_elements", unit->state.step_elements);
        return;
    }
    cr_expect_fail("%s: there is no unit %s", one->name, name);
}

static void check_case(const vector_case *one)
{
    memplan_model *model = NULL;
    memplan_error error = {0};
    const char *const text =
        mpl_json_string(mpl_json_get(one->given, "config"), NULL);
    const char *const says =
        mpl_json_string(mpl_json_get(one->expect, "says"), NULL);
    const memplan_status status = config_read_text(&model, text, &error);
    if (says != NULL) {
        cr_expect_neq(status, MEMPLAN_OK, "%s", one->name);
        cr_expect_null(model, "%s", one->name);
        cr_expect_not_null(strstr(error.message, says), "%s: \"%s\"",
                           one->name, error.message);
        return;
    }
    cr_assert_eq(status, MEMPLAN_OK, "%s: %s", one->name, error.message);
    cr_expect(mpl_model_is_valid(model), "%s", one->name);
    expect_number(one, "parameter_count", model->parameter_count);
    expect_number(one, "weight_bytes", model->weight_bytes);
    expect_number(one, "tensor_count", model->tensor_count);
    expect_number(one, "unit_count", model->unit_count);
    expect_number(one, "layer_count", model->layer_count);
    expect_number(one, "context_tokens", model->facts.context_tokens);
    expect_number(one, "encoder_tokens", model->facts.encoder_tokens);
    mpl_json_walk walk = mpl_json_begin(mpl_json_get(one->expect, "units"));
    while (mpl_json_next(&walk))
        expect_unit(one, model, walk.value);
    memplan_model_free(model);
}

Test(config, vectors)
{
    vectors_run("configs.json", check_case);
}
