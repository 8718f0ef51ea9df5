# SPDX-License-Identifier: MIT
"""Does the table hold? Bytes of models that are really quantized.

    python3 tests/oracle/transformers_quantization.py MEMPLAN [NAME...]

MEMPLAN is the command. A small llama is loaded on the CPU by each quantizer
that runs there, on the way in; then from checkpoints that libraries have
packed, through one forward pass. Every unit's resident bytes must be those
that the plan of the same folder says. Layouts that need a GPU are made by
their library on the meta device instead, or weight by weight. One line a case,
and a last line "N exact, M different, K unsupported": unsupported is what
lacks a library. Exits with 1 where one is different.
"""

import contextlib
import io
import json
import os
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


def packed_fp8(folder):
    """FP8 in blocks, as its makers save it; the CPU unpacks it."""
    from safetensors.torch import load_file, save_file
    path = os.path.join(folder, "model.safetensors")
    packed = {}
    for name, weight in load_file(path).items():
        packed[name] = weight
        if name.endswith("_proj.weight"):
            blocks = [-(-size // 128) for size in weight.shape]
            packed[name] = weight.to(torch.float8_e4m3fn)
            packed[name + "_scale_inv"] = torch.ones(blocks)
    save_file(packed, path, metadata={"format": "pt"})
    tell_config(folder, dict(quant_method="fp8", weight_block_size=[128, 128]))


def tell_config(folder, quantization):
    path = os.path.join(folder, "config.json")
    with open(path) as text:
        values = json.load(text)
    values["quantization_config"] = quantization
    with open(path, "w") as text:
        json.dump(values, text)


def packed_by_compressed_tensors(name):
    """One of the cases that transformers_checkpoints.py has, really packed."""
    def make(folder):
        from compressed_tensors.compressors import ModelCompressor
        from compressed_tensors.quantization import (
            QuantizationConfig, QuantizationStatus, apply_quantization_config)
        from transformers_checkpoints import CASES
        config = QuantizationConfig.model_validate(CASES[name][1])
        config.quantization_status = QuantizationStatus.FROZEN
        model = transformers.AutoModelForCausalLM.from_pretrained(folder)
        apply_quantization_config(model, config)
        for path, tensor in model.named_parameters():
            if path.endswith("_scale"):
                tensor.data.fill_(1)
            elif path.endswith("_zero_point"):
                tensor.data.zero_()
        compressor = ModelCompressor.from_pretrained_model(model)
        compressor.compress_model(model)
        model.save_pretrained(folder)
        compressor.update_config(folder)
    return make


def saved_by(scheme):
    """Quantized on the way in, and saved so."""
    def make(folder):
        transformers.AutoModelForCausalLM.from_pretrained(
            folder, device_map={"": "cpu"},
            quantization_config=SCHEMES[scheme]()).save_pretrained(folder)
    return make


CHECKPOINTS = {
    "saved fp8": packed_fp8,
    **{f"saved {name}": packed_by_compressed_tensors(name) for name in (
        "ct w4a16", "ct w8a16 32", "ct w8a8", "ct w8a8 static",
        "ct fp8 dynamic", "ct fp8 static", "ct nvfp4", "ct nvfp4a16",
        "ct mxfp4")},
    **{f"saved {scheme}": saved_by(scheme) for scheme in (
        "bnb-int8", "nf4", "nf4-double", "torchao-int8")},
}


def hqq_bytes(outputs, inputs, bits):
    """A weight that HQQ's own library packs: no loader does it."""
    from hqq.core.quantize import BaseQuantizeConfig, HQQLinear
    made = HQQLinear(torch.nn.Linear(inputs, outputs, bias=False,
                                     dtype=torch.bfloat16),
                     BaseQuantizeConfig(nbits=bits, group_size=64),
                     compute_dtype=torch.bfloat16, device="cpu")
    parts = [made.W_q, made.meta["scale"], made.meta["zero"]]
    return sum(part.numel() * part.element_size() for part in parts)


def tiles_bytes(outputs, inputs, _):
    """torchao's tiles of 4 bits, made on the meta device: a GPU's layout."""
    from torchao.quantization.quantize_.workflows.int4 import \
        int4_tile_packed_to_4d_tensor as tiles
    asked = torch.cuda.get_device_capability
    torch.cuda.get_device_capability = lambda *_: (8, 0)
    try:
        made = tiles.Int4TilePackedTo4dTensor.from_hp(
            torch.empty(outputs, inputs, device="meta", dtype=torch.bfloat16),
            [1, 128])
    finally:
        torch.cuda.get_device_capability = asked
    parts = [made.qdata, made.scale_and_zero]
    return sum(part.numel() * part.element_size() for part in parts)


#: What makes one weight, and with how many bits: the plan needs a device.
WEIGHTS = {"hqq-int8": (hqq_bytes, 8), "hqq-int4": (hqq_bytes, 4),
           "torchao-int4": (tiles_bytes, 4)}


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
            found[unit] += moved_statistics(module, tensor)
    return found


def moved_statistics(module, tensor):
    """bitsandbytes, 8 bit: a checkpoint's go to the module's state."""
    state = getattr(module, "state", None)
    moved = getattr(state, "SCB", None)
    return moved.untyped_storage().nbytes() if moved is not None and \
        tensor is module.weight and getattr(tensor, "SCB", None) is None else 0


def planned(command, folder, *options, budgets="cpu=60GB"):
    done = subprocess.run(
        [command, "plan", folder, "--max-memory", budgets, "--context", "16",
         "--json", *options], capture_output=True, text=True, check=False)
    if not done.stdout:
        return None, done.stderr.strip()
    return {unit["unit"]: unit["weight_bytes"]
            for unit in json.loads(done.stdout)["placement"]}, ""


def weigh(model, scheme):
    """Bytes by unit of a plain model whose projections became weights."""
    make, bits = WEIGHTS[scheme]
    found = Counter()
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        parts = name.split(".")
        unit = ".".join(parts[:3] if parts[1] == "layers" else
                        parts[:1] if parts[0] == "lm_head" else parts[:2])
        # 128 divides what tiles are made of; others stay as they are.
        is_packed = name.endswith("_proj.weight") and (
            scheme != "torchao-int4" or tensor.shape[1] % 128 == 0)
        found[unit] += make(*tensor.shape, bits) if is_packed \
            else tensor.numel() * tensor.element_size()
    return found


def judge(command, name, source, folder):
    """"exact" or "different", and why."""
    how = {"device_map": {"": "cpu"}}
    options = ["--dtype", name]
    if name in WEIGHTS:
        plan, verdict = planned(command, source, *options, budgets="0=60GB")
        found = weigh(transformers.AutoModelForCausalLM.from_pretrained(
            source), name)
    else:
        if name in CHECKPOINTS:
            CHECKPOINTS[name](folder)
            source, options = folder, []
        else:
            how["quantization_config"] = SCHEMES[name]()
        plan, verdict = planned(command, source, *options)
    if plan is None:
        return "different", verdict
    if name not in WEIGHTS:
        model = transformers.AutoModelForCausalLM.from_pretrained(source, **how)
        if name in CHECKPOINTS:
            model(torch.tensor([[1, 2, 3]]))
        found = resident(model, plan)
    wrong = [unit for unit in plan if plan[unit] != found[unit]]
    if wrong:
        return "different", "; ".join(
            f"{unit}: {found[unit]}, planned {plan[unit]}" for unit in wrong)
    return "exact", f"{sum(found.values())} bytes"


def main():
    command, chosen = sys.argv[1], sys.argv[2:] or [
        *SCHEMES, *WEIGHTS, *CHECKPOINTS]
    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    config = transformers.LlamaConfig(
        vocab_size=1000, hidden_size=256, intermediate_size=768,
        num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2)
    made = transformers.LlamaForCausalLM(config).to(torch.bfloat16)
    counts = Counter(exact=0, different=0, unsupported=0)
    for name in chosen:
        with tempfile.TemporaryDirectory() as source, \
                tempfile.TemporaryDirectory() as folder:
            made.save_pretrained(source)
            made.save_pretrained(folder)
            try:
                with contextlib.redirect_stderr(io.StringIO()):
                    kind, verdict = judge(command, name, source, folder)
            except ImportError as error:
                kind, verdict = "unsupported", f"{error}".splitlines()[0]
        counts[kind] += 1
        print(f"{name:22} {kind}: {verdict}", flush=True)
    print(", ".join(f"{count} {kind}" for kind, count in counts.items()))
    return 1 if counts["different"] or not counts["exact"] else 0


if __name__ == "__main__":
    sys.exit(main())
