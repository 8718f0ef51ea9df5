-- SPDX-License-Identifier: MIT
local memplan = require("memplan")

describe("lists", function()
  it("have what is known, and a name once", function()
    for _, list in ipairs(memplan.list_entries("lists")) do
      local seen = {}
      local entries = memplan.list_entries(list.name)
      assert.is_true(#entries > 0, list.name)
      for _, entry in ipairs(entries) do
        local key = entry.group .. "/" .. entry.name
        assert.is_nil(seen[key], key)
        seen[key] = true
      end
    end
  end)

  it("say what a GPU has", function()
    for _, gpu in ipairs(memplan.list_entries("gpus")) do
      if gpu.name == "rtx-4090" then
        assert.are.equal(24 * 2 ^ 30, gpu.bytes)
        assert.are.equal("nvidia", gpu.group)
        return
      end
    end
    error("no rtx-4090")
  end)

  it("are named", function()
    assert.has_error(function()
      memplan.list_entries("cards")
    end)
  end)
end)
