# SPDX-License-Identifier: MIT
"""Are packed weights what the quantizers make? Module by module.

    python3 tests/oracle/transformers_checkpoints.py [--library PATH] [NAME...]

For each configuration below a small model is built on the meta device, and
Transformers' own quantizer puts the modules in place that a checkpoint fills:
no weights, no GPU. Each module must have the bytes that memplan reads out of
the same config.json. Only cases whose name holds a NAME are run. One line a
case, and a last line "N exact, M different, K unsupported": unsupported is
what this Python has no library for. Exits with 1 where one is different.
"""
import argparse
import contextlib
import io
import json
import logging
import os
import sys
import tempfile
import warnings

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
warnings.filterwarnings("ignore")

import torch  # noqa: E402
import transformers  # noqa: E402
from transformers.integrations import hub_kernels  # noqa: E402
from transformers.quantizers import AutoHfQuantizer  # noqa: E402

from memplan_library import Library, Refused  # noqa: E402

SMALL = dict(vocab_size=1000, hidden_size=256, num_hidden_layers=2,
             num_attention_heads=4, num_key_value_heads=2, dtype="bfloat16")
ROUTED = dict(SMALL, num_experts=4, num_experts_per_tok=2, head_dim=64,
              intermediate_size=512)
MODELS = {
    "llama": lambda: transformers.LlamaConfig(intermediate_size=768, **SMALL),
    # 688 is no multiple of 128, nor of 32.
    "odd": lambda: transformers.LlamaConfig(intermediate_size=688, **SMALL),
    "tied": lambda: transformers.Qwen2Config(
        intermediate_size=768, tie_word_embeddings=True, **SMALL),
    "moe": lambda: transformers.Qwen3MoeConfig(moe_intermediate_size=128,
                                               **ROUTED),
    "odd-moe": lambda: transformers.Qwen3MoeConfig(moe_intermediate_size=96,
                                                   **ROUTED),
    "mixtral": lambda: transformers.MixtralConfig(
        intermediate_size=512, num_local_experts=4, **SMALL),
    "gpt-oss": lambda: transformers.GptOssConfig(
        intermediate_size=128, num_local_experts=4, head_dim=64, **SMALL),
}


def weights(bits, kind="int", strategy="group", group=128, symmetric=True,
            **more):
    has_group = strategy in ("group", "tensor_group")
    return dict(num_bits=bits, type=kind, strategy=strategy,
                group_size=group if has_group else None, symmetric=symmetric,
                dynamic=False, **more)


def inputs(bits, kind, strategy, dynamic, symmetric=True, **more):
    return dict(num_bits=bits, type=kind, strategy=strategy, dynamic=dynamic,
                symmetric=symmetric, **more)


def group(weight, acts=None, targets=("Linear",), **more):
    return dict(targets=list(targets), weights=weight, input_activations=acts,
                output_activations=None, **more)


def compressed(form, *groups, ignore=("lm_head",)):
    return dict(quant_method="compressed-tensors", format=form,
                quantization_status="compressed", ignore=list(ignore),
                config_groups={f"group_{at}": one
                               for at, one in enumerate(groups)})


DYNAMIC8 = inputs(8, "int", "token", True)
FLOAT8 = weights(8, "float", "channel")
NVFP4 = weights(4, "float", "tensor_group", 16)
LOCAL4 = inputs(4, "float", "tensor_group", "local", group_size=16)
BLOCK = dict(weight_block_size=[128, 128])


def gptq(**more):
    return dict(quant_method="gptq", bits=4, group_size=128, desc_act=False,
                sym=True) | more


def awq(**more):
    return dict(quant_method="awq", bits=4, group_size=128, zero_point=True,
                version="gemm") | more


#: name: (model, quantization_config)
CASES = {
    "fp8 block": ("llama", dict(quant_method="fp8", **BLOCK)),
    "fp8 block odd": ("odd", dict(quant_method="fp8", **BLOCK)),
    "fp8 default block": ("llama", dict(quant_method="fp8")),
    "fp8 tensor": ("llama", dict(quant_method="fp8", weight_block_size=None)),
    "fp8 static": ("llama", dict(quant_method="fp8", weight_block_size=None,
                                 activation_scheme="static")),
    "fp8 ue8m0": ("llama", dict(quant_method="fp8", scale_fmt="ue8m0",
                                **BLOCK)),
    "fp8 tied": ("tied", dict(quant_method="fp8", **BLOCK)),
    "fp8 skips": ("llama", dict(
        quant_method="fp8", modules_to_not_convert=[
            "lm_head", "model.layers.0", "mlp.gate", "up_proj",
            "model.layers.*.self_attn.o_proj"], **BLOCK)),
    "fp8 no head listed": ("llama", dict(
        quant_method="fp8", modules_to_not_convert=["q_proj"], **BLOCK)),
    "fp8 moe": ("moe", dict(quant_method="fp8", **BLOCK)),
    "fp8 odd moe": ("odd-moe", dict(quant_method="fp8", **BLOCK)),
    "fp8 moe tensor": ("moe", dict(quant_method="fp8", weight_block_size=None)),
    "fp8 moe static": ("moe", dict(quant_method="fp8", weight_block_size=None,
                                   activation_scheme="static")),
    "fp8 moe fp4": ("moe", dict(quant_method="fp8", expert_dtype="fp4",
                                scale_fmt="ue8m0", **BLOCK)),
    "fp8 mixtral": ("mixtral", dict(quant_method="fp8", **BLOCK)),
    "mxfp8": ("llama", dict(quant_method="mxfp8", scale_fmt="ue8m0",
                            weight_block_size=[1, 32])),
    "mxfp4": ("gpt-oss", dict(quant_method="mxfp4", modules_to_not_convert=[
        "model.layers.*.self_attn", "model.layers.*.mlp.router",
        "model.embed_tokens", "lm_head"])),
    "bitnet": ("llama", dict(quant_method="bitnet")),
    "bitnet skips": ("llama", dict(quant_method="bitnet",
                                   modules_to_not_convert=["down_proj"])),
    "gptq 2": ("llama", gptq(bits=2)),
    "gptq 3": ("llama", gptq(bits=3)),
    "gptq 4": ("llama", gptq()),
    "gptq 8": ("llama", gptq(bits=8)),
    "gptq 32 desc_act": ("llama", gptq(group_size=32, desc_act=True)),
    "gptq 64 asymmetric": ("llama", gptq(group_size=64, sym=False)),
    "gptq whole rows": ("llama", gptq(group_size=-1)),
    "gptq tied": ("tied", gptq()),
    "awq gemm": ("llama", awq()),
    "awq gemm 64": ("llama", awq(group_size=64)),
    "awq skips": ("llama", awq(modules_to_not_convert=["down_proj"])),
    "awq tied": ("tied", awq()),
    "ct w4a16": ("llama", compressed("pack-quantized", group(weights(4)))),
    "ct w4a16 odd": ("odd", compressed("pack-quantized", group(weights(4)))),
    "ct w3a16 odd": ("odd", compressed("pack-quantized", group(weights(3)))),
    "ct w8a16 32": ("llama", compressed("pack-quantized",
                                        group(weights(8, group=32)))),
    "ct w4a16 channel": ("llama", compressed(
        "pack-quantized", group(weights(4, strategy="channel")))),
    "ct w4a8": ("llama", compressed("pack-quantized", group(
        weights(4), DYNAMIC8, format="pack-quantized"))),
    "ct w8a8": ("llama", compressed("int-quantized", group(
        weights(8, strategy="channel"), DYNAMIC8))),
    "ct w8a8 static": ("llama", compressed("int-quantized", group(
        weights(8, strategy="channel"),
        inputs(8, "int", "tensor", False, symmetric=False)))),
    "ct w8a8 asymmetric": ("llama", compressed("int-quantized", group(
        weights(8, strategy="channel", symmetric=False), DYNAMIC8))),
    "ct fp8 dynamic": ("llama", compressed("float-quantized", group(
        FLOAT8, inputs(8, "float", "token", True)))),
    "ct fp8 static": ("llama", compressed("float-quantized", group(
        weights(8, "float", "tensor"), inputs(8, "float", "tensor", False)))),
    "ct fp8 block": ("odd", compressed("float-quantized", group(
        weights(8, "float", "block", block_structure=[128, 128]),
        inputs(8, "float", "group", True, group_size=128)))),
    "ct fp8 weights alone": ("llama", compressed("naive-quantized",
                                                 group(FLOAT8))),
    "ct nvfp4": ("llama", compressed("nvfp4-pack-quantized",
                                     group(NVFP4, LOCAL4))),
    "ct nvfp4a16": ("odd", compressed("nvfp4-pack-quantized", group(NVFP4))),
    "ct mxfp4": ("llama", compressed("mxfp4-pack-quantized", group(
        weights(4, "float", group=32, scale_dtype="torch.uint8")))),
    "ct mxfp8": ("llama", compressed("mxfp8-quantized", group(
        weights(8, "float", group=32, scale_dtype="torch.uint8"),
        inputs(8, "float", "group", True, group_size=32)))),
    "ct head too": ("llama", compressed("pack-quantized", group(weights(4)),
                                        ignore=())),
    "ct ignore": ("llama", compressed(
        "pack-quantized", group(weights(4)),
        ignore=["lm_head", "re:.*self_attn\\.(q|k)_proj",
                "model.layers.1.mlp.down_proj", "model.layers.0.mlp"])),
    "ct mixed": ("llama", compressed(
        "mixed-precision",
        group(FLOAT8, inputs(8, "float", "token", True), ("Linear",),
              format="float-quantized"),
        group(weights(4), None, ("re:.*mlp.*",), format="pack-quantized"),
        group(weights(8, strategy="channel"), DYNAMIC8,
              ("model.layers.0.mlp.up_proj",), format="int-quantized"))),
}


def build(model, quantization):
    """Bytes by module, as the quantizer leaves them to be filled."""
    config = MODELS[model]()
    made = transformers.AutoModelForCausalLM._model_mapping[type(config)]
    with torch.device("meta"):
        built = made._from_config(config, dtype=torch.bfloat16)
    quantizer = AutoHfQuantizer.from_config(json.loads(json.dumps(quantization)),
                                            pre_quantized=True)
    quantizer.use_fp8_kernel = False
    torch.set_default_dtype(torch.bfloat16)  # as from_pretrained() does
    try:
        quantizer.preprocess_model(model=built, dtype=torch.bfloat16,
                                   device_map={"": "cpu"},
                                   checkpoint_files=None, use_kernels=True)
    finally:
        torch.set_default_dtype(torch.float32)
    return {name: found for name, module in built.named_modules()
            if (found := own_bytes(name, module, built))}


def own_bytes(name, module, whole):
    seen = {id(tensor): path.rpartition(".")[0]
            for path, tensor in whole.named_parameters()}
    total = 0
    for tensor in [*module._parameters.values(), *module._buffers.values()]:
        if tensor is not None and seen.get(id(tensor), name) == name:
            total += tensor.numel() * tensor.element_size()
    if type(module).__name__ == "Mxfp4GptOssExperts":
        # Scales, one byte for 32, are handed to the kernels beside them.
        total += sum(tensor.numel() * 2 // 32
                     for tensor in (module.gate_up_proj, module.down_proj))
    return total


def read(library, model, quantization, folder):
    path = os.path.join(folder, "config.json")
    values = MODELS[model]().to_dict()
    values["quantization_config"] = quantization
    with open(path, "w") as out:
        json.dump(values, out, default=str)
    _, tensors, _ = library.read(path)
    found = {}
    for name, row in tensors.items():
        if row[4] is None:
            module = name.rpartition(".")[0]
            found[module] = found.get(module, 0) + row[2]
    return found


def judge(library, name, folder):
    model, quantization = CASES[name]
    try:
        with contextlib.redirect_stderr(io.StringIO()), \
                contextlib.redirect_stdout(io.StringIO()):
            wanted = build(model, quantization)
    except (ImportError, ModuleNotFoundError) as error:
        return "unsupported", f"{error}".splitlines()[0]
    try:
        found = read(library, model, quantization, folder)
    except Refused as error:
        return "different", f"memplan: {error}"
    for module in sorted({*wanted, *found}):
        if wanted.get(module, 0) != found.get(module, 0):
            return "different", (f"{module} has {found.get(module, 0)} bytes, "
                                 f"not {wanted.get(module, 0)}")
    return "exact", f"{sum(wanted.values())} bytes"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--library")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    library = Library(options.library)
    # Modules are made, and nothing runs: kernels are not fetched.
    hub_kernels.get_kernel = lambda *_, **__: None
    counts = dict(exact=0, different=0, unsupported=0)
    with tempfile.TemporaryDirectory() as folder:
        for name in CASES:
            if options.names and not any(n in name for n in options.names):
                continue
            kind, verdict = judge(library, name, folder)
            counts[kind] += 1
            print(f"{name:22} {kind}: {verdict}"[:200], flush=True)
    print(", ".join(f"{count} {kind}" for kind, count in counts.items()))
    return 1 if counts["different"] or not counts["exact"] else 0


if __name__ == "__main__":
    sys.exit(main())
