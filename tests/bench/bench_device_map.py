#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""From config.json to device map: memplan against Transformers and Accelerate.

    python tests/bench/bench_device_map.py [RUNS]

Theirs builds the model on the meta device, then runs get_balanced_memory() and
infer_auto_device_map(); ours opens the config, plans, and makes the map. Both
start from the same file and end with a dict, in one process and one run; the
best of several counts, in processor time, which other work on the machine does
not lengthen. The second table is what a script's user waits for: a
new Python that imports what it needs and makes one map.

DeepSeek's configuration is that of the corpus of real ones, $MEMPLAN_SHARED or
../shared beside the repository; without it, as published in the parts that
decide sizes. Theirs leaves its FP8 checkpoint out of account: it is not built
without a GPU. How long theirs takes depends on the Transformers: version 4 has
a module for each expert, version 5 one for all of a layer. Nothing is asserted
about time.
"""

import inspect
import json
import os
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

WANTED = 10_000
THEIRS = ("transformers", "accelerate", "torch")
BUDGETS = {**{device: 80 * 10**9 for device in range(8)}, "cpu": 2000 * 10**9}
ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("MEMPLAN_SHARED", ROOT.parent / "shared"))
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
    "DeepSeek-V3": dict(
        model_type="deepseek_v3", architectures=["DeepseekV3ForCausalLM"],
        hidden_size=7168, intermediate_size=18432, moe_intermediate_size=2048,
        num_hidden_layers=61, num_attention_heads=128, num_key_value_heads=128,
        n_routed_experts=256, n_shared_experts=1, num_experts_per_tok=8,
        first_k_dense_replace=3, q_lora_rank=1536, kv_lora_rank=512,
        qk_nope_head_dim=128, qk_rope_head_dim=64, v_head_dim=128,
        vocab_size=129280, max_position_embeddings=163840, dtype="bfloat16",
        tie_word_embeddings=False,
    ),
}  # fmt: skip
IN_CORPUS = {"DeepSeek-V3": "deepseek-ai--DeepSeek-V3"}


def best_of(times, function, *args):
    """The shortest time of several calls, in seconds, and the last result."""
    shortest = float("inf")
    for _ in range(times):
        begin = time.thread_time()
        result = function(*args)
        shortest = min(shortest, time.thread_time() - begin)
    return shortest, result


def theirs(folder):
    """What a loader script does, with the imports that it needs."""
    import logging

    import torch
    from accelerate import infer_auto_device_map, init_empty_weights
    from accelerate.utils import get_balanced_memory
    from transformers import AutoConfig, AutoModelForCausalLM

    # They warn that the offloaded buffers do not fit; the map is as asked.
    logging.getLogger("accelerate.utils.modeling").setLevel(logging.ERROR)
    config = AutoConfig.from_pretrained(folder)
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    with init_empty_weights():
        model = AutoModelForCausalLM.from_config(config)
    options = dict(
        no_split_module_classes=model._no_split_modules, dtype=torch.bfloat16
    )
    budgets = get_balanced_memory(model, dict(BUDGETS), **options)
    return infer_auto_device_map(model, budgets, **options)


def ours(folder, machine=None):
    """The same with memplan."""
    import memplan

    machine = machine or memplan.Machine.declare(BUDGETS)
    return memplan.plan(folder, machine, context=4096, dtype="bf16").device_map


def library(folder, machine):
    """What of it the library takes: the same calls, but no Python objects."""
    from memplan._native import ffi, lib

    def made(kind, create, *arguments):
        out = ffi.new(f"memplan_{kind} **")
        assert create(out, *arguments, ffi.NULL) == lib.MEMPLAN_OK
        return out[0]

    dtype = ffi.new("char[]", b"bf16")
    request = ffi.new("memplan_request *")
    request.size = ffi.sizeof("memplan_request")
    request.context_tokens, request.dtype = 4096, dtype
    pointer = machine._handle._open
    model = made("model", lib.memplan_model_open, folder.encode(), ffi.NULL)
    plan = made("plan", lib.memplan_plan_create, model, pointer, request)
    lib.memplan_map_free(made("map", lib.memplan_plan_map, plan))
    lib.memplan_plan_free(plan)
    lib.memplan_model_free(model)


def alone(function, folder):
    """The time of a new Python that runs one function and imports nothing else."""
    script = f"BUDGETS = {BUDGETS!r}\n{inspect.getsource(function)}"
    script += f"{function.__name__}({folder!r})"
    begin = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", script],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - begin


def configuration(name):
    path = SHARED / "corpus" / "hf" / IN_CORPUS.get(name, "") / "config.json"
    if name in IN_CORPUS and path.exists():
        return path.read_text()
    return json.dumps(MODELS[name])


def row(name, slow, fast):
    print(f"{name:16} {slow * 1e3:9.1f} ms {fast * 1e6:10.1f} us {slow / fast:8,.0f} x")


def main(runs=500):
    least = float("inf")
    with tempfile.TemporaryDirectory() as root:
        folders = {}
        for name in MODELS:
            folders[name] = Path(root) / name
            folders[name].mkdir()
            (folders[name] / "config.json").write_text(configuration(name))
        import memplan

        machine = memplan.Machine.declare(BUDGETS)
        print("theirs: " + ", ".join(f"{name} {version(name)}" for name in THEIRS))
        print(f"{'imported, warm':16} {'theirs':>12} {'ours':>13} {'ratio':>10}")
        slow = {}
        for name, folder in folders.items():
            slow[name], _ = best_of(3, theirs, str(folder))
            fast, device_map = best_of(runs, ours, str(folder), machine)
            assert device_map
            least = min(least, slow[name] / fast)
            row(name, slow[name], fast)
        print("of ours, the library without Python's objects")
        for name, folder in folders.items():
            row(name, slow[name], best_of(runs, library, str(folder), machine)[0])
        print("a new process each")
        for name, folder in folders.items():
            fast = min(alone(ours, str(folder)) for _ in range(3))
            row(name, alone(theirs, str(folder)), fast)
    verdict = "reached" if least >= WANTED else "missed"
    print(f"the least, warm, is {least:,.0f} x; {WANTED:,} x is {verdict}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
