-- SPDX-License-Identifier: MIT
-- busted by whichever Lua runs this file; the busted command is tied to one.
require("busted.runner")({ standalone = false })
