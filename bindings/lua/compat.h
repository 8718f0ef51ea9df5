/* SPDX-License-Identifier: MIT */
/* What Lua 5.1 lacks and LuaJIT and 5.4 have. */
#ifndef MEMPLAN_LUA_COMPAT_H
#define MEMPLAN_LUA_COMPAT_H

#include <lauxlib.h>
#include <lua.h>

#ifndef luaL_newlib
#ifndef LUAJIT_VERSION_NUM
static void luaL_setfuncs(lua_State *L, const luaL_Reg *functions, int upvalues)
{
    (void)upvalues;
    for (; functions->name != NULL; functions++) {
        lua_pushcfunction(L, functions->func);
        lua_setfield(L, -2, functions->name);
    }
}

static void luaL_setmetatable(lua_State *L, const char *name)
{
    luaL_getmetatable(L, name);
    lua_setmetatable(L, -2);
}
#endif
#define luaL_newlib(L, functions)                                              \
    (lua_newtable(L), luaL_setfuncs(L, functions, 0))
#endif

#endif
