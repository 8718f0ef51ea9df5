#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What `memplan machine --json` says of this machine agrees with lstopo.

    python3 tests/cli/lstopo.py build/libmemplan/cli/memplan

Nodes, packages, cores and threads are compared with the objects of
`lstopo --of xml`, and the machine that is read from that XML with the one that
is detected. The host's total is not: where memory was plugged in later hwloc
counts less than the kernel, and a note has to say so.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

LSTOPO = shutil.which("lstopo-no-graphics") or shutil.which("lstopo")


def run(*command: str) -> str:
    return subprocess.run(command, check=True, text=True, timeout=60,
                          stdout=subprocess.PIPE).stdout


def count(objects: list[ElementTree.Element], kind: str) -> int:
    return sum(each.get("type") == kind for each in objects)


def check_objects(machine: dict[str, Any], xml: str) -> None:
    objects = list(ElementTree.fromstring(xml).iter("object"))
    nodes = {int(each.get("os_index", "-1")): int(each.get("local_memory", 0))
             for each in objects if each.get("type") == "NUMANode"}
    assert {node["index"]: node["total_bytes"]
            for node in machine["host"]["numa"]} == nodes, nodes
    assert machine["cpu"]["packages"] == count(objects, "Package")
    assert machine["cpu"]["cores"] == count(objects, "Core")
    # A quota of a control group allows fewer, and a note says so.
    threads = count(objects, "PU")
    assert machine["cpu"]["threads"] == threads or any(
        "allows the time of" in note for note in machine["notes"]), threads
    total = sum(nodes.values())
    apart = abs(total - machine["host"]["total_bytes"])
    assert apart <= max(total, machine["host"]["total_bytes"]) // 20 or any(
        note.startswith("hwloc sees ") for note in machine["notes"]), total


def main() -> int:
    memplan = sys.argv[1]
    if LSTOPO is None:
        print("skipped: lstopo is not installed")
        return 1 if os.environ.get("CI") == "true" else 77
    xml = run(LSTOPO, "--of", "xml", "-")
    machine = json.loads(run(memplan, "machine", "--json"))
    check_objects(machine, xml)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "this.xml"
        path.write_text(xml, encoding="utf-8")
        read = json.loads(run(memplan, "machine", "--topology", str(path),
                              "--json"))
    check_objects(read, xml)
    assert {device["pci"] for device in read["devices"]} <= {
        device["pci"] for device in machine["devices"]}
    return 0


sys.exit(main())
