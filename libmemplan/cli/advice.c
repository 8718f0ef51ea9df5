/* SPDX-License-Identifier: MIT */
/*
 * A fix says what to change in words, for every caller alike; here it becomes
 * what this command is told. A disk that the machine lacks is told the way the
 * machine was.
 */
#include "advice.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

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
