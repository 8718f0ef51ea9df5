# SPDX-License-Identifier: MIT
"""Does the table hold? Bytes of models that are really quantized on loading.

    python3 tests/oracle/transformers_quantization.py MEMPLAN [SCHEME...]

MEMPLAN is the command. A small llama is loaded on the CPU by each quantizer
that runs there; every unit's resident bytes must be those that the plan of the
same config.json says. One line a scheme, and a last line "N exact, M
different, K unsupported". Exits with 1 where one is different.
"""

import json
import subprocess
import sys
import tempfile
import warnings
from collections import Counter

import torch
import transformers
from transformers import BitsAndBytesConfig, QuantoConfig, TorchAoConfig

DOUBLE = dict(bnb_4bit_use_double_quant=True)


def four_bit(kind, **more):
    return BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type=kind, **more)


def torchao_int8():
    from torchao.quantization import Int8WeightOnlyConfig
    return TorchAoConfig(Int8WeightOnlyConfig())


SCHEMES = {
    "bnb-int8": lambda: BitsAndBytesConfig(load_in_8bit=True),
    "nf4": lambda: four_bit("nf4"),
    "fp4": lambda: four_bit("fp4"),
    "nf4-double": lambda: four_bit("nf4", **DOUBLE),
    "fp4-double": lambda: four_bit("fp4", **DOUBLE),
    "torchao-int8": torchao_int8,
    "quanto-int8": lambda: QuantoConfig(weights="int8"),
    "quanto-float8": lambda: QuantoConfig(weights="float8"),
    "quanto-int4": lambda: QuantoConfig(weights="int4"),
    "quanto-int2": lambda: QuantoConfig(weights="int2"),
}


def storages(tensor):
    """The real tensors under one, wrappers opened."""
    if hasattr(tensor, "__tensor_flatten__"):
        for name in tensor.__tensor_flatten__()[0]:
            yield from storages(getattr(tensor, name))
    else:
        yield tensor
    state = getattr(tensor, "quant_state", None)
    while state is not None:  # bitsandbytes, 4 bit
        yield from (each for each in (state.absmax, state.code, state.offset)
                    if each is not None)
        state = state.state2
    if getattr(tensor, "SCB", None) is not None:  # bitsandbytes, 8 bit
        yield tensor.SCB


def unit_of(name, units):
    return max((unit for unit in units
                if name == unit or name.startswith(unit + ".")), key=len)


def resident(model, units):
    """Bytes by unit, each piece of memory once within a module."""
    found = Counter()
    for path, module in model.named_modules():
        tensors = [*module._parameters.items(), *module._buffers.items()]
        for name, tensor in tensors:
            if tensor is None:
                continue
            unit = unit_of(f"{path}.{name}", units)
            found[unit] += sum(each.untyped_storage().nbytes()
                               for each in storages(tensor))
    return found


def planned(command, folder, scheme):
    done = subprocess.run(
        [command, "plan", folder, "--max-memory", "cpu=60GB", "--dtype", scheme,
         "--context", "16", "--json"], capture_output=True, text=True, check=False)
    if not done.stdout:
        return None, done.stderr.strip()
    return {unit["unit"]: unit["weight_bytes"]
            for unit in json.loads(done.stdout)["placement"]}, ""


def main():
    command, chosen = sys.argv[1], sys.argv[2:] or list(SCHEMES)
    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    config = transformers.LlamaConfig(
        vocab_size=1000, hidden_size=256, intermediate_size=704,
        num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2)
    counts = Counter(exact=0, different=0, unsupported=0)
    with tempfile.TemporaryDirectory() as folder:
        made = transformers.LlamaForCausalLM(config).to(torch.bfloat16)
        made.save_pretrained(folder)
        for scheme in chosen:
            plan, verdict = planned(command, folder, scheme)
            kind = "unsupported"
            if plan is not None:
                model = transformers.AutoModelForCausalLM.from_pretrained(
                    folder, device_map={"": "cpu"},
                    quantization_config=SCHEMES[scheme]())
                found = resident(model, plan)
                wrong = [unit for unit in plan if plan[unit] != found[unit]]
                kind = "different" if wrong else "exact"
                verdict = f"{sum(found.values())} bytes" if not wrong else "; ".join(
                    f"{unit}: {found[unit]}, planned {plan[unit]}" for unit in wrong)
            counts[kind] += 1
            print(f"{scheme:14} {kind}: {verdict}", flush=True)
    print(", ".join(f"{count} {kind}" for kind, count in counts.items()))
    return 1 if counts["different"] else 0


if __name__ == "__main__":
    sys.exit(main())
