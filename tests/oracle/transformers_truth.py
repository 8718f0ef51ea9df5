# SPDX-License-Identifier: MIT
"""Compares memplan with the installed Transformers, model by model.

    python transformers_truth.py [DIR] [--long] [--families A,B,...]
                                 [--variants N] [--seed TEXT]
                                 [--library PATH] [--quiet]

Builds each config.json below DIR, and the default configuration of each
family that memplan has: written out in full, and as a file that says nothing
but its model_type. With --long it is the default of each model_type that
Transformers ships. A causal language model that its family is not run as by
default is built as one too. With --variants it is also N configurations of each
family that nobody wrote (see transformers_variants.py), other ones for another
seed; a value that memplan refuses by its key is unsupported then.

All are built on the meta device; it compares
parameters and buffers by name, shape, dtype and bytes; which tensors share
their bytes; the totals; and the units: no module that Transformers keeps whole
is split, and a device_map made of units covers every tensor.

One line a model; then how many of the families that are promised and of the
other causal language models that Transformers ships are exact by default; and
a last line of totals: a family that memplan does not know is unsupported, and
so is a configuration that Transformers cannot build; the line says which. The
exit code is 1 when a model differs.
"""
import argparse
import contextlib
import json
import logging
import os
import re
import sys
import tempfile
import warnings

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
warnings.filterwarnings("ignore")

import torch  # noqa: E402
import transformers  # noqa: E402
from transformers import CONFIG_MAPPING  # noqa: E402
from transformers.modeling_utils import local_torch_dtype  # noqa: E402
from transformers.models.auto import modeling_auto as auto  # noqa: E402
from transformers.quantizers import AutoHfQuantizer  # noqa: E402

import transformers_state  # noqa: E402
from memplan_library import Library, Refused  # noqa: E402
from needed_keys import NEEDED, nest  # noqa: E402
from transformers_variants import Variants  # noqa: E402

# Types that only code beside the weights builds, and the native class that
# has the same modules.
TWINS = {"kimi_k2": "deepseek_v3", "RefinedWeb": "falcon",
         "RefinedWebModel": "falcon"}
# Families that memplan promises to describe exactly.
PROMISED = """
    albert bert bloom codegen cohere cohere2 deepseek_v2 deepseek_v3
    deepseek_v32 ernie4_5 ernie4_5_moe exaone4 falcon falcon_h1 gemma gemma2
    gemma3 gemma3_text gemma3n gemma4 glm glm4 glm4_moe glm_moe_dsa gpt2
    gpt_bigcode gpt_neo gpt_neox gpt_oss gptj granite granitemoe
    granitemoehybrid hunyuan_v1_dense hunyuan_v1_moe jamba kimi_k2 lfm2
    lfm2_moe llama llama4 llava mamba mamba2 minimax minimax_m2 ministral
    mistral mixtral mllama modernbert mpt nemotron nemotron_h olmo olmo2 olmo3
    olmoe opt paligemma phi phi3 phimoe qwen2 qwen2_5_vl qwen2_moe qwen2_vl
    qwen3 qwen3_5 qwen3_5_moe qwen3_moe qwen3_next qwen3_vl qwen3_vl_moe
    recurrent_gemma roberta rwkv smollm3 stablelm starcoder2 t5 whisper
    """.split()
FAMILIES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..",
                        "libmemplan", "src", "data", "families")
OLD_FALCON_KEYS = {"n_layer": "num_hidden_layers",
                   "n_head": "num_attention_heads",
                   "n_head_kv": "num_kv_heads"}
DTYPES = {torch.float64: "fp64", torch.float32: "fp32", torch.float16: "fp16",
          torch.bfloat16: "bf16", torch.int64: "i64", torch.int32: "i32",
          torch.int16: "i16", torch.int8: "i8", torch.uint8: "u8",
          torch.bool: "bool", torch.complex64: "c64",
          torch.float8_e4m3fn: "fp8_e4m3", torch.float8_e8m0fnu: "fp8_e8m0"}
ROLES = ["MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING",
         "MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING",
         "MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING", "MODEL_FOR_CAUSAL_LM_MAPPING",
         "MODEL_FOR_MASKED_LM_MAPPING", "MODEL_MAPPING"]
ENCODERS = {"bert", "roberta", "albert", "electra", "camembert", "xlm-roberta",
            "big_bird", "data2vec-text", "ernie",
            "megatron-bert", "mobilebert", "nystromformer", "rembert",
            "roberta-prelayernorm", "roc_bert", "roformer", "xlm",
            "xlm-roberta-xl", "xmod", "modernbert", "convbert"}


# What fills weights that are never looked at costs half of the time.
for module in (torch.nn.Linear, torch.nn.Embedding, torch.nn.Conv1d,
               torch.nn.Conv2d, torch.nn.LayerNorm):
    module.reset_parameters = lambda self: None

LAST = {}  # the model that was built last, and of what


class Unbuildable(Exception):
    """Transformers cannot build it either; the text says why."""


def class_for(config, architectures):
    """What the configuration asks for, else what its type is run as."""
    for name in architectures or ():
        found = getattr(transformers, name, None)
        if found is not None and hasattr(found, "_from_config"):
            return found
    for name in ROLES:
        if name == "MODEL_FOR_CAUSAL_LM_MAPPING" and \
                config.model_type in ENCODERS:
            continue
        try:
            found = getattr(auto, name)[type(config)]
        except KeyError:
            continue
        return found[0] if isinstance(found, (tuple, list)) else found
    raise Unbuildable(f"no class for {config.model_type}")


def refined_web(values):
    """Keys of the code beside Falcon's weights, as FalconConfig has them."""
    values = {OLD_FALCON_KEYS.get(key, key): value
              for key, value in values.items()}
    return {"new_decoder_architecture": "num_kv_heads" in values, **values}


def build_plain(model_class, config, dtype):
    """A model without its weights; the last one again for the same request,
    as a default written out in full asks for what its bare type does."""
    key = model_class, str(dtype), json.dumps(config.to_dict(), default=str)
    if LAST.get("key") != key:
        LAST.clear()
        with torch.device("meta"), contextlib.redirect_stdout(None):
            LAST["model"] = model_class._from_config(config, dtype=dtype)
        LAST["key"] = key
    return LAST["model"]


def build(values):
    """The model of a config.json on the meta device, in its own dtype."""
    values = dict(values)
    model_type = values.get("model_type")
    if not isinstance(model_type, str):
        raise Unbuildable("no model_type")
    if model_type in TWINS:
        if TWINS[model_type] == "falcon":
            values = refined_web(values)
        values["model_type"] = model_type = TWINS[model_type]
    if model_type not in CONFIG_MAPPING:
        raise Unbuildable(f"remote code only: {model_type}")
    quantization = values.pop("quantization_config", None)
    try:
        config = CONFIG_MAPPING[model_type].from_dict(values)
        model_class = class_for(config, values.get("architectures"))
        dtype = find_dtype(values)
        if quantization and quantization.get("quant_method") == "mxfp4" and \
                "dtype" not in values and "torch_dtype" not in values:
            dtype = torch.bfloat16
        model = build_plain(model_class, config, dtype)
        if quantization:
            LAST.clear()
            quantization = CONFIG_MAPPING[model_type].from_dict(
                dict(values, quantization_config=dict(quantization))
            ).quantization_config  # some move keys of their own there
            with torch.device("meta"), contextlib.redirect_stdout(None), \
                    local_torch_dtype(dtype):  # as loading does
                quantize(model, quantization, dtype)
    except Unbuildable:
        raise
    except Exception as error:
        raise Unbuildable(f"{type(error).__name__}: {error}"[:150]) from error
    return model, dtype


def quantize(model, quantization, dtype):
    """Puts the quantized modules in place that loading would fill; leaves a
    method alone that this Transformers does not have, or not on a CPU: so is
    modelopt's, which calls itself fp8 in some files."""
    model.plain = None
    if quantization.get("quant_method") != "fp8" or "quant_algo" in quantization:
        model.plain = quantization.get("quant_method") or "unnamed"
        return
    quantizer = AutoHfQuantizer.from_config(dict(quantization),
                                            pre_quantized=True)
    quantizer.preprocess_model(model=model, dtype=dtype, device_map=None,
                               checkpoint_files=None, use_kernels=False)


def module_bytes(rows):
    """Bytes of each module's own tensors, shared ones once."""
    out = {}
    for name, row in rows.items():
        if row[4] is None:
            module = name.rpartition(".")[0]
            out[module] = out.get(module, 0) + row[2]
    return out


def quantized_difference(model, dtype, tensors):
    """Stored quantized: names aside, each module has the same bytes."""
    wanted = module_bytes(describe(model, dtype))
    given = module_bytes(tensors)
    for module, total in wanted.items():
        if given.get(module, 0) != total:
            return f"{module} has {given.get(module)} bytes, not {total}"
    for module, total in given.items():
        if total and module not in wanted:
            return f"{module} should not be there"
    return None


def find_dtype(values):
    for holder in (values, values.get("text_config") or {}):
        name = holder.get("dtype") or holder.get("torch_dtype")
        if name and name != "auto":
            return getattr(torch, name)
    return torch.float32


def loaded_dtype(model, plan, name, tensor, is_persistent):
    """The dtype that loading a checkpoint leaves a tensor in."""
    if is_persistent and tensor.is_floating_point():
        for pattern, dtype in plan.items():
            if re.search(pattern.replace("*", ".*"), name):
                return dtype
    return tensor.dtype


def describe(model, dtype):
    """name -> (shape, dtype, bytes, is_buffer, owner) of all tensors."""
    plan = model._get_dtype_plan(dtype)
    out, owners = {}, {}
    persistent = set(model.state_dict())
    for is_buffer, named in ((False, model.named_parameters), (True,
                                                               model.named_buffers)):
        for name, tensor in named(remove_duplicate=False):
            kind = loaded_dtype(model, plan, name, tensor, name in persistent)
            owner = owners.setdefault(id(tensor), name)
            out[name] = (tuple(tensor.shape), DTYPES[kind],
                         tensor.numel() * kind.itemsize, is_buffer,
                         None if owner == name else owner)
    return out


def first_difference(model, dtype, info, tensors, units):
    """One sentence, or None where everything is the same."""
    plain = getattr(model, "plain", "")
    if plain is None:
        return quantized_difference(model, dtype, tensors)
    wanted = describe(model, dtype)
    for name, row in wanted.items():
        if name not in tensors:
            return f"{name} is missing"
        if plain and tensors[name][0] == row[0] and \
                tensors[name][3:5] == row[3:5] and \
                tensors[name][1] != row[1]:
            continue  # its method's bytes are not to be had here
        if tensors[name][:5] != row:
            return f"{name} is {tensors[name][:5]}, and should be {row}"
    for name in tensors:
        if name not in wanted:
            return f"{name} should not be there"
    parameters = sum(p.numel() for p in model.parameters())
    if info["parameter_count"] != parameters:
        return f"{info['parameter_count']} parameters, not {parameters}"
    total = sum(row[2] for row in wanted.values() if row[4] is None)
    if info["weight_bytes"] != total and not plain:
        return f"{info['weight_bytes']} bytes, not {total}"
    return unit_difference(model, wanted, tensors, units)


def unit_difference(model, wanted, tensors, units):
    names = [unit[0] for unit in units]
    if len(set(names)) != len(names):
        return "two units have one name"
    whole = set(model._no_split_modules or ())
    kept = {name for name, module in model.named_modules()
            if type(module).__name__ in whole and name}
    for name in names:
        parts = name.split(".")
        for length in range(1, len(parts)):
            if ".".join(parts[:length]) in kept:
                return f"unit {name} splits {'.'.join(parts[:length])}"
    for name in wanted:
        unit = names[tensors[name][5]]
        if name != unit and not name.startswith(unit + "."):
            return f"{name} is not covered by its unit {unit}"
    return None


def judge(library, label, path, values, options):
    """Prints one line; "exact", "different" or "unsupported"."""
    try:
        model, dtype = build(values)
    except Unbuildable as error:
        verdict = "unsupported", f"Transformers: {error}"
    else:
        try:
            info, tensors, units = library.read(path)
            difference = first_difference(model, dtype, info, tensors, units)
            verdict = ("exact", f"{info['parameter_count']} parameters") \
                if difference is None else ("different", difference)
        except Refused as error:
            is_closed = "a family that is not known" in str(error) or \
                "is not described" in str(error) or \
                "is not known as" in str(error)
            verdict = ("unsupported" if is_closed else "different",
                       f"memplan: {error}")
    family = label.removeprefix("default ")
    if verdict[0] == "exact" and family in CONFIG_MAPPING:
        verdict = with_cache(library, family, options, verdict)
    if not options.quiet or verdict[0] == "different":
        print(f"{label}: {verdict[0]}: {verdict[1]}"[:400], flush=True)
        if verdict[0] == "different" and label.startswith("variant"):
            print("   ", json.dumps(values), flush=True)
    return verdict[0]


def described():
    """Model types that memplan has a family of."""
    out = []
    for name in os.listdir(FAMILIES):
        with open(os.path.join(FAMILIES, name)) as text:
            out += re.findall(r"^(?:family|alias) (\S+)", text.read(), re.M)
    return out


def variants(model_type, path, options):
    """Configurations that nobody wrote."""
    try:
        drawn = Variants(model_type, build, NEEDED.get(model_type, {}),
                         options.seed)
    except Exception as error:
        print(f"variants of {model_type}: unsupported: {error!r:.120}")
        return
    for at, values in drawn.mixed(options.variants):
        yield f"variant {at} of {model_type}", path, written(path, values)


def with_cache(library, family, options, verdict):
    """The verdict, with that on the caches of a small model of the family."""
    kind, said = transformers_state.judge(library, family, class_for,
                                          options.long)
    if kind == "unsupported":
        said = f"not measured, {said}"
    return ("different" if kind == "different" else verdict[0],
            f"{verdict[1]}; cache: {said}")


def configurations(options):
    """(label, path, values) of every configuration to judge."""
    for folder, _, files in sorted(os.walk(options.dir or "")):
        if "config.json" not in files:
            continue
        path = os.path.join(folder, "config.json")
        try:
            with open(path) as text:
                values = json.load(text)
        except ValueError:
            continue
        if "hf_quant_config.json" in files:  # not read by Transformers
            values.setdefault("quantization_config",
                              {"quant_method": "modelopt"})
        yield os.path.relpath(folder, options.dir), path, values
    wanted = options.families.split(",") if options.families else None
    if wanted is None and not options.long:
        wanted = described()
    with tempfile.TemporaryDirectory() as folder:
        for model_type in sorted({*CONFIG_MAPPING, *TWINS}):
            if wanted is None or model_type in wanted or \
                    TWINS.get(model_type) in wanted:
                path = os.path.join(folder, "config.json")
                yield from defaults(model_type, path)
                # The others' variants take minutes: by name, or with --long.
                is_asked = options.long or options.families or \
                    model_type in PROMISED
                if options.variants > 0 and is_asked and \
                        model_type in CONFIG_MAPPING:
                    yield from variants(model_type, path, options)


def written(path, values):
    """As a file has them, which is what is built."""
    with open(path, "w") as out:
        json.dump(values, out, default=str)
    with open(path) as text:
        return json.load(text)


def defaults(model_type, path):
    """What a type is without a word: written out, bare, and as a causal
    language model where it is run as something else."""
    needed = nest(NEEDED.get(model_type, {}))
    bare = {"model_type": model_type, **needed}
    if model_type in CONFIG_MAPPING:
        try:
            config = CONFIG_MAPPING[model_type](**needed)
            values = written(path, config.to_dict())
        except Exception as error:
            print(f"default {model_type}: unsupported: {error!r:.120}")
            return
        yield f"default {model_type}", path, values
    yield f"bare {model_type}", path, written(path, bare)
    causal = auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.get(model_type)
    try:
        is_causal = class_for(config, None).__name__ == causal
    except (Unbuildable, UnboundLocalError):
        return
    if causal is not None and not is_causal:
        yield f"causal {model_type}", path, written(
            path, {**bare, "architectures": [causal]})


def summarize(verdicts):
    """How many families are exact, by default and as causal models."""
    causal = set(auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)
    for title, names, kinds in (
            ("families promised", PROMISED, ("default", "bare")),
            ("other causal language models",
             sorted(causal - set(PROMISED)), ("default", "bare", "causal"))):
        exact = []
        for name in names:
            found = [verdicts[f"{kind} {name}"] for kind in kinds
                     if f"{kind} {name}" in verdicts]
            if found and set(found) == {"exact"}:
                exact.append(name)
        print(f"{title}: {len(exact)} of {len(names)} exact; the others: "
              + (", ".join(sorted(set(names) - set(exact))) or "none"))


def main():
    logging.disable(logging.CRITICAL)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dir", nargs="?")
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--families")
    parser.add_argument("--variants", type=int, default=0)
    parser.add_argument("--seed", default="0")
    parser.add_argument("--library")
    parser.add_argument("--quiet", action="store_true")
    options = parser.parse_args()
    library = Library(options.library)
    counts = {"exact": 0, "different": 0, "unsupported": 0}
    verdicts = {}
    for label, path, values in configurations(options):
        verdicts[label] = judge(library, label, path, values, options)
        counts[verdicts[label]] += 1
    if not options.families:
        summarize(verdicts)
    print(f"{counts['exact']} exact, {counts['different']} different, "
          f"{counts['unsupported']} unsupported")
    return 1 if counts["different"] or not counts["exact"] else 0


if __name__ == "__main__":
    sys.exit(main())
