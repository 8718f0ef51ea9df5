/* SPDX-License-Identifier: MIT */
/*
 * How long a model takes from its configuration to its tree of tensors, and
 * from there to a device map: 126 layers, 61 layers of 256 experts, and 512
 * layers of which no two are alike. Prints; asserts nothing about time.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "memplan/accelerate.h"
#include "support/folder.h"

enum { RUNS = 50, ODD_LAYERS = 512, ROW_BYTES = 256 };

static const char LLAMA[] =
    "{\"model_type\": \"llama\", \"hidden_size\": 16384, "
    "\"intermediate_size\": 53248, \"num_hidden_layers\": 126, "
    "\"num_attention_heads\": 128, \"num_key_value_heads\": 8, "
    "\"vocab_size\": 128256, \"dtype\": \"bfloat16\", "
    "\"max_position_embeddings\": 131072}";
static const char EXPERTS[] =
    "{\"model_type\": \"deepseek_v3\", \"num_hidden_layers\": 61, "
    "\"n_routed_experts\": 256, \"num_experts_per_tok\": 8, "
    "\"first_k_dense_replace\": 0, \"dtype\": \"bfloat16\"}";
static const char BUDGETS[] = "0=80GB,1=80GB,2=80GB,3=80GB,4=80GB,5=80GB,"
                              "6=80GB,7=80GB,cpu=2TB";

static uint64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void stop_on(memplan_status status, const memplan_error *error)
{
    if (status == MEMPLAN_OK)
        return;
    (void)fprintf(stderr, "%s\n", error->message);
    exit(1);
}

/* Modules whose sizes all differ, as a program that has them tells them. */
static char *write_odd_modules(void)
{
    char *const text = malloc((2 * ODD_LAYERS + 8) * (size_t)ROW_BYTES);
    int at = 0;
    if (text == NULL)
        exit(1);
    at += sprintf(text + at, "{\"modules\":[[\"\",\"Odd\",null,0],"
                             "[\"layers\",\"ModuleList\",0,1]");
    for (int layer = 0; layer < ODD_LAYERS; layer++)
        at += sprintf(text + at, ",[\"%d\",\"Layer\",1,%d]", layer,
                      layer + 2);
    at += sprintf(text + at, "],\"tensors\":[");
    for (int layer = 0; layer < ODD_LAYERS; layer++)
        at += sprintf(text + at,
                      "%s[\"weight\",\"Parameter\",%d,0,"
                      "\"bfloat16\",[%d,65536],%d]",
                      layer > 0 ? "," : "", layer + 2,
                      10000 + 7 * layer, layer);
    (void)sprintf(text + at, "]}");
    return text;
}

static memplan_model *make(const char *path, const char *modules)
{
    memplan_model *model = NULL;
    memplan_modules *tree = NULL;
    memplan_error error = {0};
    if (path != NULL) {
        stop_on(memplan_model_open(&model, path, NULL, &error), &error);
        return model;
    }
    stop_on(memplan_modules_parse(&tree, modules, strlen(modules), &error),
            &error);
    stop_on(memplan_model_declare(&model, tree, "odd", NULL, &error), &error);
    memplan_modules_free(tree);
    return model;
}

static void plan_and_map(const memplan_model *model,
                         const memplan_machine *machine)
{
    memplan_plan *plan = NULL;
    char *map = NULL;
    memplan_error error = {0};
    memplan_request request = MEMPLAN_REQUEST_INIT;
    request.engine = "transformers";
    request.context_tokens = 4096;
    stop_on(memplan_plan_create(&plan, model, machine, &request, &error),
            &error);
    stop_on(memplan_plan_render(&map, plan, "device_map", NULL, &error),
            &error);
    memplan_text_free(map);
    memplan_plan_free(plan);
}

/* The best of some runs: what else the machine does only adds to them. */
static void report(const char *what, const char *path, const char *modules,
                   const memplan_machine *machine, double limit_ms)
{
    uint64_t tree = UINT64_MAX;
    uint64_t map = UINT64_MAX;
    memplan_model_info info = MEMPLAN_MODEL_INFO_INIT;
    for (int run = 0; run < RUNS; run++) {
        const uint64_t begin = now_ns();
        memplan_model *const model = make(path, modules);
        const uint64_t made = now_ns();
        plan_and_map(model, machine);
        const uint64_t mapped = now_ns();
        memplan_model_describe(model, &info);
        memplan_model_free(model);
        tree = made - begin < tree ? made - begin : tree;
        map = mapped - made < map ? mapped - made : map;
    }
    (void)printf("%-28s %6" PRIu64 " tensors  tree %8.1f us (limit %5.0f)  "
                 "device map %8.1f us\n",
                 what, info.tensor_count, (double)tree / 1e3, limit_ms * 1e3,
                 (double)map / 1e3);
}

int main(void)
{
    memplan_machine *machine = NULL;
    memplan_error error = {0};
    folder at;
    folder_make(&at);
    stop_on(memplan_machine_declare(&machine, NULL, BUDGETS, &error), &error);
    report("126 layers", folder_write_text(&at, "llama/config.json", LLAMA),
           NULL, machine, 2);
    report("61 layers of 256 experts",
           folder_write_text(&at, "experts/config.json", EXPERTS), NULL,
           machine, 20);
    char *const odd = write_odd_modules();
    report("512 layers, none alike", NULL, odd, machine, 20);
    free(odd);
    memplan_machine_free(machine);
    folder_remove(&at);
    return 0;
}
