# SPDX-License-Identifier: MIT
"""Load small models as planned, by themselves in a process, and report.

    real_load.py folder family...

Prints one JSON line a family: what the ledger says, and what happened.
"""

import gc
import json
import sys

import torch
from families import model_of
from transformers import AutoModelForCausalLM, DynamicCache

import memplan

CONTEXT = 56
PROMPT = 40


def peak_bytes():
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def forget_peak():
    """From here on, the peak is a new one."""
    with open("/proc/self/clear_refs", "w") as refs:
        refs.write("5")


def generate(model, ids):
    with torch.no_grad():
        return model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=CONTEXT - PROMPT,
            min_new_tokens=CONTEXT - PROMPT,
            do_sample=False,
        )


def cache_bytes(model, ids):
    """Keys and values of a cache that holds `ids`, by the tensors themselves."""
    with torch.no_grad():
        cache = model(ids, use_cache=True).past_key_values
    assert isinstance(cache, DynamicCache)
    return sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers)


def resident_bytes(model):
    """Parameters and buffers that are in memory, each storage once."""
    tensors = [*model.parameters(), *model.buffers()]
    real = {t.data_ptr(): t.nbytes for t in tensors if t.device.type != "meta"}
    return sum(real.values())


def budget_for(folder):
    """A budget for the host that leaves about half of the layers out."""
    roomy = memplan.plan(folder, "cpu=100GB,disk=100GB", context=CONTEXT)
    host = roomy.pool("cpu")
    return host.used_bytes - host.bytes_of("weights") // 2


def report(family, folder):
    whole = model_of(family)
    whole.save_pretrained(folder)
    ids = torch.randint(3, 2000, (1, PROMPT), generator=torch.Generator().manual_seed(1))
    expected = generate(whole, ids)
    del whole
    gc.collect()
    forget_peak()

    plan = memplan.plan(
        folder, {"cpu": budget_for(folder), "disk": "100GB"}, context=CONTEXT
    )
    model = AutoModelForCausalLM.from_pretrained(
        folder,
        device_map=plan.device_map,
        max_memory=plan.max_memory,
        offload_folder=f"{folder}/offload",
        dtype="auto",
    )
    tokens = generate(model, ids)
    host = plan.pool("cpu")
    exact = [row for row in host.rows if row.category in ("weights", "kv_cache")]
    print(
        json.dumps(
            {
                "family": family,
                "fits": plan.fits,
                "devices": sorted(set(map(str, plan.device_map.values()))),
                "same_tokens": torch.equal(tokens, expected),
                "length": tokens.shape[1],
                "resident": resident_bytes(model),
                "ledger_resident": host.bytes_of("weights"),
                "cache": cache_bytes(model, tokens),
                "ledger_cache": host.bytes_of("kv_cache"),
                "certainties": sorted({row.certainty for row in exact}),
                "peak": peak_bytes(),
                "ledger_peak": host.used_bytes,
            }
        ),
        flush=True,
    )


def main(folder, *families):
    torch.set_num_threads(1)  # small models: threads cost more than they bring
    for family in families:
        report(family, f"{folder}/{family}")


if __name__ == "__main__":
    main(*sys.argv[1:])
