-- SPDX-License-Identifier: MIT
rockspec_format = "3.0"
package = "memplan"
version = "0.1.0-1"
source = {
  url = "file://memplan-0.1.0.tar.gz",
}
description = {
  summary = "Where every byte of a language model will go, before it is loaded",
  license = "MIT",
}
dependencies = { "lua >= 5.1, < 5.5" }
external_dependencies = {
  MEMPLAN = { header = "memplan.h", library = "memplan" },
}
build = {
  type = "builtin",
  modules = {
    memplan = {
      sources = { "bindings/lua/memplan.c", "bindings/lua/functions.c", "bindings/lua/values.c" },
      incdirs = { "$(MEMPLAN_INCDIR)", "bindings/lua" },
      libdirs = { "$(MEMPLAN_LIBDIR)" },
      libraries = { "memplan" },
    },
  },
}
