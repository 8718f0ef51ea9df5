-- SPDX-License-Identifier: MIT
local memplan = require("memplan")
local support = dofile(debug.getinfo(1, "S").source:match("^@(.*)/[^/]*$") .. "/support.lua")

-- What a number holds exactly here: all of 63 bits in 5.4, 53 elsewhere.
local exact = math.maxinteger or 2 ^ 53

local function check(given, expect)
  if given.parse then
    local bytes, message, status = memplan.bytes_parse(given.parse)
    if expect.status then
      assert.is_nil(bytes)
      assert.are.equal(expect.status, status)
      assert.truthy(message:find(expect.says, 1, true), message)
    elseif type(expect.bytes) == "string" and tonumber(expect.bytes) > exact then
      assert.is_number(bytes) -- more than a number here holds exactly
    else
      assert.are.equal(support.whole(expect.bytes), bytes)
    end
  elseif type(given.format) == "string" then
    -- past 2^53: no Lua number is that amount, so it is refused by name
    assert.has_error(function()
      memplan.bytes_format(tonumber(given.format) * 1.0)
    end)
  else
    assert.are.equal(expect.text, memplan.bytes_format(given.format))
  end
end

describe("bytes", function()
  local cases, expected = support.vectors("bytes.json")
  local ran = 0
  for _, case in ipairs(cases) do
    it(case.name, function()
      assert.is_string(case.why)
      check(case.given, case.expect)
      ran = ran + 1
    end)
  end

  it("ran as many cases as the file declares", function()
    assert.are.equal(expected, ran)
  end)

  it("says unknown for nil", function()
    assert.are.equal("unknown", memplan.bytes_format(nil))
  end)

  it("refuses what is no whole number", function()
    for _, wrong in ipairs({ -1, 0.5, 2 ^ 64, 1 / 0, 0 / 0, "7", true, {} }) do
      assert.has_error(function()
        memplan.bytes_format(wrong)
      end)
    end
  end)

  it("refuses a NUL inside a text", function()
    assert.has_error(function()
      memplan.bytes_parse("20GB\0junk")
    end, "bytes: a string with a NUL in it")
  end)
end)
