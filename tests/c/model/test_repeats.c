/* SPDX-License-Identifier: MIT */
/*
 * Layers that repeat are copied: they have the names, sizes and states that a
 * walk gives them, and say which layer they are like.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "support/configs.h"

enum { LAYERS = 12, NEW = -1 };

typedef struct row {
    const char *why;
    const char *config;
    int like[LAYERS]; /* the first layer of its kind, or NEW */
} row;

#define LLAMA                                                                  \
    "\"model_type\": \"llama\", \"hidden_size\": 256, "                        \
    "\"intermediate_size\": 512, \"num_attention_heads\": 4, "                 \
    "\"num_hidden_layers\": 12"

static const row ROWS[] = {
    {"all are as the first",
     "{" LLAMA "}",
     {NEW, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
    {"three dense layers, then experts",
     "{\"model_type\": \"deepseek_v3\", \"num_hidden_layers\": 12}",
     {NEW, 0, 0, NEW, 3, 3, 3, 3, 3, 3, 3, 3}},
    {"every fourth layer attends",
     "{\"model_type\": \"qwen3_next\", \"num_hidden_layers\": 12}",
     {NEW, 0, 0, NEW, 0, 0, 0, 3, 0, 0, 0, 3}},
    {"windows differ in what they keep, not in tensors",
     "{\"model_type\": \"gemma2\", \"num_hidden_layers\": 12}",
     {NEW, NEW, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1}},
    {"the checkpoint has one of them unquantized",
     "{" LLAMA ", \"quantization_config\": {\"quant_method\": \"fp8\", "
     "\"weight_block_size\": [128, 128], "
     "\"modules_to_not_convert\": [\"model.layers.4.mlp.up_proj\"]}}",
     {NEW, 0, 0, 0, NEW, 0, 0, 0, 0, 0, 0, 0}},
};

/* The units of layers, by number. */
static void find_layers(const memplan_model *model, uint32_t out[LAYERS])
{
    uint32_t count = 0;
    for (uint32_t at = 0; at < model->unit_count && count < LAYERS; at++)
        if (model->units[at].kind == MPL_UNIT_LAYER)
            out[count++] = at;
    cr_assert_eq(count, LAYERS);
}

static void check_names(const memplan_model *model, const mpl_unit *unit)
{
    const size_t length = strlen(unit->name);
    for (uint32_t at = 0; at < unit->tensor_count; at++) {
        const char *const name = model->tensors[unit->first_tensor + at].name;
        cr_expect(strncmp(name, unit->name, length) == 0 &&
                      name[length] == '.',
                  "%s in %s", name, unit->name);
    }
}

Test(repeats, are_like_their_first)
{
    for (size_t at = 0; at < sizeof ROWS / sizeof *ROWS; at++) {
        const row *const given = &ROWS[at];
        memplan_model *model = NULL;
        memplan_error error = {0};
        uint32_t layers[LAYERS];
        cr_assert_eq(config_read_text(&model, given->config, &error),
                     MEMPLAN_OK, "%s: %s", given->why, error.message);
        cr_expect(mpl_model_is_valid(model), "%s", given->why);
        find_layers(model, layers);
        for (int layer = 0; layer < LAYERS; layer++) {
            const mpl_unit *const unit = &model->units[layers[layer]];
            const uint32_t like = layers[layer] - unit->like_before;
            const uint32_t wanted = given->like[layer] == NEW
                                        ? layers[layer]
                                        : layers[given->like[layer]];
            cr_expect_eq(like, wanted, "%s: layer %d is like unit %u, not %u",
                         given->why, layer, like, wanted);
            check_names(model, unit);
        }
        memplan_model_free(model);
    }
}
