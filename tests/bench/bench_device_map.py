#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""From config.json to device map: memplan against Transformers and Accelerate.

    python tests/bench/bench_device_map.py [CORPUS]

Theirs builds the model on the meta device, then runs get_balanced_memory() and
infer_auto_device_map(); ours opens the config, plans, and writes the map. Both
from the same file to a dict, in one process and one run; the best of several.
CORPUS is the folder of real configurations (default: ../shared/corpus/hf).
Where it lacks a model, its configuration stands here, by its published values.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import torch
from accelerate import infer_auto_device_map, init_empty_weights
from accelerate.utils import get_balanced_memory
from transformers import AutoConfig, AutoModelForCausalLM

import memplan

WANTED = 10_000
BUDGETS = {**{device: 80 * 10**9 for device in range(8)}, "cpu": 2000 * 10**9}
MODELS = {
    "Llama-3.1-405B": dict(
        model_type="llama", architectures=["LlamaForCausalLM"], hidden_size=16384,
        intermediate_size=53248, num_hidden_layers=126, num_attention_heads=128,
        num_key_value_heads=8, vocab_size=128256, max_position_embeddings=131072,
        dtype="bfloat16", tie_word_embeddings=False,
    ),
    "Mixtral-8x22B": dict(
        model_type="mixtral", architectures=["MixtralForCausalLM"], hidden_size=6144,
        intermediate_size=16384, num_hidden_layers=56, num_attention_heads=48,
        num_key_value_heads=8, vocab_size=32000, max_position_embeddings=65536,
        num_local_experts=8, num_experts_per_tok=2, dtype="bfloat16",
        tie_word_embeddings=False,
    ),
    "DeepSeek-V3": "deepseek-ai--DeepSeek-V3",
}  # fmt: skip


def best_of(times, function, *args):
    """The shortest time of several calls, in seconds, and the last result."""
    shortest = float("inf")
    for _ in range(times):
        begin = time.perf_counter()
        result = function(*args)
        shortest = min(shortest, time.perf_counter() - begin)
    return shortest, result


def theirs(folder):
    config = AutoConfig.from_pretrained(folder)
    if hasattr(config, "quantization_config"):
        del config.quantization_config  # the map of the plain model
    with init_empty_weights():
        model = AutoModelForCausalLM.from_config(config)
    options = dict(
        no_split_module_classes=model._no_split_modules, dtype=torch.bfloat16
    )
    budgets = get_balanced_memory(model, dict(BUDGETS), **options)
    return infer_auto_device_map(model, budgets, **options)


def ours(folder, machine):
    return memplan.plan(folder, machine, context=4096, dtype="bf16").device_map


def main(corpus="../shared/corpus/hf"):
    worst = float("inf")
    machine = memplan.Machine.declare(BUDGETS)
    for name, source in MODELS.items():
        with tempfile.TemporaryDirectory() as folder:
            if isinstance(source, str):
                text = (Path(corpus) / source / "config.json").read_text()
            else:
                text = json.dumps(source)
            (Path(folder) / "config.json").write_text(text)
            slow, _ = best_of(2, theirs, folder)
            fast, device_map = best_of(200, ours, folder, machine)
        assert device_map
        worst = min(worst, slow / fast)
        print(
            f"{name:16} {slow * 1e3:10.1f} ms {fast * 1e6:8.1f} us  {slow / fast:10,.0f} x"
        )
    verdict = "reached" if worst >= WANTED else "missed"
    print(f"the least is {worst:,.0f} x; {WANTED:,} x is {verdict}")


if __name__ == "__main__":
    main(*sys.argv[1:])
