#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What README.md and the worked examples show is what the command prints.

    python3 tests/cli/readme.py build/libmemplan/cli/memplan [--rewrite]

A comment `<!-- memplan … -->` before a code block names the command; without
--rewrite a block that differs is an error.
"""

import difflib
import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXTS = ["README.md", "examples/quantization.md"]
BLOCK = re.compile(r"<!-- memplan (?P<words>[^\n]*) -->\n```\n(?P<shown>.*?)```\n", re.S)


def main() -> int:
    memplan, rewrite = sys.argv[1], "--rewrite" in sys.argv
    counts = [check(memplan, name, rewrite) for name in TEXTS]
    return 0 if all(counts) else 1


def check(memplan: str, name: str, rewrite: bool) -> bool:
    """One text: all of its blocks are as they should be, and there are some."""
    path = ROOT / name
    before = path.read_text(encoding="utf-8")

    def run(block: re.Match[str]) -> str:
        words = shlex.split(block["words"])
        done = subprocess.run([memplan, *words], capture_output=True, text=True,
                              env={"LC_ALL": "C.UTF-8"}, encoding="utf-8",
                              cwd=ROOT)
        return (f"<!-- memplan {block['words']} -->\n```\n"
                f"$ memplan {block['words']}\n\n{done.stdout}```\n")

    after, count = BLOCK.subn(run, before)
    if rewrite:
        path.write_text(after, encoding="utf-8")
    elif after != before:
        sys.stdout.writelines(difflib.unified_diff(
            before.splitlines(True), after.splitlines(True), name, "now"))
    print(f"{name}: {count} blocks, {'rewritten' if rewrite else 'same' if after == before else 'different'}")
    return bool(count) and (rewrite or after == before)


if __name__ == "__main__":
    sys.exit(main())
