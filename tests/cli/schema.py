#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Validate what the command writes against the JSON schemas.

    python3 tests/cli/schema.py build/libmemplan/cli/memplan

Beyond the schemas it checks the identities between figures: a pool uses the
sum of its rows, a model weighs what its units weigh, every unit has a place.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

try:
    import jsonschema
except ImportError:
    print("skipped: python3-jsonschema is not installed")
    sys.exit(1 if os.environ.get("CI") == "true" else 77)

SCHEMAS = Path(__file__).resolve().parents[1] / "schema"
BUDGETS = ["--max-memory", "0=20GB,1=8GB,cpu=60GB,disk=500GB"]

# The folder of recorded topologies, where there is one.
SHARED = Path(os.environ.get("MEMPLAN_SHARED", SCHEMAS.parents[2] / "shared"))
TOPOLOGIES = sorted((SHARED / "corpus/topologies").glob("*.xml"))

# Arguments of the command by schema.
CASES = [
    ("machine", ["machine"]),
    ("machine", ["machine", "--disk", "/"]),
    ("machine", ["machine", *BUDGETS]),
    ("machine", ["machine", "--machine", "2x rtx-3090 nvlink, 64GiB ram"]),
    ("model", ["model", "llama-2-7b"]),
    ("model", ["model", "llama-2-7b", "--tensors"]),
    ("model", ["model", "gpt-oss-20b", "--tensors"]),
    ("plan", ["plan", "llama-2-7b", *BUDGETS]),
    ("plan", ["plan", "llama-2-70b", *BUDGETS]),
    ("plan", ["plan", "llama-2-70b", "--max-memory", "0=20GB,cpu=60GB"]),
    ("plan", ["plan", "llama-2-70b", *BUDGETS, "--dtype", "int4"]),
    *(("list", ["list", name]) for name in ("gpus", "models", "settings", "lists")),
    ("plan", ["price", "llama-2-7b", *BUDGETS, "--placement", '{"": 1}']),
]


def check_model(model: dict[str, Any]) -> None:
    assert model["weight_bytes"] == sum(
        unit["weight_bytes"] for unit in model["units"])
    assert model["parameter_count"] == sum(
        unit["parameter_count"] for unit in model["units"])
    if "tensors" in model:
        assert model["tensor_count"] == len(model["tensors"])
        assert model["weight_bytes"] == sum(
            tensor["bytes"] for tensor in model["tensors"]
            if tensor["tied_to"] is None)


def check_plan(plan: dict[str, Any]) -> None:
    for pool in plan["pools"]:
        # What is only mapped is address space, and no part of what is used.
        assert pool["used_bytes"] == sum(
            row["bytes"] for row in pool["rows"]
            if row["category"] != "mapped")
        if pool["capacity_bytes"] is not None:
            assert pool["free_bytes"] == max(
                0, pool["capacity_bytes"] - pool["used_bytes"])
    assert plan["fits"] == all(
        pool["short_bytes"] == 0 for pool in plan["pools"])
    keys = {pool["key"] for pool in plan["pools"]}
    # An engine that splits a unit has no one pool for it.
    keys.add(None if plan["engine"]["settings"] else "0")
    assert all(unit["pool"] in keys for unit in plan["placement"])
    if plan["device_map"] is not None:
        for unit in plan["placement"]:
            assert str(longest(plan["device_map"], unit["unit"])) == \
                unit["pool"]


def longest(device_map: dict[str, Any], name: str) -> Any:
    """The device of the longest module that `name` is, or is below."""
    while name not in device_map and name:
        name = name.rpartition(".")[0]
    return device_map[name]


CASES += [("machine", ["machine", "--topology", str(path)])
          for path in TOPOLOGIES]

CHECKS = {"machine": lambda machine: None, "model": check_model,
          "plan": check_plan, "list": lambda list_: None}


def main() -> int:
    memplan = sys.argv[1]
    failed = 0
    for name, arguments in CASES:
        schema = json.loads((SCHEMAS / f"{name}.json").read_text())
        done = subprocess.run([memplan, *arguments, "--json"], timeout=60,
                              capture_output=True, text=True, check=False)
        try:
            assert done.returncode in (0, 1), done.stderr
            document = json.loads(done.stdout)
            jsonschema.validate(document, schema)
            CHECKS[name](document)
        except (AssertionError, ValueError,
                jsonschema.ValidationError) as error:
            failed += 1
            print(f"memplan {' '.join(arguments)} --json: "
                  f"{type(error).__name__}: {error}")
    print(f"{len(CASES)} documents, {failed} wrong")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
