/* SPDX-License-Identifier: MIT */
/* Where models are found: paths, folders, caches, stores. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memplan.h"
#include "model/model.h"
#include "model/path.h"
#include "support/folder.h"
#include "support/gguf_writer.h"

static folder place;

static void open_place(void)
{
    folder_make(&place);
}

static void close_place(void)
{
    folder_remove(&place);
}

TestSuite(locate, .init = open_place, .fini = close_place);

static void write_gguf(const char *name)
{
    gguf_writer bytes = {0};
    gguf_write_example(&bytes, 3);
    (void)folder_write(&place, name, bytes.data, bytes.size);
    gguf_free(&bytes);
}

static const char CONFIG[] =
    "{\"model_type\": \"llama\", \"hidden_size\": 8, \"intermediate_size\": "
    "16, \"num_hidden_layers\": 1, \"num_attention_heads\": 2, "
    "\"num_key_value_heads\": 2, \"vocab_size\": 4, "
    "\"max_position_embeddings\": 64, \"torch_dtype\": \"bfloat16\"}";

static void expect_format(const char *source,
                          const memplan_model_options *options,
                          const char *format)
{
    memplan_model *model = NULL;
    memplan_error error = {0};
    cr_assert_eq(memplan_model_open(&model, source, options, &error),
                 MEMPLAN_OK, "%s", error.message);
    cr_expect_str_eq(model->format, format);
    cr_expect_str_eq(model->source, source);
    memplan_model_free(model);
}

static void expect_refused(const char *source,
                           const memplan_model_options *options,
                           memplan_status status, const char *message)
{
    memplan_model *model = NULL;
    memplan_error error = {0};
    const memplan_status got =
        memplan_model_open(&model, source, options, &error);
    cr_expect_eq(got, status, "%s: %s: %s", source, memplan_status_name(got),
                 error.message);
    cr_expect_null(model);
    cr_expect(strstr(error.message, message) != NULL, "%s: %s", message,
              error.message);
}

Test(locate, knows_a_gguf_by_its_first_bytes)
{
    write_gguf("blob");
    expect_format(folder_path(&place, "blob"), NULL, "gguf");
}

Test(locate, takes_the_one_gguf_of_a_folder)
{
    write_gguf("m.gguf");
    expect_format(place.path, NULL, "gguf");
    write_gguf("n.gguf");
    expect_refused(place.path, NULL, MEMPLAN_E_NOT_FOUND,
                   "holds 2 models, \"m.gguf\" and others");
}

Test(locate, takes_a_config_alone)
{
    (void)folder_write_text(&place, "config.json", CONFIG);
    expect_format(place.path, NULL, "config");
    expect_format(folder_path(&place, "config.json"), NULL, "config");
}

Test(locate, refuses_what_is_no_model)
{
    expect_refused(place.path, NULL, MEMPLAN_E_NOT_FOUND, "a folder without");
    expect_refused("", NULL, MEMPLAN_E_NOT_FOUND, "empty name");
    expect_refused("/nowhere/m.gguf", NULL, MEMPLAN_E_NOT_FOUND,
                   "no such file or folder");
    expect_refused("m.gguf", NULL, MEMPLAN_E_NOT_FOUND,
                   "no such file or folder");
    expect_refused("/dev/null", NULL, MEMPLAN_E_IO, "/dev/null");
    expect_refused(folder_write_text(&place, "m.txt", "text"), NULL,
                   MEMPLAN_E_UNSUPPORTED, "no model that is read here");
    expect_refused(folder_write_text(&place, "m.gguf", ""), NULL,
                   MEMPLAN_E_CORRUPT, "not a GGUF file");
    expect_refused(folder_write_text(&place, "m.safetensors", ""), NULL,
                   MEMPLAN_E_CORRUPT, "0 bytes are too few");
    expect_refused(folder_write_text(&place, "config.json", ""), NULL,
                   MEMPLAN_E_CORRUPT, "not valid JSON");
    (void)folder_write_text(&place, "dir.gguf/x", "");
    expect_refused(folder_path(&place, "dir.gguf"), NULL, MEMPLAN_E_NOT_FOUND,
                   "a folder without");
}

Test(locate, tells_a_dangling_link)
{
    const char *const path = folder_path(&place, "m.gguf");
    cr_assert_eq(symlink("/nowhere/blob", path), 0);
    expect_refused(path, NULL, MEMPLAN_E_NOT_FOUND,
                   "a symbolic link to a file that is not there");
}

Test(locate, reads_a_hub_cache)
{
    const memplan_model_options options = {.size = sizeof options,
                                           .hub_cache = place.path};
    memplan_model_options other = options;
    (void)folder_write_text(
        &place, "models--acme--tiny/snapshots/0123abcd/config.json", CONFIG);
    (void)folder_write_text(&place, "models--acme--tiny/refs/main",
                            "0123abcd\n");
    expect_format("acme/tiny", &options, "config");
    other.hub_revision = "0123abcd";
    expect_format("acme/tiny", &other, "config");
    other.hub_revision = "v2";
    expect_refused("acme/tiny", &other, MEMPLAN_E_IO,
                   "revision \"v2\" is not in the cache");
    other.hub_revision = "../../../etc";
    expect_refused("acme/tiny", &other, MEMPLAN_E_ARGUMENT, "no name of");
    expect_refused("acme/other", &options, MEMPLAN_E_NOT_FOUND, "no such file");
    (void)folder_write_text(&place, "models--acme--tiny/refs/main",
                            "../../../etc");
    expect_refused("acme/tiny", &options, MEMPLAN_E_CORRUPT,
                   "no commit stands in it");
    (void)folder_write_text(&place, "models--acme--tiny/refs/main", "beef");
    expect_refused("acme/tiny", &options, MEMPLAN_E_IO,
                   "the snapshot is not in the cache");
}

#define DIGITS                                                                 \
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

Test(locate, reads_an_ollama_store)
{
    const memplan_model_options options = {.size = sizeof options,
                                           .ollama_store = place.path};
    static const char MANIFEST[] =
        "{\"layers\": [{\"mediaType\": \"application/vnd.ollama.image.license"
        "\", \"digest\": \"sha256:00\"}, {\"mediaType\": "
        "\"application/vnd.ollama.image.model\", \"digest\": \"sha256:" DIGITS
        "\"}]}";
    static const char *const NAMES[][2] = {
        {"tiny", "registry.ollama.ai/library/tiny/latest"},
        {"tiny:1b", "registry.ollama.ai/library/tiny/1b"},
        {"acme/tiny:1b", "registry.ollama.ai/acme/tiny/1b"},
        {"hf.co/acme/tiny:Q4_0", "hf.co/acme/tiny/Q4_0"}};
    write_gguf("blobs/sha256-" DIGITS);
    for (size_t at = 0; at < sizeof NAMES / sizeof *NAMES; at++) {
        char path[200];
        (void)snprintf(path, sizeof path, "manifests/%s", NAMES[at][1]);
        (void)folder_write_text(&place, path, MANIFEST);
        expect_format(NAMES[at][0], &options, "gguf");
    }
    static const char HERE[] =
        "manifests/registry.ollama.ai/library/bad/latest";
    (void)folder_write_text(&place, HERE, "{\"layers\": []}");
    expect_refused("bad", &options, MEMPLAN_E_CORRUPT, "no layer of it");
    (void)folder_write_text(
        &place, HERE,
        "{\"layers\": [{\"mediaType\": \"application/vnd.ollama.image.model\","
        " \"digest\": \"sha256:../../../../etc/passwd\"}]}");
    expect_refused("bad", &options, MEMPLAN_E_CORRUPT, "no layer of it");
    (void)folder_write_text(&place, HERE, "{\"layers\"");
    expect_refused("bad", &options, MEMPLAN_E_CORRUPT, "not valid JSON");
    expect_refused("../tiny", &options, MEMPLAN_E_NOT_FOUND, "no such file");
}

/* A part of a split: two layers of one tensor each. */
static void write_part(int number, int count, int own_number, int tensors)
{
    gguf_writer bytes = {0};
    char name[64];
    gguf_header(&bytes, 3, 2, 4);
    gguf_key_text(&bytes, "general.architecture", "llama");
    gguf_key_u16(&bytes, "split.no", (uint16_t)own_number);
    gguf_key_u16(&bytes, "split.count", (uint16_t)count);
    gguf_key_i32(&bytes, "split.tensors.count", tensors);
    for (int at = 0; at < 2; at++) {
        (void)snprintf(name, sizeof name, "blk.%d.w", 2 * number + at);
        gguf_tensor(&bytes, name, 0, 1, (uint64_t[]){8});
    }
    gguf_finish(&bytes);
    (void)snprintf(name, sizeof name, "m-%05d-of-%05d.gguf", number + 1, count);
    (void)folder_write(&place, name, bytes.data, bytes.size);
    gguf_free(&bytes);
}

Test(locate, joins_a_split_gguf_from_any_part)
{
    write_part(0, 2, 0, 4);
    write_part(1, 2, 1, 4);
    static const char *const NAMES[] = {"m-00001-of-00002.gguf",
                                        "m-00002-of-00002.gguf", ""};
    for (int at = 0; at < 3; at++) {
        memplan_model *model = NULL;
        memplan_error error = {0};
        cr_assert_eq(memplan_model_open(&model, folder_path(&place, NAMES[at]),
                                        NULL, &error),
                     MEMPLAN_OK, "%s", error.message);
        cr_expect_eq(model->file_count, 2);
        cr_expect_eq(model->layer_count, 4);
        cr_expect_eq(model->weight_bytes, 4 * 32);
        memplan_model_free(model);
    }
}

Test(locate, refuses_a_split_gguf_that_does_not_match)
{
    const char *const first = folder_path(&place, "m-00001-of-00002.gguf");
    write_part(0, 2, 0, 4);
    expect_refused(first, NULL, MEMPLAN_E_NOT_FOUND, "m-00002-of-00002.gguf");
    write_part(1, 2, 0, 4);
    expect_refused(first, NULL, MEMPLAN_E_CORRUPT, "do not say that this is");
    write_part(1, 2, 1, 4);
    write_part(0, 2, 0, 5);
    expect_refused(first, NULL, MEMPLAN_E_CORRUPT,
                   "hold 4 tensors, but split.tensors.count is 5");
}

Test(locate, cuts_paths)
{
    uint64_t prefix = 0;
    uint64_t count = 0;
    cr_expect(
        mpl_path_is_part("a-00002-of-00005.gguf", ".gguf", &prefix, &count));
    cr_expect_eq(prefix, 1);
    cr_expect_eq(count, 5);
    cr_expect(
        !mpl_path_is_part("a-00006-of-00005.gguf", ".gguf", &prefix, &count));
    cr_expect(
        !mpl_path_is_part("a-00000-of-00005.gguf", ".gguf", &prefix, &count));
    cr_expect(
        !mpl_path_is_part("a-0001-of-00005.gguf", ".gguf", &prefix, &count));
    cr_expect_str_eq(mpl_path_name("/a/b/"), "b/");
    cr_expect_str_eq(mpl_path_name("b"), "b");
    cr_expect(mpl_path_is_below("a/b..c"));
    cr_expect(!mpl_path_is_below("a/../b"));
    cr_expect(!mpl_path_is_below(".."));
    cr_expect(!mpl_path_is_below("/a"));
    cr_expect(!mpl_path_is_below(""));
}
