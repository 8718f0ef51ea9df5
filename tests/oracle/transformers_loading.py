# SPDX-License-Identifier: MIT
"""Bytes in files and in memory: checkpoints of many families, really saved.

    python3 tests/oracle/transformers_loading.py [--library PATH] [--long]
                                                 [FAMILY...]

Small models are saved in shards of 400 KB and loaded again, in the four ways
in which files and config.json can name their dtype. Of the folder, and of its
index alone with the shards gone, every parameter and buffer must have the
bytes that it has in the loaded model; the files' bytes must be theirs; and a
note must say so where the two differ. One line a family, and a last line "N
exact, M different, K unsupported". Without --long two of the four ways are
tried. Exits with 1 where one is different.
"""
import argparse
import glob
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

from memplan_library import Library, Refused  # noqa: E402

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..",
                             "python"))
from families import FAMILIES, model_of  # noqa: E402

#: (dtype of config.json, of the files)
WAYS = [("bfloat16", torch.float32), (None, torch.bfloat16),
        ("bfloat16", torch.bfloat16), ("float32", torch.float32)]


def in_memory(model):
    """Bytes of each tensor of its own."""
    found, seen = {}, set()
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if id(tensor) not in seen:
            seen.add(id(tensor))
            found[name] = tensor.numel() * tensor.element_size()
    return found


def name_dtype(folder, dtype):
    path = os.path.join(folder, "config.json")
    with open(path) as text:
        values = json.load(text)
    for key in ("dtype", "torch_dtype"):
        values.pop(key, None)
    if dtype is not None:
        values["dtype"] = dtype
    with open(path, "w") as text:
        json.dump(values, text)


def first_difference(library, folder, wanted):
    info, tensors, _ = library.read(folder)
    found = {name: row[2] for name, row in tensors.items() if row[4] is None}
    for name in sorted({*wanted, *found}):
        if wanted.get(name) != found.get(name):
            return f"{name} has {found.get(name)} bytes, not {wanted.get(name)}"
    return None if info["weight_bytes"] == sum(wanted.values()) else "the sum"


def check(library, family, dtype, stored):
    """None, or what is different."""
    with tempfile.TemporaryDirectory() as folder:
        model_of(family).to(stored).save_pretrained(folder,
                                                    max_shard_size="400KB")
        name_dtype(folder, dtype)
        wanted = in_memory(
            transformers.AutoModelForCausalLM.from_pretrained(folder))
        shards = glob.glob(os.path.join(folder, "*.safetensors"))
        difference = first_difference(library, folder, wanted)
        if difference is not None:
            return f"folder: {difference}"
        for shard in shards:
            os.remove(shard)
        difference = first_difference(library, folder, wanted)
        return difference and f"index alone: {difference}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("families", nargs="*")
    parser.add_argument("--library")
    parser.add_argument("--long", action="store_true")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    transformers.logging.disable_progress_bar()
    library = Library(options.library)
    counts = dict(exact=0, different=0, unsupported=0)
    for family in options.families or FAMILIES:
        verdict, kind = "", "exact"
        for dtype, stored in WAYS if options.long else WAYS[:2]:
            try:
                verdict = check(library, family, dtype, stored)
            except Refused as error:
                verdict = f"memplan: {error}"
            if verdict:
                kind = "different"
                verdict = f": config {dtype}, files {stored}, {verdict}"
                break
        counts[kind] += 1
        print(f"{family:14} {kind}{verdict or ''}"[:300], flush=True)
    print(", ".join(f"{count} {kind}" for kind, count in counts.items()))
    return 1 if counts["different"] or not counts["exact"] else 0


if __name__ == "__main__":
    sys.exit(main())
