/* SPDX-License-Identifier: MIT */
/* What a plan proposes where it does not fit, and what it says to type. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "fixture.h"
#include "support/folder.h"

/* The table has these words. */
static void expect_said(fixture *made, const char *words)
{
    char *text = NULL;
    cr_assert_eq(made->status, MEMPLAN_OK, "%s", made->error.message);
    cr_assert_eq(
        memplan_plan_render(&text, made->plan, "table", NULL, &made->error),
        MEMPLAN_OK);
    cr_expect_not_null(strstr(text, words), "%s", text);
    memplan_text_free(text);
}

/* Applies a fix as its reader would. */
static fixture apply(const memplan_fix_info *fix, memplan_request request,
                     const char *budgets, uint64_t host_bytes,
                     uint64_t device_bytes)
{
    char changed[128];
    (void)snprintf(changed, sizeof changed, "%s", budgets);
    if (strcmp(fix->kind, "context") == 0)
        cr_assert_eq(sscanf(fix->value, "%lu", &request.context_tokens), 1);
    else if (strcmp(fix->kind, "prompt") == 0)
        cr_assert_eq(sscanf(fix->value, "%lu", &request.prompt_tokens), 1);
    else if (strcmp(fix->kind, "cache") == 0)
        request.cache = fix->value;
    else if (strcmp(fix->kind, "kv_dtype") == 0)
        request.kv_dtype = fix->value;
    else if (strcmp(fix->kind, "dtype") == 0)
        request.dtype = fix->value;
    else if (strcmp(fix->value, "disk") == 0)
        (void)snprintf(changed, sizeof changed, "%s,disk=%lu", budgets,
                       fix->bytes);
    else
        (void)snprintf(
            changed, sizeof changed, "0=%lu,cpu=%lu",
            device_bytes + (strcmp(fix->value, "0") == 0 ? fix->bytes : 0),
            host_bytes + (strcmp(fix->value, "cpu") == 0 ? fix->bytes : 0));
    return make("llama-2-7b", changed, &request);
}

Test(fixes, every_fix_makes_it_fit)
{
    const uint64_t GB = 1000000000;
    memplan_request request = MEMPLAN_REQUEST_INIT;
    request.dtype = "fp16";
    request.context_tokens = 16384;
    fixture made = make("llama-2-7b", "0=12GB,cpu=8GB", &request);
    cr_expect_eq(made.info.fits, 0);
    cr_expect_geq(made.info.fix_count, 3);
    for (uint64_t index = 0; index < made.info.fix_count; index++) {
        memplan_fix_info fix = {sizeof fix};
        cr_assert_eq(memplan_plan_fix(made.plan, index, &fix), MEMPLAN_OK);
        cr_expect_null(strstr(fix.text, "--"), "%s", fix.text);
        fixture fixed = apply(&fix, request, "0=12GB,cpu=8GB", 8 * GB, 12 * GB);
        cr_expect_eq(fixed.info.fits, 1, "%s", fix.text);
        drop(&fixed);
    }
    drop(&made);
}

/* generate() reads a prompt in steps if told so: the hint tells it. */
Test(fixes, a_prompt_read_in_steps_makes_room)
{
    memplan_request request = MEMPLAN_REQUEST_INIT;
    request.dtype = "fp16";
    request.context_tokens = 32768;
    fixture made = make("mistral-7b-v0.3", "0=20GB,cpu=2GB", &request);
    memplan_fix_info fix = {sizeof fix};
    cr_expect_eq(made.info.fits, 0);
    cr_assert_eq(memplan_plan_fix(made.plan, 0, &fix), MEMPLAN_OK);
    cr_expect_str_eq(fix.kind, "prompt");
    cr_assert_eq(sscanf(fix.value, "%lu", &request.prompt_tokens), 1);
    fixture fixed = make("mistral-7b-v0.3", "0=20GB,cpu=2GB", &request);
    cr_expect_eq(fixed.info.fits, 1);
    expect_said(&fixed, "prefill_chunk_size=2048");
    drop(&fixed);
    drop(&made);
}

/* What was counted is also what the snippet asks generate() for. */
Test(fixes, a_cache_that_is_not_the_default_is_told)
{
    static const struct {
        const char *kv_dtype;
        const char *cache;
        const char *settings;
        const char *says;
    } CASES[] = {
        {"int4", NULL, NULL, "{\"backend\": \"quanto\", \"nbits\": 4}"},
        {"hqq-int2", NULL, "q_group_size=32", "\"q_group_size\": 32}"},
        {"fp8", NULL, NULL, "{\"backend\": \"fp8\"}"},
        {NULL, "static", NULL, "cache_implementation=\"static\""},
        {NULL, "offloaded", NULL, "cache_implementation=\"offloaded\""},
        {NULL, NULL, "attn=eager", "attn_implementation=\"eager\""},
    };
    for (size_t at = 0; at < sizeof CASES / sizeof *CASES; at++) {
        memplan_request request = MEMPLAN_REQUEST_INIT;
        request.dtype = "fp16";
        request.kv_dtype = CASES[at].kv_dtype;
        request.cache = CASES[at].cache;
        request.settings = CASES[at].settings;
        fixture made = make("llama-2-7b", "0=24GB,cpu=60GB", &request);
        expect_said(&made, CASES[at].says);
        drop(&made);
    }
}

/* The automatic class would refuse these, or make a decoder of an encoder. */
Test(fixes, what_is_no_decoder_is_loaded_by_its_class)
{
    static const struct {
        const char *config;
        const char *says;
    } CASES[] = {
        {"{\"model_type\": \"bert\", \"architectures\": "
         "[\"BertForMaskedLM\"]}",
         "model = BertForMaskedLM.from_pretrained("},
        {"{\"model_type\": \"t5\"}",
         "model = T5ForConditionalGeneration.from_pretrained("},
        {"{\"model_type\": \"gpt2\"}",
         "model = AutoModelForCausalLM.from_pretrained("},
        {"{\"model_type\": \"llama\"}",
         "model = AutoModelForCausalLM.from_pretrained("},
    };
    for (size_t at = 0; at < sizeof CASES / sizeof *CASES; at++) {
        folder here;
        folder_make(&here);
        const char *const path =
            folder_write_text(&here, "config.json", CASES[at].config);
        fixture made = make(path, "0=80GB,cpu=60GB", NULL);
        expect_said(&made, CASES[at].says);
        drop(&made);
        folder_remove(&here);
    }
}

/* The first device may be left empty: what is said is of one that executes. */
Test(fixes, notes_are_of_the_device_that_executes)
{
    memplan_request request = MEMPLAN_REQUEST_INIT;
    request.context_tokens = 16384;
    fixture made =
        make_on("llama-2-70b", "gtx-1070, rtx-4090, 256GiB ram", &request);
    expect_said(&made, "reading a prompt of 16384 tokens in one step");
    for (uint64_t at = 0; at < made.info.note_count; at++)
        cr_expect_null(strstr(memplan_plan_note(made.plan, at), " 0 B "));
    drop(&made);
}

Test(fixes, a_driver_s_part_is_said_of_all_that_are_alike)
{
    fixture made = make_on("llama-2-7b", "2x rtx-4090, 64GiB ram", NULL);
    expect_said(&made, "24 GiB for GPU 0 and 1 like it; 23.6 GiB are");
    drop(&made);
    made = make_on("qwen2.5-0.5b", "gtx-1050, 64GiB ram", NULL);
    expect_said(&made, "2 GiB for GPU 0; 32 MiB less are planned on");
    drop(&made);
}

/* A context of less than half comes behind weights in a smaller type. */
Test(fixes, the_cheapest_first)
{
    memplan_request request = MEMPLAN_REQUEST_INIT;
    memplan_fix_info fix = MEMPLAN_FIX_INFO_INIT;
    bool is_smaller = false;
    request.context_tokens = 4096;
    fixture made = make("llama-3.1-8b", "0=16500MB,cpu=2GB", &request);
    for (uint64_t at = 0;
         memplan_plan_fix(made.plan, at, &fix) == MEMPLAN_OK; at++) {
        unsigned long tokens = 0;
        is_smaller |= strcmp(fix.kind, "dtype") == 0;
        if (strcmp(fix.kind, "context") == 0) {
            cr_assert_eq(sscanf(fix.value, "%lu", &tokens), 1);
            cr_expect_eq(is_smaller, tokens < 2048, "%lu", tokens);
        }
    }
    drop(&made);
}

/* Answers are faster on the host, long prompts are not: both are said, with a
 * pin that uses the GPU. */
Test(fixes, an_idle_device_is_told_of)
{
    static const char MACHINE[] = "rtx-4090, 256GiB ram 80GB/s";
    memplan_request request = MEMPLAN_REQUEST_INIT;
    fixture made = make_on("llama-3.1-70b", MACHINE, &request);
    expect_said(&made, "no GPU is used: copying offloaded layers");
    drop(&made);
    request.pins = "model.embed_tokens=0";
    made = make_on("llama-3.1-70b", MACHINE, &request);
    expect_said(&made, "on GPU 0");
    drop(&made);
}
