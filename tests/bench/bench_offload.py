#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tokens per second on one budget: memplan's map beside Accelerate's.

    python tests/bench/bench_offload.py [SHAPE...]

Small random models are saved, then loaded twice over the host (the fast memory
here) and the disk: as planned, and as device_map="auto" does it, with its
max_memory lowered by steps of 2 % until the ledger says that what it makes
holds, which is what its user has to do by hand. Both generate the same tokens.
It prints the bytes that each keeps on the host and the best of several runs.
"""

import gc
import logging
import sys
import tempfile
import time
from pathlib import Path

import torch
import transformers
from accelerate import infer_auto_device_map
from transformers import AutoModelForCausalLM

import memplan

sys.path.insert(0, str(Path(__file__).parents[1] / "python"))
from families import config_of, model_of, type_of  # noqa: E402

MEDIUM = dict(
    hidden_size=768, intermediate_size=2048, num_hidden_layers=8, vocab_size=8000
)
#: family, what its configuration changes, part of the weights on the host
SHAPES = {
    "llama, half": ("llama", MEDIUM, 0.5),
    "llama, nearly all": ("llama", MEDIUM, 0.9),
    "qwen2, tied": ("qwen2", MEDIUM, 0.5),
    "gemma2, large vocabulary": ("gemma2", {**MEDIUM, "vocab_size": 48000}, 0.6),
    "mixtral, large layers": ("mixtral", {**MEDIUM, "num_hidden_layers": 4}, 0.4),
    "phi3, short and wide": ("phi3", {**MEDIUM, "num_hidden_layers": 4}, 0.6),
}
PROMPT_TOKENS, NEW_TOKENS = 32, 4
CONTEXT = PROMPT_TOKENS + NEW_TOKENS
RUNS = 3


def accelerates(folder, config, budgets):
    """Its map under the largest budget of the host that holds, and its share."""
    with torch.device("meta"):
        module = type_of(config)(config)
    options = dict(no_split_module_classes=module._no_split_modules, dtype="float32")
    for share in range(100, 0, -2):
        lowered = {"cpu": budgets["cpu"] * share // 100}
        device_map = dict(infer_auto_device_map(module, lowered, **options))
        if memplan.price(folder, device_map, budgets, context=CONTEXT).fits:
            return device_map, share
    return None, 0


def load(folder, device_map):
    return AutoModelForCausalLM.from_pretrained(
        folder, device_map=device_map, offload_folder=f"{folder}/offload", dtype="auto"
    )


def tokens_per_second(*models):
    """The best of several runs of each, taken in turns: all see the same noise."""
    ids = torch.arange(3, 3 + PROMPT_TOKENS).unsqueeze(0)
    best = [0.0] * len(models)
    made = [None] * len(models)
    for _ in range(RUNS):
        for at, model in enumerate(models):
            begin = time.perf_counter()
            made[at] = model.generate(
                ids, max_new_tokens=NEW_TOKENS, min_new_tokens=NEW_TOKENS, do_sample=False
            )
            best[at] = max(best[at], NEW_TOKENS / (time.perf_counter() - begin))
    assert all(torch.equal(tokens, made[0]) for tokens in made)
    return best


def compare(name, folder):
    family, changes, part = SHAPES[name]
    model_of(family, **changes).save_pretrained(folder)
    gc.collect()
    config = config_of(family, **changes)
    roomy = memplan.plan(folder, "cpu=100GB,disk=100GB", context=CONTEXT).pool("cpu")
    away = int(roomy.bytes_of("weights") * (1 - part))
    budgets = {"cpu": roomy.used_bytes - away, "disk": 100 * 10**9}
    ours = memplan.plan(folder, budgets, context=CONTEXT)
    their_map, share = accelerates(folder, config, budgets)
    if their_map is None:
        print(f"{name:26} no share of the budget holds with Accelerate's map")
        return
    theirs = memplan.price(folder, their_map, budgets, context=CONTEXT)
    models = [load(folder, device_map) for device_map in (ours.device_map, their_map)]
    fast, other = tokens_per_second(*models)
    print(
        f"{name:26} {ours.pool('cpu').bytes_of('weights') / 1e6:8.1f} MB {fast:7.2f} t/s"
        f"  {theirs.pool('cpu').bytes_of('weights') / 1e6:8.1f} MB {other:7.2f} t/s"
        f"  {fast / other:5.2f} x   at {share} % of the budget",
        flush=True,
    )


def main(*names):
    torch.set_grad_enabled(False)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    logging.getLogger("accelerate").setLevel(logging.ERROR)
    print(f"{'':26} {'memplan':>23} {'Accelerate':>24}")
    for name in names or SHAPES:
        with tempfile.TemporaryDirectory() as folder:
            compare(name, folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
