/* SPDX-License-Identifier: MIT */
/* The functions of the module that need no handle. */
#include "functions.h"

#include <lauxlib.h>
#include <memplan.h>

#include "fields.h"
#include "values.h"

int mpl_lua_bytes_parse(lua_State *L)
{
    memplan_error error;
    uint64_t bytes = 0;
    if (memplan_bytes_parse(&bytes, mpl_lua_check_text(L, 1, "bytes"),
                            &error) != MEMPLAN_OK)
        return mpl_lua_push_failure(L, &error);
    mpl_lua_push_whole(L, bytes);
    return 1;
}

int mpl_lua_bytes_format(lua_State *L)
{
    char text[32];
    const uint64_t bytes =
        lua_isnil(L, 1) ? MEMPLAN_UNKNOWN : mpl_lua_check_whole(L, 1, "bytes");
    (void)memplan_bytes_format(text, sizeof text, bytes);
    lua_pushstring(L, text);
    return 1;
}

int mpl_lua_list_entries(lua_State *L)
{
    const char *const list = mpl_lua_check_text(L, 1, "list");
    memplan_entry_info row = MEMPLAN_ENTRY_INFO_INIT;
    luaL_argcheck(L, memplan_list_entry(list, 0, &row) == MEMPLAN_OK, 1,
                  "no such list; list_entries(\"lists\") has them");
    lua_newtable(L);
    for (int at = 0; memplan_list_entry(list, (uint64_t)at, &row) == MEMPLAN_OK;
         at++) {
        mpl_lua_push_row(L, ENTRY_INFO_FIELDS, COUNT(ENTRY_INFO_FIELDS), &row);
        lua_rawseti(L, -2, at + 1);
    }
    return 1;
}
