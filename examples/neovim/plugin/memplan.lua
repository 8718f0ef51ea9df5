-- SPDX-License-Identifier: MIT
-- :Memplan [MODEL] shows the plan of a model in a floating window: the one
-- named, else the .gguf or config.json under the cursor or in the buffer.
if vim.g.loaded_memplan then
  return
end
vim.g.loaded_memplan = true

vim.api.nvim_create_user_command("Memplan", function(command)
  require("memplan_config").show(command.args ~= "" and command.args or nil)
end, { nargs = "?", complete = "file", desc = "Show where a model's memory would go" })
