-- SPDX-License-Identifier: MIT
local memplan = require("memplan")

local founding = { max_memory = { [0] = "20GB", cpu = "60GB" }, dtype = "int4", context = 4096 }

describe("a plan", function()
  it("answers the founding question", function()
    local plan = assert(memplan.plan("llama-2-70b", founding))
    assert.is_true(plan:fits())
    local info = plan:info()
    assert.are.equal("transformers", info.engine)
    assert.are.equal(4096, info.context_tokens)
    local pools = plan:pools()
    assert.are.equal("0", pools[1].key)
    assert.are.equal(20000000000, pools[1].capacity_bytes)
    assert.are.equal("cpu", pools[2].key)
    for _, pool in ipairs(pools) do
      local sum = 0
      for _, row in ipairs(pool.rows) do
        sum = sum + row.bytes
      end
      assert.are.equal(pool.used_bytes, sum)
    end
  end)

  it("takes budgets as a table or as a text", function()
    local a = assert(memplan.plan("llama-2-7b", { max_memory = { [0] = 20000000000, cpu = "60GB" } }))
    local b = assert(memplan.plan("llama-2-7b", { max_memory = "0=20GB,cpu=60GB" }))
    assert.are.equal(a:render("json"), b:render("json"))
  end)

  it("gives a device map with device numbers", function()
    local plan = assert(memplan.plan("llama-2-70b", founding))
    local seen = {}
    for name, key in pairs(plan:device_map()) do
      assert.is_string(name)
      seen[key] = true
    end
    assert.is_true(seen[0])
    assert.is_true(seen.cpu)
    local memory = plan:max_memory()
    assert.is_true(memory[0] > 0 and memory[0] < 20000000000)
    local units = plan:placement()
    assert.are.equal("model.embed_tokens", units[1].unit)
  end)

  it("names the cheapest fixes of one that does not fit", function()
    local plan = assert(memplan.plan("llama-2-70b", { max_memory = { [0] = "20GB", cpu = "60GB" }, dtype = "fp16" }))
    assert.is_false(plan:fits())
    local fixes = plan:fixes()
    assert.is_true(#fixes > 0)
    assert.is_string(fixes[1].text)
  end)

  it("prices a placement as given", function()
    local plan = assert(memplan.price("llama-2-7b", '{"": 0}', { max_memory = { [0] = "80GB" }, dtype = "fp16" }))
    assert.is_true(plan:fits())
    local _, message, status = memplan.price("llama-2-7b", '{"modle": 0}', { max_memory = { [0] = "80GB" } })
    assert.are.equal("NOT_FOUND", status, message)
  end)

  it("opens a machine that is a text", function()
    local words = assert(memplan.plan("llama-2-7b", { machine = "rtx-4090, 64GiB ram" }))
    assert.is_true(words:fits())
    local budgets = assert(memplan.plan("llama-2-7b", { machine = "0=40GB,cpu=9GB", max_memory = "0=20GB" }))
    assert.are.equal(20000000000, budgets:pools()[1].capacity_bytes)
    local _, message, status = memplan.plan("llama-2-7b", { machine = "no/such.json" })
    assert.are.equal("NOT_FOUND", status, message)
  end)

  it("outlives its model and machine", function()
    local model = assert(memplan.model("llama-2-7b"))
    local machine = assert(memplan.machine({ declare = "0=40GB" }))
    local plan = assert(memplan.plan(model, { machine = machine }))
    model:close()
    machine:close()
    collectgarbage()
    assert.is_string(plan:render("table"))
  end)

  it("works inside coroutines", function()
    local make = coroutine.wrap(function()
      for _, name in ipairs({ "llama-2-7b", "llama-2-13b" }) do
        coroutine.yield(assert(memplan.plan(name, founding)))
      end
    end)
    assert.is_true(make():fits())
    assert.is_true(make():fits())
  end)
end)

describe("what the library refuses", function()
  it("is nil, message, status", function()
    local model, message, status = memplan.model("lama-2-70b-typo")
    assert.is_nil(model)
    assert.are.equal("NOT_FOUND", status)
    assert.truthy(message:find("llama-2-70b", 1, true), message)
    local _, _, wrong = memplan.plan("llama-2-7b", { max_memory = "0=24G" })
    assert.are.equal("ARGUMENT", wrong)
    local text, _, dialect = assert(memplan.plan("llama-2-7b", founding)):render("no-such")
    assert.is_nil(text)
    assert.are.equal("ARGUMENT", dialect)
  end)
end)

describe("misuse", function()
  local function raises(part, call, ...)
    local ok, message = pcall(call, ...)
    assert.is_false(ok)
    assert.truthy(tostring(message):find(part, 1, true), message)
  end

  it("names the option and the nearest known one", function()
    raises("unknown option 'contxt'; is it 'context'?", memplan.plan, "llama-2-7b", { contxt = 1 })
    raises("unknown option 'max_memroy'; is it 'max_memory'?", memplan.plan, "llama-2-7b", { max_memroy = {} })
    raises("unknown option 'declre'; is it 'declare'?", memplan.machine, { declre = "0=1GB" })
    raises("unknown option 'zzz'", memplan.machine, { zzz = 1 })
  end)

  it("names the field of a wrong type", function()
    raises("context", memplan.plan, "llama-2-7b", { context = "many" })
    raises("context", memplan.plan, "llama-2-7b", { context = 1.5 })
    raises("dtype", memplan.plan, "llama-2-7b", { dtype = 4 })
    raises("dtype", memplan.plan, "llama-2-7b", { dtype = "fp\0" })
    raises("max_memory", memplan.plan, "llama-2-7b", { max_memory = 20 })
    raises("max_memory", memplan.plan, "llama-2-7b", { max_memory = { [{}] = "20GB" } })
    raises("max_memory", memplan.plan, "llama-2-7b", { max_memory = { [0] = false } })
    raises("machine", memplan.plan, "llama-2-7b", { machine = 7 })
    raises("model", memplan.plan, 7)
    raises("options have names", memplan.plan, "llama-2-7b", { "context" })
  end)

  it("bounds a huge table", function()
    local huge = {}
    for at = 0, 99999 do
      huge[at] = 1
    end
    raises("more than 64 entries", memplan.plan, "llama-2-7b", { max_memory = huge })
  end)

  it("is the use of a closed handle", function()
    local machine = assert(memplan.machine({ declare = "cpu=1GB" }))
    machine:close()
    machine:close()
    assert.are.equal("memplan.machine (closed)", tostring(machine))
    raises("closed", machine.info, machine)
    raises("closed", memplan.plan, "llama-2-7b", { machine = machine })
  end)

  it("is the wrong handle", function()
    local machine = assert(memplan.machine({ declare = "cpu=1GB" }))
    local plan = assert(memplan.plan("llama-2-7b", { max_memory = "cpu=60GB" }))
    raises("memplan.plan", plan.fits, machine)
    raises("memplan.plan", plan.fits, io.stdout)
    raises("memplan.plan", plan.fits)
  end)

  it("throws through callbacks without harm", function()
    local hostile = setmetatable({}, {
      __index = function()
        error("from inside")
      end,
    })
    raises("from inside", memplan.machine, hostile)
  end)
end)

describe("a handle", function()
  it("closes at the end of its block", function()
    if _VERSION ~= "Lua 5.4" then
      pending("<close> is of Lua 5.4")
      return
    end
    local kept
    assert(load([[
      local memplan, keep = ...
      local machine <close> = assert(memplan.machine({ declare = "cpu=1GB" }))
      keep(machine)
    ]]))(memplan, function(machine)
      kept = machine
    end)
    assert.are.equal("memplan.machine (closed)", tostring(kept))
  end)

  it("does not show its metatable", function()
    assert.are.equal("private", getmetatable(assert(memplan.machine({ declare = "cpu=1GB" }))))
  end)
end)
