/* SPDX-License-Identifier: MIT */
/*
 * Plans against all that llama.cpp can be told: every count of layers, every
 * way to share them out, every choice of expert tensors that stay with the
 * host, each priced in full.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "engine/llamacpp/job.h"
#include "engine/llamacpp/settings.h"
#include "llamacpp/tiny_model.h"

enum { LAYERS = 3, PLACES = LAYERS + 1, EXPERT_TENSORS = 3 * LAYERS };

static const char *const PARTS[] = {"up", "gate", "down"};

/* One machine and one model. */
typedef struct trial {
    memplan_model *model;
    memplan_machine *machine;
    mpl_arena *arena;
    mpl_job *job;
    uint32_t device_count;
    uint64_t room[2];
    char settings[256];
} trial;

static void trial_open(trial *at, const tiny_options *options, uint64_t first,
                       uint64_t second)
{
    char budgets[128];
    memplan_error error = {0};
    *at = (trial){.room = {first, second}, .arena = mpl_arena_create()};
    at->device_count = second > 0 ? 2 : 1;
    (void)snprintf(budgets, sizeof budgets,
                   second > 0 ? "0=%llu,1=%llu,cpu=8GiB" : "0=%llu,cpu=8GiB",
                   (unsigned long long)first, (unsigned long long)second);
    (void)snprintf(at->settings, sizeof at->settings,
                   second > 0 ? "devices=RPC0/RPC1\nc=512\nb=8\nub=8\nlm=none\n"
                                "no-repack\nfitt=0\n"
                              : "devices=RPC0\nc=512\nb=8\nub=8\nlm=none\n"
                                "no-repack\nfitt=0\n");
    cr_assert_eq(tiny_open(&at->model, options, &error), MEMPLAN_OK, "%s",
                 error.message);
    cr_assert_eq(memplan_machine_declare(&at->machine, NULL, budgets, &error),
                 MEMPLAN_OK, "%s", error.message);
    static mpl_request request;
    request = (mpl_request){.engine = mpl_engine_find("llama.cpp"),
                            .settings = at->settings,
                            .context_tokens = 512,
                            .sequences = 1,
                            .reserve_bytes = MEMPLAN_UNKNOWN};
    cr_assert_eq(request.engine->open(&at->job, at->arena, at->model,
                                      at->machine, &request, &error),
                 MEMPLAN_OK, "%s", error.message);
}

static void trial_close(trial *at)
{
    memplan_machine_free(at->machine);
    memplan_model_free(at->model);
    mpl_arena_free(at->arena);
}

/* Bytes of weights and caches on the devices, 0 where something is over. */
static uint64_t held(const trial *at, const char *more)
{
    memplan_error error = {0};
    mpl_arena *arena = mpl_arena_create();
    mpl_llama_price *price = mpl_arena_alloc(arena, 1, sizeof *price);
    const char *text = mpl_llama_settings_join(arena, at->settings, more);
    uint64_t sum = 0;
    bool fits = true;
    cr_assert_eq(mpl_llama_price_make(price, arena, at->job, text, &error),
                 MEMPLAN_OK, "%s: %s", more, error.message);
    for (uint32_t i = MPL_LLAMA_BUFFER_DEVICE; i < price->setup.buffer_count;
         i++) {
        const uint32_t pool =
            price->setup.devices[i - MPL_LLAMA_BUFFER_DEVICE].pool;
        const uint64_t bytes = price->weights.bytes[i] +
                               price->context.cache[i] +
                               price->context.state[i];
        fits = fits && bytes + price->compute.bytes[i] <= at->room[pool];
        sum += bytes;
    }
    mpl_arena_free(arena);
    return fits ? sum : 0;
}

static uint64_t best_of(const trial *at, const char *format, uint32_t ngl,
                        uint64_t best)
{
    char more[2048];
    for (uint32_t first = 0; first <= ngl; first++) {
        if (at->device_count == 1 && first < ngl)
            continue;
        int length = snprintf(more, sizeof more, "ngl=%u\n", ngl);
        if (at->device_count == 2 && ngl > 0)
            length += snprintf(more + length, sizeof more - (size_t)length,
                               "ts=%u/%u\n", first, ngl - first);
        (void)snprintf(more + length, sizeof more - (size_t)length, "%s",
                       format);
        const uint64_t bytes = held(at, more);
        best = bytes > best ? bytes : best;
    }
    return best;
}

static uint64_t best_layers(const trial *at)
{
    uint64_t best = 0;
    for (uint32_t ngl = 0; ngl <= PLACES; ngl++) {
        best = best_of(at, "", ngl, best);
        best = best_of(at, "ot=^$=CPU\n", ngl, best);
    }
    return best;
}

/* The expert tensors of `set` stay with the host. */
static uint64_t best_experts(const trial *at)
{
    uint64_t best = 0;
    for (uint32_t set = 1; set < 1U << EXPERT_TENSORS; set++) {
        char text[1024] = "";
        for (uint32_t bit = 0; bit < EXPERT_TENSORS; bit++)
            if ((set >> bit & 1) != 0)
                (void)snprintf(text + strlen(text), sizeof text - strlen(text),
                               "ot=blk\\.%u\\.ffn_%s_exps=CPU\n", bit / 3,
                               PARTS[bit % 3]);
        best = best_of(at, text, PLACES, best);
    }
    return best;
}

static uint64_t planned(const trial *at, mpl_proof *proof)
{
    memplan_error error = {0};
    const char *text = NULL;
    *proof = (mpl_proof){0};
    cr_assert_eq(mpl_llama_fit(&text, proof, at->job, &error), MEMPLAN_OK, "%s",
                 error.message);
    /* What the job's request says comes first in it. */
    const size_t given = strlen(at->settings);
    cr_assert_eq(strncmp(text, at->settings, given), 0, "%s", text);
    return held(at, text + given);
}

static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005U + 1442695040888963407U;
    return *state >> 33;
}

/* What the whole model takes on one device. */
static uint64_t whole(const tiny_options *options)
{
    trial at;
    trial_open(&at, options, UINT64_C(1) << 30, 0);
    const uint64_t bytes = held(&at, "ngl=99");
    trial_close(&at);
    return bytes;
}

static const tiny_options DENSE = {.layers = LAYERS};
static const tiny_options EXPERTS = {
    .layers = LAYERS, .experts = 2, .experts_used = 1, .has_expert_tensors = 1};

Test(fit, has_as_many_layers_on_devices_as_any_setting_could)
{
    uint64_t state = 1;
    uint32_t divided = 0;
    const uint64_t bytes = whole(&DENSE);
    for (uint32_t i = 0; i < 120; i++) {
        trial at;
        mpl_proof proof;
        const uint64_t first = 65536 + next_random(&state) % (bytes * 3 / 2);
        const uint64_t second =
            i % 2 == 0 ? 0 : 65536 + next_random(&state) % bytes;
        trial_open(&at, &DENSE, first, second);
        const uint64_t best = best_layers(&at);
        divided += best > 0 && best < bytes;
        cr_expect_geq(planned(&at, &proof), best,
                      "case %u: rooms %llu and %llu", i,
                      (unsigned long long)first, (unsigned long long)second);
        trial_close(&at);
    }
    cr_expect_gt(divided, 40);
}

Test(fit, has_as_many_bytes_of_experts_on_devices_as_any_setting_could)
{
    uint64_t state = 7;
    uint32_t divided = 0;
    const uint64_t bytes = whole(&EXPERTS);
    for (uint32_t i = 0; i < 6; i++) {
        trial at;
        mpl_proof proof;
        const uint64_t dense = bytes / 2;
        const uint64_t first = dense + next_random(&state) % (bytes - dense);
        const uint64_t second = i < 3 ? 0 : 65536 + next_random(&state) % dense;
        trial_open(&at, &EXPERTS, first, second);
        const uint64_t ours = planned(&at, &proof);
        const uint64_t best = best_experts(&at);
        divided += best > 0 && best < bytes;
        cr_expect_geq(ours, best, "case %u: rooms %llu and %llu", i,
                      (unsigned long long)first, (unsigned long long)second);
        trial_close(&at);
    }
    cr_expect_gt(divided, 3);
}
