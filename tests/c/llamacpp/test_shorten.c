/* SPDX-License-Identifier: MIT */
/* Shortened graphs need exactly what whole ones need, and are used. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "engine/llamacpp/job.h"
#include "engine/llamacpp/shorten.h"
#include "llamacpp/tiny_model.h"

enum { LAYERS = 40, SPACES_MAX = MPL_LLAMA_BUFFER_MAX };

static const char *const DEVICES[] = {"RPC0:8GiB", "RPC0:8GiB/RPC1:8GiB",
                                      "RPC0:8GiB/RPC1:8GiB/RPC2:8GiB"};
static const char *const NGL[] = {"0", "1", "13", "27", "40", "all"};
static const char *const OTHERS[] = {
    "c=512",
    "c=512\nub=64\nfa=off",
    "c=512\nnp=3\nctk=q8_0\nfa=on",
    "c=512\nnkvo",
    "c=512\not=blk.1[0-9].ffn_down=CPU",
    "c=512\not=ffn_up=CPU\nub=16",
    "c=512\nno-repack\nno-op-offload",
    "c=512\not=blk.[0-9]*[05].attn_q=CPU\not=blk.(3|4)..attn_k=CPU",
};

typedef struct tally {
    uint32_t configurations;
    uint32_t shortened;
} tally;

static void compare(const mpl_job *job, const char *settings, tally *all)
{
    mpl_arena *const arena = mpl_arena_create();
    mpl_llama_price *const price = mpl_arena_alloc(arena, 1, sizeof *price);
    mpl_run *const run = mpl_arena_alloc(arena, 1, sizeof *run);
    memplan_error error = {0};
    cr_assert_eq(mpl_llama_price_make(price, arena, job, settings, &error),
                 MEMPLAN_OK, "%s: %s", settings, error.message);
    const mpl_llama_short *const brief =
        mpl_shorten(&price->setup, MPL_SHORT_WIDE);
    all->configurations++;
    if (brief != NULL) {
        mpl_run_open(run, arena, &brief->setup, MPL_LLAMA_REAL,
                     MPL_RESERVE_PROMPT);
        if (mpl_short_schedule(brief, run) &&
            mpl_short_allocate(brief, run))
            all->shortened++;
    }
    for (int mode = MPL_LLAMA_REAL; mode <= MPL_LLAMA_DRY; mode++) {
        mpl_llama_compute_result quick;
        mpl_llama_compute_result whole;
        mpl_llama_setup setup = price->setup;
        cr_assert_eq(mpl_llama_compute(&quick, &setup, (mpl_llama_mode)mode,
                                       &error),
                     MEMPLAN_OK);
        setup.builds_all_layers = true;
        cr_assert_null(mpl_shorten(&setup, MPL_SHORT_TIGHT));
        cr_assert_eq(mpl_llama_compute(&whole, &setup, (mpl_llama_mode)mode,
                                       &error),
                     MEMPLAN_OK);
        for (uint32_t i = 0; i < SPACES_MAX && mode == MPL_LLAMA_REAL; i++)
            cr_expect_eq(price->compute.bytes[i], whole.bytes[i], "%s",
                         settings);
        for (uint32_t i = 0; i < SPACES_MAX; i++)
            cr_expect_eq(quick.bytes[i], whole.bytes[i],
                         "%s: mode %d, buffer type %u: %llu, whole %llu",
                         settings, mode, i,
                         (unsigned long long)quick.bytes[i],
                         (unsigned long long)whole.bytes[i]);
    }
    mpl_arena_free(arena);
}

static void compare_all(const char *architecture, uint32_t window, tally *all)
{
    const tiny_options options = {.architecture = architecture,
                                  .layers = LAYERS,
                                  .window = window};
    mpl_arena *const arena = mpl_arena_create();
    memplan_model *model = NULL;
    memplan_machine *machine = NULL;
    memplan_error error = {0};
    mpl_job *job = NULL;
    const mpl_engine *const engine = mpl_engine_find("llama.cpp");
    const mpl_request request = {.engine = engine,
                                 .context_tokens = 512,
                                 .sequences = 1,
                                 .reserve_bytes = MEMPLAN_UNKNOWN};
    cr_assert_eq(tiny_open(&model, &options, &error), MEMPLAN_OK, "%s",
                 error.message);
    cr_assert_eq(memplan_machine_declare(&machine, NULL,
                                         "0=8GiB,1=8GiB,2=8GiB,cpu=8GiB",
                                         &error),
                 MEMPLAN_OK);
    cr_assert_eq(engine->open(&job, arena, model, machine, &request, &error),
                 MEMPLAN_OK, "%s: %s", architecture, error.message);
    for (size_t d = 0; d < sizeof DEVICES / sizeof *DEVICES; d++)
        for (size_t n = 0; n < sizeof NGL / sizeof *NGL; n++)
            for (size_t o = 0; o < sizeof OTHERS / sizeof *OTHERS; o++) {
                char settings[256];
                (void)snprintf(settings, sizeof settings,
                               "devices=%s\nlm=none\nfrontend=tool\nngl=%s\n%s",
                               DEVICES[d], NGL[n], OTHERS[o]);
                compare(job, settings, all);
            }
    mpl_arena_free(arena);
    memplan_machine_free(machine);
    memplan_model_free(model);
}

static void expect_same(const char *architecture, uint32_t window,
                        uint32_t percent)
{
    tally all = {0};
    compare_all(architecture, window, &all);
    cr_expect_geq(100 * all.shortened, percent * all.configurations,
                  "%s: %u of %u configurations are shortened", architecture,
                  all.shortened, all.configurations);
}

Test(shorten, uniform_layers)
{
    expect_same("llama", 0, 80);
}

Test(shorten, layers_that_alternate)
{
    expect_same("gemma2", 128, 20);
}

Test(shorten, one_full_layer_among_sliding_ones)
{
    expect_same("olmo2", 128, 10);
}

Test(shorten, layers_whose_place_counts_are_never_left_out)
{
    expect_same("smollm3", 0, 0);
}
