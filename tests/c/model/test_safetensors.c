/* SPDX-License-Identifier: MIT */
/* safetensors: one file, shards with an index, shards by name. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memplan.h"
#include "model/model.h"
#include "support/folder.h"
#include "support/hostile.h"
#include "support/safetensors_writer.h"
#include "support/vectors.h"

#define TENSOR(name, dtype, shape, begin, end)                                 \
    "\"" name "\": {\"dtype\": \"" dtype "\", \"shape\": " shape               \
    ", \"data_offsets\": [" #begin ", " #end "]}"

static folder place;

static void open_place(void)
{
    folder_make(&place);
}

static void close_place(void)
{
    folder_remove(&place);
}

TestSuite(safetensors, .init = open_place, .fini = close_place);

static memplan_model *open_model(const char *path)
{
    memplan_model *model = NULL;
    memplan_error error = {0};
    cr_assert_eq(memplan_model_open(&model, path, NULL, &error), MEMPLAN_OK,
                 "%s", error.message);
    cr_assert(mpl_model_is_valid(model));
    return model;
}

static void expect_refused(const char *path, memplan_status status,
                           const char *message)
{
    memplan_model *model = NULL;
    memplan_error error = {0};
    cr_expect_eq(memplan_model_open(&model, path, NULL, &error), status, "%s",
                 error.message);
    cr_expect_null(model);
    cr_expect(strstr(error.message, message) != NULL, "%s: %s", message,
              error.message);
}

static const char *write_whole(const char *name, const char *header,
                               uint64_t data_bytes)
{
    return safetensors_write(&place, name, header, SAFETENSORS_OWN_LENGTH,
                             data_bytes);
}

/* clang-format off: a tensor a line */
static const char SEVERAL_UNITS[] =
    "{\"__metadata__\": {\"format\": \"pt\"}, "
    TENSOR("lm_head.weight", "BF16", "[4, 2]", 0, 16) ", "
    TENSOR("model.embed_tokens.weight", "BF16", "[4, 2]", 16, 32) ", "
    TENSOR("model.layers.10.w", "F32", "[2, 2]", 32, 48) ", "
    TENSOR("model.layers.2.w", "F32", "[2, 2]", 48, 64) ", "
    TENSOR("model.norm.weight", "BF16", "[2]", 64, 68) ", "
    TENSOR("visual.blocks.0.w", "F16", "[2]", 68, 72) "}";
/* clang-format on */

Test(safetensors, groups_tensors_by_their_modules)
{
    const char *const path = write_whole("m.safetensors", SEVERAL_UNITS, 72);
    memplan_model *const model = open_model(path);
    static const struct {
        const char *name;
        const char *kind;
        uint64_t bytes;
    } EXPECTED[] = {{"visual.blocks.0", "other", 4},
                    {"model.embed_tokens", "embedding", 16},
                    {"model.layers.2", "layer", 16},
                    {"model.layers.10", "layer", 16},
                    {"model.norm", "norm", 4},
                    {"lm_head", "head", 16}};
    const size_t count = sizeof EXPECTED / sizeof *EXPECTED;
    cr_assert_eq(model->unit_count, count);
    for (size_t at = 0; at < count; at++) {
        memplan_unit_info unit = MEMPLAN_UNIT_INFO_INIT;
        cr_assert_eq(memplan_model_unit(model, at, &unit), MEMPLAN_OK);
        cr_expect_str_eq(unit.name, EXPECTED[at].name);
        cr_expect_str_eq(unit.kind, EXPECTED[at].kind);
        cr_expect_eq(unit.weight_bytes, EXPECTED[at].bytes);
    }
    cr_expect_eq(model->weight_bytes, 72);
    cr_expect_eq(model->parameter_count, 8 + 8 + 4 + 4 + 2 + 2);
    cr_expect_eq(model->layer_count, 2);
    cr_expect_str_eq(model->name, "m.safetensors");
    memplan_model_free(model);
}

/* Every dtype of the format with 8 elements, and the bytes they take. */
Test(safetensors, knows_every_dtype)
{
    static const struct {
        const char *name;
        uint64_t bytes;
    } DTYPES[] = {
        {"BOOL", 8},    {"F4", 4},          {"F6_E2M3", 6},     {"F6_E3M2", 6},
        {"U8", 8},      {"I8", 8},          {"F8_E5M2", 8},     {"F8_E4M3", 8},
        {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"I16", 16},
        {"U16", 16},    {"F16", 16},        {"BF16", 16},       {"I32", 32},
        {"U32", 32},    {"F32", 32},        {"C64", 64},        {"F64", 64},
        {"I64", 64},    {"U64", 64}};
    for (size_t at = 0; at < sizeof DTYPES / sizeof *DTYPES; at++) {
        char header[200];
        (void)snprintf(header, sizeof header,
                       "{\"t\": {\"dtype\": \"%s\", \"shape\": [8], "
                       "\"data_offsets\": [0, %d]}}",
                       DTYPES[at].name, (int)DTYPES[at].bytes);
        memplan_model *const model =
            open_model(write_whole("m.safetensors", header, DTYPES[at].bytes));
        cr_expect_eq(model->weight_bytes, DTYPES[at].bytes);
        memplan_model_free(model);
    }
}

Test(safetensors, takes_empty_tensors_anywhere)
{
    memplan_model *const model = open_model(write_whole(
        "m.safetensors",
        "{" TENSOR("a", "F32", "[2]", 0, 8) ", " TENSOR(
            "b", "F32", "[0, 7]", 0,
            0) ", " TENSOR("c", "F32", "[]", 8,
                           12) ", " TENSOR("d", "F32", "[0]", 12, 12) "}",
        12));
    cr_expect_eq(model->parameter_count, 3);
    memplan_model_free(model);
}

Test(safetensors, takes_an_empty_file)
{
    memplan_model *const model =
        open_model(write_whole("m.safetensors", "{}  ", 0));
    cr_expect_eq(model->tensor_count, 0);
    memplan_model_free(model);
}

static const char SHARD_1[] = "{" TENSOR(
    "model.embed_tokens.weight", "BF16", "[4, 2]", 0,
    16) ", " TENSOR("model.layers.0.w", "BF16", "[2, 2]", 16, 24) "}";
static const char SHARD_2[] =
    "{" TENSOR("model.layers.1.w", "BF16", "[2, 2]", 0,
               8) ", " TENSOR("lm_head.weight", "BF16", "[4, 2]", 8, 24) "}";
static const char INDEX[] =
    "{\"metadata\": {\"total_size\": 48}, \"weight_map\": {"
    "\"lm_head.weight\": \"model-00002-of-00002.safetensors\", "
    "\"model.embed_tokens.weight\": \"model-00001-of-00002.safetensors\", "
    "\"model.layers.0.w\": \"model-00001-of-00002.safetensors\", "
    "\"model.layers.1.w\": \"model-00002-of-00002.safetensors\"}}";

static void write_shards(void)
{
    (void)write_whole("model-00001-of-00002.safetensors", SHARD_1, 24);
    (void)write_whole("model-00002-of-00002.safetensors", SHARD_2, 24);
}

static void expect_both_shards(const char *path)
{
    memplan_model *const model = open_model(path);
    cr_expect_eq(model->file_count, 2);
    cr_expect_eq(model->weight_bytes, 48);
    cr_expect_eq(model->unit_count, 4);
    cr_expect_eq(model->file_bytes,
                 8 + strlen(SHARD_1) + 24 + 8 + strlen(SHARD_2) + 24);
    cr_expect_str_eq(model->format, "safetensors");
    memplan_model_free(model);
}

Test(safetensors, joins_shards_by_their_index)
{
    write_shards();
    (void)folder_write_text(&place, "model.safetensors.index.json", INDEX);
    expect_both_shards(place.path);
    expect_both_shards(folder_path(&place, "model.safetensors.index.json"));
}

Test(safetensors, joins_shards_by_their_names)
{
    write_shards();
    expect_both_shards(place.path);
    expect_both_shards(folder_path(&place, "model-00002-of-00002.safetensors"));
}

Test(safetensors, refuses_a_missing_shard)
{
    write_shards();
    const char *const second =
        folder_path(&place, "model-00002-of-00002.safetensors");
    (void)unlink(second);
    expect_refused(place.path, MEMPLAN_E_NOT_FOUND,
                   "model-00002-of-00002.safetensors: missing");
    (void)folder_write_text(&place, "model.safetensors.index.json", INDEX);
    expect_refused(place.path, MEMPLAN_E_NOT_FOUND,
                   "model-00002-of-00002.safetensors: missing");
}

Test(safetensors, refuses_a_name_in_two_shards)
{
    (void)write_whole("model-00001-of-00002.safetensors", SHARD_1, 24);
    (void)write_whole("model-00002-of-00002.safetensors", SHARD_1, 24);
    expect_refused(place.path, MEMPLAN_E_CORRUPT, "stands twice");
}

Test(safetensors, refuses_indexes_that_break_a_rule)
{
    write_shards();
    static const struct {
        const char *text;
        const char *message;
    } CASES[] = {
        {"{}", "weight_map is nothing"},
        {"{\"weight_map\": []}", "weight_map is an array"},
        {"{\"weight_map\": {}}", "weight_map is empty"},
        {"{\"weight_map\": {\"a\": 1}}", "no file's name stands for \"a\""},
        {"{\"weight_map\": {\"a\": \"../x\"}}", "outside the folder"},
        {"{\"weight_map\": {\"a\": \"/x\"}}", "outside the folder"},
        {"{\"weight_map\": {\"a\": \"\"}}", "outside the folder"},
        {"{\"weight_map\": {\"a\": \"x\", \"a\": \"x\"}}", "two files"},
        {"{\"weight_map\": {\"nowhere\": "
         "\"model-00001-of-00002.safetensors\"}}",
         "no shard holds \"nowhere\""},
        {"{\"weight_map\": {\"a\": \"b\"}}",
         "neither the shards nor a config.json"},
        {"{\"weight_map\": {", "not valid JSON"},
    };
    for (size_t at = 0; at < sizeof CASES / sizeof *CASES; at++) {
        memplan_model *model = NULL;
        memplan_error error = {0};
        const char *const path = folder_write_text(
            &place, "model.safetensors.index.json", CASES[at].text);
        cr_expect_neq(memplan_model_open(&model, path, NULL, &error),
                      MEMPLAN_OK);
        cr_expect(strstr(error.message, CASES[at].message) != NULL, "%s: %s",
                  CASES[at].message, error.message);
    }
}

static void check_refused(const vector_case *one)
{
    folder at;
    folder_make(&at);
    const mpl_json_value length = mpl_json_get(one->given, "length");
    const char *const path = safetensors_write(
        &at, "m.safetensors",
        mpl_json_string(mpl_json_get(one->given, "header"), NULL),
        mpl_json_type_of(length) != MPL_JSON_NONE ? vectors_u64(length)
                                                  : SAFETENSORS_OWN_LENGTH,
        vectors_u64(mpl_json_get(one->given, "data_bytes")));
    memplan_model *model = NULL;
    memplan_error error = {0};
    const memplan_status status =
        memplan_model_open(&model, path, NULL, &error);
    cr_expect_str_eq(memplan_status_name(status),
                     mpl_json_string(mpl_json_get(one->expect, "status"), NULL),
                     "%s: %s", one->name, error.message);
    cr_expect(strstr(error.message,
                     mpl_json_string(mpl_json_get(one->expect, "message"),
                                     NULL)) != NULL,
              "%s: %s", one->name, error.message);
    cr_expect(strncmp(error.message, path, strlen(path)) == 0, "%s: %s",
              one->name, error.message);
    folder_remove(&at);
}

Test(safetensors, refuses_what_breaks_a_rule)
{
    vectors_run("safetensors_refused.json", check_refused);
}

/* A small file with its data, byte for byte. */
static size_t build(uint8_t bytes[512])
{
    static const uint8_t DATA[24] = {0};
    const size_t length = strlen(SHARD_1);
    memset(bytes, 0, 8);
    bytes[0] = (uint8_t)length;
    bytes[1] = (uint8_t)(length >> 8);
    memcpy(bytes + 8, SHARD_1, length);
    memcpy(bytes + 8 + length, DATA, sizeof DATA);
    return 8 + length + sizeof DATA;
}

Test(safetensors, refuses_every_prefix)
{
    uint8_t bytes[512];
    const size_t size = build(bytes);
    hostile_prefixes("m.safetensors", bytes, size, size);
}

Test(safetensors, survives_every_single_bit_flip)
{
    uint8_t bytes[512];
    const size_t size = build(bytes);
    const size_t refused =
        hostile_bit_flips("m.safetensors", bytes, size, size - 24);
    /* Letters of names may change; the rest may not. */
    cr_expect_gt(refused, 4 * (size - 24));
}

/* A million arrays, one in the other, closed or not. */
Test(safetensors, refuses_deep_nesting, .timeout = 10)
{
    enum { DEPTH = 1000000 };
    char *const text = calloc(2 * DEPTH + 1, 1);
    cr_assert_not_null(text);
    memset(text, '[', DEPTH);
    expect_refused(write_whole("m.safetensors", text, 0), MEMPLAN_E_CORRUPT,
                   "not valid JSON");
    memset(text + DEPTH, ']', DEPTH);
    expect_refused(write_whole("m.safetensors", text, 0), MEMPLAN_E_TOO_LARGE,
                   "nested more than");
    free(text);
}

/* A hole of 1 TiB, which no disk here has. */
Test(safetensors, reads_no_data)
{
    memplan_model *model = NULL;
    const char *const path = write_whole(
        "m.safetensors",
        "{" TENSOR("a", "U8", "[1099511627776]", 0, 1099511627776) "}",
        UINT64_C(1) << 40);
    cr_assert_eq(memplan_model_open(&model, path, NULL, NULL), MEMPLAN_OK);
    cr_expect_eq(model->weight_bytes, UINT64_C(1) << 40);
    memplan_model_free(model);
}
