# SPDX-License-Identifier: MIT
"""Derives the data of model families from Transformers itself.

    python derive.py [--out FOLDER] [--jobs N] MODEL_TYPE...

Each model_type is built many times on the meta device, with one key of its
configuration changed at a time and with many changed at once; names, shapes
and conditions are read off and written as rules over those keys. A rule that
does not hold in every sample is not written: the family is reported instead.
"""
import argparse
import importlib
import os
import re
import sys
import traceback
import warnings

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
warnings.filterwarnings("ignore")

import logging  # noqa: E402

import transformers  # noqa: E402
from transformers import CONFIG_MAPPING, AutoConfig  # noqa: E402
from transformers.models.auto import modeling_auto as auto  # noqa: E402

from corrections import DEFAULTS, LINES, SPELLINGS  # noqa: E402
from emit import TreeWriter, layout  # noqa: E402
from keys import Family, evaluate  # noqa: E402
from sampling import Sampler, older_spellings, raw_fields  # noqa: E402
from states import read_cache  # noqa: E402
from solving import ConditionSolver, SizeSolver, Unsolved  # noqa: E402
from trees import collect_rows  # noqa: E402

MAPPINGS = [
    ("causal", "MODEL_FOR_CAUSAL_LM_MAPPING"),
    ("image_text", "MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING"),
    ("seq2seq", "MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING"),
    ("speech", "MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING"),
    ("masked", "MODEL_FOR_MASKED_LM_MAPPING"),
    ("base", "MODEL_MAPPING"),
]


def classes_of(model_type):
    """Roles and classes of a model_type, the one it is run as first."""
    config_class = type(AutoConfig.for_model(model_type))
    out = {}
    for role, name in MAPPINGS:
        try:
            found = getattr(auto, name)[config_class]
        except KeyError:
            continue
        out[role] = found[0] if isinstance(found, (tuple, list)) else found
    if not out:  # a part that no mapping names: by the class's own word
        module = importlib.import_module(
            config_class.__module__.replace("configuration_", "modeling_"))
        for end in ("VisionModel", "TextModel", "Model"):
            for name, found in vars(module).items():
                if name.endswith(end) and isinstance(found, type) and \
                        getattr(found, "config_class", None) is config_class \
                        and "base" not in out:
                    out["base"] = found
    return out


def default_role(model_type, roles):
    """Models that read pictures too are run as such; encoders fill masks."""
    for role in ("image_text", "seq2seq", "speech", "causal", "masked",
                 "base"):
        if role == "causal" and "masked" in roles and "image_text" not in \
                roles and model_type in ENCODERS:
            continue
        if role in roles:
            return role
    raise SystemExit(f"{model_type}: no class")


ENCODERS = {"bert", "roberta", "albert", "electra", "camembert", "xlm-roberta",
            "big_bird", "data2vec-text", "ernie",
            "megatron-bert", "mobilebert", "nystromformer", "rembert",
            "roberta-prelayernorm", "roc_bert", "roformer", "xlm",
            "xlm-roberta-xl", "xmod", "modernbert", "convbert"}


def literal(value):
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(literal(item) for item in value) + "]"
    if isinstance(value, float):
        text = format(value, ".12f").rstrip("0")
        return text + "0" if text.endswith(".") else text
    return str(value)


class KeyWriter:
    """Declares each key that the rules use, defaults that are made of others
    included."""

    def __init__(self, family):
        self.family = family

    def lines(self):
        out = []
        at = 0
        while at < len(self.family.used):
            out.append(self.line(self.family.used[at]))
            at += 1
        return out

    def spelling(self, key):
        last = key.rsplit(".", 1)[-1]
        names = [key] + [other for other, name in self.family.aliases.items()
                         if name == key and other != key]
        if last == "partial_rotary_factor" and "rope_parameters" in key:
            head = key.split("rope_parameters")[0]
            rest = key.split("rope_parameters.")[1]
            names = [key, f"{head}rope_scaling.{rest}", head + last,
                     head + "rotary_pct"]
        if last == "num_local_experts":
            names.append(key[:-len(last)] + "num_experts")
        if last == "sliding_window_pattern":
            names.append(key[:-len(last)] + "_" + last)
        names += SPELLINGS.get((self.family.model_type, key), [])
        return names[:8]

    def line(self, key):
        names = " | ".join(self.spelling(key))
        default, _ = self.family.fields.get(key, (None, ""))
        by_hand = DEFAULTS.get((self.family.model_type, key))
        if by_hand is not None:
            count, rule = by_hand
            self.family.use_names(rule)
            if count:
                self.family.use_names(count)
                first, *others = names.split(" | ")
                names = " | ".join([f"{first}[{count}]", *others])
            return f"key {names} ?= {rule}"
        if key.startswith("derived.") and key[8:] in self.family.nulls:
            return self.replaced_null(key, key[8:])
        if key in self.family.fallback:
            self.family.use_names(self.family.fallback[key])
            return f"key {names} ?= {self.family.fallback[key]}"
        if default is not None and default != []:
            return f"key {names} = {literal(default)}"
        return self.derived(key, names)

    def replaced_null(self, key, given):
        """A key that has a default, and another value where it is null."""
        rows = [(env, env[key]) for env in map(self.family.env,
                                               self.family.samples
                                               + self.family.config_samples)
                if env.get(given, 0) is None and key in env]
        plain = [{k: v for k, v in env.items() if k not in (key, given)}
                 for env, _ in rows]
        try:
            rule = self.solve(plain, [value for _, value in rows])
        except Unsolved:
            self.family.problems.append(f"key {given}: no rule where null")
            rule = "UNSOLVED"
        else:
            self.family.use_names(rule)
        self.family.use_names(given)
        return f"key {key} = {given} if {given} is not None else {rule}"

    def derived(self, key, names):
        """The rule of a key that the class works out of others. Some are set
        when a model is built, so that configurations alone do not show it."""
        family = self.family
        built = [row for row in map(lambda s: self.row(key, s),
                                    family.samples) if row]
        alone = [row for row in map(lambda s: self.row(key, s),
                                    family.config_samples) if row]
        for rows in (built + alone, built):
            values = [row[2] for row in rows]
            if not values or all(value is None for value in values):
                if rows is built or not alone:
                    return f"key {names} = None"
                continue
            if all(value == values[0] for value in values):
                return f"key {names} ?= {literal(values[0])}"
            for choice in (0, 1):
                try:
                    envs = [row[choice] for row in rows]
                    if all(isinstance(v, (list, tuple)) for v in values):
                        return self.derived_list(names, envs, values)
                    text = self.solve(envs, values)
                    family.use_names(text)
                    return f"key {names} ?= {text}"
                except Unsolved:
                    continue
        family.problems.append(f"key {key}: no rule for its default "
                               f"{sorted(set(map(str, values)))[:6]}")
        return f"key {names} ?= UNSOLVED"

    def row(self, key, sample):
        """(keys with plain defaults, all keys, value) where it is not given."""
        if key in sample.given:
            return None
        env = dict(self.family.env(sample))
        value = env.pop(key, None)
        plain = {k: v for k, v in env.items()
                 if self.family.fields.get(k, (1, ""))[0] is not None
                 and not k.startswith("derived.")}
        return plain, env, value

    @staticmethod
    def solve(envs, values):
        kinds = sorted({str(value) for value in values})
        if None in values and len(kinds) > 2:
            raise Unsolved
        if all(isinstance(v, int) and not isinstance(v, bool) for v in values):
            try:
                text = SizeSolver(envs).solve(values)
                if all(evaluate(text, env) == value
                       for env, value in zip(envs, values)):
                    return text
            except Unsolved:
                pass
        if len(kinds) == 1:
            return literal(values[0])
        if len(kinds) == 2:
            one, other = sorted({literal(v) for v in values})
            condition = ConditionSolver(envs).solve(
                [literal(v) == one for v in values])
            return f"{one} if {condition} else {other}"
        if all(isinstance(v, float) for v in values):
            for name in envs[0]:
                if all(env.get(name) == v for env, v in zip(envs, values)):
                    return name
        raise Unsolved

    def derived_list(self, names, envs, values):
        count = SizeSolver(envs).solve([len(value) for value in values])
        rows, items = [], []
        for env, value in zip(envs, values):
            for at, item in enumerate(value):
                row = {k: v for k, v in env.items() if k not in "ijkl"}
                row["i"] = at
                rows.append(row)
                items.append(item)
        if len(rows) > 600:
            rows, items = rows[:600], items[:600]
        text = self.solve(rows, items) if len(set(map(str, items))) > 1 \
            else literal(items[0])
        self.family.use_names(text)
        self.family.use_names(count)
        first, *others = names.split(" | ")
        compact = count.replace(" ", "")
        return f"key {' | '.join([f'{first}[{compact}]', *others])} ?= {text}"


def own_rules(model_type):
    """Keys that a type works out of others where they are not given."""
    if model_type not in CONFIG_MAPPING:
        return ()
    fields = raw_fields(type(AutoConfig.for_model(model_type)))
    return {key for key, (default, _) in fields.items() if default is None}


def left_out_parts(sampler, body):
    """What nested configurations have that are not given at all, where that
    is not the default of their class."""
    out = []
    whole = sampler.config_class()
    for part, nested in re.findall(r" of (\w+) else (\w+)", "\n".join(body)):
        given = getattr(whole, part).to_dict()
        alone = AutoConfig.for_model(nested).to_dict() \
            if nested in CONFIG_MAPPING else given
        out += [f"without {part} {key} = {value}"
                for key, value in sorted(given.items())
                if isinstance(value, int) and (value != alone.get(key) or
                                               key in own_rules(nested))
                and not key.endswith("_token_id")]
    return out


def add_state(samples, family):
    for sample in samples:
        sample.cache = None
    found = 0
    for sample in samples[:1] + samples[:0:-1]:  # the last ones are mixtures
        if found == 22:
            break
        try:
            sample.cache = read_cache(sample.model) or []
            found += 1
        except Exception as error:  # not every forward runs without data
            family.stateless = f"{type(error).__name__}: {error}"[:90]


def derive(model_type, count=32):
    roles = classes_of(model_type)
    chosen = default_role(model_type, roles)
    sampler = Sampler(model_type, roles[chosen])
    sampler.learn()
    samples = sampler.samples(count)
    aliases = dict(getattr(sampler.config_class, "attribute_map", {}) or {})
    aliases.update(older_spellings(sampler.config_class))
    family = Family(model_type, sampler.fields, aliases)
    family.samples = samples
    family.learn_nulls(samples)
    # Before any forward pass: some move their buffers.
    classes = collect_rows(samples, model_type)
    add_state(samples, family)
    if not any(sample.cache for sample in samples):
        family.problems.append(f"no state: {family.stateless}")
    family.config_samples = sampler.config_samples(30)
    for role in ("base", "causal"):  # seldom inside what it is run as
        if role in roles and roles[role].__name__ not in classes:
            try:
                other = Sampler(model_type, roles[role])
                other.menus = sampler.menus
                extra = other.samples(count // 2)
                rows = collect_rows(extra, model_type)
                add_state(extra, family)
            except Exception:  # a class that wants a nested configuration
                continue
            family.samples += extra
            for name, tree in rows.items():
                classes.setdefault(name, tree)
    body = []
    for name, tree in classes.items():
        text = layout(TreeWriter(family, tree).write())
        body.append(f"tree {name}")
        for start, line in LINES.get(model_type, ()):
            text = [(indent, line if re.match(start, old) else old)
                    for indent, old in text]
            family.use_names(line.partition("[")[2].rpartition("]")[0])
        body += ["  " * indent + line for indent, line in text]
    keys = KeyWriter(family).lines()
    head = [f"family {model_type}",
            f"# {roles[chosen].__name__} of Transformers "
            f"{transformers.__version__}"]
    head += [f"role {role} {cls.__name__}" for role, cls in roles.items()
             if role in ("base", "causal")]
    head.append(f"role default {roles[chosen].__name__}")
    return "\n".join(head + keys + left_out_parts(sampler, body) + body) + "\n", family, len(samples)


def main():
    logging.disable(logging.CRITICAL)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", default=".")
    parser.add_argument("--samples", type=int, default=32)
    parser.add_argument("model_types", nargs="+")
    options = parser.parse_args()
    for model_type in options.model_types:
        try:
            text, family, count = derive(model_type, options.samples)
        except Exception as error:  # the next family may still be sound
            where = traceback.extract_tb(error.__traceback__)[-1]
            print(f"{model_type}: failed: {error!r:.200} at "
                  f"{os.path.basename(where.filename)}:{where.lineno}",
                  flush=True)
            continue
        broken = "UNSOLVED" in text
        name = re.sub(r"[^\w-]", "_", model_type)
        end = ".broken" if broken else ".txt"
        with open(os.path.join(options.out, name + end), "w") as out:
            out.write(text)
        print(f"{model_type}: {'broken' if broken else 'sound'}, "
              f"{count} samples", *family.problems[:6], sep="\n    ",
              flush=True)


if __name__ == "__main__":
    sys.exit(main())
