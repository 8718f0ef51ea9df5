/* SPDX-License-Identifier: MIT */
/* Real files that nobody here wrote: vocabularies, recorded headers, configs
 * that are broken in the wild. Skipped where the shared folder is not. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "machine/shared.h"
#include "memplan.h"
#include "model/gguf.h"
#include "model/model.h"

static memplan_status open_shared(memplan_model **out, const char *part,
                                  memplan_error *error)
{
    char path[1024];
    return memplan_model_open(out, shared_path(path, sizeof path, part), NULL,
                              error);
}

Test(corpus, reads_real_vocabularies)
{
    static const struct {
        const char *name;
        const char *architecture;
        uint64_t keys;
        uint64_t tokens;
    } FILES[] = {
        {"baichuan", "baichuan", 18, 64000},   {"bert-bge", "bert", 20, 30522},
        {"deepseek-llm", "llama", 23, 102400}, {"falcon", "falcon", 18, 65024},
        {"gpt-2", "gpt2", 16, 50257},          {"mpt", "mpt", 17, 50432},
        {"phi-3", "phi3", 26, 32064},          {"refact", "refact", 18, 49216},
        {"starcoder", "starcoder2", 19, 49152}};
    for (size_t at = 0; at < sizeof FILES / sizeof *FILES; at++) {
        char part[128];
        (void)snprintf(part, sizeof part,
                       "corpus/gguf/vocab/ggml-vocab-%s.gguf", FILES[at].name);
        memplan_model *model = NULL;
        memplan_error error = {0};
        cr_assert_eq(open_shared(&model, part, &error), MEMPLAN_OK, "%s",
                     error.message);
        cr_expect_str_eq(model->architecture, FILES[at].architecture);
        cr_expect_eq(model->tensor_count, 0);
        cr_expect_eq(model->gguf->key_count, FILES[at].keys);
        cr_expect_eq(model->facts.vocabulary_count, FILES[at].tokens);
        cr_expect_eq(model->gguf->parts[0].header_bytes, model->file_bytes);
        memplan_model_free(model);
    }
}

/* One recorded header, with the sums that were recorded beside it. */
static void check_header(mpl_json_value record, const char *file)
{
    char part[512];
    (void)snprintf(part, sizeof part, "oracle/llamacpp-v0.5.0/%s", file);
    memplan_model *model = NULL;
    memplan_error error = {0};
    cr_assert_eq(open_shared(&model, part, &error), MEMPLAN_OK, "%s",
                 error.message);
    const mpl_gguf *const gguf = model->gguf;
    uint64_t number = 0;
    cr_expect(mpl_json_u64(mpl_json_get(record, "tensor_bytes"), &number));
    cr_expect_eq(model->weight_bytes, number, "%s", file);
    cr_expect(mpl_json_u64(mpl_json_get(record, "n_tensors"), &number));
    cr_expect_eq(model->tensor_count, number, "%s", file);
    cr_expect(mpl_json_u64(mpl_json_get(record, "data_offset"), &number));
    cr_expect_eq(gguf->parts[0].data_offset, number, "%s", file);
    cr_expect(mpl_json_u64(mpl_json_get(record, "file_size"), &number));
    cr_expect_eq(gguf->parts[0].data_offset + gguf->parts[0].data_bytes, number,
                 "%s", file);
    cr_expect_eq(gguf->is_complete, 0);
    cr_expect(mpl_model_is_valid(model));
    const char *const architecture =
        mpl_json_string(mpl_json_get(record, "arch"), NULL);
    cr_expect_str_eq(model->architecture, architecture);
    memplan_model_free(model);
}

/* The compressed ones are read by tests in Python. */
Test(corpus, reads_recorded_headers)
{
    char path[1024];
    mpl_json *json = NULL;
    cr_assert_eq(
        mpl_json_open(&json,
                      shared_path(path, sizeof path,
                                  "oracle/llamacpp-v0.5.0/headers.json"),
                      1 << 26, NULL),
        MEMPLAN_OK);
    uint32_t count = 0;
    mpl_json_walk walk =
        mpl_json_begin(mpl_json_get(mpl_json_root(json), "models"));
    while (mpl_json_next(&walk)) {
        const char *const file =
            mpl_json_string(mpl_json_get(walk.value, "file"), NULL);
        cr_assert_not_null(file);
        if (strstr(file, ".gz") != NULL)
            continue;
        check_header(walk.value, file);
        count++;
    }
    cr_expect_gt(count, 250);
    mpl_json_free(json);
}

Test(corpus, refuses_what_is_broken_in_the_wild)
{
    static const struct {
        const char *part;
        memplan_status status;
        const char *message;
    } FILES[] = {
        {"_malformed/llava-v1.5-7b.config.trailing-garbage.json",
         MEMPLAN_E_CORRUPT, "line 44"},
        {"_malformed/config.json-is-a-dangling-symlink-target.txt",
         MEMPLAN_E_UNSUPPORTED, "no model that is read here"},
        {"bigscience--bloom/model.safetensors.index.MALFORMED-merge-conflict"
         ".json",
         MEMPLAN_E_CORRUPT, "not valid JSON at line"},
        {"_unrelated-config/gaianet-gemma-2-9b-it/config.json",
         MEMPLAN_E_CORRUPT, "model_type"},
    };
    for (size_t at = 0; at < sizeof FILES / sizeof *FILES; at++) {
        char part[256];
        (void)snprintf(part, sizeof part, "corpus/hf/%s", FILES[at].part);
        memplan_model *model = NULL;
        memplan_error error = {0};
        const memplan_status status = open_shared(&model, part, &error);
        cr_expect_eq(status, FILES[at].status, "%s: %s", part, error.message);
        cr_expect_null(model);
        cr_expect(strstr(error.message, FILES[at].message) != NULL, "%s",
                  error.message);
    }
}

/* An index whose shards are elsewhere: the config says what they hold, and
 * both agree to the buffers that no checkpoint keeps. */
Test(corpus, reads_an_index_without_its_shards)
{
    memplan_model *model = NULL;
    memplan_error error = {0};
    cr_assert_eq(
        open_shared(&model, "corpus/hf/alpindale--WizardLM-2-8x22B", &error),
        MEMPLAN_OK, "%s", error.message);
    cr_expect_str_eq(model->format, "index");
    cr_expect_eq(model->file_bytes, 281241268224);
    cr_expect_eq(2 * model->parameter_count, 281241268224);
    memplan_model_free(model);
}
