# SPDX-License-Identifier: MIT
"""Configurations that nobody wrote: a family's keys at odd values.

Nothing here knows what a family's data says. Values come from the keys of the
configuration class alone: switches are turned, sizes become odd multiples,
lists of layer kinds are mixed, texts become what the class's source compares
them with. What Transformers cannot build is drawn again.
"""
import dataclasses
import inspect
import random
import re

from transformers import CONFIG_MAPPING, PreTrainedConfig
from transformers.models.auto import modeling_auto as auto

from needed_keys import nest

# Keys that shape nothing, and those that ask for another kind of model.
INERT = re.compile(
    r"token_id|initializer|_eps$|epsilon|dropout|_drop$|pdrop|act$|activation|"
    r"hidden_act|act_fn|use_cache|_coef|theta|layerdrop|apply_spec|output_|"
    r"return_dict|id2label|label2id|transformers_version|architectures|"
    r"problem_type|_name_or_path|model_type|dtype$|chunk_size_feed|_std$|"
    r"softcap|loss|seed|temperature|tokenizer|num_labels|is_decoder$|"
    r"is_encoder_decoder|attn_implementation|_config$|_idx$|rope_parameters|"
    r"rope_scaling|torchscript|tie_encoder|add_cross_attention|forced_|"
    r"suppress|median_filter|prefix|finetuning|base_model_|ep_size|_plan$")
LAYERS = re.compile(r"(num_.*layers?|n_layers?|layers|depth|num_blocks|"
                    r"n_block)$")
KINDS = ["full_attention", "sliding_attention", "chunked_attention",
         "linear_attention", "conv", "moe", "dense", "sparse", "mlp", "hybrid",
         "recurrent", "indexed_attention", "compressed_sparse_attention",
         "heavily_compressed_attention", "mamba", "attention", "global_mla",
         "minimax_m3_sparse"]
OWN = set(inspect.signature(PreTrainedConfig).parameters) - {
    "tie_word_embeddings"}


def source_of(config_class):
    out = []
    for module in (inspect.getmodule(config_class),):
        name = module.__name__.replace("configuration_", "modeling_")
        for each in (module.__name__, name):
            try:
                out.append(inspect.getsource(__import__(each, fromlist=["x"])))
            except (ImportError, OSError):
                pass
    return "\n".join(out)


def fields_of(config, prefix=""):
    """(path, value, annotation) of each key, those of nested parts too."""
    out = []
    parts = [name for name in getattr(config, "sub_configs", None) or {}
             if isinstance(getattr(config, name, None), PreTrainedConfig)]
    for field in dataclasses.fields(config):
        if field.name in OWN or field.name in parts or INERT.search(field.name):
            continue
        try:
            value = getattr(config, field.name)
        except Exception:  # an attribute that differs by layer
            continue
        out.append((prefix + field.name, value, str(field.type)))
    for name in parts:
        out += fields_of(getattr(config, name), f"{prefix}{name}.")
    return out


def classes_of(config_class):
    """Names of the classes that models of this type are built as."""
    out = []
    for mapping in (auto.MODEL_MAPPING, auto.MODEL_FOR_CAUSAL_LM_MAPPING):
        try:
            found = mapping[config_class]
        except KeyError:
            continue
        out += [cls.__name__ for cls in
                (found if isinstance(found, (tuple, list)) else [found])]
    return out


def texts_for(name, source):
    """What the source compares a key with."""
    found = set()
    for operator, text in re.findall(
            rf'\b{name}\b\s*(==|!=|in)\s*(\[[^\]]*\]|\([^)]*\)|"[^"]*")',
            source):
        found.update(re.findall(r'"([^"]*)"', text))
    return sorted(found)


def values_for(path, value, kind, source, layer_count, dice):
    """Values worth a try for one key, in an order that dice decides."""
    name = path.rsplit(".", 1)[-1]
    out = []
    if isinstance(value, bool):
        out = [not value]
    elif isinstance(value, int):
        if LAYERS.search(name):
            out = [2, 3, 5, 7]
        elif value == 0:
            out = [1, 2, 3]
        elif value < 9:
            out = [value + 1, value * 2, value * 3, 1, max(1, value // 2)]
        else:
            out = [value * 3 // 2, value * 2, value // 2, value * 3,
                   value // 4, value + 1, value + 8, 7, 96]
    elif isinstance(value, float):
        out = [value * 0.5, value * 2, 0.75, 1.5]
    elif isinstance(value, str):
        out = [text for text in texts_for(name, source) if text != value]
        literal = re.findall(r"Literal\[([^\]]*)\]", kind)
        out += re.findall(r"'([^']*)'", " ".join(literal))
    elif isinstance(value, (list, tuple)) and value and all(
            isinstance(item, str) for item in value):
        kinds = sorted(set(value)) * 2 + texts_for(name, source)[:6] + KINDS[:5]
        out = [[dice.choice(kinds) for _ in value] for _ in range(2)]
        out += [[dice.choice(sorted(set(value))) for _ in value]]
    elif isinstance(value, (list, tuple)) and all(
            isinstance(item, int) and not isinstance(item, bool)
            for item in value):
        out = [[item * 2 for item in value], list(value)[:1], [],
               sorted(dice.sample(range(layer_count), min(2, layer_count)))]
    elif value is None:
        if "bool" in kind:
            out += [True, False]
        if "int" in kind:
            out += [2, 3, 8, 48, 96, 1]
        if "list" in kind and "str" in kind:
            out += [[dice.choice(KINDS[:6]) for _ in range(layer_count)]]
        if "list" in kind and "int" in kind:
            out += [sorted(dice.sample(range(layer_count),
                                       min(2, layer_count)))]
        if "float" in kind:
            out += [0.25, 0.5]
    if "None" in kind and value is not None and \
            not isinstance(value, (list, tuple)):
        out.append(None)
    dice.shuffle(out)
    return out


class Variants:
    """Draws configurations of one model_type; `build` says which are sound
    by raising on the others."""

    def __init__(self, model_type, build, needed, seed):
        self.model_type = model_type
        self.build = build
        self.dice = random.Random(f"{model_type} {seed}")
        config_class = CONFIG_MAPPING[model_type]
        self.source = source_of(config_class)
        self.classes = classes_of(config_class)
        self.base = self.shortened(config_class(**nest(needed)), needed)
        config = self.make(self.base)
        self.aliases = {
            head: getattr(part, "attribute_map", {}) for head, part in
            [("", config)] + [(name, getattr(config, name, None)) for name in
                              getattr(config, "sub_configs", None) or {}]}
        self.layer_count = next(
            (value for path, value in self.base.items()
             if path.endswith(("num_hidden_layers", "n_layer", "num_layers"))),
            4)
        self.fields = fields_of(config)

    def make(self, flat):
        return CONFIG_MAPPING[self.model_type].from_dict(
            {"model_type": self.model_type, **nest(flat)})

    def shortened(self, config, needed):
        """Few layers, so that many models are built in no time."""
        flat = dict(needed)
        for path, value, _ in fields_of(config):
            if LAYERS.search(path) and isinstance(value, int) and value > 4:
                flat[path] = 2 if "shared" in path else 4 + len(flat) % 2
        for path, value in flat.items():
            if isinstance(value, list):  # one for each layer
                flat[path] = value[:flat.get("num_hidden_layers", len(value))]
        while len(flat) > len(needed) and not self.attempt(flat):
            flat.popitem()
        return flat

    def attempt(self, flat, **more):
        """The configuration as a file has it, or None."""
        values = {"model_type": self.model_type, **nest(flat), **more}
        try:
            self.build(values)
        except Exception:  # whatever Transformers thinks of it
            return None
        return values

    def respelt(self, flat):
        """Some keys by the other name that the class maps to them."""
        out = {}
        for path, value in flat.items():
            head, _, name = path.rpartition(".")
            others = [alias for alias, key in self.aliases.get(head, {}).items()
                      if key == name]
            if others and self.dice.random() < 0.4:
                path = f"{head}.{others[0]}" if head else others[0]
            out[path] = value
        return out

    def options(self, path, value, kind):
        return values_for(path, value, kind, self.source, self.layer_count,
                          self.dice)

    def mixed(self, count):
        """Many keys at once; fewer where that cannot be built."""
        share, failures = 0.5, 0
        while count > 0 and failures < 400:
            flat = dict(self.base)
            for path, value, kind in self.fields:
                if self.dice.random() < share:
                    options = self.options(path, value, kind)
                    if options:
                        flat[path] = options[0]
            if self.dice.random() < 0.5:
                flat["dtype"] = self.dice.choice(["bfloat16", "float16"])
            more = {}
            if self.dice.random() < 0.2 and self.classes:
                more["architectures"] = [self.dice.choice(self.classes)]
            found = self.attempt(self.respelt(flat), **more)
            if found is None:
                failures += 1
                share = max(0.04, share * 0.95)
                continue
            count -= 1
            share = min(0.5, share * 1.3)
            yield count, found
