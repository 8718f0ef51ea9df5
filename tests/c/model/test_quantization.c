/* SPDX-License-Identifier: MIT */
/* Quantization while loading: bytes of one weight by each scheme. */
#include <criterion/criterion.h>
#include <string.h>

#include "model/quantization.h"
#include "support/configs.h"
#include "support/vectors.h"

static uint32_t find_tensor(const memplan_model *model, const char *name)
{
    uint32_t at = 0;
    while (at < model->tensor_count &&
           strcmp(model->tensors[at].name, name) != 0)
        at++;
    cr_assert_lt(at, model->tensor_count, "there is no %s", name);
    return at;
}

static void check_case(const vector_case *one)
{
    memplan_model *model = NULL;
    memplan_error error = {0};
    uint64_t bytes = 0;
    const mpl_scheme scheme = mpl_scheme_from_name(
        mpl_json_string(mpl_json_get(one->given, "scheme"), NULL));
    const memplan_status status = config_read_text(
        &model, mpl_json_string(mpl_json_get(one->given, "config"), NULL),
        &error);
    cr_assert_eq(status, MEMPLAN_OK, "%s: %s", one->name, error.message);
    cr_assert_neq(scheme, MPL_SCHEME_COUNT, "%s", one->name);
    const uint32_t tensor = find_tensor(
        model, mpl_json_string(mpl_json_get(one->given, "tensor"), NULL));
    cr_expect(mpl_quantized_bytes(&bytes, model, tensor, scheme));
    cr_expect_eq(bytes, vectors_u64(mpl_json_get(one->expect, "bytes")),
                 "%s: %llu", one->name, (unsigned long long)bytes);
    memplan_model_free(model);
}

Test(quantization, vectors)
{
    vectors_run("quantization.json", check_case);
}

Test(quantization, names)
{
    cr_expect_eq(mpl_scheme_from_name(NULL), MPL_SCHEME_AUTO);
    cr_expect_eq(mpl_scheme_from_name("int4"), MPL_SCHEME_TORCHAO_INT4);
    cr_expect_eq(mpl_scheme_from_name("int5"), MPL_SCHEME_COUNT);
    for (uint32_t row = 0; row < MPL_SCHEME_COUNT; row++)
        cr_expect_eq(mpl_scheme_from_name(mpl_scheme_name(row)), row);
    cr_expect_null(mpl_scheme_name(MPL_SCHEME_COUNT));
}
