-- SPDX-License-Identifier: MIT
-- What a completion plugin asks memplan: which of these models holds here?
--
--   local choice = require("memplan_config").pick({
--     candidates = {                       -- the best first
--       { model = "qwen2.5-7b", dtypes = { "int8", "int4" }, ollama = "qwen2.5-coder:7b" },
--       { model = "~/models/small.gguf" }, -- quantized already
--     },
--     context = 16384, min_context = 4096,
--   })
--
-- returns { model =, dtype =, context =, on_device =, why =, llama_cpp = words,
-- ollama = { model =, options = { num_ctx =, num_gpu = } } }.
local memplan = require("memplan")

local M = {}

--- This machine, as the engine that Neovim's plugin starts would see it.
local function this_machine()
  return memplan.machine({
    cuda_visible_devices = vim.env.CUDA_VISIBLE_DEVICES,
    cuda_device_order = vim.env.CUDA_DEVICE_ORDER,
    hip_visible_devices = vim.env.HIP_VISIBLE_DEVICES,
    rocr_visible_devices = vim.env.ROCR_VISIBLE_DEVICES,
  })
end

local function open_model(name)
  local home = vim.env.HF_HOME or vim.fn.expand("~/.cache/huggingface")
  return memplan.model(vim.fn.expand(name), {
    hub_cache = vim.env.HF_HUB_CACHE or (home .. "/hub"),
    ollama_store = vim.env.OLLAMA_MODELS or vim.fn.expand("~/.ollama/models"),
  })
end

--- Of a plan: all on devices? some on disk? how many layers on devices?
local function spread(plan)
  local all_on_device, uses_disk, device_layers = true, false, 0
  for _, placed in ipairs(plan:placement()) do
    local on_device = type(placed.pool) == "number"
    all_on_device = all_on_device and (on_device or placed.weight_bytes == 0)
    uses_disk = uses_disk or placed.pool == "disk"
    if on_device and placed.unit:find("%d") then
      device_layers = device_layers + 1
    end
  end
  return all_on_device, uses_disk, device_layers
end

local function settings(candidate, plan, info, device_layers, on_device)
  local name = candidate.model
  local choice = {
    model = name,
    dtype = info.dtype,
    context = info.context_tokens,
    on_device = on_device,
    why = ("%s in %s at %d tokens: %s"):format(name, info.dtype, info.context_tokens,
      on_device and "all on the device" or "in host memory, in part or whole"),
    ollama = {
      model = candidate.ollama or name,
      options = { num_ctx = info.context_tokens, num_gpu = on_device and 999 or device_layers },
    },
  }
  if info.engine == "llama.cpp" then
    choice.llama_cpp = vim.split((plan:render("llamacpp") or ""):gsub("%s+$", ""), "%s+")
  end
  return choice
end

--- One candidate in one dtype at one context; nil where it does not hold.
local function try(candidate, model, request, must_be_on_device)
  local plan = memplan.plan(model, request)
  if not plan or not plan:fits() then
    return nil
  end
  local on_device, uses_disk, device_layers = spread(plan)
  if uses_disk or (must_be_on_device and not on_device) then
    return nil
  end
  return settings(candidate, plan, plan:info(), device_layers, on_device)
end

--- The contexts to try, from the wanted one down by halves.
local function contexts(wanted, least)
  local list = {}
  while wanted >= least do
    list[#list + 1] = wanted
    wanted = math.floor(wanted / 2)
  end
  return list
end

--- The best of the candidates that this machine holds: on the device before in
--- host memory, then in the order given, the dtypes in the order given, then
--- the longest context. Returns nil and why when none holds.
---@param options table candidates, context, min_context?, machine?
---@return table? choice, string? why
function M.pick(options)
  local machine, why = options.machine, nil
  if not machine then
    machine, why = this_machine()
    if not machine then
      return nil, why
    end
  end
  local has_device = machine:info().device_count > 0
  local lengths = contexts(options.context or 8192, options.min_context or 2048)
  local refused = {}
  for _, must_be_on_device in ipairs(has_device and { true, false } or { false }) do
    for _, candidate in ipairs(options.candidates) do
      local model, message = open_model(candidate.model)
      if not model then
        refused[#refused + 1] = message
      end
      for _, dtype in ipairs(model and (candidate.dtypes or { false }) or {}) do
        for _, length in ipairs(lengths) do
          local request = { machine = machine, context = length, dtype = dtype or nil }
          local choice = try(candidate, model, request, must_be_on_device)
          if choice then
            return choice
          end
        end
      end
    end
  end
  return nil, "no candidate fits this machine" .. (refused[1] and ("; " .. refused[1]) or "")
end

--- The model that the cursor or the buffer means.
local function model_here()
  local under_cursor = vim.fn.expand("<cfile>")
  for _, path in ipairs({ under_cursor, vim.api.nvim_buf_get_name(0) }) do
    if path:match("%.gguf$") or path:match("%.safetensors$") or path:match("config%.json$") then
      return path
    end
  end
  return under_cursor ~= "" and under_cursor or nil
end

local function open_window(lines, title)
  local width = 0
  for _, line in ipairs(lines) do
    width = math.max(width, vim.fn.strdisplaywidth(line))
  end
  local buffer = vim.api.nvim_create_buf(false, true)
  vim.api.nvim_buf_set_lines(buffer, 0, -1, false, lines)
  vim.api.nvim_buf_set_option(buffer, "modifiable", false)
  vim.api.nvim_buf_set_option(buffer, "bufhidden", "wipe")
  vim.api.nvim_buf_set_name(buffer, "memplan://" .. title)
  width = math.min(width, vim.o.columns - 4)
  local height = math.min(#lines, vim.o.lines - 4)
  local window = vim.api.nvim_open_win(buffer, true, {
    relative = "editor",
    style = "minimal",
    border = "rounded",
    width = math.max(width, 1),
    height = math.max(height, 1),
    row = math.floor((vim.o.lines - height) / 2) - 1,
    col = math.floor((vim.o.columns - width) / 2),
  })
  vim.keymap.set("n", "q", "<cmd>close<cr>", { buffer = buffer })
  return window
end

--- Shows the plan of a model on this machine in a floating window; q closes it.
---@param name? string else what the cursor or the buffer means
---@return integer? window
function M.show(name)
  name = name or model_here()
  if not name then
    vim.notify("Memplan: name a model, or put the cursor on one", vim.log.levels.WARN)
    return nil
  end
  local model, message = open_model(name)
  local machine = model and this_machine()
  local plan
  if machine then
    plan, message = memplan.plan(model, { machine = machine })
  end
  if not plan then
    vim.notify("Memplan: " .. (message or "this machine could not be read"), vim.log.levels.ERROR)
    return nil
  end
  local text = plan:render("table", { width = math.min(vim.o.columns - 4, 100), unicode = true })
  return open_window(vim.split(text, "\n", { trimempty = true }), model:info().name)
end

return M
