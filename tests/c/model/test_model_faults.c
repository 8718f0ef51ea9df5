/* SPDX-License-Identifier: MIT */
/*
 * Every allocation of opening a model fails once: the call says so, leaves its
 * out-parameter alone and leaks nothing (the sanitizers look).
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "memplan.h"
#include "support/faults.h"
#include "support/folder.h"
#include "support/gguf_writer.h"
#include "support/safetensors_writer.h"

static folder place;

/* What simdjson learns of the processor, once in a process, takes 24 bytes of
 * memory that it cannot do without: it may have them before anything fails. */
static void open_place(void)
{
    memplan_model *model = NULL;
    cr_assert_eq(memplan_model_open(&model, "llama-2-7b", NULL, NULL),
                 MEMPLAN_OK);
    memplan_model_free(model);
    folder_make(&place);
}

static void close_place(void)
{
    folder_remove(&place);
}

TestSuite(model_faults, .init = open_place, .fini = close_place, .timeout = 60);

/* What one opening makes, to compare. */
typedef struct outcome {
    uint64_t status;
    uint64_t parameter_count;
    uint64_t weight_bytes;
    uint64_t unit_count;
} outcome;

static outcome open_once(const char *source,
                         const memplan_model_options *options)
{
    memplan_model *model = NULL;
    memplan_error error = {0};
    const memplan_status status =
        memplan_model_open(&model, source, options, &error);
    outcome made = {.status = (uint64_t)(int64_t)status};
    cr_expect_eq(error.status, status);
    cr_expect_eq(model != NULL, status == MEMPLAN_OK);
    if (model != NULL) {
        memplan_model_info info = MEMPLAN_MODEL_INFO_INIT;
        memplan_model_describe(model, &info);
        made.parameter_count = info.parameter_count;
        made.weight_bytes = info.weight_bytes;
        made.unit_count = info.unit_count;
    }
    memplan_model_free(model);
    return made;
}

/* Each allocation is refused once: the call says that memory is short, or does
 * without and gives the very same. Returns how many allocations there are. */
static uint64_t fail_each(const char *source,
                          const memplan_model_options *options,
                          memplan_status wanted)
{
    const outcome whole = open_once(source, options);
    cr_assert_eq((memplan_status)whole.status, wanted, "%s", source);
    for (uint64_t n = 0;; n++) {
        faults_arm(n);
        const outcome made = open_once(source, options);
        if (!faults_disarm())
            return n;
        cr_expect((memplan_status)made.status == MEMPLAN_E_NO_MEMORY ||
                      memcmp(&made, &whole, sizeof made) == 0,
                  "%s: allocation %d: %s", source, (int)n,
                  memplan_status_name((int32_t)made.status));
        cr_assert_lt(n, 100000);
    }
}

static const char *write_gguf(const char *name)
{
    gguf_writer bytes = {0};
    gguf_write_example(&bytes, 3);
    const char *const path = folder_write(&place, name, bytes.data, bytes.size);
    gguf_free(&bytes);
    return path;
}

Test(model_faults, gguf)
{
    cr_expect_gt(fail_each(write_gguf("m.gguf"), NULL, MEMPLAN_OK), 5);
}

Test(model_faults, gguf_without_a_suffix)
{
    (void)fail_each(write_gguf("blob"), NULL, MEMPLAN_OK);
}

Test(model_faults, refused_file)
{
    (void)fail_each(folder_write_text(&place, "m.gguf", "GGUG"), NULL,
                    MEMPLAN_E_CORRUPT);
    (void)fail_each(folder_write_text(&place, "config.json", "{\"a\": Nan}"),
                    NULL, MEMPLAN_E_CORRUPT);
    (void)fail_each(folder_write_text(&place, "config.json", "{\"a\": NaN, }"),
                    NULL, MEMPLAN_E_CORRUPT);
}

static const char CONFIG[] =
    "{\"model_type\": \"llama\", \"hidden_size\": 8, \"intermediate_size\": "
    "16, \"num_hidden_layers\": 1, \"num_attention_heads\": 2, "
    "\"num_key_value_heads\": 2, \"vocab_size\": 4, \"rope_theta\": NaN, "
    "\"max_position_embeddings\": 64, \"torch_dtype\": \"bfloat16\"}";

Test(model_faults, config)
{
    (void)fail_each(folder_write_text(&place, "config.json", CONFIG), NULL,
                    MEMPLAN_OK);
}

static void write_shards(const char *folder_name)
{
    static const char *const HEADERS[] = {
        "{\"model.norm.weight\": {\"dtype\": \"BF16\", \"shape\": [8], "
        "\"data_offsets\": [0, 16]}}",
        "{\"lm_head.weight\": {\"dtype\": \"BF16\", \"shape\": [4, 8], "
        "\"data_offsets\": [0, 64]}}"};
    char name[200];
    for (int at = 0; at < 2; at++) {
        (void)snprintf(name, sizeof name, "%smodel-0000%d-of-00002.safetensors",
                       folder_name, at + 1);
        (void)safetensors_write(&place, name, HEADERS[at],
                                SAFETENSORS_OWN_LENGTH, at == 0 ? 16 : 64);
    }
    (void)snprintf(name, sizeof name, "%sconfig.json", folder_name);
    (void)folder_write_text(&place, name, CONFIG);
}

Test(model_faults, shards_by_name)
{
    write_shards("");
    (void)fail_each(place.path, NULL, MEMPLAN_OK);
}

Test(model_faults, shards_by_index)
{
    write_shards("");
    (void)folder_write_text(
        &place, "model.safetensors.index.json",
        "{\"weight_map\": {\"lm_head.weight\": "
        "\"model-00002-of-00002.safetensors\", \"model.norm.weight\": "
        "\"model-00001-of-00002.safetensors\"}}");
    (void)fail_each(place.path, NULL, MEMPLAN_OK);
}

Test(model_faults, hub_cache)
{
    write_shards("models--a--b/snapshots/0123abcd/");
    (void)folder_write_text(&place, "models--a--b/refs/main", "0123abcd\n");
    const memplan_model_options options = {.size = sizeof options,
                                           .hub_cache = place.path};
    (void)fail_each("a/b", &options, MEMPLAN_OK);
}

Test(model_faults, catalogue)
{
    (void)fail_each("gemma-3-1b", NULL, MEMPLAN_OK);
    (void)fail_each("gamma-3-1b", NULL, MEMPLAN_E_NOT_FOUND);
}
