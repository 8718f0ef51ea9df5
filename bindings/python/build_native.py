# SPDX-License-Identifier: MIT
"""Write the C source of memplan._native: build_native.py HEADER... out.c

Declarations come from the public headers alone. Comments and the preprocessor's lines
go; decimal constants stay as they are (array sizes need them), other numeric
ones become "...", which makes the C compiler fill them in.
"""
import re
import sys
from pathlib import Path

from cffi import FFI

CONSTANT = re.compile(r"^#define (MEMPLAN_\w+) (\d+|U?INT\d+_MAX)$", re.M)


def declarations(header: str) -> str:
    """What cffi's cdef() reads, from the text of a public header."""
    text = re.sub(r"/\*.*?\*/", "", header, flags=re.S)
    text = text.replace("\\\n", " ")
    constants = [
        f"#define {name} {value if value.isdigit() else '...'}"
        for name, value in CONSTANT.findall(re.sub(r"[ \t]+$", "", text, flags=re.M))
    ]
    text = re.sub(r"^\s*#.*$", "", text, flags=re.M)
    text = re.sub(r'extern "C" \{', "", text).replace("MEMPLAN_API ", "")
    # What is left of extern "C" is its closing brace, alone on a line.
    text = re.sub(r"^\}\s*$", "", text, flags=re.M)
    return "\n".join(constants) + "\n" + text


def main(*headers: str, out: str) -> None:
    ffi = FFI()
    for header in headers:
        ffi.cdef(declarations(Path(header).read_text(encoding="utf-8")))
    ffi.set_source("memplan._native", '#include "memplan/accelerate.h"')
    ffi.emit_c_code(out)


if __name__ == "__main__":
    main(*sys.argv[1:-1], out=sys.argv[-1])
