# SPDX-License-Identifier: MIT
"""Twelve families, loaded for real over host and disk, as planned.

The budget leaves half of the weights out of the host, so units go to disk;
what then is in memory, and what comes out, is compared with the ledger and
with the undivided model.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import needs

needs("torch", "transformers", "accelerate")

FAMILIES = (
    "deepseek_v3 gemma gemma2 gemma3_text gpt_oss llama mistral mixtral phi3 qwen2 "
    "qwen3 qwen3_moe"
).split()


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    """What happened to each family, by its name; one process loads them all."""
    here = Path(__file__).parent
    worker = [sys.executable, str(here / "real_load.py")]
    done = subprocess.run(
        [*worker, str(tmp_path_factory.mktemp("models")), *FAMILIES],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(here), *sys.path[1:]])},
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    found = {row["family"]: row for row in map(json.loads, lines)}
    if done.returncode != 0:
        sys.stderr.write(done.stderr[-4000:])
    return found


@pytest.fixture(params=FAMILIES)
def result(request, loaded):
    assert request.param in loaded, "the process ended before this family"
    return loaded[request.param]


def test_offloads_and_generates_the_same(result):
    assert result["fits"]
    assert result["devices"] == ["cpu", "disk"]
    assert result["same_tokens"]
    assert result["length"] == 56


def test_memory_is_the_ledgers(result):
    assert result["resident"] == result["ledger_resident"]
    if result["certainties"] == ["exact"]:
        assert result["cache"] == result["ledger_cache"]
    assert result["cache"] <= result["ledger_cache"]
    assert result["peak"] <= result["ledger_peak"]
