#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
Plans the machines of recorded automatic fits, and compares with their choice.

    llamacpp_fit.py DIR [--show N] [--id ID] [--library libmemplan.so]

A plan is good when no device holds more than its free bytes less its margin,
and when the devices together hold at least as many bytes of weights and context
as llama.cpp's own choice puts there within its margins. (Compute buffers are
the price of a choice and not what it is for. Where llama.cpp breaks a margin, its
bytes are cut to the room to the byte, which whole tensors need not reach: a record
of that kind may stay short.) Last line: `G good of N, S short, O over,
U unsupported`. Exit status: 1 below 95 %.
"""

import argparse
import collections
import json
import sys
import tempfile
import time

import llamacpp_records as records
from llamacpp_library import Library, Refused

MIB = 1 << 20
HELD = ("weights", "kv_cache", "state")


def ask(record, cpu_features):
    """The settings of a fit: context, layers and experts are left open."""
    text = records.settings(record, cpu_features, "fit")
    margins = "/".join(str(margin // MIB) for margin in record["margins"])
    return text + f"fitt={margins}\nfitc={record['fit_ctx_min']}\n"


def device_bytes(rows, categories):
    """Bytes by pool, devices alone."""
    sums = collections.Counter()
    for pool, category, _certainty, _rule, count in rows:
        if pool not in ("cpu", "disk") and category in categories:
            sums[int(pool)] += count
    return sums


def judge(record, rows):
    """(verdict, ours, theirs)"""
    buffers = {b["buffer_type"]: b for b in record["final"]["dry"]["buffers"]}
    used = device_bytes(rows, HELD + ("compute",))
    ours = sum(device_bytes(rows, HELD).values())
    theirs, is_over = 0, False
    for i, device in enumerate(record["devices"]):
        allowed = device["free"] - record["margins"][i]
        is_over = is_over or used[i] > allowed
        buffer = buffers.get(device["name"])
        if buffer:
            theirs += max(0, min(buffer["model"] + buffer["context"],
                                 allowed - buffer["compute"]))
    if is_over:
        return "over", ours, theirs
    return ("good" if ours >= theirs else "short"), ours, theirs


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder")
    parser.add_argument("--show", type=int, default=0)
    parser.add_argument("--id")
    parser.add_argument("--library")
    options = parser.parse_args()
    if not records.is_there(options.folder):
        return records.skip(options.folder)
    library = Library(options.library)
    cpu_features = records.features(options.folder)
    total, shown, slowest = collections.Counter(), 0, 0.0
    with tempfile.TemporaryDirectory() as into:
        headers = records.Headers(options.folder, into)
        for record in records.load(options.folder, ("c",)):
            if options.id and record["id"] != options.id:
                continue
            if not record.get("final") or not record["final"]["dry"]["ok"]:
                continue
            start = time.monotonic()
            ours = theirs = 0
            chosen = "{}"
            try:
                rows, chosen = library.plan(headers.path(record["model"]),
                                            records.budgets(record),
                                            ask(record, cpu_features))
                verdict, ours, theirs = judge(record, rows)
            except Refused as refusal:
                verdict, chosen = "unsupported", json.dumps({"settings": str(refusal)})
            spent = time.monotonic() - start
            slowest = max(slowest, spent)
            total[verdict] += 1
            if verdict != "good" and shown < options.show:
                shown += 1
                print(f"{record['id']} {record['model']}: {verdict}, {ours - theirs:+} bytes "
                      f"in {spent:.2f} s; llama.cpp: {record['result']['flags']}")
                print("   ", json.loads(chosen).get("settings", "").replace("\n", " ")[-600:])
    count = sum(total.values())
    print(f"slowest plan {slowest:.2f} s")
    print(f"{total['good']} good of {count}, {total['short']} short, {total['over']} over, "
          f"{total['unsupported']} unsupported")
    return 0 if total["good"] >= 0.95 * count else 1


if __name__ == "__main__":
    sys.exit(main())
