# SPDX-License-Identifier: MIT
"""Does the bound hold? What generate() allocates against the ledger.

    python3 tests/oracle/transformers_activations.py MEMPLAN [TOKENS [SEQUENCES]]

MEMPLAN is the command. Small random models of several families run a prompt
and two steps on the CPU while torch's profiler counts every allocation; the
peak must stay under what the ledger of the same config.json says for cache,
state and activations. One line a model, and a last line
"N hold, M below, K unsupported". Exits with 1 where one is below.
"""

import gc
import json
import subprocess
import sys
import tempfile
import warnings

import torch
import transformers
from torch.profiler import ProfilerActivity, profile

VOCABULARY = 2000
WIDTHS = dict(vocab_size=VOCABULARY, hidden_size=256, intermediate_size=704,
              num_hidden_layers=4, num_attention_heads=8,
              num_key_value_heads=4)
HEADS = dict(head_dim=32)
FAMILIES = {
    "Llama": HEADS,
    "Gemma": HEADS,
    "Qwen2": {},
    "Qwen3": HEADS,
    "Mistral": dict(HEADS, sliding_window=256),
    "Gemma3Text": dict(HEADS, sliding_window=128, sliding_window_pattern=2),
    "Gemma2": dict(HEADS, sliding_window=128),
    "Mixtral": dict(HEADS, num_local_experts=4, num_experts_per_tok=2),
    "Qwen3Moe": dict(HEADS, num_experts=8, num_experts_per_tok=2,
                     moe_intermediate_size=256),
    "Phi3": dict(pad_token_id=0),
    "GptOss": dict(HEADS, num_local_experts=4, num_experts_per_tok=2,
                   sliding_window=128),
    "GPTNeoX": {},
    "StableLm": {},
    "Olmo2": {},
    "Olmo": {},
    "Olmo3": dict(sliding_window=128),
    "Cohere": dict(pad_token_id=0),
    "Glm4": dict(HEADS, pad_token_id=0),
    "Granite": {},
    "Phi": {},
    "Starcoder2": dict(sliding_window=None),
}
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def measured_peak(model, tokens, sequences):
    prompt = torch.randint(3, VOCABULARY, (sequences, tokens - 2))
    mask = torch.ones_like(prompt)
    if sequences > 1:
        mask[0, : tokens // 4] = 0  # prompts of different length
    gc.collect()
    with profile(activities=[ProfilerActivity.CPU],
                 profile_memory=True) as recorded:
        model.generate(prompt, attention_mask=mask, max_new_tokens=2,
                       do_sample=True, top_p=0.9, pad_token_id=0)
    now = peak = 0
    for event in recorded.profiler.kineto_results.events():
        if event.name() == "[memory]":
            now += event.nbytes()
            peak = max(peak, now)
    return peak


def planned(command, folder, dtype, tokens, sequences):
    done = subprocess.run(
        [command, "plan", folder, "--max-memory", "cpu=60GB", "--dtype", dtype,
         "--context", str(tokens), "--sequences", str(sequences), "--json"],
        capture_output=True, text=True, check=False)
    if not done.stdout:
        return None, done.stderr.strip()
    rows = [row for pool in json.loads(done.stdout)["pools"]
            for row in pool["rows"]]
    return sum(row["bytes"] for row in rows if row["category"] in
               ("kv_cache", "state", "activations")), ""


def main():
    command = sys.argv[1]
    tokens = int(sys.argv[2]) if len(sys.argv) > 2 else 1024
    sequences = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity_error()
    torch.manual_seed(0)
    hold = below = unsupported = 0
    for family, more in FAMILIES.items():
        for name, dtype in DTYPES.items():
            config = getattr(transformers, family + "Config")(**WIDTHS, **more)
            config.dtype = dtype
            model = transformers.AutoModelForCausalLM.from_config(
                config, dtype=dtype).eval()
            with tempfile.TemporaryDirectory() as folder:
                config.save_pretrained(folder)
                plan, why = planned(command, folder, name, tokens, sequences)
            if plan is None:
                unsupported += 1
                print(f"{family:12} {name}  unsupported: {why}")
                continue
            peak = measured_peak(model, tokens, sequences)
            hold += plan >= peak
            below += plan < peak
            print(f"{family:12} {name}  measured {peak:>11}  "
                  f"ledger {plan:>11}  {plan / peak:.2f} times"
                  f"{'' if plan >= peak else '  BELOW'}")
    print(f"{hold} hold, {below} below, {unsupported} unsupported")
    return 1 if below else 0


if __name__ == "__main__":
    sys.exit(main())
