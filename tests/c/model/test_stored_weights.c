/* SPDX-License-Identifier: MIT */
/* Weights that a checkpoint has quantized: bytes of one, packed and dense. */
#include <criterion/criterion.h>
#include <string.h>

#include "model/module_pattern.h"
#include "support/configs.h"
#include "support/vectors.h"

static const mpl_tensor *find_tensor(const memplan_model *model,
                                     const char *name)
{
    uint32_t at = 0;
    while (at < model->tensor_count &&
           strcmp(model->tensors[at].name, name) != 0)
        at++;
    cr_assert_lt(at, model->tensor_count, "there is no %s", name);
    return &model->tensors[at];
}

static void check_case(const vector_case *one)
{
    memplan_model *model = NULL;
    memplan_error error = {0};
    const memplan_status status = config_read_text(
        &model, mpl_json_string(mpl_json_get(one->given, "config"), NULL),
        &error);
    cr_assert_eq(status, MEMPLAN_OK, "%s: %s", one->name, error.message);
    const mpl_tensor *const tensor = find_tensor(
        model, mpl_json_string(mpl_json_get(one->given, "tensor"), NULL));
    const bool is_packed = (tensor->flags & MPL_TENSOR_PACKED) != 0;
    const uint64_t dense = is_packed ? tensor->dense_bytes : tensor->bytes;
    cr_expect_eq(tensor->bytes, vectors_u64(mpl_json_get(one->expect, "bytes")),
                 "%s: %llu", one->name, (unsigned long long)tensor->bytes);
    cr_expect_eq(dense, vectors_u64(mpl_json_get(one->expect, "dense_bytes")),
                 "%s: %llu dense", one->name, (unsigned long long)dense);
    memplan_model_free(model);
}

Test(stored_weights, vectors)
{
    vectors_run("checkpoints.json", check_case);
}

#define BEFORE                                                                 \
    "{\"model_type\": \"llama\", \"num_hidden_layers\": 1, "                   \
    "\"quantization_config\": "

/* What cannot be counted is said, and counted as if it were not there. */
Test(stored_weights, notes)
{
    static const struct {
        const char *config;
        const char *note;
    } ROWS[] = {
        {BEFORE "{\"quant_method\": \"higgs\"}}", "\"higgs\""},
        {BEFORE "{\"quant_method\": \"fp8\", \"modules_to_not_convert\": "
                "[\"(?!a)b\"]}}",
         "\"(?!a)b\" is a pattern"},
        {BEFORE "{\"quant_algo\": \"MIXED_PRECISION\", \"quantized_layers\": "
                "{\"a\": {\"quant_algo\": \"W1\"}}}}",
         "\"W1\" is not known"},
    };
    for (size_t at = 0; at < sizeof ROWS / sizeof *ROWS; at++) {
        memplan_model *model = NULL;
        cr_assert_eq(config_read_text(&model, ROWS[at].config, NULL),
                     MEMPLAN_OK);
        const char *const note = memplan_model_note(model, 0);
        cr_assert_not_null(note, "%s", ROWS[at].config);
        cr_expect_not_null(strstr(note, ROWS[at].note), "%s", note);
        cr_expect_null(memplan_model_note(model, 1));
        memplan_model_free(model);
    }
}

Test(stored_weights, hostile)
{
    static const char *const CONFIGS[] = {
        BEFORE "{\"quant_method\": \"gptq\", \"bits\": 9}}",
        BEFORE "{\"quant_method\": \"gptq\", \"group_size\": 1.5}}",
        BEFORE "{\"quant_method\": \"fp8\", \"weight_block_size\": [0, 1]}}",
        BEFORE "{\"quant_method\": \"compressed-tensors\", \"config_groups\": "
               "{\"a\": {\"weights\": {\"num_bits\": 32}}}}}",
        BEFORE "{\"quant_method\": \"compressed-tensors\", \"config_groups\": "
               "{\"a\": {\"weights\": {\"num_bits\": 4, \"strategy\": "
               "\"group\", \"group_size\": \"x\"}}}}}",
    };
    for (size_t at = 0; at < sizeof CONFIGS / sizeof *CONFIGS; at++) {
        memplan_model *model = NULL;
        memplan_error error = {0};
        cr_expect_eq(config_read_text(&model, CONFIGS[at], &error),
                     MEMPLAN_E_CORRUPT, "%s", CONFIGS[at]);
        cr_expect_not_null(strstr(error.message, "quantization_config"), "%s",
                           error.message);
        cr_expect_null(model);
    }
}

Test(stored_weights, patterns)
{
    static const struct {
        mpl_pattern_kind kind;
        const char *text;
        const char *module;
        bool matches;
    } ROWS[] = {
        {MPL_PATTERN_HF, "layer.1", "layer.1.attn", true},
        {MPL_PATTERN_HF, "layer.1", "layer.11.attn", false},
        {MPL_PATTERN_HF, "layer.*", "layer.11.attn", true},
        {MPL_PATTERN_HF, "gate", "layer.1.mlp.gate", true},
        {MPL_PATTERN_HF, "mlp.gate", "mlp.gate_proj", false},
        {MPL_PATTERN_HF, "a.(b|c)", "a.c.d", true},
        {MPL_PATTERN_EXACT, "a.b", "a.b.c", false},
        {MPL_PATTERN_EXACT, "re:.*\\.(?:q|k)_proj", "a.k_proj.x", true},
        {MPL_PATTERN_EXACT, "re:layers\\.\\d+$", "layers.12", true},
        {MPL_PATTERN_EXACT, "re:layers\\.\\d+$", "layers.x", false},
        {MPL_PATTERN_GLOB, "a.b*", "a.bc.d", true},
        {MPL_PATTERN_GLOB, "*.mlp.*", "a.mlp.b", true},
        {MPL_PATTERN_GLOB, "a.b", "a.b.c", false},
        {MPL_PATTERN_EXACT, "re:(a{9}){9}", "aaaa", false},
    };
    for (size_t at = 0; at < sizeof ROWS / sizeof *ROWS; at++) {
        mpl_module_pattern pattern;
        mpl_module_pattern_open(&pattern, ROWS[at].kind, ROWS[at].text);
        cr_expect_eq(mpl_module_pattern_matches(&pattern, ROWS[at].module),
                     ROWS[at].matches, "%s, %s", ROWS[at].text,
                     ROWS[at].module);
        mpl_module_pattern_close(&pattern);
    }
}
