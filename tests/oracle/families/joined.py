# SPDX-License-Identifier: MIT
"""Does the data say which experts loading joins?

    python3 tests/oracle/families/joined.py [--write] [FAMILY...]

Checkpoints have the experts of most families one by one, and Transformers
joins those of a layer while it loads. Each family's default model is built on
the meta device; the tensors that its weight conversions join must be those
that its file calls "joined", and no others. --write changes the files. One
line a family, and a last line "N exact, M different, K unsupported": the
latter cannot be built alone. Exits with 1 where one is different.
"""
import argparse
import contextlib
import logging
import os
import re
import sys
import warnings

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
warnings.filterwarnings("ignore")
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))

import torch  # noqa: E402
from transformers import CONFIG_MAPPING  # noqa: E402
from transformers.conversion_mapping import (  # noqa: E402
    get_checkpoint_conversion_mapping, get_model_conversion_mapping)
from transformers.core_model_loading import (  # noqa: E402
    Concatenate, MergeModulelist, WeightConverter, rename_source_key)

from transformers_truth import TWINS, class_for  # noqa: E402

FAMILIES = os.path.join(HERE, "..", "..", "..", "libmemplan", "src", "data",
                        "families")
EXPERT = re.compile(r"^\s*param (\S+) (\[.*\] )?(.*\b)?expert\b( joined)?")
#: Files whose published models are of another type, or another class's.
ASKED_AS = {"minimax_m3_vl_text": "minimax_m3_vl", "step3p5": "step3p7",
            "qwen3_vl_moe_text": "qwen3_vl_moe"}


def joins(conversion):
    return isinstance(conversion, WeightConverter) and any(
        isinstance(operation, (MergeModulelist, Concatenate))
        for operation in conversion.operations)


def conversions_of(family):
    """What loading does to a family's weights, from a model where one can be
    made: parts of it may have conversions of their own."""
    asked = ASKED_AS.get(family, TWINS.get(family, family))
    try:
        config = CONFIG_MAPPING[asked]()
        with torch.device("meta"), contextlib.redirect_stdout(None):
            model = class_for(config, None)._from_config(config)
        return get_model_conversion_mapping(model)
    except Exception:  # a default that cannot be built still has a type
        return get_checkpoint_conversion_mapping(asked)


def is_joined(name, conversions):
    full = "model.layers.0." + name
    return any(rename_source_key(full, [], [one.reverse_transform()])[1]
               for one in conversions if joins(one))


def judge(family, is_written):
    """(verdict, what there is to say), or None where it has no experts."""
    path = os.path.join(FAMILIES, family + ".txt")
    with open(path) as text:
        lines = text.read().split("\n")
    found = [(at, match) for at, line in enumerate(lines)
             if (match := EXPERT.match(line))]
    if not found:
        return None
    conversions = conversions_of(family)
    if conversions is None and family not in CONFIG_MAPPING:
        return "unsupported", "no such type"
    wrong = []
    for at, match in found:
        wanted = is_joined(match[1], conversions or [])
        if wanted == bool(match[4]):
            continue
        wrong.append(match[1])
        lines[at] = re.sub(r"\bexpert( joined)?\b",
                           "expert joined" if wanted else "expert", lines[at])
    if wrong and is_written:
        with open(path, "w") as text:
            text.write("\n".join(lines))
    return ("different", ", ".join(wrong)) if wrong else \
        ("exact", f"{sum(bool(match[4]) for _, match in found)} joined")


def main():
    logging.disable(logging.CRITICAL)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("families", nargs="*")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    counts = dict(exact=0, different=0, unsupported=0)
    for family in options.families or sorted(
            name[:-4] for name in os.listdir(FAMILIES)
            if name.endswith(".txt")):
        verdict = judge(family, options.write)
        if verdict is None:
            continue
        counts[verdict[0]] += 1
        print(f"joined {family}: {verdict[0]}: {verdict[1]}", flush=True)
    print(", ".join(f"{count} {kind}" for kind, count in counts.items()))
    return 1 if counts["different"] or not counts["exact"] else 0


if __name__ == "__main__":
    sys.exit(main())
