/* SPDX-License-Identifier: MIT */
/* Weights beside a config.json. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memplan.h"
#include "model/model.h"
#include "support/folder.h"
#include "support/safetensors_writer.h"

static folder place;

static void open_place(void)
{
    folder_make(&place);
}

static void close_place(void)
{
    folder_remove(&place);
}

TestSuite(checkpoint, .init = open_place, .fini = close_place);

#define WIDTHS                                                                 \
    "\"hidden_size\": 8, \"intermediate_size\": 16, \"num_hidden_layers\": 1," \
    "\"num_attention_heads\": 2, \"num_key_value_heads\": 1, "                 \
    "\"vocab_size\": 4, \"max_position_embeddings\": 64"

#define HALF ", \"torch_dtype\": \"bfloat16\"}"

static const char LLAMA[] =
    "{\"model_type\": \"llama\", \"tie_word_embeddings\": true, " WIDTHS HALF;
static const char NAMELESS[] =
    "{\"model_type\": \"llama\", \"tie_word_embeddings\": true, " WIDTHS "}";
static const char MIXTRAL[] =
    "{\"model_type\": \"mixtral\", \"num_local_experts\": 2, " WIDTHS HALF;

typedef struct shape_row {
    const char *name;
    int rows; /* 0: one dimension */
    int columns;
} shape_row;

#define ATTENTION                                                              \
    {"model.embed_tokens.weight", 4, 8},                                       \
        {"model.layers.0.input_layernorm.weight", 0, 8},                       \
        {"model.layers.0.self_attn.q_proj.weight", 8, 8},                      \
        {"model.layers.0.self_attn.k_proj.weight", 4, 8},                      \
        {"model.layers.0.self_attn.v_proj.weight", 4, 8},                      \
        {"model.layers.0.self_attn.o_proj.weight", 8, 8},                      \
        {"model.layers.0.post_attention_layernorm.weight", 0, 8},              \
    {                                                                          \
        "model.norm.weight", 0, 8                                              \
    }

/* Writes a model.safetensors of F32 tensors; returns their bytes. */
static uint64_t write_weights(const shape_row *rows, size_t count)
{
    char text[8192] = "{";
    size_t length = 1;
    uint64_t end = 0;
    for (size_t at = 0; at < count; at++) {
        const uint64_t begin = end;
        char shape[32];
        if (rows[at].rows > 0)
            (void)snprintf(shape, sizeof shape, "%d, %d", rows[at].rows,
                           rows[at].columns);
        else
            (void)snprintf(shape, sizeof shape, "%d", rows[at].columns);
        end += 4u * (uint64_t)rows[at].columns *
               (uint64_t)(rows[at].rows > 0 ? rows[at].rows : 1);
        length += (size_t)snprintf(
            text + length, sizeof text - length,
            "%s\"%s\": {\"dtype\": \"F32\", \"shape\": [%s], "
            "\"data_offsets\": [%llu, %llu]}",
            at > 0 ? ", " : "", rows[at].name, shape, (unsigned long long)begin,
            (unsigned long long)end);
    }
    (void)snprintf(text + length, sizeof text - length, "}");
    (void)safetensors_write(&place, "model.safetensors", text,
                            SAFETENSORS_OWN_LENGTH, end);
    return end;
}

static memplan_model *open_model(void)
{
    memplan_model *model = NULL;
    memplan_error error = {0};
    cr_assert_eq(memplan_model_open(&model, place.path, NULL, &error),
                 MEMPLAN_OK, "%s", error.message);
    cr_assert(mpl_model_is_valid(model));
    return model;
}

static uint64_t bytes_of(const memplan_model *model, const char *name)
{
    for (uint32_t at = 0; at < model->tensor_count; at++)
        if (strcmp(model->tensors[at].name, name) == 0)
            return model->tensors[at].bytes;
    return MEMPLAN_UNKNOWN;
}

/* Bytes of what is a parameter or kept in a checkpoint. */
static uint64_t stored_bytes(const memplan_model *model)
{
    uint64_t sum = 0;
    for (uint32_t at = 0; at < model->tensor_count; at++)
        if (model->tensors[at].tied_to == MPL_NO_INDEX &&
            (model->tensors[at].flags & MPL_TENSOR_TRANSIENT) == 0)
            sum += model->tensors[at].bytes;
    return sum;
}

/* The config says bf16 and ties the head; the file holds fp32, and is cast. */
Test(checkpoint, takes_places_from_the_file_and_types_from_the_config)
{
    static const shape_row ROWS[] = {
        ATTENTION,
        {"model.layers.0.mlp.gate_proj.weight", 16, 8},
        {"model.layers.0.mlp.up_proj.weight", 16, 8},
        {"model.layers.0.mlp.down_proj.weight", 8, 16},
    };
    (void)folder_write_text(&place, "config.json", LLAMA);
    const uint64_t bytes = write_weights(ROWS, sizeof ROWS / sizeof *ROWS);
    memplan_model *const model = open_model();
    cr_expect_str_eq(model->format, "safetensors");
    cr_expect_str_eq(model->architecture, "llama");
    cr_expect_eq(stored_bytes(model), bytes / 2);
    cr_expect_eq(bytes_of(model, "lm_head.weight"), 2 * 4 * 8);
    cr_expect_not_null(strstr(memplan_model_note(model, 0), "have fp32"));
    cr_expect_eq(model->file_count, 1);
    cr_expect_eq(model->facts.context_tokens, 64);
    cr_expect_not_null(model->config);
    memplan_model_free(model);
}

/* The file has its experts one by one; the model that runs has them joined. */
Test(checkpoint, takes_the_config_where_tensors_are_joined)
{
    static const shape_row ROWS[] = {
        ATTENTION,
        {"lm_head.weight", 4, 8},
        {"model.layers.0.block_sparse_moe.gate.weight", 2, 8},
        {"model.layers.0.block_sparse_moe.experts.0.w1.weight", 16, 8},
        {"model.layers.0.block_sparse_moe.experts.0.w2.weight", 8, 16},
        {"model.layers.0.block_sparse_moe.experts.0.w3.weight", 16, 8},
        {"model.layers.0.block_sparse_moe.experts.1.w1.weight", 16, 8},
        {"model.layers.0.block_sparse_moe.experts.1.w2.weight", 8, 16},
        {"model.layers.0.block_sparse_moe.experts.1.w3.weight", 16, 8},
    };
    (void)folder_write_text(&place, "config.json", MIXTRAL);
    const uint64_t bytes = write_weights(ROWS, sizeof ROWS / sizeof *ROWS);
    memplan_model *const model = open_model();
    cr_expect_eq(stored_bytes(model), bytes / 2);
    cr_expect_eq(bytes_of(model, "model.embed_tokens.weight"), 2 * 4 * 8);
    cr_expect_eq(bytes_of(model, ROWS[10].name), MEMPLAN_UNKNOWN);
    memplan_model_free(model);
}

/* One matrix more than the family has: the file's own tensors stand. */
Test(checkpoint, keeps_the_files_tensors_where_the_config_knows_others)
{
    static const shape_row ROWS[] = {
        ATTENTION,
        {"model.layers.0.mlp.gate_proj.qweight", 16, 2},
    };
    (void)folder_write_text(&place, "config.json", LLAMA);
    const uint64_t bytes = write_weights(ROWS, sizeof ROWS / sizeof *ROWS);
    memplan_model *const model = open_model();
    cr_expect_eq(model->weight_bytes, bytes);
    cr_expect_eq(bytes_of(model, ROWS[8].name), 4 * 16 * 2);
    cr_expect_str_eq(model->architecture, "llama");
    cr_expect_not_null(strstr(memplan_model_note(model, 0), "other tensors"));
    cr_expect_eq(model->facts.context_tokens, 64);
    cr_assert_eq(model->layer_count, 1);
    /* keys: 1 head of 8 / 2 */
    cr_expect_eq(model->units[1].state.key_elements, 4);
    memplan_model_free(model);
}

Test(checkpoint, refuses_a_broken_config)
{
    static const shape_row ROWS[] = {ATTENTION};
    (void)write_weights(ROWS, sizeof ROWS / sizeof *ROWS);
    const char *const path = folder_write_text(&place, "config.json", "{");
    memplan_model *model = NULL;
    memplan_error error = {0};
    cr_expect_eq(memplan_model_open(&model, place.path, NULL, &error),
                 MEMPLAN_E_CORRUPT);
    cr_expect(strncmp(error.message, path, strlen(path)) == 0, "%s",
              error.message);
}

Test(checkpoint, lives_without_a_family)
{
    static const shape_row ROWS[] = {ATTENTION};
    const uint64_t bytes = write_weights(ROWS, sizeof ROWS / sizeof *ROWS);
    (void)folder_write_text(&place, "config.json",
                            "{\"model_type\": \"no_such_family\"}");
    memplan_model *const model = open_model();
    cr_expect_eq(model->weight_bytes, bytes);
    cr_expect_eq(model->facts.context_tokens, MEMPLAN_UNKNOWN);
    memplan_model_free(model);
}

/* 4 * 8 + 8 + 8 + (2 * 8 * 8 + 2 * 4 * 8) + 3 * 8 * 16 + 8 parameters. */
Test(checkpoint, takes_the_type_from_the_total_of_an_index)
{
    enum { PARAMETERS = 32 + 8 + 8 + 192 + 384 + 8 };
    static const struct {
        const char *config;
        int each; /* bytes in the shards */
        uint64_t loaded;
    } ROWS[] = {
        {NAMELESS, 2, 2}, {NAMELESS, 4, 4}, {LLAMA, 2, 2}, {LLAMA, 4, 2}};
    for (size_t at = 0; at < sizeof ROWS / sizeof *ROWS; at++) {
        char text[200];
        (void)snprintf(text, sizeof text,
                       "{\"metadata\": {\"total_size\": %d}, \"weight_map\": "
                       "{\"a\": \"gone.safetensors\"}}",
                       ROWS[at].each * PARAMETERS);
        (void)folder_write_text(&place, "config.json", ROWS[at].config);
        (void)folder_write_text(&place, "model.safetensors.index.json", text);
        memplan_model *const model = open_model();
        cr_expect_str_eq(model->format, "index");
        cr_expect_eq(model->parameter_count, PARAMETERS);
        cr_expect_eq(stored_bytes(model), ROWS[at].loaded * PARAMETERS);
        cr_expect_eq(model->file_bytes, (uint64_t)ROWS[at].each * PARAMETERS);
        cr_expect_eq(memplan_model_note(model, 0) != NULL,
                     (uint64_t)ROWS[at].each != ROWS[at].loaded);
        memplan_model_free(model);
    }
}
