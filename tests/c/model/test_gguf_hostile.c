/* SPDX-License-Identifier: MIT */
/* GGUF files that are broken, cut or made by an enemy. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memplan.h"
#include "support/folder.h"
#include "support/gguf_writer.h"
#include "support/hex.h"
#include "support/hostile.h"
#include "support/vectors.h"

static memplan_status open_path(const char *path, memplan_error *error)
{
    memplan_model *model = NULL;
    const memplan_status status = memplan_model_open(&model, path, NULL, error);
    memplan_model_free(model);
    return status;
}

static void check_refused(const vector_case *one)
{
    folder at;
    folder_make(&at);
    size_t size = 0;
    uint8_t *const bytes = hex_bytes(mpl_json_get(one->given, "hex"), &size);
    const char *const path = folder_write(&at, "m.gguf", bytes, size);
    memplan_error error = {0};
    const memplan_status status = open_path(path, &error);
    const char *const wanted =
        mpl_json_string(mpl_json_get(one->expect, "status"), NULL);
    const char *const message =
        mpl_json_string(mpl_json_get(one->expect, "message"), NULL);
    cr_expect_str_eq(memplan_status_name(status), wanted, "%s: %s", one->name,
                     error.message);
    cr_expect(strstr(error.message, message) != NULL, "%s: %s", one->name,
              error.message);
    cr_expect(strncmp(error.message, path, strlen(path)) == 0, "%s: %s",
              one->name, error.message);
    free(bytes);
    folder_remove(&at);
}

Test(gguf_hostile, refuses_what_breaks_a_rule)
{
    vectors_run("gguf_refused.json", check_refused);
}

Test(gguf_hostile, refuses_every_prefix)
{
    gguf_writer bytes = {0};
    gguf_write_example(&bytes, 3);
    hostile_prefixes("m.gguf", bytes.data, bytes.size, bytes.size);
    gguf_free(&bytes);
}

Test(gguf_hostile, survives_every_single_bit_flip)
{
    gguf_writer bytes = {0};
    gguf_write_example(&bytes, 3);
    const size_t refused =
        hostile_bit_flips("m.gguf", bytes.data, bytes.size, bytes.size);
    /* Values, names of keys and parts of names may change freely; structure
     * may not. */
    cr_expect_gt(refused, bytes.size);
    cr_expect_lt(refused, 8 * bytes.size);
    gguf_free(&bytes);
}

/* 60,000 keys and tensors whose names differ in the last place alone: pairs
 * would be 1.8 * 10^9 comparisons each. */
Test(gguf_hostile, finds_duplicates_without_comparing_all_pairs, .timeout = 10)
{
    enum { COUNT = 60000 };
    gguf_writer bytes = {0};
    gguf_header(&bytes, 3, COUNT, COUNT);
    gguf_key_text(&bytes, "general.architecture", "llama");
    char name[64];
    for (int at = 1; at < COUNT; at++) {
        (void)snprintf(name, sizeof name, "%050d", at);
        gguf_key_u32(&bytes, name, 1);
    }
    for (int at = 0; at < COUNT; at++) {
        (void)snprintf(name, sizeof name, "%050d", at == COUNT - 1 ? 7 : at);
        gguf_tensor(&bytes, name, 0, 1, (uint64_t[]){8});
    }
    gguf_finish(&bytes);
    folder at;
    folder_make(&at);
    memplan_error error = {0};
    cr_expect_eq(
        open_path(folder_write(&at, "m.gguf", bytes.data, bytes.size), &error),
        MEMPLAN_E_CORRUPT);
    cr_expect(strstr(error.message, "7\" stands twice") != NULL, "%s",
              error.message);
    folder_remove(&at);
    gguf_free(&bytes);
}

Test(gguf_hostile, stops_at_the_cap_of_a_header)
{
    gguf_writer bytes = {0};
    gguf_write_example(&bytes, 3);
    folder at;
    folder_make(&at);
    const char *const path =
        folder_write(&at, "m.gguf", bytes.data, bytes.size);
    const memplan_model_options options = {.size = sizeof options,
                                           .header_max_bytes = 100};
    memplan_model *model = NULL;
    memplan_error error = {0};
    cr_expect_eq(memplan_model_open(&model, path, &options, &error),
                 MEMPLAN_E_TOO_LARGE);
    cr_expect(strstr(error.message, "longer than 100 bytes") != NULL, "%s",
              error.message);
    folder_remove(&at);
    gguf_free(&bytes);
}
