-- SPDX-License-Identifier: MIT
-- The vectors that Criterion and pytest read too: plans and refusals.
local memplan = require("memplan")
local support = dofile(debug.getinfo(1, "S").source:match("^@(.*)/[^/]*$") .. "/support.lua")

--- plan() of what a case gives; its other fields are the request's.
local function plan_of(given)
  local request = {}
  for name, value in pairs(given) do
    if name ~= "model" then
      request[name] = value
    end
  end
  return memplan.plan(given.model, request)
end

local function sum(plan, category)
  local bytes = 0
  for _, pool in ipairs(plan:pools()) do
    for _, row in ipairs(pool.rows) do
      bytes = bytes + (row.category == category and row.bytes or 0)
    end
  end
  return bytes
end

local checks = {
  ["plans.json"] = function(given, expect)
    local plan = assert(plan_of(given))
    assert.are.equal(expect.fits, plan:fits())
    for _, category in ipairs({ "weights", "kv_cache" }) do
      if expect[category] then
        assert.are.equal(support.whole(expect[category]), sum(plan, category))
      end
    end
    if expect.first_fix then
      assert.are.equal(expect.first_fix, plan:fixes()[1].kind)
    end
  end,
  ["errors.json"] = function(given, expect)
    local plan, message, status = plan_of(given)
    assert.is_nil(plan)
    assert.are.equal(expect.status, status)
    assert.truthy(message:find(expect.says, 1, true), message)
  end,
}

for file, check in pairs(checks) do
  describe(file, function()
    local cases, expected = support.vectors(file)
    local ran = 0
    for _, case in ipairs(cases) do
      it(case.name, function()
        assert.is_string(case.why)
        check(case.given, case.expect)
        ran = ran + 1
      end)
    end

    it("ran as many cases as it declares", function()
      assert.are.equal(expected, ran)
    end)
  end)
end
