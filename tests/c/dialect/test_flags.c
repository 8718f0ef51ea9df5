/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <string.h>

#include "dialect/flags.h"
#include "dialect/sample_plan.h"

static void make_plan(sample_plan *out, const char *settings)
{
    sample_plan_make(out, NULL, 0);
    out->plan.engine = "llama.cpp";
    out->plan.model_source = "/models/my model.gguf";
    out->plan.settings = settings;
    out->plan.context_tokens = 8192;
    out->plan.sequences = 2;
}

static void expect_text(const char *settings, const char *dialect,
                        const char *expected)
{
    sample_plan sample;
    memplan_error error;
    char *text = NULL;
    make_plan(&sample, settings);
    cr_assert_eq(
        memplan_plan_render(&text, &sample.plan, dialect, NULL, &error),
        MEMPLAN_OK, "%s", error.message);
    cr_expect_str_eq(text, expected);
    memplan_text_free(text);
}

/* -c counts the tokens of all sequences: 2 * 8192. */
Test(flags, context_and_sequences_are_always_said)
{
    expect_text("", "llamacpp",
                "llama-server -m '/models/my model.gguf' -c 16384 -np 2\n");
    expect_text("ctx-size=4096\nnp=1\n", "llamacpp",
                "llama-server -m '/models/my model.gguf' --ctx-size 4096 "
                "-np 1\n");
    expect_text("kvu\n", "llamacpp",
                "llama-server -m '/models/my model.gguf' -c 8192 -np 2 "
                "-kvu\n");
}

Test(flags, each_setting_is_its_flag)
{
    expect_text(
        "c=8\nnp=1\nngl=20\nts=3/1\nno-mmap\nmlock=0\nswa-full=1\n"
        "frontend=tool\ncache-ram=100\nfa=on\n",
        "llamacpp",
        "llama-completion -m '/models/my model.gguf' -c 8 -np 1 -ngl 20 "
        "-ts 3,1 -lm none --swa-full --cache-ram 100 -fa on\n");
}

Test(flags, the_cache_is_told_once)
{
    sample_plan sample;
    mpl_text text = {0};
    make_plan(&sample, "c=8\nnp=1\n");
    sample.plan.kv_dtype = "q8_0";
    sample.plan.value_dtype = "q8_0";
    mpl_text_flags(&text, &sample.plan, "m", " ");
    cr_expect_str_eq(text.data, " -m m -ctk q8_0 -ctv q8_0 -c 8 -np 1");
    mpl_text_discard(&text);
    sample.plan.settings = "c=8\nnp=1\nctk=q8_0\n";
    mpl_text_flags(&text, &sample.plan, "m", " ");
    cr_expect_str_eq(text.data, " -m m -ctv q8_0 -c 8 -np 1 -ctk q8_0");
    mpl_text_discard(&text);
    sample.plan.value_dtype = "fp16";
    mpl_text_flags(&text, &sample.plan, "m", " ");
    cr_expect_str_eq(text.data, " -m m -c 8 -np 1 -ctk q8_0");
    mpl_text_discard(&text);
}

/* A pattern is full of what a shell would take for its own. */
Test(flags, patterns_are_quoted)
{
    expect_text("c=8\nnp=1\not=blk\\.(1|2)\\..*=CPU\not=it's=CUDA0\n",
                "llamacpp",
                "llama-server -m '/models/my model.gguf' -c 8 -np 1 "
                "-ot 'blk\\.(1|2)\\..*=CPU' -ot 'it'\\''s=CUDA0'\n");
}

Test(flags, a_modelfile_says_what_ollama_takes)
{
    expect_text("ngl=20\nub=512\n", "ollama",
                "FROM /models/my model.gguf\nPARAMETER num_ctx 8192\n"
                "PARAMETER num_gpu 20\nPARAMETER num_batch 512\n"
                "# in the server's environment:\n"
                "#   OLLAMA_NUM_PARALLEL=2\n");
}

Test(flags, what_ollama_cannot_be_told_is_refused)
{
    sample_plan sample;
    memplan_error error;
    char *text = NULL;
    make_plan(&sample, "ngl=20\nn-cpu-moe=4\n");
    cr_expect_eq(
        memplan_plan_render(&text, &sample.plan, "ollama", NULL, &error),
        MEMPLAN_E_UNSUPPORTED);
    cr_expect_str_eq(error.message,
                     "Ollama cannot be told \"n-cpu-moe\", only how many whole "
                     "layers a GPU has: set ngl to as many as fit");
    cr_expect_eq(text, NULL);
}

/* 14 and 23 GiB are used of two devices, nothing of the host. */
Test(flags, a_service_names_its_devices)
{
    expect_text("c=8\nnp=1\n", "compose",
                "services:\n"
                "  model:\n"
                "    image: ghcr.io/ggml-org/llama.cpp:server-cuda\n"
                "    command: \"-m '/models/my model.gguf' -c 8 -np 1\"\n"
                "    volumes:\n"
                "      - \"/models:/models:ro\"\n"
                "    deploy:\n"
                "      resources:\n"
                "        reservations:\n"
                "          devices:\n"
                "            - driver: nvidia\n"
                "              capabilities: [gpu]\n"
                "              device_ids: [\"0\", \"1\"]\n");
}

static void expect_service(const char *first, const char *second,
                           const char *part)
{
    sample_plan sample;
    memplan_error error;
    char *text = NULL;
    make_plan(&sample, "c=8\nnp=1\n");
    sample.pools[0].vendor = first;
    sample.pools[1].vendor = second;
    cr_assert_eq(
        memplan_plan_render(&text, &sample.plan, "compose", NULL, &error),
        MEMPLAN_OK, "%s", error.message);
    cr_expect(strstr(text, part) != NULL, "%s", text);
    cr_expect_eq(strstr(text, "nvidia"), NULL, "%s", text);
    memplan_text_free(text);
}

Test(flags, a_service_is_for_its_vendor)
{
    expect_service("amd", "amd", "llama.cpp:server-rocm\n");
    expect_service("amd", "amd", "      - /dev/kfd\n");
    expect_service("amd", "amd", "HIP_VISIBLE_DEVICES: \"0,1\"\n");
    expect_service("intel", "intel", "llama.cpp:server-intel\n");
    expect_service("intel", "intel", "SELECTOR: \"level_zero:0,1\"\n");
    expect_service("", "", "    # image: ");
    expect_service("apple", "apple", "    # image: none: containers have no");
    expect_service("amd", "intel", "    # pass these devices to it: 0 1\n");
}

Test(flags, a_service_without_devices_is_for_the_host)
{
    sample_plan sample;
    memplan_error error;
    char *text = NULL;
    make_plan(&sample, "c=8\nnp=1\n");
    sample.pools[0].used_bytes = 0;
    sample.pools[1].used_bytes = 0;
    cr_assert_eq(
        memplan_plan_render(&text, &sample.plan, "compose", NULL, &error),
        MEMPLAN_OK, "%s", error.message);
    cr_expect_str_eq(text,
                     "services:\n"
                     "  model:\n"
                     "    image: ghcr.io/ggml-org/llama.cpp:server\n"
                     "    command: \"-m '/models/my model.gguf' -c 8 -np 1\"\n"
                     "    volumes:\n"
                     "      - \"/models:/models:ro\"\n");
    memplan_text_free(text);
}

/* 1 GiB, half of it an estimate: a limit ends who passes it. */
Test(flags, a_limit_leaves_room_for_estimates)
{
    sample_plan sample;
    char *text = NULL;
    make_plan(&sample, "c=8\nnp=1\n");
    sample.rows[2][0] =
        (mpl_row){2, MPL_ROW_RUNTIME, MPL_ESTIMATE, 0, 512 << 20, "about"};
    sample.rows[2][1] =
        (mpl_row){2, MPL_ROW_WEIGHTS, MPL_EXACT, 0, 512 << 20, "as stored"};
    sample.pools[2].row_count = 2;
    sample.pools[2].used_bytes = 1 << 30;
    cr_assert_eq(
        memplan_plan_render(&text, &sample.plan, "compose", NULL, NULL),
        MEMPLAN_OK);
    cr_expect(strstr(text, "mem_limit: 1536m # 1 GiB, and its estimates once "
                           "more\n") != NULL,
              "%s", text);
    memplan_text_free(text);
}

Test(flags, ollama_keeps_one_cache_type)
{
    sample_plan sample;
    memplan_error error;
    char *text = NULL;
    make_plan(&sample, "ngl=20\n");
    sample.plan.kv_dtype = "q8_0";
    cr_expect_eq(
        memplan_plan_render(&text, &sample.plan, "ollama", NULL, &error),
        MEMPLAN_E_UNSUPPORTED);
    cr_expect(strstr(error.message, "in q8_0 and fp16") != NULL);
}

/* The last one counts, as it does for llama.cpp. */
Test(flags, a_setting_is_found_by_either_name)
{
    sample_plan sample;
    mpl_setting found;
    make_plan(&sample, "ngl=1\n--gpu-layers=7\n");
    cr_assert(mpl_setting_find(&found, &sample.plan, "ngl"));
    cr_expect_eq(found.value_length, 1);
    cr_expect_eq(found.value[0], '7');
    cr_expect_not(mpl_setting_find(&found, &sample.plan, "ts"));
}
