#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run the commands of transcripts and compare what they print.

    python3 tests/cli/transcript.py build/libmemplan/cli/memplan tests/cli/*.transcript
    python3 tests/cli/transcript.py --rewrite build/libmemplan/cli/memplan ...

A transcript is text. A line that starts with "$ " is a command for bash; what
follows, up to the last blank line before the next command, is what it must
print: standard output as it is, lines of standard error after "! ", and
the exit code after "? " where it is not 0. Between that blank line and the
command stand remarks, which start with "#". Escapes (0x1b) are written as "^[".

Each transcript runs in an empty folder of its own, in a bare environment.
--rewrite replaces what the commands must print by what they do print: look at
the difference before you keep it.
"""

from __future__ import annotations

import argparse
import difflib
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

BLOCKS = re.compile(r"^\$ .*\n(?:> .*\n)*", re.M)


def run(command: str, folder: str, environment: dict[str, str]) -> str:
    """What one command prints, in the form of a transcript."""
    done = subprocess.run(["bash", "-c", command], cwd=folder,
                          env=environment, capture_output=True, timeout=60,
                          text=True, errors="replace", check=False)
    text = done.stdout
    if text and not text.endswith("\n"):
        text += "\n"
    text += "".join(f"! {line}\n" for line in done.stderr.splitlines())
    if done.returncode != 0:
        text += f"? {done.returncode}\n"
    return text.replace("\x1b", "^[")


def replay(text: str, environment: dict[str, str]) -> tuple[str, int]:
    """The transcript as it comes out now, and how many commands it has."""
    made: list[str] = []
    place = 0
    count = 0
    with tempfile.TemporaryDirectory() as folder:
        environment = {**environment, "HOME": folder}
        for match in BLOCKS.finditer(text):
            if match.start() < place:
                continue
            # Remarks between the last answer and this command stay.
            made.append(remarks(text[place:match.start()]))
            command = match.group(0)
            script = "\n".join(line[2:] for line in command.splitlines())
            made.append(command + run(script, folder, environment))
            place = match.end()
            count += 1
    return "".join(made), count


def remarks(between: str) -> str:
    """The last blank line between two commands, and the remarks after it."""
    lines = between.splitlines(keepends=True)
    blanks = [at for at, line in enumerate(lines) if not line.strip()]
    kept = lines[blanks[-1]:] if blanks else lines
    return "".join(line for line in kept
                   if not line.strip() or line.startswith("#"))


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rewrite", action="store_true")
    parser.add_argument("memplan", type=Path)
    parser.add_argument("transcripts", type=Path, nargs="+")
    asked = parser.parse_args()
    here = Path(__file__).resolve().parent
    environment = {
        "PATH": f"{asked.memplan.resolve().parent}:/usr/bin:/bin",
        "LC_ALL": "C.UTF-8",
        "CASES": str(here),
    }
    if "ASAN_OPTIONS" in os.environ:
        environment["ASAN_OPTIONS"] = os.environ["ASAN_OPTIONS"]
    failed = 0
    total = 0
    for path in asked.transcripts:
        expected = path.read_text()
        found, count = replay(expected, environment)
        total += count
        if count == 0:
            sys.exit(f"{path}: no command in it")
        if found == expected:
            continue
        failed += 1
        if asked.rewrite:
            path.write_text(found)
        sys.stdout.writelines(difflib.unified_diff(
            expected.splitlines(keepends=True),
            found.splitlines(keepends=True), str(path), "now"))
    if failed and not asked.rewrite:
        print("where that is right: cmake --build build --target cli_rewrite")
    word = "rewritten" if asked.rewrite else "different"
    print(f"{len(asked.transcripts)} transcripts, {total} commands, "
          f"{failed} {word}")
    return 0 if failed == 0 or asked.rewrite else 1


if __name__ == "__main__":
    sys.exit(main())
