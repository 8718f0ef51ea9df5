#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
Prices recorded configurations of llama.cpp and compares every buffer.

    llamacpp_truth.py DIR [--only model,context,compute] [--mode dry,real]
                          [--arch NAME] [--id ID] [--part a,b] [--show N]
                          [--library libmemplan.so]

DIR holds headers.json, headers/, environment.json and part-*.jsonl. Each run
(a dry run or a real load of one record) counts once: "exact" when all compared
buffers are, "below" when one is below the recorded bytes, else "above". A
configuration that llama.cpp refused is exact when it is refused here too;
"unsupported" is what is refused here alone.

One line for each architecture and class, and a last line
`N exact, A above, B below, U unsupported`. Exit status: 1 where something is
below, unsupported, accepted where llama.cpp ends, or above by more than 5 %.
"""

import argparse
import collections
import sys
import tempfile

import llamacpp_records as records
from llamacpp_library import Library, Refused

ABOVE_MAX = 0.05  # of a figure that is a bound
KINDS = {"weights": "model", "kv_cache": "context", "state": "context",
         "compute": "compute", "mapped": "model"}


def priced(rows):
    """{buffer type: {"model": bytes, ...}} of a ledger's rows."""
    buffers = collections.defaultdict(collections.Counter)
    for _pool, category, _certainty, rule, count in rows:
        name, _, rest = rule.partition(" ")
        if category in KINDS and "buffer" in rest.split(":")[0]:
            buffers[name][KINDS[category]] += count
    return buffers


def recorded(run):
    """The same of a record."""
    return {b["buffer_type"]: {kind: b[kind] for kind in ("model", "context", "compute")}
            for b in run["buffers"]}


def compare(ours, theirs, kinds):
    """(verdict, worst relative deviation)"""
    verdict, worst = "exact", 0.0
    for name in set(ours) | set(theirs):
        for kind in kinds:
            mine = ours.get(name, {}).get(kind, 0)
            true = theirs.get(name, {}).get(kind, 0)
            if mine == true:
                continue
            deviation = (mine - true) / true if true else float("inf")
            if abs(deviation) > abs(worst):
                worst = deviation
            if mine < true:
                verdict = "below"
            elif verdict == "exact":
                verdict = "above"
    return verdict, worst


def judge(library, path, record, mode, cpu_features, kinds):
    """(verdict, worst, what to show)"""
    run = record[mode]
    measure = "load" if mode == "real" else "fit"
    text = records.settings(record, cpu_features, measure)
    try:
        ours = priced(library.price(path, records.budgets(record), text))
    except Refused as refusal:
        if run["ok"]:
            return "unsupported", 0.0, str(refusal)
        return "exact", 0.0, ""
    if not run["ok"]:
        return "above", float("inf"), "accepted, but llama.cpp says: " + str(run.get("reason"))
    theirs = recorded(run)
    verdict, worst = compare(ours, theirs, kinds)
    shown = ""
    if verdict != "exact":
        shown = "; ".join(
            f"{name} {kind} {ours.get(name, {}).get(kind, 0)} for "
            f"{theirs.get(name, {}).get(kind, 0)}"
            for name in sorted(set(ours) | set(theirs)) for kind in kinds
            if ours.get(name, {}).get(kind, 0) != theirs.get(name, {}).get(kind, 0))
    return verdict, worst, shown


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder")
    parser.add_argument("--only", default="model,context,compute")
    parser.add_argument("--mode", default="dry,real")
    parser.add_argument("--part", default="a,b")
    parser.add_argument("--arch")
    parser.add_argument("--id")
    parser.add_argument("--show", type=int, default=0)
    parser.add_argument("--library")
    parser.add_argument("--long", action="store_true", help="as without: all runs are compared")
    return parser.parse_args()


def main():
    options = arguments()
    if not records.is_there(options.folder):
        return records.skip(options.folder)
    library = Library(options.library)
    kinds = options.only.split(",")
    cpu_features = records.features(options.folder)
    lines = collections.defaultdict(collections.Counter)
    worst = collections.defaultdict(float)
    shown = 0
    with tempfile.TemporaryDirectory() as into:
        headers = records.Headers(options.folder, into)
        for record in records.load(options.folder, options.part.split(",")):
            if options.arch and record["arch"] != options.arch:
                continue
            if options.id and record["id"] != options.id:
                continue
            key = (record["arch"], record.get("klass", "tiny"))
            for mode in options.mode.split(","):
                if not record.get(mode):
                    continue
                verdict, far, text = judge(library, headers.path(record["model"]),
                                           record, mode, cpu_features, kinds)
                lines[key][verdict] += 1
                if abs(far) > abs(worst[key]):
                    worst[key] = far
                if verdict != "exact" and shown < options.show:
                    shown += 1
                    print(f"{record['id']} {mode} {record['model']}: {verdict}: {text}")
    total = collections.Counter()
    for key in sorted(lines):
        line = lines[key]
        total.update(line)
        print(f"{key[0]} {key[1]}: {sum(line.values())} runs, {line['exact']} exact, "
              f"{line['above']} above, {line['below']} below, "
              f"{line['unsupported']} unsupported, worst {worst[key]:+.2%}")
    print(f"{total['exact']} exact, {total['above']} above, {total['below']} below, "
          f"{total['unsupported']} unsupported")
    is_far = any(far > ABOVE_MAX for far in worst.values())
    return 1 if total["below"] or total["unsupported"] or is_far else 0


if __name__ == "__main__":
    sys.exit(main())
