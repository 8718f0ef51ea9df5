# SPDX-License-Identifier: MIT
"""Records of llama.cpp's memory: where they are, and how to ask the same."""

import gzip
import json
import os

HOST_BYTES = 1 << 50  # a host that is never too small, where none is recorded


def is_there(folder):
    """Whether a folder holds records."""
    return os.path.exists(os.path.join(folder, "headers.json"))


def skip(folder):
    """The exit status where it does not: a failure in CI alone."""
    print(f"{folder}: no headers.json; no records to compare with, skipped")
    return 1 if os.environ.get("CI") == "true" else 0


def load(folder, parts=("a", "b")):
    """The records of the named parts, in order."""
    for part in parts:
        path = os.path.join(folder, f"part-{part}.jsonl")
        if not os.path.exists(path):
            continue
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                if line.strip():
                    yield json.loads(line)


class Headers:
    """Headers as files of their true size, sparse, made when first asked."""

    def __init__(self, folder, into):
        with open(os.path.join(folder, "headers.json"), encoding="utf-8") as file:
            self._models = {one["model"]: one for one in json.load(file)["models"]}
        self._folder, self._into = folder, into

    def path(self, model):
        path = os.path.join(self._into, model + ".gguf")
        if not os.path.exists(path):
            entry = self._models[model]
            name = os.path.basename(entry["file"])
            with open(os.path.join(self._folder, "headers", name), "rb") as file:
                header = file.read()
            if name.endswith(".gz"):
                header = gzip.decompress(header)
            with open(path, "wb") as file:
                file.write(header)
                file.truncate(entry["file_size"])
        return path


def features(folder):
    """The processor's features, which decide how weights are packed."""
    with open(os.path.join(folder, "environment.json"), encoding="utf-8") as file:
        return json.load(file)["processor_features"]


def budgets(record):
    """The machine of a record, as memplan_machine_declare() reads it."""
    pools = [f"{i}={max(device['total'], 1)}"
             for i, device in enumerate(record["devices"])]
    host = record.get("host", {"total": HOST_BYTES})["total"]
    return ",".join(pools + [f"cpu={max(host, 1)}"])


def settings(record, cpu_features, measure):
    """The parameters of a record, as settings."""
    params = record["params"]
    devices = "/".join(f"{d['name']}:{d['total']}:{d['free']}"
                       for d in record["devices"])
    lines = [
        f"devices={devices}", f"c={params['n_ctx']}", f"b={params['n_batch']}",
        f"ub={params['n_ubatch']}", f"np={params['n_parallel']}",
        f"kvu={int(params['kv_unified'])}", f"fa={params['flash_attn']}",
        f"ctk={params['type_k']}", f"ctv={params['type_v']}",
        f"sm={params['split_mode']}",
        f"mg={params['main_gpu']}", f"nkvo={int(not params['kv_offload'])}",
        f"swa-full={int(params['swa_full'])}", f"lm={params['load_mode']}",
        f"no-repack={int(not params['repack'])}",
        f"no-op-offload={int(not params['op_offload'])}", "frontend=tool",
        f"n-outputs-max={params['n_outputs_max']}",
        f"cpu-features={'/'.join(cpu_features)}", f"measure={measure}",
    ]
    if not record.get("margins"):
        lines += [f"ngl={params['n_gpu_layers']}"]
    if params["tensor_split"]:
        lines.append("ts=" + "/".join(f"{share:g}" for share in params["tensor_split"]))
    lines += [f"ot={o['pattern']}={o['buffer_type']}" for o in params["overrides"]]
    if params["cpu_moe"]:
        lines.append("cmoe")
    if params["n_cpu_moe"]:
        lines.append(f"ncmoe={params['n_cpu_moe']}")
    return "\n".join(lines) + "\n"
