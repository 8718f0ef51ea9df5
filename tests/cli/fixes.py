#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a plan that does not fit says to type makes it fit when it is typed.

    python3 tests/cli/fixes.py build/libmemplan/cli/memplan
"""

import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

TYPED = re.compile(r"^  \d+\. {6}(?P<words>--.*)$", re.M)

#: A command, and options that its advice must have among others.
CASES = [
    ('llama-2-70b --machine "rtx-4090, 64GiB ram"', {"--dtype", "--machine"}),
    ("llama-2-70b --max-memory 0=24GB,cpu=64GB", {"--dtype", "--max-memory"}),
    ("llama-2-70b --machine PROFILE", {"--dtype", "--max-memory"}),
    ("llama-2-7b --max-memory 0=12GB,cpu=8GB --context 16384 --dtype fp16",
     {"--context", "--kv-dtype"}),
    ("mistral-7b-v0.3 --max-memory 0=20GB,cpu=2GB --context 32768",
     {"--prompt"}),
]  # fmt: skip


def run(memplan, words):
    return subprocess.run(
        [memplan, "plan", *words], capture_output=True, text=True, encoding="utf-8"
    )


def with_options(words, typed):
    """The command with those options in place of the same ones."""
    name, value = typed
    if name in words:
        at = words.index(name)
        return [*words[:at], name, value, *words[at + 2 :]]
    return [*words, name, value]


def check(memplan, command, wanted, profile):
    words = shlex.split(command.replace("PROFILE", str(profile)))
    done = run(memplan, words)
    assert done.returncode == 1, (command, done.stdout, done.stderr)
    advice = [shlex.split(found["words"]) for found in TYPED.finditer(done.stdout)]
    assert wanted <= {typed[0] for typed in advice}, (command, done.stdout)
    for typed in advice:
        again = run(memplan, with_options(words, typed))
        assert again.returncode == 0, (command, typed, again.stdout, again.stderr)
    return len(advice)


def main():
    memplan = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        profile = Path(folder) / "machine.json"
        profile.write_text(subprocess.run(
            [memplan, "machine", "--machine", "rtx-4090, 64GiB ram", "--json"],
            capture_output=True, check=True, text=True).stdout)  # fmt: skip
        count = sum(check(memplan, *case, profile) for case in CASES)
    print(f"{count} fixes typed")


if __name__ == "__main__":
    main()
