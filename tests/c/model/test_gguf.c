/* SPDX-License-Identifier: MIT */
/* What the GGUF reader makes of sound files. */
#include <criterion/criterion.h>
#include <string.h>

#include "memplan.h"
#include "model/gguf.h"
#include "support/folder.h"
#include "support/gguf_writer.h"

static memplan_model *open_bytes(const gguf_writer *bytes)
{
    folder at;
    folder_make(&at);
    const char *const path =
        folder_write(&at, "m.gguf", bytes->data, bytes->size);
    memplan_model *model = NULL;
    memplan_error error = {0};
    const memplan_status status =
        memplan_model_open(&model, path, NULL, &error);
    folder_remove(&at);
    cr_expect_eq(status, MEMPLAN_OK, "%s", error.message);
    return model;
}

static memplan_model *open_example(uint32_t version)
{
    gguf_writer bytes = {0};
    gguf_write_example(&bytes, version);
    memplan_model *const model = open_bytes(&bytes);
    gguf_free(&bytes);
    cr_assert_not_null(model);
    cr_assert(mpl_model_is_valid(model));
    return model;
}

Test(gguf, groups_tensors_into_units_in_execution_order)
{
    memplan_model *const model = open_example(3);
    static const struct {
        const char *name;
        const char *kind;
        uint64_t bytes;
        uint64_t tensors;
    } EXPECTED[] = {
        {"token_embd", "embedding", 64 * 3 * 2, 1},
        {"blk.0", "layer", 64 * 64 / 32 * 18 + 256 * 2 * 2 / 256 * 144, 2},
        {"blk.1", "layer", 64 * 64 / 32 * 18, 1},
        {"output_norm", "norm", 64 * 4, 1},
        {"output", "head", 64 * 3 / 32 * 34, 1},
        {"rope_freqs", "other", 8 * 4, 1},
        {"scalar", "other", 4, 1},
    };
    const size_t count = sizeof EXPECTED / sizeof *EXPECTED;
    memplan_model_info info = MEMPLAN_MODEL_INFO_INIT;
    memplan_model_describe(model, &info);
    cr_assert_eq(info.unit_count, count);
    cr_expect_eq(info.layer_count, 2);
    cr_expect_eq(info.tensor_count, 8);
    cr_expect_str_eq(info.architecture, "llama");
    for (size_t at = 0; at < count; at++) {
        memplan_unit_info unit = MEMPLAN_UNIT_INFO_INIT;
        cr_assert_eq(memplan_model_unit(model, at, &unit), MEMPLAN_OK);
        cr_expect_str_eq(unit.name, EXPECTED[at].name);
        cr_expect_str_eq(unit.kind, EXPECTED[at].kind);
        cr_expect_eq(unit.weight_bytes, EXPECTED[at].bytes, "%s", unit.name);
        cr_expect_eq(unit.tensor_count, EXPECTED[at].tensors);
    }
    memplan_model_free(model);
}

Test(gguf, keeps_every_type_of_value)
{
    memplan_model *const model = open_example(2);
    const mpl_gguf *const gguf = model->gguf;
    uint64_t u;
    int64_t i;
    double real;
    bool flag;
    cr_expect(mpl_gguf_u64(mpl_gguf_find(gguf, "u8"), 0, &u) && u == 200);
    cr_expect(mpl_gguf_i64(mpl_gguf_find(gguf, "i8"), 0, &i) && i == -1);
    cr_expect(mpl_gguf_u64(mpl_gguf_find(gguf, "u16"), 0, &u) && u == 65535);
    cr_expect(mpl_gguf_i64(mpl_gguf_find(gguf, "i16"), 0, &i) && i == -32768);
    cr_expect(mpl_gguf_i64(mpl_gguf_find(gguf, "i32"), 0, &i) && i == -7);
    cr_expect(mpl_gguf_real(mpl_gguf_find(gguf, "f32"), 0, &real) &&
              real == 1.5);
    cr_expect(mpl_gguf_bool(mpl_gguf_find(gguf, "bool"), 0, &flag) && flag);
    cr_expect(mpl_gguf_u64(mpl_gguf_find(gguf, "u64"), 0, &u) &&
              u == UINT64_MAX);
    cr_expect(mpl_gguf_i64(mpl_gguf_find(gguf, "i64"), 0, &i) &&
              i == INT64_MIN);
    cr_expect(mpl_gguf_real(mpl_gguf_find(gguf, "f64"), 0, &real) &&
              real == -0.5);
    const mpl_gguf_key *const tokens =
        mpl_gguf_find(gguf, "tokenizer.ggml.tokens");
    cr_assert_not_null(tokens);
    cr_expect_eq(tokens->count, 3);
    cr_expect_eq(tokens->text_bytes, 4);
    cr_expect_eq(model->facts.vocabulary_count, 3);
    memplan_model_free(model);
}

Test(gguf, answers_no_to_a_wrong_type_or_place)
{
    memplan_model *const model = open_example(3);
    const mpl_gguf *const gguf = model->gguf;
    uint64_t u;
    int64_t i;
    bool flag;
    cr_expect(!mpl_gguf_u64(mpl_gguf_find(gguf, "i8"), 0, &u));
    cr_expect(!mpl_gguf_i64(mpl_gguf_find(gguf, "u64"), 0, &i));
    cr_expect(!mpl_gguf_u64(mpl_gguf_find(gguf, "f32"), 0, &u));
    cr_expect(!mpl_gguf_u64(mpl_gguf_find(gguf, "bool"), 0, &u));
    cr_expect(!mpl_gguf_bool(mpl_gguf_find(gguf, "u8"), 0, &flag));
    cr_expect(!mpl_gguf_u64(mpl_gguf_find(gguf, "u8"), 1, &u));
    cr_expect_null(mpl_gguf_find(gguf, "U8"));
    cr_expect_null(mpl_gguf_find(gguf, ""));
    cr_expect_null(mpl_gguf_text(mpl_gguf_find(gguf, "u8")));
    cr_expect_eq(mpl_gguf_layer_u64(gguf, "attention.head_count_kv", 0, 9), 2);
    cr_expect_eq(mpl_gguf_layer_u64(gguf, "attention.head_count_kv", 2, 9), 9);
    cr_expect_eq(mpl_gguf_layer_u64(gguf, "block_count", 7, 9), 2);
    memplan_model_free(model);
}

Test(gguf, knows_the_state_of_each_layer)
{
    memplan_model *const model = open_example(3);
    /* head = 64 / 4; kv heads are 2 and 1 */
    cr_expect_eq(model->units[1].state.key_elements, 32);
    cr_expect_eq(model->units[1].state.value_elements, 32);
    cr_expect_eq(model->units[2].state.key_elements, 16);
    cr_expect_eq(model->units[2].state.value_elements, 16);
    memplan_model_free(model);
}

Test(gguf, keeps_the_order_of_the_file)
{
    memplan_model *const model = open_example(3);
    const mpl_gguf *const gguf = model->gguf;
    cr_expect_str_eq(gguf->tensors[0].name, "output.weight");
    cr_expect_eq(gguf->tensors[0].offset, 0);
    cr_expect_eq(gguf->tensors[1].offset, 224); /* 6 * 34, padded to 32 */
    for (uint64_t at = 0; at < gguf->tensor_count; at++) {
        const mpl_tensor *const same =
            &model->tensors[gguf->tensors[at].model_index];
        cr_expect_str_eq(same->name, gguf->tensors[at].name);
        cr_expect_eq(same->file_offset,
                     gguf->parts[0].data_offset + gguf->tensors[at].offset);
    }
    memplan_model_free(model);
}

Test(gguf, knows_a_header_without_its_data)
{
    gguf_writer bytes = {0};
    gguf_write_example(&bytes, 3);
    memplan_model *model = open_bytes(&bytes);
    cr_assert_not_null(model);
    cr_expect_eq(model->gguf->is_complete, 0);
    cr_expect_eq(model->gguf->parts[0].data_offset, bytes.size);
    memplan_model_free(model);
    for (uint64_t at = 0; at < bytes.next_offset; at += 32)
        gguf_bytes(&bytes, (uint8_t[32]){0}, 32);
    model = open_bytes(&bytes);
    cr_assert_not_null(model);
    cr_expect_eq(model->gguf->is_complete, 1);
    memplan_model_free(model);
    gguf_free(&bytes);
}
