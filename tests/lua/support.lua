-- SPDX-License-Identifier: MIT
-- What the specs share: the tests' folder, and cases read from data.
local support = {}

local here = debug.getinfo(1, "S").source:match("^@(.*)/lua/[^/]*$")

--- The tests folder of the repository.
support.tests = here
support.root = here .. "/.."

function support.read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

--- Runs `check(given, expect)` as one test a case of tests/vectors/NAME, and
--- fails if the file declares another number of cases.
function support.vectors(name, check)
  local json = require("dkjson")
  local vectors = assert(json.decode(support.read(here .. "/vectors/" .. name)))
  local count = 0
  for _, case in ipairs(vectors.cases) do
    count = count + 1
    it(case.name, function()
      assert.is_string(case.why)
      check(case.given, case.expect)
    end)
  end
  it("has as many cases as it declares", function()
    assert.are.equal(vectors.cases_expected, count)
  end)
end

--- A whole number of a vector: strings where it passes 2^53.
function support.whole(value)
  if type(value) == "string" then
    return math.tointeger and math.tointeger(value) or tonumber(value)
  end
  return value
end

return support
