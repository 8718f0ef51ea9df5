-- SPDX-License-Identifier: MIT
-- Every registered function is annotated and documented, and none other.
local memplan = require("memplan")
local support = dofile(debug.getinfo(1, "S").source:match("^@(.*)/[^/]*$") .. "/support.lua")

local source = support.read(support.root .. "/bindings/lua/memplan.c")
local meta = support.read(support.root .. "/bindings/lua/memplan.meta.lua")
local fields = support.read(support.root .. "/bindings/lua/fields.h")

--- The names in a luaL_Reg table of the source.
local function registered(name)
  local names = {}
  local body = assert(source:match("luaL_Reg " .. name .. "%[%] = {(.-)};"), name)
  for function_name in body:gmatch('{"([%w_]+)"') do
    names[function_name] = true
  end
  return names
end

--- The annotated functions of a class: a function with a comment above it.
local function annotated(class, separator)
  local names = {}
  for comment, name in meta:gmatch("(%-%-%-[^\n]*\n)function " .. class .. separator .. "([%w_]+)%(") do
    names[name] = #comment > 0
  end
  return names
end

describe("memplan.meta.lua", function()
  local tables = {
    { "FUNCTIONS", "memplan", "%." },
    { "MODEL_METHODS", "model", ":" },
    { "MACHINE_METHODS", "machine", ":" },
    { "PLAN_METHODS", "plan", ":" },
  }
  for _, row in ipairs(tables) do
    it("annotates exactly " .. row[1], function()
      local wanted = registered(row[1])
      assert.truthy(next(wanted))
      assert.are.same(wanted, annotated(row[2], row[3]))
    end)
  end

  it("annotates every option and field", function()
    local count = 0
    for name in fields:gmatch('[FN][IA][EM]%u+%([%w_]+, ([%w_]+), %u+%)') do
      count = count + 1
      assert.truthy(meta:find("@field " .. name, 1, true), name)
    end
    for name in fields:gmatch('NAMED%([%w_]+, [%w_]+,%s+"([%w_]+)"') do
      count = count + 1
      assert.truthy(meta:find("@field " .. name, 1, true), name)
    end
    assert.is_true(count > 60, "found " .. count)
  end)

  it("is valid Lua and does nothing", function()
    assert.are.equal("table", type(assert(loadfile(support.root .. "/bindings/lua/memplan.meta.lua"))()))
    assert.is_string(memplan.version)
  end)
end)
