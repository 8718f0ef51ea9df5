#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Write layout.c from the public headers, so that a moved field shows in a diff, and a
struct without its _INIT does not compile.

    python3 tests/abi/layout.py > tests/abi/layout.c

layout.c is checked in and compiled by every build: changing a struct without
meaning to fails there, and meaning to is one command and a visible diff.
"""

import re
import sys
from pathlib import Path

INCLUDE = Path(__file__).parents[2] / "libmemplan/include"
HEADERS = [INCLUDE / "memplan.h", INCLUDE / "memplan/accelerate.h"]
WIDTHS = {"int32_t": 4, "uint32_t": 4}  # every other field has 8 bytes

PROLOGUE = '''/* SPDX-License-Identifier: MIT */
/*
 * The layout of every public struct, fixed at compile time for 64-bit hosts.
 * A line that fails here is a broken ABI: append fields, never move them.
 * Written by layout.py.
 */
#include "memplan/accelerate.h"

#include <stddef.h>

#define SIZE(type, bytes) \\
    _Static_assert(sizeof(type) == (bytes), #type ": its size changed")
#define FIELD(type, field, at) \\
    _Static_assert(offsetof(type, field) == (at), #type "." #field " moved")
#define INIT(type, init) \\
    _Static_assert(sizeof((type)init) == sizeof(type), #init ": another's")

#if UINTPTR_MAX == UINT64_MAX
'''


def layout(name: str, body: str) -> str:
    """The assertions of one struct."""
    offset = 0
    lines = []
    for field in filter(None, (" ".join(f.split()) for f in body.split(";"))):
        kind, label, count = re.fullmatch(
            r"(.*?)(\w+)(?:\[(\d+)\])?", field).groups()
        lines.append(f"FIELD({name}, {label}, {offset});\n")
        offset += int(count) if count else WIDTHS.get(kind.strip(), 8)
    sized = f"INIT({name}, {name.upper()}_INIT);\n" if "uint64_t size;" in body else ""
    return f"SIZE({name}, {offset});\n{sized}" + "".join(lines)


def main() -> None:
    text = "".join(header.read_text() for header in HEADERS)
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    structs = re.findall(r"typedef struct (\w+) \{(.*?)\} \w+;", text, re.S)
    sys.stdout.write(PROLOGUE + "\n".join(layout(*s) for s in structs)
                     + "#endif\n")


if __name__ == "__main__":
    main()
