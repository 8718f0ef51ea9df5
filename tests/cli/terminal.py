#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the command does on a terminal, and what it does not elsewhere.

    python3 tests/cli/terminal.py build/libmemplan/cli/memplan
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from typing import Dict, List

PLAN = ["plan", "llama-2-7b", "--max-memory", "0=20GB,cpu=60GB"]
BASE = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "TERM": "xterm",
        "LC_ALL": "C.UTF-8"}


def open_terminal(columns: int) -> "tuple[int, int]":
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ,
                struct.pack("HHHH", 50, columns, 0, 0))
    return master, slave


def read_all(master: int, process: "subprocess.Popen[bytes]") -> str:
    """All that the process writes before it ends."""
    text = b""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        ready, _, _ = select.select([master], [], [], 0.1)
        if ready:
            try:
                text += os.read(master, 65536)
            except OSError:  # the other side is closed
                break
        elif process.poll() is not None:
            break
    process.wait(timeout=10)
    return text.decode()


def on_terminal(arguments: List[str], extra: Dict[str, str],
                columns: int = 80) -> str:
    master, slave = open_terminal(columns)
    process = subprocess.Popen([MEMPLAN, *arguments], stdout=slave,
                               env={**BASE, **extra})
    os.close(slave)
    text = read_all(master, process)
    os.close(master)
    return text


def on_pipe(arguments: List[str], extra: Dict[str, str]) -> str:
    return subprocess.run([MEMPLAN, *arguments], env={**BASE, **extra},
                          stdout=subprocess.PIPE, timeout=30,
                          check=False).stdout.decode()


def widest(text: str) -> int:
    return max(len(line.rstrip("\r")) for line in text.split("\n"))


def check_drawing() -> None:
    drawn = on_terminal(PLAN, {})
    assert "\x1b[" in drawn and "█" in drawn, "colour and bars on a terminal"
    plain = on_pipe(PLAN, {})
    assert "\x1b" not in plain and "█" not in plain, "neither in a pipe"
    assert "GPU 0" in plain and "fits" in plain


def check_no_color() -> None:
    drawn = on_terminal(PLAN, {"NO_COLOR": "1"})
    assert "\x1b" not in drawn and "█" in drawn, "NO_COLOR keeps the bars"
    assert "\x1b" in on_terminal(PLAN, {"NO_COLOR": ""}), "empty is unset"
    assert "\x1b" not in on_terminal(PLAN, {"TERM": "dumb"})
    assert "\x1b" in on_pipe([*PLAN, "--color=always"], {"NO_COLOR": "1"}), \
        "what is asked for wins"


def check_width() -> None:
    wide = on_terminal(PLAN, {"NO_COLOR": "1"}, columns=120)
    assert 100 < widest(wide) <= 120, "the window's width"
    told = on_terminal(PLAN, {"NO_COLOR": "1", "COLUMNS": "90"}, columns=120)
    assert 80 < widest(told) <= 90, "COLUMNS wins"


def check_ascii() -> None:
    drawn = on_terminal(PLAN, {"LC_ALL": "C", "NO_COLOR": "1"})
    assert drawn.isascii() and "####" in drawn, "ASCII where there is no more"


def check_watch() -> None:
    master, slave = open_terminal(80)
    process = subprocess.Popen([MEMPLAN, "machine", "--watch"], stdout=slave,
                               env=BASE)
    os.close(slave)
    text = b""
    while text.count(b"\x1b[H") < 2:
        ready, _, _ = select.select([master], [], [], 20)
        assert ready, "it is drawn again"
        text += os.read(master, 65536)
    process.send_signal(signal.SIGINT)
    read_all(master, process)
    os.close(master)
    assert process.returncode == 0, "an interrupt ends it well"


MEMPLAN = sys.argv[1]
for check in (check_drawing, check_no_color, check_width, check_ascii,
              check_watch):
    check()
print("5 checks passed")
