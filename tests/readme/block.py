#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Write README.md's one program in a language into a file: block.py c out.c"""

import re
import sys
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def block(language: str) -> str:
    """The text of the one code block in this language."""
    text = README.read_text(encoding="utf-8")
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", text, re.S | re.M)
    return found


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(block(sys.argv[1]), encoding="utf-8")
