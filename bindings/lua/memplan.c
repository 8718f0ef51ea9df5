/* SPDX-License-Identifier: MIT */
/*
 * memplan for Lua 5.4, LuaJIT and 5.1: the same files, compiled for each.
 *
 * Handles are full userdata that hold one pointer. A box is made first and
 * filled by the library after, so an error in between leaks nothing. What the
 * library refuses is returned as nil, message, status; misuse raises.
 * Options and rows are described by tables of fields below; memplan.meta.lua
 * says the same to editors and people.
 */
#include <lauxlib.h>
#include <lua.h>
#include <memplan.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "compat.h"
#include "fields.h"
#include "functions.h"
#include "values.h"

#define MODEL    "memplan.model"
#define MACHINE  "memplan.machine"
#define PLAN     "memplan.plan"
#define TEXT_BOX "memplan.text"

/* The status of a call is its answer: the box on top, or nil and why. */
static int answer(lua_State *L, memplan_status status,
                  const memplan_error *error)
{
    return status == MEMPLAN_OK ? 1 : mpl_lua_push_failure(L, error);
}

/* ---- Boxes ------------------------------------------------------------- */

static void *new_box(lua_State *L, const char *kind)
{
    void **const box = lua_newuserdata(L, sizeof *box);
    *box = NULL;
    luaL_setmetatable(L, kind);
    return box;
}

/* The handle in the box at `at`; a closed one is misuse. */
static void *check_handle(lua_State *L, int at, const char *kind)
{
    void **const box = luaL_checkudata(L, at, kind);
    luaL_argcheck(L, *box != NULL, at, "it is closed");
    return *box;
}

/* Whether the value at `at` is a box of this kind: luaL_testudata of 5.2. */
static int is_box(lua_State *L, int at, const char *kind)
{
    if (lua_touserdata(L, at) == NULL || !lua_getmetatable(L, at))
        return 0;
    luaL_getmetatable(L, kind);
    const int same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same;
}

/* ---- What all three kinds of handle do ---------------------------------- */

/* KIND:close(), its __gc and its __close: idempotent. */
#define CLOSE(function, type, kind, free_handle)                               \
    static int function(lua_State *L)                                          \
    {                                                                          \
        type **const box = luaL_checkudata(L, 1, kind);                        \
        free_handle(*box);                                                     \
        *box = NULL;                                                           \
        return 0;                                                              \
    }

CLOSE(close_model, memplan_model, MODEL, memplan_model_free)
CLOSE(close_machine, memplan_machine, MACHINE, memplan_machine_free)
CLOSE(close_plan, memplan_plan, PLAN, memplan_plan_free)
CLOSE(close_text, char, TEXT_BOX, memplan_text_free)

/* KIND:info(): one row as a table. */
#define INFO(function, row_type, kind, describe, fields)                       \
    static int function(lua_State *L)                                          \
    {                                                                          \
        row_type row = {.size = sizeof row};                                   \
        describe(check_handle(L, 1, kind), &row);                              \
        mpl_lua_push_row(L, fields, COUNT(fields), &row);                      \
        return 1;                                                              \
    }

INFO(model_info, memplan_model_info, MODEL, memplan_model_describe,
     MODEL_INFO_FIELDS)
INFO(machine_info, memplan_machine_info, MACHINE, memplan_machine_describe,
     MACHINE_INFO_FIELDS)
INFO(plan_info, memplan_plan_info, PLAN, memplan_plan_describe,
     PLAN_INFO_FIELDS)

/* KIND:things(): a list of rows. */
#define ROWS(function, row_type, kind, get, fields)                            \
    static int function(lua_State *L)                                          \
    {                                                                          \
        const void *const handle = check_handle(L, 1, kind);                   \
        row_type row = {.size = sizeof row};                                   \
        lua_newtable(L);                                                       \
        for (int at = 0; get(handle, (uint64_t)at, &row) == MEMPLAN_OK;        \
             at++) {                                                           \
            mpl_lua_push_row(L, fields, COUNT(fields), &row);                  \
            lua_rawseti(L, -2, at + 1);                                        \
        }                                                                      \
        return 1;                                                              \
    }

ROWS(model_units, memplan_unit_info, MODEL, memplan_model_unit,
     UNIT_INFO_FIELDS)
ROWS(machine_devices, memplan_device_info, MACHINE, memplan_machine_device,
     DEVICE_INFO_FIELDS)
ROWS(plan_fixes, memplan_fix_info, PLAN, memplan_plan_fix, FIX_INFO_FIELDS)

/* KIND:notes(): a list of sentences. */
#define NOTES(function, kind, get)                                             \
    static int function(lua_State *L)                                          \
    {                                                                          \
        const void *const handle = check_handle(L, 1, kind);                   \
        const char *text = NULL;                                               \
        lua_newtable(L);                                                       \
        for (int at = 0; (text = get(handle, (uint64_t)at)) != NULL; at++) {   \
            lua_pushstring(L, text);                                           \
            lua_rawseti(L, -2, at + 1);                                        \
        }                                                                      \
        return 1;                                                              \
    }

NOTES(model_notes, MODEL, memplan_model_note)
NOTES(machine_notes, MACHINE, memplan_machine_note)
NOTES(plan_notes, PLAN, memplan_plan_note)

/* KIND:render(dialect, options): a text; in a box until Lua has its copy. */
#define RENDER(function, kind, write)                                          \
    static int function(lua_State *L)                                          \
    {                                                                          \
        const void *const handle = check_handle(L, 1, kind);                   \
        memplan_render_options options = MEMPLAN_RENDER_OPTIONS_INIT;          \
        memplan_error error;                                                   \
        const char *const dialect = lua_isnoneornil(L, 2)                      \
                                        ? "table"                              \
                                        : mpl_lua_check_text(L, 2, "dialect"); \
        mpl_lua_read_options(L, 3, RENDER_OPTIONS_FIELDS,                      \
                             COUNT(RENDER_OPTIONS_FIELDS), NULL, &options);    \
        char **const box = new_box(L, TEXT_BOX);                               \
        if (write(box, handle, dialect, &options, &error) != MEMPLAN_OK)       \
            return mpl_lua_push_failure(L, &error);                            \
        lua_pushstring(L, *box);                                               \
        memplan_text_free(*box);                                               \
        *box = NULL;                                                           \
        return 1;                                                              \
    }

RENDER(model_render, MODEL, memplan_model_render)
RENDER(machine_render, MACHINE, memplan_machine_render)
RENDER(plan_render, PLAN, memplan_plan_render)

/* ---- Models ------------------------------------------------------------ */

/* memplan.model(source, options) */
static int open_model(lua_State *L)
{
    memplan_model_options options = MEMPLAN_MODEL_OPTIONS_INIT;
    memplan_error error;
    const char *const source = mpl_lua_check_text(L, 1, "model");
    lua_settop(L, 2);
    mpl_lua_read_options(L, 2, MODEL_OPTIONS_FIELDS,
                         COUNT(MODEL_OPTIONS_FIELDS), NULL, &options);
    return answer(
        L, memplan_model_open(new_box(L, MODEL), source, &options, &error),
        &error);
}

/* ---- Machines ---------------------------------------------------------- */

/* The text of a field of the table at `at`, or NULL; it stays on the stack. */
static const char *text_field(lua_State *L, int at, const char *name)
{
    if (!lua_istable(L, at))
        return NULL;
    lua_getfield(L, at, name);
    return lua_isnil(L, -1) ? NULL : mpl_lua_check_text(L, -1, name);
}

/* memplan.machine(): this one; {open =}, {declare =}, {describe =} others. */
static int open_machine(lua_State *L)
{
    static const char *const ALSO[] = {"open", "declare", NULL};
    memplan_machine_options options = MEMPLAN_MACHINE_OPTIONS_INIT;
    memplan_error error;
    lua_settop(L, 1);
    mpl_lua_read_options(L, 1, MACHINE_OPTIONS_FIELDS,
                         COUNT(MACHINE_OPTIONS_FIELDS), ALSO, &options);
    const char *const path = text_field(L, 1, "open");
    const char *const budgets = text_field(L, 1, "declare");
    luaL_argcheck(L, path == NULL || budgets == NULL, 1,
                  "'open' and 'declare' exclude each other");
    void *const box = new_box(L, MACHINE);
    if (path != NULL)
        return answer(L, memplan_machine_open(box, path, &error),
                      &error);
    if (budgets != NULL)
        return answer(L, memplan_machine_declare(box, NULL, budgets, &error),
                      &error);
    return answer(L, memplan_machine_detect(box, &options, &error), &error);
}

/* ---- Plans ------------------------------------------------------------- */

/* The model at `at`: a box, or a name that is opened into a new one. */
static const memplan_model *
to_model(lua_State *L, int at, memplan_status *status, memplan_error *error)
{
    if (is_box(L, at, MODEL))
        return check_handle(L, at, MODEL);
    const char *const source = mpl_lua_check_text(L, at, "model");
    memplan_model **const box = new_box(L, MODEL);
    *status = memplan_model_open(box, source, NULL, error);
    return *box;
}

/* options.machine: a box, or a text (budgets, a path or words) that is opened
 * into a new one, at *own of the stack; NULL where none is given. */
static const memplan_machine *base_machine(lua_State *L, int options, int *own,
                                           memplan_status *status,
                                           memplan_error *error)
{
    if (!lua_istable(L, options))
        return NULL;
    lua_getfield(L, options, "machine");
    if (lua_isnil(L, -1))
        return NULL;
    if (is_box(L, -1, MACHINE))
        return check_handle(L, -1, MACHINE);
    if (lua_type(L, -1) != LUA_TSTRING)
        luaL_error(L, "machine: a memplan.machine or a string expected, got %s",
                   luaL_typename(L, -1));
    const char *const text = mpl_lua_check_text(L, -1, "machine");
    memplan_machine **const box = new_box(L, MACHINE);
    *own = lua_gettop(L);
    *status = strchr(text, '=') != NULL
                  ? memplan_machine_declare(box, NULL, text, error)
                  : memplan_machine_open(box, text, error);
    return *box;
}

/* options.machine, with options.max_memory laid over it; this machine where
 * neither is given. `own` gets the places of new boxes. */
static const memplan_machine *to_machine(lua_State *L, int options, int own[2],
                                         memplan_status *status,
                                         memplan_error *error)
{
    const memplan_machine *const base =
        base_machine(L, options, &own[0], status, error);
    if (*status != MEMPLAN_OK)
        return NULL;
    if (lua_istable(L, options))
        lua_getfield(L, options, "max_memory");
    else
        lua_pushnil(L);
    if (lua_isnil(L, -1) && base != NULL)
        return base;
    const char *const budgets =
        lua_isnil(L, -1) ? NULL : mpl_lua_push_budgets(L, lua_gettop(L));
    memplan_machine **const box = new_box(L, MACHINE);
    own[1] = lua_gettop(L);
    *status = budgets != NULL
                  ? memplan_machine_declare(box, base, budgets, error)
                  : memplan_machine_detect(box, NULL, error);
    return *box;
}

/* Closes a box that only this call saw: a plan needs neither model nor machine
 * any more, and a collector does not know how large they are. */
static void close_own(lua_State *L, int at)
{
    if (at != 0 && luaL_callmeta(L, at, "__gc"))
        lua_pop(L, 1);
}

/* memplan.plan(model, options) and memplan.price(model, placement, options) */
static int make_plan(lua_State *L, int options, const char *placement,
                     int is_price)
{
    static const char *const ALSO[] = {"machine", "max_memory", NULL};
    memplan_request request = MEMPLAN_REQUEST_INIT;
    memplan_error error;
    memplan_status status = MEMPLAN_OK;
    mpl_lua_read_options(L, options, REQUEST_FIELDS, COUNT(REQUEST_FIELDS),
                         ALSO, &request);
    const memplan_model *const model = to_model(L, 1, &status, &error);
    if (status != MEMPLAN_OK)
        return mpl_lua_push_failure(L, &error);
    const int own_model = is_box(L, 1, MODEL) ? 0 : lua_gettop(L);
    int own_machines[2] = {0, 0};
    const memplan_machine *const machine =
        to_machine(L, options, own_machines, &status, &error);
    if (status != MEMPLAN_OK)
        return mpl_lua_push_failure(L, &error);
    void *const box = new_box(L, PLAN);
    status = is_price
                 ? memplan_plan_price(box, model, machine, &request, placement,
                                      &error)
                 : memplan_plan_create(box, model, machine, &request, &error);
    close_own(L, own_model);
    close_own(L, own_machines[0]);
    close_own(L, own_machines[1]);
    return answer(L, status, &error);
}

static int create_plan(lua_State *L)
{
    lua_settop(L, 2);
    return make_plan(L, 2, NULL, 0);
}

static int price_plan(lua_State *L)
{
    lua_settop(L, 3);
    const char *const placement =
        lua_isnil(L, 2) ? NULL : mpl_lua_check_text(L, 2, "placement");
    return make_plan(L, 3, placement, 1);
}

static int plan_fits(lua_State *L)
{
    memplan_plan_info info = MEMPLAN_PLAN_INFO_INIT;
    memplan_plan_describe(check_handle(L, 1, PLAN), &info);
    lua_pushboolean(L, info.fits != 0);
    return 1;
}

static int plan_pools(lua_State *L)
{
    const memplan_plan *const plan = check_handle(L, 1, PLAN);
    memplan_pool_info pool = MEMPLAN_POOL_INFO_INIT;
    lua_newtable(L);
    for (int at = 0; memplan_plan_pool(plan, (uint64_t)at, &pool) == MEMPLAN_OK;
         at++) {
        mpl_lua_push_row(L, POOL_INFO_FIELDS, COUNT(POOL_INFO_FIELDS), &pool);
        lua_createtable(L, (int)pool.row_count, 0);
        memplan_row_info row = MEMPLAN_ROW_INFO_INIT;
        for (int line = 0; memplan_plan_row(plan, (uint64_t)at, (uint64_t)line,
                                            &row) == MEMPLAN_OK;
             line++) {
            mpl_lua_push_row(L, ROW_INFO_FIELDS, COUNT(ROW_INFO_FIELDS), &row);
            lua_rawseti(L, -2, line + 1);
        }
        lua_setfield(L, -2, "rows");
        lua_rawseti(L, -2, at + 1);
    }
    return 1;
}

/* Pushes a pool's key as Python and people know it: 0, "cpu", "disk". */
static void push_key(lua_State *L, const char *key)
{
    if (key[0] >= '0' && key[0] <= '9')
        lua_pushinteger(L, (lua_Integer)strtol(key, NULL, 10));
    else
        lua_pushstring(L, key);
}

/* plan:placement(): a row a unit, in execution order. */
static int plan_placement(lua_State *L)
{
    const memplan_plan *const plan = check_handle(L, 1, PLAN);
    memplan_placement_info row = MEMPLAN_PLACEMENT_INFO_INIT;
    memplan_pool_info pool = MEMPLAN_POOL_INFO_INIT;
    lua_newtable(L);
    for (int at = 0;
         memplan_plan_placement(plan, (uint64_t)at, &row) == MEMPLAN_OK; at++) {
        mpl_lua_push_row(L, PLACEMENT_INFO_FIELDS, COUNT(PLACEMENT_INFO_FIELDS),
                         &row);
        if (memplan_plan_pool(plan, row.pool_index, &pool) == MEMPLAN_OK) {
            push_key(L, pool.key);
            lua_setfield(L, -2, "pool");
        }
        lua_rawseti(L, -2, at + 1);
    }
    return 1;
}

/* plan:device_map() and plan:max_memory(): the dialect of that name, a table.
 */
static int push_dialect(lua_State *L, const char *dialect, int keys_are_devices)
{
    const memplan_plan *const plan = check_handle(L, 1, PLAN);
    memplan_error error;
    char **const box = new_box(L, TEXT_BOX);
    if (memplan_plan_render(box, plan, dialect, NULL, &error) != MEMPLAN_OK)
        return mpl_lua_push_failure(L, &error);
    mpl_lua_push_map(L, *box, keys_are_devices);
    memplan_text_free(*box);
    *box = NULL;
    return 1;
}

static int plan_device_map(lua_State *L)
{
    return push_dialect(L, "device_map", 0);
}

static int plan_max_memory(lua_State *L)
{
    return push_dialect(L, "max_memory", 1);
}

/* ---- The module -------------------------------------------------------- */

/* "memplan.plan (llama-2-70b)"; a closed handle says so. */
static int handle_to_string(lua_State *L)
{
    void **const box = lua_touserdata(L, 1);
    luaL_argcheck(L, box != NULL, 1, "a memplan handle expected");
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushstring(L, *box != NULL ? "" : " (closed)");
    lua_concat(L, 2);
    return 1;
}

static const luaL_Reg MODEL_METHODS[] = {{"info", model_info},
                                         {"units", model_units},
                                         {"notes", model_notes},
                                         {"render", model_render},
                                         {"close", close_model},
                                         {NULL, NULL}};

static const luaL_Reg MACHINE_METHODS[] = {
    {"info", machine_info},   {"devices", machine_devices},
    {"notes", machine_notes}, {"render", machine_render},
    {"close", close_machine}, {NULL, NULL}};

static const luaL_Reg PLAN_METHODS[] = {{"info", plan_info},
                                        {"fits", plan_fits},
                                        {"pools", plan_pools},
                                        {"placement", plan_placement},
                                        {"device_map", plan_device_map},
                                        {"max_memory", plan_max_memory},
                                        {"fixes", plan_fixes},
                                        {"notes", plan_notes},
                                        {"render", plan_render},
                                        {"close", close_plan},
                                        {NULL, NULL}};

static const luaL_Reg TEXT_METHODS[] = {{NULL, NULL}};

static const luaL_Reg FUNCTIONS[] = {{"machine", open_machine},
                                     {"model", open_model},
                                     {"plan", create_plan},
                                     {"price", price_plan},
                                     {"bytes_parse", mpl_lua_bytes_parse},
                                     {"bytes_format", mpl_lua_bytes_format},
                                     {"list_entries", mpl_lua_list_entries},
                                     {NULL, NULL}};

static void register_kind(lua_State *L, const char *kind,
                          const luaL_Reg *methods, lua_CFunction close)
{
    if (luaL_newmetatable(L, kind)) {
        lua_newtable(L);
        luaL_setfuncs(L, methods, 0);
        lua_setfield(L, -2, "__index");
        lua_pushcfunction(L, close);
        lua_setfield(L, -2, "__gc");
        lua_pushcfunction(L, close);
        lua_setfield(L, -2, "__close");
        lua_pushstring(L, kind);
        lua_pushcclosure(L, handle_to_string, 1);
        lua_setfield(L, -2, "__tostring");
        lua_pushliteral(L, "private");
        lua_setfield(L, -2, "__metatable");
    }
    lua_pop(L, 1);
}

__attribute__((visibility("default"))) int luaopen_memplan(lua_State *L);

int luaopen_memplan(lua_State *L)
{
    register_kind(L, MODEL, MODEL_METHODS, close_model);
    register_kind(L, MACHINE, MACHINE_METHODS, close_machine);
    register_kind(L, PLAN, PLAN_METHODS, close_plan);
    register_kind(L, TEXT_BOX, TEXT_METHODS, close_text);
    luaL_newlib(L, FUNCTIONS);
    lua_pushstring(L, memplan_version());
    lua_setfield(L, -2, "version");
    return 1;
}
