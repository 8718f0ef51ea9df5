# SPDX-License-Identifier: MIT
"""What rules may speak of: the keys of one model_type, as config.json gives
them, and what models work out of those.
"""
import re

from transformers.configuration_utils import remap_legacy_layer_types

from sampling import IGNORED, flatten
from solving import simple

NAME = re.compile(r'"[^"]*"|[A-Za-z_][\w.]*(?:\[[ijk]\])?')
WORDS = {"if", "else", "and", "or", "not", "in", "is", "None", "True", "False",
         "int", "ceil", "min", "max", "len", "isqrt", "i", "j", "k"}
INDICES = "ijkl"


def names_in(text):
    return [m for m in NAME.findall(text)
            if not m.startswith('"') and m not in WORDS]


def evaluate(text, env):
    """A rule's value in a row, by Python itself."""
    import math

    def swap(match):
        word = match.group(0)
        if word.startswith('"') or word in WORDS - {"i", "j", "k"}:
            return word
        return f"env[{word!r}]"

    return eval(NAME.sub(swap, text),
                {"env": env, "ceil": math.ceil, "int": int, "min": min,
                 "max": max, "len": len, "isqrt": math.isqrt})


class Family:
    """Collects the keys and the trees of one model_type."""

    def __init__(self, model_type, fields, aliases):
        self.model_type = model_type
        self.fields = fields
        self.aliases = aliases
        self.samples = []
        self.used = []
        self.trees = []
        self.problems = []
        self.has_state = False
        self.stateless = ""
        self.fallback = {}  # rules of keys that only models work out
        self.nulls = set()  # keys whose null means another thing than absence

    def learn_nulls(self, samples):
        """Keys with a default that a class replaces where they are null."""
        for sample in samples:
            resolved = flatten(sample.config.to_dict())
            self.nulls |= {
                key for key, value in sample.given.items()
                if value is None and simple(resolved.get(key))
                and self.fields.get(key, (None, ""))[0] is not None}

    def env(self, sample):
        """The values that rules may speak of, as config.json gives them."""
        cached = getattr(sample, "env", None)
        if cached is not None:
            return cached
        resolved = flatten(sample.config.to_dict())
        env = {}
        for key, (default, _) in self.fields.items():
            if IGNORED.search(key) and key not in resolved:
                continue
            if key in sample.given and sample.given[key] is not None:
                env[key] = sample.given[key]
            elif key in sample.given and default is not None:
                env[key] = None
            elif default is not None and not isinstance(default, dict):
                env[key] = default
            else:
                env[key] = resolved.get(key)
        for key, value in resolved.items():
            if "partial_rotary_factor" in key:
                env[key] = value
        for key, value in env.items():
            if key.rsplit(".", 1)[-1] in ("layer_types", "layers_block_type") \
                    and isinstance(value, (list, tuple)):
                env[key] = remap_legacy_layer_types(value)
        for key in self.nulls:
            env["derived." + key] = resolved[key]
        self.add_head_width(env)
        sample.env = env
        return env

    def add_head_width(self, env):
        """Most models fall back to hidden // heads where they are built."""
        for head in {key.rpartition(".")[0] for key in env} | {""}:
            prefix = head + "." if head else ""
            widths = [prefix + name for name in
                      ("hidden_size", "n_embd", "d_model", "dim", "embed_dim",
                       "n_embed") if prefix + name in env]
            counts = [prefix + name for name in
                      ("num_attention_heads", "n_head", "n_heads", "num_heads",
                       "num_attn_heads", "encoder_attention_heads")
                      if prefix + name in env]
            if not widths or not counts:
                continue
            width, count = env[widths[0]], env[counts[0]]
            if not isinstance(width, int) or not isinstance(count, int) or \
                    isinstance(width, bool) or count < 1:
                continue
            rule = f"{widths[0]} // {counts[0]}"
            key = prefix + "head_dim"
            if key in self.fields and self.fields[key][0] is None and \
                    self.fallback.get(key, rule) == rule and \
                    env.get(key) is None:
                self.fallback[key] = rule
                env[key] = width // count
            elif key not in env and "derived." + key not in env:
                key = "derived." + key
                self.fallback[key] = rule
                env[key] = width // count
            for other in widths[1:]:
                if simple(env[other]) and env[other] > 0:
                    key = f"derived.{other}_per_head"
                    self.fallback[key] = f"{other} // {counts[0]}"
                    env[key] = env[other] // count

    def row_env(self, sample, indices):
        env = dict(self.env(sample))
        for depth, index in enumerate(indices):
            letter = INDICES[depth]
            env[letter] = index
            for key, value in list(env.items()):
                if isinstance(value, (list, tuple)) and index < len(value) \
                        and not key.endswith("]"):
                    env[f"{key}[{letter}]"] = value[index]
        return env

    def use_names(self, text):
        for name in names_in(text):
            key = re.sub(r"\[[ijk]\]$", "", name)
            if key not in self.used:
                self.used.append(key)
