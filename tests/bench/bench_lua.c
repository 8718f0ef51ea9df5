/* SPDX-License-Identifier: MIT */
/*
 * What the Lua module costs beside C, in one process and one run: the model
 * opened, the budgets declared and the founding plan made, each time anew.
 *
 *   bench_lua MODULE_FOLDER
 */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <memplan.h>
#include <stdio.h>
#include <time.h>

enum { ROUNDS = 200, BLOCKS = 9 };

static double now(void)
{
    struct timespec at;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static int plan_in_c(void)
{
    memplan_model *model = NULL;
    memplan_machine *machine = NULL;
    memplan_plan *plan = NULL;
    memplan_request request = MEMPLAN_REQUEST_INIT;
    request.dtype = "int8";
    const int failed =
        memplan_model_open(&model, "llama-2-70b", NULL, NULL) != MEMPLAN_OK ||
        memplan_machine_declare(&machine, NULL, "0=20GB,cpu=80GB", NULL) !=
            MEMPLAN_OK ||
        memplan_plan_create(&plan, model, machine, &request, NULL) !=
            MEMPLAN_OK;
    memplan_plan_free(plan);
    memplan_machine_free(machine);
    memplan_model_free(model);
    return failed;
}

static const char SCRIPT[] =
    "package.cpath = ... .. '/?.so'\n"
    "local before = os.clock()\n"
    "local memplan = require('memplan')\n"
    "local loaded = os.clock() - before\n"
    "return loaded, function()\n"
    "  local plan = assert(memplan.plan('llama-2-70b',\n"
    "    { max_memory = { [0] = '20GB', cpu = '80GB' }, dtype = 'int8' }))\n"
    "  plan:close()\n"
    "end\n";

/* Seconds of the fastest block of rounds. */
static double best_block(lua_State *L)
{
    double best = 1e9;
    for (int block = 0; block < BLOCKS; block++) {
        const double before = now();
        for (int round = 0; round < ROUNDS; round++) {
            if (L == NULL) {
                if (plan_in_c() != 0)
                    return -1;
            } else {
                lua_pushvalue(L, -1);
                lua_call(L, 0, 0);
            }
        }
        const double took = now() - before;
        best = took < best ? took : best;
    }
    return best / ROUNDS;
}

int main(int count, char **arguments)
{
    lua_State *const L = luaL_newstate();
    luaL_openlibs(L);
    if (count != 2 || luaL_loadstring(L, SCRIPT) != 0)
        return 2;
    lua_pushstring(L, arguments[1]);
    if (lua_pcall(L, 1, 2, 0) != 0) {
        fprintf(stderr, "bench_lua: %s\n", lua_tostring(L, -1));
        return 2;
    }
    const double loaded = lua_tonumber(L, -2);
    const double in_c = best_block(NULL);
    const double in_lua = best_block(L);
    printf("require                    %8.3f ms\n", loaded * 1e3);
    printf("open, declare, plan in C   %8.3f ms\n", in_c * 1e3);
    printf("the same from Lua 5.4      %8.3f ms, %+.1f %%\n", in_lua * 1e3,
           (in_lua / in_c - 1) * 100);
    lua_close(L);
    return 0;
}
