-- SPDX-License-Identifier: MIT
-- The plugin in the real Neovim. This file runs in a headless one; what a
-- person sees is looked at in a second one, which draws into a terminal of the
-- first. Each check prints its name; the exit code says whether all passed.
--
--   nvim --headless -u NONE --cmd "set rtp+=examples/neovim" \
--     -c "luafile tests/neovim/plugin_spec.lua"
local failures = 0

local function check(name, ok, detail)
  io.stdout:write(ok and "ok   " or "FAIL ", name, "\n")
  if not ok then
    failures = failures + 1
    io.stdout:write("     ", tostring(detail), "\n")
  end
end

-- A Neovim that draws, 100 columns wide and 40 lines high.
vim.o.columns, vim.o.lines = 110, 45
vim.cmd("enew")
vim.cmd("resize 40")
local plugin = vim.fn.fnamemodify("examples/neovim", ":p")
local child = vim.fn.termopen({
  vim.v.progpath, "-u", "NONE", "-i", "NONE", "-n", "--cmd", "set rtp+=" .. plugin,
  "-c", "runtime plugin/memplan.lua", "-c", "set noruler laststatus=0",
}, { width = 100, height = 40 })
local terminal = vim.api.nvim_get_current_buf()

local function screen()
  return table.concat(vim.api.nvim_buf_get_lines(terminal, 0, -1, false), "\n")
end

local function type_keys(keys)
  vim.fn.chansend(child, keys)
end

--- Waits until the screen shows all parts, then checks each.
local function shows(name, ...)
  local parts = { ... }
  vim.wait(8000, function()
    local seen = screen()
    for _, part in ipairs(parts) do
      if not seen:find(part, 1, true) then
        return false
      end
    end
    return true
  end, 20)
  for _, part in ipairs(parts) do
    check(name .. ": " .. part, screen():find(part, 1, true) ~= nil, screen())
  end
end

--- Waits until the screen no longer shows a part.
local function hides(name, part)
  local gone = vim.wait(8000, function()
    return not screen():find(part, 1, true)
  end, 20)
  check(name, gone, screen())
end

-- A model of the catalogue, by name.
shows("Neovim starts", "~")
type_keys(":Memplan llama-2-7b\r")
shows("by name", "llama-2-7b in", "cpu", "weights", "KV cache", "╭", "╯")
type_keys("q")
hides("q closes the window", "KV cache")

-- The config.json of the buffer.
local folder = vim.fn.tempname()
vim.fn.mkdir(folder, "p")
vim.fn.writefile({
  '{"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 256,',
  ' "intermediate_size": 688, "num_hidden_layers": 3, "num_attention_heads": 4,',
  ' "num_key_value_heads": 4, "vocab_size": 1000, "max_position_embeddings": 2048,',
  ' "tie_word_embeddings": false, "dtype": "float16"}',
}, folder .. "/config.json")
type_keys(":edit " .. folder .. "/config.json\r:Memplan\r")
shows("the buffer's config.json", "fits", "model.layers.0-2")
type_keys("q")
hides("q closes it too", "model.layers.0-2")

-- The path under the cursor; what is wrong with it is said.
vim.fn.writefile({ "not a model" }, folder .. "/broken.gguf")
vim.fn.writefile({ folder .. "/broken.gguf" }, folder .. "/list.txt")
type_keys(":edit " .. folder .. "/list.txt\r:Memplan\r")
shows("a broken file under the cursor", "Memplan: ", "broken.gguf")
vim.fn.jobstop(child)

-- The picker: budgets stand for machines of other sizes.
local memplan = require("memplan")
local pick = require("memplan_config").pick
local candidates = {
  { model = "qwen2.5-72b", dtypes = { "int8", "int4" } },
  { model = "qwen2.5-7b", dtypes = { "fp16", "int8", "int4" }, ollama = "qwen2.5:7b" },
}

local function machine(budgets)
  return assert(memplan.machine({ declare = budgets }))
end

local large = pick({ candidates = candidates, context = 8192, machine = machine("0=100GB,cpu=60GB") })
check("a large machine takes the first", large and large.model == "qwen2.5-72b" and large.on_device, vim.inspect(large))

local small = pick({ candidates = candidates, context = 8192, machine = machine("0=12GB,cpu=60GB") })
check("a small device takes what it holds whole", small and small.model == "qwen2.5-7b" and small.on_device
  and small.dtype ~= "fp16" and small.context == 8192, vim.inspect(small))
check("its settings are the backend's", small and small.ollama.model == "qwen2.5:7b"
  and small.ollama.options.num_ctx == 8192 and small.ollama.options.num_gpu == 999, vim.inspect(small))

local none, why = pick({ candidates = candidates, machine = machine("0=1GB,cpu=1GB") })
check("a tiny one takes none", none == nil and why:find("no candidate fits", 1, true) ~= nil, vim.inspect(none))

local _, unknown = pick({ candidates = { { model = "no-such-model" } }, machine = machine("cpu=1GB") })
check("an unknown name is told", unknown:find("no-such-model", 1, true) ~= nil, unknown)

vim.fn.delete(folder, "rf")
io.stdout:write(failures == 0 and "neovim: all passed\n" or ("neovim: " .. failures .. " failed\n"))
vim.cmd(failures == 0 and "qall!" or "cquit 1")
