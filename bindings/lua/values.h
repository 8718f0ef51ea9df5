/* SPDX-License-Identifier: MIT */
/*
 * Lua's values to the library's and back: whole numbers, texts, options by
 * tables of fields, rows by the same. What a caller gets wrong is raised, and
 * the message names the field.
 */
#ifndef MEMPLAN_LUA_VALUES_H
#define MEMPLAN_LUA_VALUES_H

#include <lua.h>
#include <memplan.h>
#include <stddef.h>
#include <stdint.h>

#include "fields.h"

/* A text without NULs: the library would stop at the first. */
const char *mpl_lua_check_text(lua_State *L, int at, const char *what);

/* A whole number from 0 to 2^53; in 5.4 any integer from 0. */
uint64_t mpl_lua_check_whole(lua_State *L, int at, const char *what);

/* Fills a struct from the table at `at` (nil: nothing). Its strings are the
 * table's, which stays on the stack. Keys in `also` (NULL-terminated, or NULL)
 * are left to the caller; any other is refused with the nearest known one. */
void mpl_lua_read_options(lua_State *L, int at, const field *fields,
                          size_t count, const char *const *also, void *options);

/* What the library refused: nil, its message and its status; returns 3. */
int mpl_lua_push_failure(lua_State *L, const memplan_error *error);

/* MEMPLAN_UNKNOWN is nil. */
void mpl_lua_push_whole(lua_State *L, uint64_t value);

/* Pushes a table of a row's fields; what is unknown is left out. */
void mpl_lua_push_row(lua_State *L, const field *fields, size_t count,
                      const void *row);

/* Pushes a flat JSON object of the library's, values texts or whole numbers,
 * as a table. */
void mpl_lua_push_map(lua_State *L, const char *json, int keys_are_devices);

/* A map of budgets as the library's text: {[0] = "20GB", cpu = 60e9}. Pushes
 * the text; more entries than pools can have are misuse. */
const char *mpl_lua_push_budgets(lua_State *L, int at);

#endif
