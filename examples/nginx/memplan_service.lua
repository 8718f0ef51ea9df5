-- SPDX-License-Identifier: MIT
-- A plan as JSON, for whoever asks over HTTP:
--
--   GET /plan?model=llama-2-70b&dtype=int4&context=8192&max_memory=0=20GB,cpu=60GB
--
-- A worker opens the machine once. A plan is made once and shared by all
-- workers through the dictionary "plans"; the same request then costs a look-up.
local memplan = require("memplan")

local M = {}

local machine -- of this worker; handles never change, so one serves all requests

local statuses = { NOT_FOUND = 404, ARGUMENT = 400, TOO_LARGE = 413, UNSUPPORTED = 422 }

-- Only names of the catalogue: whoever asks must not read paths on this host.
local function is_name(model)
  return model ~= nil and #model <= 100 and model:match("^[%w%.%-_]+$") ~= nil
end

local function fail(code, message)
  ngx.status = code
  ngx.header["Content-Type"] = "text/plain; charset=utf-8"
  ngx.say(message)
end

local function make_plan(args)
  if not machine and not args.max_memory then
    local opened, message, status = memplan.machine()
    if not opened then
      return nil, message, status
    end
    machine = opened
  end
  local plan, message, status = memplan.plan(args.model, {
    machine = not args.max_memory and machine or nil,
    max_memory = args.max_memory,
    context = tonumber(args.context),
    dtype = args.dtype,
  })
  if not plan then
    return nil, message, status
  end
  local text = plan:render("json")
  plan:close()
  return text
end

--- Answers one request.
function M.answer()
  local args = ngx.req.get_uri_args(8)
  for name, value in pairs(args) do
    if type(value) ~= "string" then
      return fail(400, name .. " is given more than once, or without a value")
    end
  end
  if not is_name(args.model) then
    return fail(400, "model must be a name, such as llama-2-70b")
  end
  if args.context and not args.context:match("^%d%d?%d?%d?%d?%d?%d?$") then
    return fail(400, "context must be a whole number of tokens")
  end
  local key = table.concat({ args.model, args.max_memory or "", args.context or "", args.dtype or "" }, "|")
  local plans = ngx.shared.plans
  local text = plans:get(key)
  ngx.header["X-Plan"] = text and "shared" or "made"
  if not text then
    local message, status
    text, message, status = make_plan(args)
    if not text then
      return fail(statuses[status] or 500, message)
    end
    plans:set(key, text)
  end
  ngx.header["Content-Type"] = "application/json"
  ngx.print(text)
end

return M
