# SPDX-License-Identifier: MIT
"""Configurations of one family, varied key by key, and the models they make.

A sample is one configuration with the model that Transformers builds of it on
the meta device: no weights, only names, shapes and dtypes.
"""
import ast
import contextlib
import dataclasses
import inspect
import itertools
import os
import random
import re
import sys
import typing

import torch
from transformers import AutoConfig, PreTrainedConfig, PreTrainedModel
from transformers.models.auto import modeling_auto as auto

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))

from needed_keys import NEEDED, nest  # noqa: E402

# Keys that shape nothing: ids, rates, activations, switches of the forward.
IGNORED = re.compile(
    r"token_id|_ids?$|initializer|_eps$|epsilon|dropout|_drop$|pdrop|hidden_act|"
    r"activation|act_fn|use_cache|_coef|theta$|layerdrop|mask_time|mask_feature|"
    r"apply_spec|output_|return_dict|id2label|label2id|transformers_version|"
    r"architectures|problem_type|_name_or_path|model_type|^dtype|\.dtype|"
    r"chunk_size_feed_forward|pretraining_tp|_std$|scale$|_scaling$|"
    r"softcap|loss|seed|top_k$|temperature|tokenizer|num_labels|"
    r"attn_implementation|topk_|n_group$|finetuning|time_step_(min|max|floor)")
LAYERS = re.compile(r"(num_.*layers?|n_layers?|layers|depth|num_blocks|n_block|"
                    r"num_hidden_layers|num_encoder_blocks)$")
EXPERTS = re.compile(r"num_(local_)?experts$|n_routed_experts$|moe_num_experts$"
                     r"|num_.*experts$")
KINDS = ["full_attention", "sliding_attention", "chunked_attention",
         "linear_attention", "conv", "moe", "dense", "sparse", "hybrid",
         "recurrent", "mlp", "indexed_attention", "compressed_attention",
         "hybrid_sliding"]
LOOSE = ["head_dim"]
BASE_FIELDS = set(inspect.signature(PreTrainedConfig).parameters)


class ModelSample:
    """What one configuration gave: its keys as JSON has them, and the model."""

    def __init__(self, given, config, model):
        self.given = given
        self.config = config
        self.model = model


def flatten(mapping, prefix=""):
    """Dotted paths of a nested dictionary; lists are values."""
    out = {}
    for key, value in mapping.items():
        path = prefix + str(key)
        if isinstance(value, dict):
            out.update(flatten(value, path + "."))
        else:
            out[path] = value
    return out


def raw_fields(config_class):
    """Default and annotation of each field of its own, unresolved."""
    out = {}
    for field in dataclasses.fields(config_class):
        if field.name in BASE_FIELDS and field.name != "tie_word_embeddings":
            continue
        default = field.default
        if default is dataclasses.MISSING:
            factory = field.default_factory
            default = factory() if factory is not dataclasses.MISSING else None
        out[field.name] = (default, str(field.type))
    for name, default in loose_keys(config_class).items():
        out.setdefault(name, (default, "int | None"))
    return out


def older_spellings(config_class):
    """Names that a key had before, by what the class does with them."""
    try:
        source = inspect.getsource(config_class)
    except OSError:
        return {}
    return {other: name for name, other in re.findall(
        r'self\.(\w+) = \(?\s*kwargs\.pop\("(\w+)"\) if "\2" in kwargs',
        source)}


def loose_keys(config_class):
    """Keys that a configuration takes without declaring them as fields."""
    out = {}
    try:
        source = inspect.getsource(config_class)
    except OSError:
        return out
    for name, default in re.findall(
            r'kwargs\.(?:pop|get)\("(\w+)"(?:, (\d+|None|True|False))?\)',
            source):
        if name in older_spellings(config_class):
            continue
        if name in BASE_FIELDS or IGNORED.search(name) or "timm" in name or \
                re.search(r"out_|backbone|config|theta|freq_base|_dict$|remote"
                          r"|type$|width$", name):
            continue
        out[name] = ast.literal_eval(default) if default else None
    return out


def all_fields(config):
    """raw_fields() of a configuration and, dotted, of those nested in it."""
    out = raw_fields(type(config))
    for name in getattr(config, "sub_configs", None) or {}:
        child = getattr(config, name, None)
        if not isinstance(child, PreTrainedConfig):
            continue
        out.pop(name, None)
        for key, (default, kind) in all_fields(child).items():
            # The parent's own default may differ from the class's.
            try:
                value = getattr(child, key, default) if "." not in key \
                    else default
            except Exception:  # an attribute that differs by layer
                value = default
            if default is None and "." not in key:
                value = None
            if isinstance(value, PreTrainedConfig):
                continue
            out[f"{name}.{key}"] = (value, kind)
    return out


def build(model_class, config):
    with torch.device("meta"), contextlib.redirect_stdout(None):
        return model_class._from_config(config, dtype=torch.bfloat16)


class Sampler:
    """Varies the configuration of one model_type for one class."""

    def __init__(self, model_type, model_class, seed=1):
        self.why = None
        self.model_class = model_class
        self.config_class = type(AutoConfig.for_model(model_type))
        self.random = random.Random(f"{model_type}{seed}")
        self.needed = NEEDED.get(model_type, {})
        self.base = self._small()
        config = self.config_class(**nest(self.base))
        self.menus = {}
        self.singles = []
        self.joint = []
        self.fields = all_fields(config)
        for key, (default, _) in list(self.fields.items()):
            if default == "auto":  # the class works it out
                self.fields[key] = (None, "int | None")
        source = inspect.getsource(inspect.getmodule(model_class))
        if "add_cross_attention" in source and "encoder_layers" not in \
                self.fields:  # one that can be a decoder too
            self.fields["is_decoder"] = (False, "bool")
            self.fields["add_cross_attention"] = (False, "bool")
            self.joint.append({"is_decoder": True,
                               "add_cross_attention": True})
        for name in LOOSE:  # read from the configuration, yet no field of it
            if f'(config, "{name}"' in source and name not in self.fields \
                    and not hasattr(self.config_class, name) and name not in \
                    (getattr(self.config_class, "attribute_map", None) or ()):
                self.fields[name] = (None, "int | None")
        self.resolved = flatten(config.to_dict())
        for key in self.resolved:
            if key.endswith("partial_rotary_factor"):
                self.fields.setdefault(key, (None, "rotary"))

    def _small(self):
        """Few layers, so that a model is built in no time."""
        given = dict(self.needed)
        config = self.config_class(**nest(given))
        for key, (value, _) in all_fields(config).items():
            if LAYERS.search(key) and isinstance(value, int) and value > 5:
                given[key] = 5
        while len(given) > len(self.needed):
            try:
                build(self.model_class, self.config_class(**nest(given)))
                return given
            except Exception:
                given.popitem()
        return given

    def attempt(self, given):
        flat = {**self.base, **given}
        try:
            config = self._config(flat)
            return ModelSample(flat, config, build(self.model_class, config))
        except Exception as error:
            self.why = error
            return None

    def _config(self, flat):
        """Rotary settings are given whole, as they stand, but for one."""
        whole = dict(flat)
        for key in flat:
            head, found, _ = key.partition("rope_parameters.")
            if found:
                head += found
                whole = {**{k: v for k, v in self.resolved.items()
                            if k.startswith(head)}, **whole}
        return self.config_class(**nest(whole))

    def config_samples(self, count):
        """Configurations alone, many layers too: what defaults become."""
        out = []
        for _ in range(count * 3):
            picks = {}
            for key, menu in self.menus.items():
                if LAYERS.search(key) and self.random.random() < 0.7:
                    picks[key] = self.random.choice([4, 7, 11, 18, 25, 37])
                elif self.random.random() < 0.3 and not callable(menu[0]):
                    picks[key] = self.random.choice(menu)
            try:
                flat = {**self.base, **picks}
                out.append(ModelSample(flat, self._config(flat), None))
            except Exception:
                continue
            if len(out) == count:
                break
        return out

    def _layer_count(self, given):
        for key in ("num_hidden_layers", "n_layer", "num_layers"):
            if key in given or key in self.base:
                return given.get(key, self.base.get(key))
        return 5

    def candidates(self, key, default, kind):
        """Values to try for one key; a callable makes one for a sample."""
        if isinstance(default, bool):
            return [not default]
        if isinstance(default, int):
            if LAYERS.search(key):
                return [3, 4, 6] if default > 2 else [default + 1, 0]
            if EXPERTS.search(key) and default > 0:
                return [8, 16, 24, 40]
            if default == 0:
                return [1, 2, 3]
            if default == 1:
                return [2, 3, 4, 0]
            if default < 8:
                return [default * 2, default * 3, default + 1, 1, 2]
            return [default * 2, default * 3, default * 5, default // 2,
                    default // 4]
        if isinstance(default, float):
            if re.search(r"ratio|factor|pct|expand|mult", key):
                return [default * 2, default / 2, 0.5, 0.75]
            return []
        if isinstance(default, str):
            return []
        if isinstance(default, (list, tuple)) and default:
            if all(isinstance(item, int) for item in default):
                return [[item * 2 for item in default],
                        [item * 3 for item in default]]
            if all(isinstance(item, str) for item in default):
                return self._kind_lists()
            return []
        if kind == "rotary":
            return [0.25, 0.5, 1.0]
        if default is None or default in ([], ()):
            if "list" in kind and "str" in kind:
                return self._kind_lists()
            if "list" in kind and "int" in kind and "layer" in key:
                return [lambda n, r: sorted(r.sample(range(n), min(n, 2)))]
            if "bool" in kind:
                return [True, False]
            if "int" in kind:
                return [2, 4, 8, 16, 48, 96, 160, 1]
        return []

    def _kind_lists(self):
        return [(lambda n, r, name=name: [name] * n) for name in KINDS]

    def learn(self):
        """Which values of each key build by themselves, or in pairs."""
        stuck = []
        for key, (default, kind) in self.fields.items():
            if IGNORED.search(key):
                continue
            good = []
            options = list(self.candidates(key, default, kind))
            if "None" in kind and default is not None \
                    and not isinstance(default, (bool, list)):
                options.append(None)
            for option in options:
                count = self._layer_count({})
                value = option(count, self.random) if callable(option) \
                    else option
                sample = self.attempt({key: value})
                if sample is not None:
                    good.append(option)
                    self.singles.append(sample)
                if len(good) >= 3 and not callable(option) and None not in \
                        options:
                    break
            if good:
                self.menus[key] = good
            elif options and isinstance(default, int):
                stuck.append((key, default))
        for (one, a), (other, b) in itertools.combinations(stuck, 2):
            sample = self.attempt({one: a * 2, other: b * 2})
            if sample is not None:  # sizes that only change together
                self.joint.append({one: a * 2, other: b * 2})
                self.singles.append(sample)

    def samples(self, count):
        """The plain one, each key alone as learnt, then mixtures; a key that
        may be null is so in some, lest a rule be fitted to one size."""
        singles = self.singles
        out = [self.attempt({})] + singles
        share = 0.5
        failures = 0
        nulls = [key for key, menu in self.menus.items() if None in menu] * 4
        count += len(nulls)
        while len(out) < count + len(singles) and failures < 120:
            picks = {key: self.random.choice(menu)
                     for key, menu in self.menus.items()
                     if self.random.random() < share}
            if nulls:
                picks[nulls.pop()] = None
            if self.joint and self.random.random() < 0.6:
                picks.update(self.random.choice(self.joint))
            sample = self.attempt(self._fill(picks))
            if sample is None:
                failures += 1
                share = max(0.08, share * 0.97)
            out.append(sample)
        out = [sample for sample in out if sample is not None]
        if len(out) < 8:
            raise RuntimeError(f"only {len(out)} samples: {self.why}")
        return out

    def _fill(self, picks):
        """Lists of kinds are mixed, as long as the model has layers."""
        count = self._layer_count(
            {k: v for k, v in picks.items() if not callable(v)})
        out = {}
        for key, option in picks.items():
            if not callable(option):
                out[key] = option
                continue
            value = option(count, self.random)
            if value and isinstance(value[0], str):
                names = [menu(1, self.random)[0] for menu in self.menus[key]
                         if callable(menu)]
                value = [self.random.choice(names) for _ in range(count)]
            out[key] = value
        return out
