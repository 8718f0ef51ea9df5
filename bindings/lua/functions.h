/* SPDX-License-Identifier: MIT */
/* The functions of the module that need no handle. */
#ifndef MEMPLAN_LUA_FUNCTIONS_H
#define MEMPLAN_LUA_FUNCTIONS_H

#include <lua.h>

/* memplan.bytes_parse(text) */
int mpl_lua_bytes_parse(lua_State *L);

/* memplan.bytes_format(bytes); nil is "unknown" */
int mpl_lua_bytes_format(lua_State *L);

/* memplan.list_entries(list) */
int mpl_lua_list_entries(lua_State *L);

#endif
