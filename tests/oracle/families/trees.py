# SPDX-License-Identifier: MIT
"""The module trees of samples: what each class holds itself, and which other
trees it uses.

A path is a tuple of names; the children of lists are numbers. Lists whose
length differs between samples are repeats: their numbers become "#".
"""
import re
from collections import defaultdict
from dataclasses import dataclass, field

import torch
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.models.auto import modeling_auto as auto

NUMBERED = (nn.ModuleList, nn.Sequential, nn.ParameterList)


@dataclass
class Entry:
    """One tensor, one used tree, or one block, in one sample."""
    kind: str  # param, buffer, use
    path: tuple
    shape: tuple = ()
    dtype: str = ""
    flags: tuple = ()
    target: str = ""
    config: str = ""
    fallback: str = ""


@dataclass
class Instance:
    """A class's own part of one sample's model."""
    sample: object
    entries: list
    lengths: dict          # raw path of a list -> its length
    blocks: set            # raw paths of modules that are never split
    ties: list             # (path, path of the owner)
    config_path: str


@dataclass
class TreeRows:
    model_type: str
    class_name: str
    instances: list = field(default_factory=list)


def nested_configs(config, prefix=""):
    """id of each nested configuration, and the dotted path to it."""
    out = {}
    for name in getattr(config, "sub_configs", None) or {}:
        child = getattr(config, name, None)
        if isinstance(child, PreTrainedConfig):
            out[id(child)] = (f"{prefix}{name}", child)
            out.update(nested_configs(child, f"{prefix}{name}."))
    return out


def role_of(model_class, config):
    """The role that the class plays for its configuration, else its name."""
    for role, mapping in (("base", auto.MODEL_MAPPING),
                          ("causal", auto.MODEL_FOR_CAUSAL_LM_MAPPING)):
        try:
            found = mapping[type(config)]
        except KeyError:
            continue
        if found is model_class or (isinstance(found, (tuple, list))
                                    and model_class in found):
            return role
    return model_class.__name__


def dtype_name(dtype):
    if dtype == torch.bfloat16:
        return ""
    return {torch.float32: "fp32", torch.int64: "i64", torch.bool: "bool",
            torch.int32: "i32", torch.float16: "fp16", torch.uint8: "u8",
            torch.float64: "fp64", torch.int8: "i8",
            torch.complex64: "c64"}[dtype]


def kept(patterns, full_name):
    """As loading matches them: anywhere in the name."""
    return any(re.search(pattern.replace("*", ".*"), full_name)
               for pattern in patterns or ())


def walk_tree(root, sample, full_prefix, top, no_split, collect):
    """Fills an Instance for `root` and starts those of the trees it uses."""
    config = root.config
    nested = nested_configs(config)
    instance = Instance(sample, [], {}, set(), [], "")
    fp16, fp32 = top._keep_in_fp32_modules, top._keep_in_fp32_modules_strict

    def visit(module, path):
        full = full_prefix + ".".join(map(str, path))
        if type(module).__name__ in no_split and path:
            instance.blocks.add(path)
        for kind, holder in (("param", module._parameters),
                             ("buffer", module._buffers)):
            for name, tensor in holder.items():
                if tensor is None:
                    continue
                flags = []
                if kind == "buffer" and \
                        name in module._non_persistent_buffers_set:
                    flags.append("transient")
                if kind == "param" and name == "weight" and \
                        isinstance(module, nn.Linear) or \
                        type(module).__name__ == "Conv1D" and name == "weight":
                    flags.append("linear")
                    if type(module).__name__ == "Conv1D":
                        flags.append("transposed")
                if isinstance(module, nn.Embedding):
                    flags.append("lookup")
                if "Experts" in type(module).__name__ and tensor.dim() >= 2:
                    flags.append("expert")
                dtype = dtype_name(tensor.dtype)
                whole = f"{full}.{name}" if full else name
                if not dtype and tensor.is_floating_point() and \
                        "transient" not in flags:
                    if kept(fp32, whole):
                        flags.append("keep_fp32")
                    elif kept(fp16, whole):
                        flags.append("keep_fp16")
                raw = tuple(name.split(".")) if not name.isdigit() \
                    else (int(name),)
                instance.entries.append(Entry(
                    kind, path + raw, tuple(tensor.shape), dtype,
                    tuple(flags)))
        if isinstance(module, NUMBERED):
            instance.lengths[path] = len(module)
        for name, child in module._modules.items():
            if child is None:
                continue
            token = int(name) if name.isdigit() and \
                isinstance(module, NUMBERED) else name
            below = path + (token,)
            if isinstance(child, PreTrainedModel):
                where = None
                if child.config is config:
                    where = ""
                elif id(child.config) in nested:
                    where = nested[id(child.config)][0]
                if where is not None:
                    target = role_of(type(child), child.config) if where \
                        else type(child).__name__
                    instance.entries.append(Entry(
                        "use", below, target=target, config=where,
                        fallback=child.config.model_type if where else ""))
                    if type(child).__name__ in no_split:
                        instance.blocks.add(below)
                    walk_tree(child, sample,
                              f"{full}.{name}." if full else f"{name}.",
                              top, no_split, collect)
                    continue
            visit(child, below)

    visit(root, ())
    collect(root, instance)
    return instance


def used_prefixes(instance):
    return [entry.path for entry in instance.entries if entry.kind == "use"]


def find_ties(model, instance):
    """Tensors that are the same object, but for those inside one used tree."""
    first = {}
    uses = used_prefixes(instance)

    def text(name):
        return tuple(int(p) if p.isdigit() else p for p in name.split("."))

    def owner_use(path):
        for use in uses:
            if path[:len(use)] == use:
                return use
        return None

    for name, tensor in model.named_parameters(remove_duplicate=False):
        path = text(name)
        if id(tensor) in first:
            owner = first[id(tensor)]
            if owner_use(path) is None or owner_use(path) != owner_use(owner):
                instance.ties.append((path, owner))
        else:
            first[id(tensor)] = path


def collect_rows(samples, model_type):
    """TreeRows of each class of this model_type that the samples hold."""
    rows = {}
    for sample in samples:
        top = sample.model
        no_split = set(top._no_split_modules or ())

        def collect(root, instance, sample=sample):
            if root.config.model_type != model_type:
                return
            if root.config is not sample.config:
                return  # nested: its own family's samples describe it
            name = type(root).__name__
            find_ties(root, instance)
            rows.setdefault(name, TreeRows(model_type, name)) \
                .instances.append(instance)

        walk_tree(top, sample, "", top, no_split, collect)
    return rows


def repeated_lists(tree):
    """Abstract paths of lists whose length is not always the same."""
    repeated = set()
    depth = 0
    while True:
        lengths = defaultdict(set)
        for instance in tree.instances:
            for path, length in instance.lengths.items():
                if sum(isinstance(p, int) for p in path) <= depth:
                    lengths[abstract(path, repeated)].add(length)
        grown = repeated | {path for path, seen in lengths.items()
                            if len(seen) > 1}
        if grown == repeated and depth > 4:
            return repeated
        repeated = grown
        depth += 1


def abstract(path, repeated):
    """The path with "#" for the numbers of repeated lists."""
    out = ()
    for token in path:
        if isinstance(token, int):
            token = "#" if out in repeated else str(token)
        out += (token,)
    return out


def numbers(path, repeated):
    """The numbers that abstract() hides."""
    out, at = (), ()
    for token in path:
        if isinstance(token, int) and at in repeated:
            out += (token,)
            token = "#"
        at += (str(token),)
    return out
