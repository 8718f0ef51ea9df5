-- SPDX-License-Identifier: MIT
-- Does a model fit into these budgets, and where does each part go?
--
--   lua5.4 fit.lua llama-2-70b 0=20GB,cpu=60GB int4 4096
--
-- examples/fit.c and examples/fit.py print the same bytes. Exit code: 0 it
-- fits, 1 it does not, 2 the request is wrong.
local memplan = require("memplan")

local name, budgets, dtype, context = arg[1], arg[2], arg[3], arg[4]
if not budgets or #arg > 4 then
  io.stderr:write("usage: fit MODEL BUDGETS [DTYPE [CONTEXT]]\n")
  os.exit(2)
end

local plan, message = memplan.plan(name, {
  max_memory = budgets,
  dtype = dtype,
  context = context and math.floor(tonumber(context) or 0),
})
if not plan then
  io.stderr:write("fit: ", message, "\n")
  os.exit(2)
end

local info = plan:info()
print(("%s at %d tokens: %s"):format(info.dtype, info.context_tokens, info.fits and "fits" or "does not fit"))
for _, pool in ipairs(plan:pools()) do
  print(("%s: %.0f of %.0f bytes"):format(pool.key, pool.used_bytes, pool.capacity_bytes))
end
for _, placed in ipairs(plan:placement()) do
  print(("%s -> %s"):format(placed.unit, tostring(placed.pool)))
end
for _, fix in ipairs(plan:fixes()) do
  print("to make it fit: " .. fix.text)
end
os.exit(info.fits and 0 or 1)
