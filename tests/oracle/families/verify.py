# SPDX-License-Identifier: MIT
"""Compares families with Transformers on configurations that nobody wrote.

    python verify.py [--count N] [--seed S] [--library PATH] MODEL_TYPE...

Where derive.py learnt its rules from round sizes, this one builds each family
with odd ones: keys changed alone, then many at once, each written out as a
config.json that has only what differs from the default. Names, shapes, dtypes,
shared bytes and units are compared, and where a forward pass on the meta
device fills a cache, the state too. One line a family; the exit code is 1
where one differs.
"""
import argparse
import json
import logging
import os
import random
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import torch  # noqa: E402
from memplan_library import Library, Refused  # noqa: E402
from transformers_truth import (  # noqa: E402
    Unbuildable, build, class_for, first_difference)

from sampling import EXPERTS, LAYERS, Sampler, nest  # noqa: E402
from states import read_cache  # noqa: E402
from transformers import CONFIG_MAPPING  # noqa: E402


class OddSampler(Sampler):
    """Sizes that no default has, and all kinds that a key may have."""

    def candidates(self, key, default, kind):
        out = super().candidates(key, default, kind)
        if isinstance(default, bool) or not isinstance(default, int):
            return out
        if LAYERS.search(key):
            return [1, 2, 5, 7] if default > 2 else out
        if EXPERTS.search(key) and default > 0:
            return [5, 7, 12, 4]
        if default < 8:
            return [3, 5, 7, 1, 6] + out
        return [default + default // 2, default // 2 * 7, default // 4 * 3,
                default + 1, default + 8, default - 2]


def state_of(library, path):
    """Sums of what the library says that layers keep, in elements."""
    state = library.render(path)["state"]
    token = state["cache_bytes_per_token"]
    return {"token": None if token is None else token // 2,
            "windowed": state["windowed_layer_count"],
            "window": state["window_tokens"] or 0,
            "fixed": state["fixed_state_bytes"]}


def true_state(model):
    rows = read_cache(model)
    if rows is None:
        return None
    token = fixed = windowed = window = 0
    for row in rows:
        own = row["key"] + row["value"]
        for name, value in row.items():
            if name.startswith("token."):
                own += value
            elif isinstance(value, tuple):
                fixed += value[0] * value[1].itemsize
        token += own
        windowed += own > 0 and row["window"] > 0
        window = max(window, row["window"] if own else 0)
    return {"token": token, "windowed": windowed, "window": window,
            "fixed": fixed}


def judge(library, path, values):
    """None, or the first difference."""
    model, dtype = build(values)
    try:
        difference = first_difference(model, dtype, *library.read(path))
    except Refused as error:
        return f"refused: {error}", None
    if difference is not None:
        return difference, None
    try:
        wanted = true_state(model)
    except Exception:  # not every forward runs without data
        return None, False
    given = state_of(library, path)
    if wanted is not None and given != wanted:
        return f"state {given}, and should be {wanted}", True
    return None, wanted is not None


def small_difference(values):
    return json.dumps({k: v for k, v in values.items()
                       if k not in ("model_type", "dtype")})


def verify(library, model_type, options):
    config = CONFIG_MAPPING[model_type]()
    model_class = class_for(config, None)
    sampler = OddSampler(model_type, model_class, options.seed)
    sampler.learn()
    samples = [s for s in sampler.samples(options.count) if s is not None]
    random.Random(options.seed).shuffle(samples)
    judged = states = 0
    different = []
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "config.json")
        for sample in samples[:options.count * 3]:
            values = {"model_type": model_type, "dtype": "bfloat16",
                      **nest(sample.given)}
            with open(path, "w") as out:
                json.dump(values, out)
            try:
                found, has_state = judge(library, path, values)
            except Unbuildable:
                continue
            judged += 1
            states += bool(has_state)
            if found:
                different.append((found, small_difference(values)))
    print(f"{model_type}: {judged - len(different)} of {judged} exact, "
          f"{states} with their state", flush=True)
    for found, values in different[:options.show]:
        print(f"    {found}\n        {values}"[:700], flush=True)
    return not different and judged > 0


def main():
    logging.disable(logging.CRITICAL)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=12)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--show", type=int, default=3)
    parser.add_argument("--library")
    parser.add_argument("model_types", nargs="+")
    options = parser.parse_args()
    library = Library(options.library)
    sound = True
    for model_type in options.model_types:
        try:
            sound = verify(library, model_type, options) and sound
        except Exception as error:  # the next family may still be sound
            print(f"{model_type}: failed: {type(error).__name__}: "
                  f"{error}"[:300], flush=True)
            sound = False
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
