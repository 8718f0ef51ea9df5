/* SPDX-License-Identifier: MIT */
/*
 * Processor time of one price of the llama.cpp engine, headers read before:
 * the least of several runs. First a price of an open job, as a search asks for
 * thousands; then a whole plan of given settings. The limits are 1 ms for 80
 * layers and 3 ms for 61 layers of 256 experts. Headers come from
 * MEMPLAN_SHARED, else ../shared.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/llamacpp/job.h"
#include "engine/llamacpp/settings.h"
#include "memplan.h"

typedef struct bench_case {
    const char *model;
    const char *budgets;
    const char *settings;
} bench_case;

#define ONE "0=24GB,cpu=500GB"
#define FOUR "0=80GB,1=80GB,2=80GB,3=80GB,cpu=500GB"

static const bench_case CASES[] = {
    {"llama-2-70b-Q4_K_M", ONE, "ngl=81"},
    {"llama-2-70b-Q4_K_M", ONE, "ngl=40"},
    {"llama-2-70b-Q4_K_M", ONE, "ngl=0"},
    {"llama-2-70b-Q4_K_M", FOUR, "ngl=81"},
    {"deepseek-v3-Q4_K_M", ONE, "ngl=62"},
    {"deepseek-v3-Q4_K_M", ONE, "ngl=62,ncmoe=50"},
    {"deepseek-v3-Q4_K_M", ONE, "ngl=20"},
    {"deepseek-v3-Q4_K_M", FOUR, "ngl=62,ncmoe=20"},
    {"deepseek-v4-flash-Q4_K_M", ONE, "ngl=44,ncmoe=30"},
    {"deepseek-v4-flash-Q4_K_M", FOUR, "ngl=44"},
};

static uint64_t now_ns(void)
{
    struct timespec at;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at);
    return (uint64_t)at.tv_sec * 1000000000 + (uint64_t)at.tv_nsec;
}

static uint64_t price_ns(const memplan_model *model,
                         const memplan_machine *machine, const char *settings,
                         int runs)
{
    const mpl_engine *const engine = mpl_engine_find("llama.cpp");
    const mpl_request request = {.engine = engine,
                                 .context_tokens = 4096,
                                 .sequences = 1,
                                 .reserve_bytes = MEMPLAN_UNKNOWN};
    mpl_arena *const arena = mpl_arena_create();
    mpl_job *job = NULL;
    memplan_error error;
    uint64_t best_ns = UINT64_MAX;
    const char *const text =
        mpl_llama_settings_join(arena, settings, NULL);
    if (engine->open(&job, arena, model, machine, &request, &error) !=
        MEMPLAN_OK)
        runs = 0;
    for (int at = 0; at < runs; at++) {
        const uint64_t start = now_ns();
        mpl_arena *const scratch = mpl_arena_create();
        mpl_llama_price *const price =
            mpl_arena_alloc(scratch, 1, sizeof *price);
        const memplan_status status =
            mpl_llama_price_make(price, scratch, job, text, &error);
        mpl_arena_free(scratch);
        const uint64_t taken = now_ns() - start;
        if (status == MEMPLAN_OK && taken < best_ns)
            best_ns = taken;
    }
    mpl_arena_free(arena);
    return best_ns;
}

static void run(const bench_case *given, const char *folder, int runs)
{
    memplan_error error;
    memplan_model *model = NULL;
    memplan_machine *machine = NULL;
    memplan_request request = MEMPLAN_REQUEST_INIT;
    uint64_t best_ns = UINT64_MAX;
    char path[512];
    (void)snprintf(path, sizeof path,
                   "%s/oracle/llamacpp-v0.5.0/headers/%s.gguf-header", folder,
                   given->model);
    request.engine = "llama.cpp";
    request.settings = given->settings;
    if (memplan_model_open(&model, path, NULL, &error) != MEMPLAN_OK ||
        memplan_machine_declare(&machine, NULL, given->budgets, &error) !=
            MEMPLAN_OK) {
        (void)fprintf(stderr, "%s\n", error.message);
        memplan_model_free(model);
        return;
    }
    for (int at = 0; at < runs; at++) {
        memplan_plan *plan = NULL;
        const uint64_t start = now_ns();
        if (memplan_plan_price(&plan, model, machine, &request, NULL, &error) !=
            MEMPLAN_OK) {
            (void)fprintf(stderr, "%s\n", error.message);
            break;
        }
        const uint64_t taken = now_ns() - start;
        best_ns = taken < best_ns ? taken : best_ns;
        memplan_plan_free(plan);
    }
    const uint64_t inner_ns = price_ns(model, machine, given->settings, runs);
    memplan_machine_free(machine);
    memplan_model_free(model);
    (void)printf("%6llu us, whole %6llu us  %s  %-16s %s\n",
                 (unsigned long long)(inner_ns / 1000),
                 (unsigned long long)(best_ns / 1000), given->model,
                 given->settings, given->budgets);
}

int main(int count, char **words)
{
    const char *const shared = getenv("MEMPLAN_SHARED");
    const char *const folder =
        shared != NULL ? shared : MEMPLAN_TEST_ROOT "/../../shared";
    const int runs = count > 1 ? atoi(words[1]) : 15;
    for (size_t at = 0; at < sizeof CASES / sizeof *CASES; at++)
        run(&CASES[at], folder, runs);
    return 0;
}
