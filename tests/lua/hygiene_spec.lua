-- SPDX-License-Identifier: MIT
-- The collector at every allocation, and thousands of handles.
local memplan = require("memplan")

local request = { max_memory = { [0] = "20GB", cpu = "60GB" }, dtype = "int4" }

local function use_everything()
  local model = assert(memplan.model("llama-2-7b"))
  local machine = assert(memplan.machine({ declare = "0=20GB,cpu=60GB" }))
  local plan = assert(memplan.plan(model, { machine = machine, context = 512 }))
  return #model:units() + #machine:devices() + #plan:pools() + #plan:render("json")
    + #plan:placement() + #plan:notes() + #plan:fixes()
end

describe("the collector", function()
  it("may run at every allocation", function()
    local pause, step = collectgarbage("setpause", 1), collectgarbage("setstepmul", 1000000)
    local first = use_everything()
    for _ = 1, 5 do
      assert.are.equal(first, use_everything())
    end
    collectgarbage("setpause", pause)
    collectgarbage("setstepmul", step)
  end)

  it("frees what nobody closed", function()
    for _ = 1, 2000 do
      assert(memplan.machine({ declare = "0=20GB" }))
    end
    collectgarbage()
    collectgarbage()
    local before = collectgarbage("count")
    for _ = 1, 200 do
      assert(memplan.plan("llama-2-7b", request))
    end
    collectgarbage()
    collectgarbage()
    assert.is_true(collectgarbage("count") < before + 256)
  end)

  it("frees failed calls too", function()
    for _ = 1, 500 do
      assert.is_nil((memplan.model("/no/such/file.gguf")))
      assert.is_nil((memplan.plan("llama-2-7b", { max_memory = "0=junk" })))
      assert.is_false((pcall(memplan.plan, "llama-2-7b", { context = -1 })))
    end
  end)
end)
