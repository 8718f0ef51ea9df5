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

--- The cases of tests/vectors/NAME and how many the file declares.
function support.vectors(name)
  local json = require("dkjson")
  local vectors = assert(json.decode(support.read(here .. "/vectors/" .. name)))
  return vectors.cases, vectors.cases_expected
end

--- A whole number of a vector: strings where it passes 2^53.
function support.whole(value)
  if type(value) == "string" then
    return math.tointeger and math.tointeger(value) or tonumber(value)
  end
  return value
end

return support
