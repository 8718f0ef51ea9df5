/* SPDX-License-Identifier: MIT */
/*
 * A fix says what to change in words, for every caller alike; here it becomes
 * what this command is told. A disk that the machine lacks is told the way the
 * machine was.
 */
#include "advice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inputs.h"

#define GIB (UINT64_C(1) << 30)

typedef struct spelling {
    const char *kind;
    const char *option;
} spelling;

static const spelling SPELLINGS[] = {
    {"prompt", "--prompt"},     {"context", "--context"},
    {"kv_dtype", "--kv-dtype"}, {"cache", "--cache"},
    {"dtype", "--dtype"},
};
enum { SPELLING_COUNT = sizeof SPELLINGS / sizeof *SPELLINGS };

static const char *option_of(const char *kind)
{
    for (size_t at = 0; at < SPELLING_COUNT; at++)
        if (strcmp(SPELLINGS[at].kind, kind) == 0)
            return SPELLINGS[at].option;
    return NULL;
}

static bool has_pool(const memplan_plan *plan, const char *key)
{
    memplan_pool_info pool = MEMPLAN_POOL_INFO_INIT;
    for (uint64_t at = 0; memplan_plan_pool(plan, at, &pool) == MEMPLAN_OK;
         at++)
        if (strcmp(pool.key, key) == 0)
            return true;
    return false;
}

/* "0=12683575296,cpu=68719476736": what the plan could spend. */
static void print_budgets(const memplan_plan *plan)
{
    memplan_pool_info pool = MEMPLAN_POOL_INFO_INIT;
    for (uint64_t at = 0; memplan_plan_pool(plan, at, &pool) == MEMPLAN_OK;
         at++)
        printf("%s=%llu,", pool.key, (unsigned long long)pool.capacity_bytes);
}

static void print_disk(const memplan_plan *plan, const options *asked,
                       uint64_t bytes)
{
    const unsigned long long gib = bytes / GIB;
    const bool is_here =
        asked->machine == NULL || strcmp(asked->machine, "here") == 0;
    if (asked->max_memory != NULL)
        printf("--max-memory %s,disk=%lluGiB", asked->max_memory, gib);
    else if (asked->topology == NULL && is_here)
        printf("--disk FOLDER (one with %llu GiB free)", gib);
    else if (asked->topology == NULL && access(asked->machine, F_OK) != 0)
        printf("--machine \"%s, %lluGiB disk\"", asked->machine, gib);
    else {
        printf("--max-memory ");
        print_budgets(plan);
        printf("disk=%lluGiB", gib);
    }
}

static bool is_option(const memplan_plan *plan, const memplan_fix_info *fix)
{
    return option_of(fix->kind) != NULL ||
           (strcmp(fix->value, "disk") == 0 && !has_pool(plan, "disk"));
}

static void print_fix(const memplan_plan *plan, const options *asked,
                      const memplan_fix_info *fix, uint64_t number)
{
    printf("  %llu.      ", (unsigned long long)number);
    if (option_of(fix->kind) != NULL)
        printf("%s %s", option_of(fix->kind), fix->value);
    else
        print_disk(plan, asked, fix->bytes);
    putchar('\n');
}

void advice_print(const memplan_plan *plan, const options *asked,
                  const memplan_render_options *style)
{
    const char *const strong = style->use_colour ? "\033[1m" : "";
    const char *const plain = style->use_colour ? "\033[0m" : "";
    memplan_fix_info fix = MEMPLAN_FIX_INFO_INIT;
    bool is_any = false;
    for (uint64_t at = 0; memplan_plan_fix(plan, at, &fix) == MEMPLAN_OK;
         at++) {
        if (!is_option(plan, &fix))
            continue;
        if (!is_any)
            printf("\n  %swhat to type for them%s\n", strong, plain);
        is_any = true;
        print_fix(plan, asked, &fix, at + 1);
    }
}

/* As a shell reads it. */
static void print_word(const char *word)
{
    static const char PLAIN[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789-_./=,:@%+";
    if (*word != '\0' && word[strspn(word, PLAIN)] == '\0') {
        fputs(word, stdout);
        return;
    }
    putchar('\'');
    for (; *word != '\0'; word++)
        if (*word == '\'')
            fputs("'\\''", stdout);
        else
            putchar(*word);
    putchar('\'');
}

bool advice_wants_map(const char *table)
{
    return strstr(table, "\"map.json\"") != NULL;
}

void advice_print_map(const options *asked)
{
    printf("\n    memplan");
    for (int at = 0; at < asked->argument_count; at++) {
        putchar(' ');
        print_word(asked->arguments[at]);
    }
    printf(" --emit device_map > map.json\n");
}

/* The request with so many layers on GPUs, and nothing moved by itself. */
static bool fits_with(const memplan_model *model,
                      const memplan_machine *machine, const options *asked,
                      uint64_t layers)
{
    memplan_request request = inputs_request(asked);
    memplan_plan_info info = MEMPLAN_PLAN_INFO_INIT;
    memplan_plan *plan = NULL;
    const char *const given = asked->settings != NULL ? asked->settings : "";
    const size_t size = strlen(given) + 32;
    char *const settings = malloc(size);
    if (settings == NULL)
        return false;
    (void)snprintf(settings, size, "%s%sngl=%llu", given,
                   *given != '\0' ? "\n" : "", (unsigned long long)layers);
    request.settings = settings;
    if (memplan_plan_price(&plan, model, machine, &request, NULL, NULL) ==
        MEMPLAN_OK)
        memplan_plan_describe(plan, &info);
    memplan_plan_free(plan);
    free(settings);
    return info.fits != 0;
}

void advice_find_layers(const options *asked, memplan_error *error)
{
    memplan_model *model = NULL;
    memplan_machine *machine = NULL;
    memplan_model_info info = MEMPLAN_MODEL_INFO_INIT;
    const size_t length = strlen(error->message);
    memplan_error other;
    if (!inputs_open_model(&model, asked, &other) ||
        !inputs_open_machine(&machine, asked, &other)) {
        memplan_model_free(model);
        return;
    }
    memplan_model_describe(model, &info);
    uint64_t low = 0; /* the most that is known to fit */
    uint64_t high = info.layer_count + 1;
    while (low < high) {
        const uint64_t middle = low + (high - low + 1) / 2;
        if (fits_with(model, machine, asked, middle))
            low = middle;
        else
            high = middle - 1;
    }
    if (low > 0)
        (void)snprintf(error->message + length, sizeof error->message - length,
                       ": --set ngl=%llu", (unsigned long long)low);
    memplan_machine_free(machine);
    memplan_model_free(model);
}
