/* SPDX-License-Identifier: MIT */
/*
 * Many Lua states in many threads, sharing nothing: each loads the module,
 * plans, and must get the text that the others get.
 *
 *   threads MODULE_FOLDER
 */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 8, ROUNDS = 20 };

static const char SCRIPT[] =
    "package.cpath = ... .. '/?.so'\n"
    "local memplan = require('memplan')\n"
    "local plan = assert(memplan.plan('llama-2-7b',\n"
    "  { max_memory = { [0] = '8GB', cpu = '60GB' }, dtype = 'fp16' }))\n"
    "collectgarbage()\n"
    "return plan:render('json')\n";

static char *run_once(const char *folder)
{
    lua_State *const L = luaL_newstate();
    luaL_openlibs(L);
    char *text = NULL;
    if (luaL_loadstring(L, SCRIPT) == 0) {
        lua_pushstring(L, folder);
        if (lua_pcall(L, 1, 1, 0) == 0)
            text = strdup(lua_tostring(L, -1));
    }
    if (text == NULL)
        fprintf(stderr, "threads: %s\n", lua_tostring(L, -1));
    lua_close(L);
    return text;
}

static void *run_rounds(void *folder)
{
    char *first = run_once(folder);
    for (int round = 1; first != NULL && round < ROUNDS; round++) {
        char *const text = run_once(folder);
        if (text == NULL || strcmp(text, first) != 0) {
            fprintf(stderr, "threads: another answer in round %d\n", round);
            free(first);
            first = NULL;
        }
        free(text);
    }
    return first;
}

int main(int count, char **arguments)
{
    pthread_t threads[THREADS];
    char *texts[THREADS] = {NULL};
    int failed = count != 2;
    for (int at = 0; !failed && at < THREADS; at++)
        failed |= pthread_create(&threads[at], NULL, run_rounds, arguments[1]);
    for (int at = 0; !failed && at < THREADS; at++)
        failed |= pthread_join(threads[at], (void **)&texts[at]);
    for (int at = 0; at < THREADS; at++) {
        failed |= texts[at] == NULL || strcmp(texts[at], texts[0]) != 0;
        if (at > 0)
            free(texts[at]);
    }
    free(texts[0]);
    puts(failed ? "threads: FAILED" : "threads: all agree");
    return failed;
}
