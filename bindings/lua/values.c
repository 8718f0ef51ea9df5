/* SPDX-License-Identifier: MIT */
#include "values.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

/* Whole numbers that a double holds exactly. */
#define MAX_WHOLE 9007199254740992.0

int mpl_lua_push_failure(lua_State *L, const memplan_error *error)
{
    lua_pushnil(L);
    lua_pushstring(L, error->message);
    lua_pushstring(L, memplan_status_name(error->status));
    return 3;
}

void mpl_lua_push_whole(lua_State *L, uint64_t value)
{
    if (value == MEMPLAN_UNKNOWN)
        lua_pushnil(L);
    else
#if LUA_VERSION_NUM >= 503
        lua_pushinteger(L, (lua_Integer)value);
#else
        lua_pushnumber(L, (lua_Number)value);
#endif
}

const char *mpl_lua_check_text(lua_State *L, int at, const char *what)
{
    size_t length = 0;
    if (lua_type(L, at) != LUA_TSTRING)
        luaL_error(L, "%s: a string expected, got %s", what,
                   luaL_typename(L, at));
    const char *const text = lua_tolstring(L, at, &length);
    if (strlen(text) != length)
        luaL_error(L, "%s: a string with a NUL in it", what);
    return text;
}

uint64_t mpl_lua_check_whole(lua_State *L, int at, const char *what)
{
    if (lua_type(L, at) != LUA_TNUMBER)
        luaL_error(L, "%s: a whole number expected, got %s", what,
                   luaL_typename(L, at));
#if LUA_VERSION_NUM >= 503
    int is_whole = 0;
    const lua_Integer integer = lua_tointegerx(L, at, &is_whole);
    if (is_whole && integer >= 0)
        return (uint64_t)integer;
#endif
    const lua_Number number = lua_tonumber(L, at);
    if (!(number >= 0 && number <= MAX_WHOLE) ||
        (lua_Number)(uint64_t)number != number)
        luaL_error(L, "%s: a whole number from 0 to 2^53 expected, got %s",
                   what, lua_tostring(L, at));
    return (uint64_t)number;
}

/* Bytes as a number, or as a text that the library reads. */
static uint64_t check_bytes(lua_State *L, int at, const char *what)
{
    memplan_error error;
    uint64_t bytes = 0;
    if (lua_type(L, at) != LUA_TSTRING)
        return mpl_lua_check_whole(L, at, what);
    if (memplan_bytes_parse(&bytes, mpl_lua_check_text(L, at, what), &error) !=
        MEMPLAN_OK)
        luaL_error(L, "%s: %s", what, error.message);
    return bytes;
}

static void refuse_option(lua_State *L, const char *given, const field *fields,
                          size_t count, const char *const *also)
{
    const char *words[32];
    uint64_t word_count = 0;
    for (size_t at = 0; at < count; at++)
        words[word_count++] = fields[at].name;
    for (; also != NULL && *also != NULL; also++)
        words[word_count++] = *also;
    const char *const near = memplan_word_nearest(given, words, word_count);
    luaL_error(L,
               near != NULL ? "unknown option '%s'; is it '%s'?"
                            : "unknown option '%s'",
               given, near);
}

static void read_field(lua_State *L, const field *one, void *options)
{
    unsigned char *const place = (unsigned char *)options + one->offset;
    if (one->kind == TEXT) {
        const char *const text = mpl_lua_check_text(L, -1, one->name);
        memcpy(place, &text, sizeof text);
        return;
    }
    uint64_t value = 0;
    if (one->kind == FLAG)
        value = (uint64_t)lua_toboolean(L, -1);
    else
        value = one->kind == BYTES ? check_bytes(L, -1, one->name)
                                   : mpl_lua_check_whole(L, -1, one->name);
    memcpy(place, &value, sizeof value);
}

void mpl_lua_read_options(lua_State *L, int at, const field *fields,
                          size_t count, const char *const *also, void *options)
{
    if (lua_isnoneornil(L, at))
        return;
    luaL_checktype(L, at, LUA_TTABLE);
    for (lua_pushnil(L); lua_next(L, at) != 0; lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            luaL_error(L, "options have names, got a %s", luaL_typename(L, -2));
        const char *const name = lua_tostring(L, -2);
        size_t row = 0;
        while (row < count && strcmp(fields[row].name, name) != 0)
            row++;
        const char *const *other = also;
        while (other != NULL && *other != NULL && strcmp(*other, name) != 0)
            other++;
        if (row < count)
            read_field(L, &fields[row], options);
        else if (other == NULL || *other == NULL)
            refuse_option(L, name, fields, count, also);
    }
}

void mpl_lua_push_row(lua_State *L, const field *fields, size_t count,
                      const void *row)
{
    lua_createtable(L, 0, (int)count);
    for (size_t at = 0; at < count; at++) {
        const unsigned char *const place =
            (const unsigned char *)row + fields[at].offset;
        uint64_t value = 0;
        const char *text = NULL;
        memcpy(&value, place, sizeof value);
        if (fields[at].kind == TEXT) {
            memcpy(&text, place, sizeof text);
            lua_pushstring(L, text);
        } else if (fields[at].kind == FLAG) {
            lua_pushboolean(L, value != 0);
        } else {
            mpl_lua_push_whole(L, value);
        }
        lua_setfield(L, -2, fields[at].name);
    }
}

/* The text of a JSON string that starts behind its quote; returns the place
 * behind the closing one. Module names have no escapes but \" and \\. */
static const char *push_quoted(lua_State *L, const char *at)
{
    luaL_Buffer text;
    luaL_buffinit(L, &text);
    for (; *at != '"' && *at != '\0'; at++) {
        if (*at == '\\' && at[1] != '\0')
            at++;
        luaL_addchar(&text, *at);
    }
    luaL_pushresult(&text);
    return *at == '"' ? at + 1 : at;
}

/* Device keys are numbers in Lua, as they are in Python. */
static void key_to_number(lua_State *L)
{
    const char *const key = lua_tostring(L, -1);
    if (key[0] >= '0' && key[0] <= '9') {
        lua_pushinteger(L, (lua_Integer)strtol(key, NULL, 10));
        lua_remove(L, -2);
    }
}

void mpl_lua_push_map(lua_State *L, const char *json, int keys_are_devices)
{
    lua_newtable(L);
    for (const char *at = strchr(json, '"'); at != NULL; at = strchr(at, '"')) {
        at = push_quoted(L, at + 1);
        if (keys_are_devices)
            key_to_number(L);
        at += strspn(at, ": ");
        if (*at == '"') {
            at = push_quoted(L, at + 1);
        } else {
            char *end = NULL;
            const unsigned long long number = strtoull(at, &end, 10);
            mpl_lua_push_whole(L, number);
            at = end;
        }
        lua_settable(L, -3);
    }
}

const char *mpl_lua_push_budgets(lua_State *L, int at)
{
    enum { MAX_POOLS = 64 };
    if (lua_type(L, at) == LUA_TSTRING)
        return mpl_lua_check_text(L, at, "max_memory");
    if (!lua_istable(L, at))
        luaL_error(L, "max_memory: a table or a string expected, got %s",
                   luaL_typename(L, at));
    int count = 0;
    lua_pushliteral(L, "");
    for (lua_pushnil(L); lua_next(L, at) != 0; count++) {
        if (count == MAX_POOLS)
            luaL_error(L, "max_memory: more than %d entries", MAX_POOLS);
        lua_pushvalue(L, -2); /* tolstring would change the key */
        if (lua_type(L, -1) == LUA_TNUMBER)
            (void)mpl_lua_check_whole(L, -1, "max_memory: a key");
        else
            (void)mpl_lua_check_text(L, -1, "max_memory: a key");
        if (lua_type(L, -2) == LUA_TNUMBER)
            (void)mpl_lua_check_whole(L, -2, "max_memory: an amount");
        else
            (void)mpl_lua_check_text(L, -2, "max_memory: an amount");
        /* text key value key -> key text, key=value */
        lua_pushvalue(L, -4);
        lua_pushstring(L, count > 0 ? "," : "");
        lua_pushfstring(L, "%s=%s", lua_tostring(L, -3), lua_tostring(L, -4));
        lua_concat(L, 3);
        lua_replace(L, -5);
        lua_pop(L, 2);
    }
    return lua_tostring(L, -1);
}
