#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
Records new truth from a real llama.cpp, in the form that llamacpp_truth.py reads.

    record_llamacpp.py OUT --source LLAMA_CPP --build LIBRARIES
                       --model FILE.gguf... [--settings FILE] [--rpc HOST:PORT,...]
    record_llamacpp.py OUT --source ... --build ... --again RECORDS [--arch NAME,...]

LLAMA_CPP is a source tree of the version to record: a release, or
vendor/llama.cpp of llama-cpp-python's source archive. LIBRARIES is a folder with
libllama.so of the same version: what `pip install --no-binary llama-cpp-python
llama-cpp-python` puts into site-packages/llama_cpp/lib, or the folder of

    cmake -S LLAMA_CPP -B BUILD -DBUILD_SHARED_LIBS=ON -DGGML_RPC=ON \\
          -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF
    cmake --build BUILD --target llama ggml-rpc-server

Each model is recorded with each line of --settings (JSON objects of the names
that a record's `params` have; a few common ones without it), as a dry run and
as a real load. --again records the models and parameters of another folder's
records once more, as far as they need no device that is not there: what changed
between two versions is then a difference of two folders. Several devices on one
machine: start ggml-rpc-server with `-d CPU,CPU` and name it with --rpc (several
servers: one device each), and say with --device what they are. Headers are
stored, tensor data is not: a sparse file of the right size will do.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile

import llamacpp_records

HERE = os.path.dirname(os.path.abspath(__file__))
TIMEOUT_S = 600
DEFAULTS = {
    "n_ctx": 4096, "n_batch": 2048, "n_ubatch": 512, "n_parallel": 1,
    "kv_unified": False, "flash_attn": "auto", "type_k": "f16", "type_v": "f16",
    "n_gpu_layers": -1, "tensor_split": None, "split_mode": "layer",
    "main_gpu": 0, "kv_offload": True, "swa_full": False, "n_outputs_max": 0,
    "load_mode": "auto", "repack": True, "op_offload": True, "overrides": [],
    "cpu_moe": False, "n_cpu_moe": 0,
}
COMMON = [{}, {"n_parallel": 4}, {"n_parallel": 4, "n_outputs_max": 4},
          {"flash_attn": "off"}, {"type_k": "q8_0", "type_v": "q8_0", "flash_attn": "on"},
          {"repack": False}, {"n_ctx": 1000, "n_ubatch": 64}, {"n_gpu_layers": 1}]
def build_recorder(source, build, into):
    """Compiles recorder.cc against one llama.cpp."""
    program = os.path.join(into, "recorder")
    libraries = next((folder for folder in (build, os.path.join(build, "bin"))
                      if os.path.exists(os.path.join(folder, "libllama.so"))), None)
    if libraries is None:
        sys.exit(f"{build}: no libllama.so in it or in its bin")
    subprocess.run(
        [os.environ.get("CXX", "c++"), "-std=c++17", "-O1",
         os.path.join(HERE, "recorder.cc"), "-o", program,
         *(f"-I{os.path.join(source, folder)}" for folder in ("include", "src", "ggml/include")),
         f"-L{libraries}", f"-Wl,-rpath,{libraries}", "-lllama", "-lggml", "-lggml-base"],
        check=True)
    return program


def words(params, measure, servers):
    """The recorder's arguments for a record's parameters."""
    out = [f"c={params['n_ctx']}", f"b={params['n_batch']}", f"ub={params['n_ubatch']}",
           f"np={params['n_parallel']}", f"kvu={int(params['kv_unified'])}",
           f"fa={params['flash_attn']}", f"ctk={params['type_k']}", f"ctv={params['type_v']}",
           f"ngl={params['n_gpu_layers']}", f"sm={params['split_mode']}",
           f"mg={params['main_gpu']}", f"nkvo={int(not params['kv_offload'])}",
           f"swa-full={int(params['swa_full'])}", f"n-outputs-max={params['n_outputs_max']}",
           f"lm={params['load_mode']}", f"no-repack={int(not params['repack'])}",
           f"no-op-offload={int(not params['op_offload'])}", f"measure={measure}"]
    if params["tensor_split"]:
        out.append("ts=" + "/".join(f"{share:g}" for share in params["tensor_split"]))
    experts = r"\.ffn_(up|down|gate|gate_up)_(ch|)exps"
    moved = [(one["pattern"], one["buffer_type"]) for one in params["overrides"]]
    moved += [(experts, "CPU")] if params["cpu_moe"] else []
    moved += [(rf"blk\.{i}{experts}", "CPU") for i in range(params["n_cpu_moe"])]
    out += [f"ot={pattern}={buffer}" for pattern, buffer in moved]
    return out + ([f"rpc={servers}"] if servers else [])


def plain_names(buffers, servers):
    """RPC0[host:port] as RPC0, or as the number of its server."""
    places = servers.split(",") if servers else []
    for buffer in buffers:
        for field in ("buffer_type", "device"):
            found = re.fullmatch(r"RPC(\d+)\[(.*)\]", buffer[field])
            if found and found.group(2) in places:
                number = int(found.group(1)) + places.index(found.group(2))
                buffer[field] = f"RPC{number}"


def run(program, model, params, measure, servers):
    """One run: what a record's `dry` or `real` holds."""
    try:
        done = subprocess.run([program, model, *words(params, measure, servers)],
                              capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return {"ok": False, "stage": "timeout", "reason": f"{TIMEOUT_S} s"}
    if done.returncode == 0:
        result = json.loads(done.stdout.strip().splitlines()[-1])
        plain_names(result["buffers"], servers)
        result["total"] = sum(b["model"] + b["context"] + b["compute"]
                              for b in result["buffers"])
        return result
    lines = [line for line in done.stderr.splitlines()
             if "ASSERT" in line or "error" in line.lower() or "llama_init" in line]
    stage = {2: "args", 3: "model", 4: "context"}.get(done.returncode, "abort")
    return {"ok": False, "stage": stage, "reason": lines[-1] if lines else "",
            "signal": -done.returncode if done.returncode < 0 else None}


def store_header(path, out):
    """Copies a header, and says what headers.json needs."""
    import gguf
    reader = gguf.GGUFReader(path)
    name = os.path.splitext(os.path.basename(path))[0]
    os.makedirs(os.path.join(out, "headers"), exist_ok=True)
    file = f"{name}.gguf-header"
    with open(path, "rb") as source, open(os.path.join(out, "headers", file), "wb") as into:
        into.write(source.read(reader.data_offset))
    architecture = reader.fields["general.architecture"].contents()
    return {"model": name, "file": f"headers/{file}", "arch": architecture,
            "data_offset": int(reader.data_offset), "file_size": os.path.getsize(path),
            "n_tensors": len(reader.tensors),
            "tensor_bytes": int(sum(tensor.n_bytes for tensor in reader.tensors))}


def environment(source, program):
    """What decides packing, and what was recorded."""
    built = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    return {"llama_cpp": os.path.basename(os.path.abspath(source)),
            "os": platform.platform(), "cores": os.cpu_count(),
            "physical_memory": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
            "processor_features": [name.lower() for name in json.loads(built)]}


def asked_of(options):
    """(model file, params, servers, whether to load for real) to record."""
    settings = COMMON
    if options.settings:
        with open(options.settings, encoding="utf-8") as file:
            settings = [json.loads(line) for line in file if line.strip()]
    for path in options.model or []:
        for one in settings:
            yield path, {**DEFAULTS, **one}, options.rpc, True
    if not options.again:
        return
    headers = llamacpp_records.Headers(options.again, options.scratch)
    wanted = options.arch.split(",") if options.arch else None
    for record in llamacpp_records.load(options.again, options.part.split(",")):
        if wanted and record["arch"] not in wanted:
            continue
        count = len(record["devices"])
        if count in (0, options.devices):
            yield (headers.path(record["model"]), record["params"],
                   options.rpc if count else "", "real" in record)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("out")
    parser.add_argument("--source", required=True)
    parser.add_argument("--build", required=True)
    parser.add_argument("--model", nargs="+")
    parser.add_argument("--settings", help="JSON objects, one a line")
    parser.add_argument("--again", help="a folder of records")
    parser.add_argument("--arch", help="of --again, between commas")
    parser.add_argument("--part", default="a,b", help="of --again")
    parser.add_argument("--rpc", default="")
    parser.add_argument("--devices", type=int, default=0,
                        help="how many devices --rpc offers, for --again")
    parser.add_argument("--no-real", action="store_true", help="dry runs only")
    return parser.parse_args()


def record_all(options, program):
    """Writes the records; returns the models by name, and how many there are."""
    models, count = {}, 0
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    path_out = os.path.join(options.out, "part-a.jsonl")
    with open(path_out, "w", encoding="utf-8") as part:
        for path, params, servers, is_real in asked_of(options):
            name = os.path.splitext(os.path.basename(path))[0]
            if name not in models:
                models[name] = store_header(path, options.out)
            count += 1
            record = {"id": f"R-{count:04}", "part": "R", "arch": models[name]["arch"],
                      "model": name, "params": params,
                      "host": {"free": memory, "total": memory},
                      "dry": run(program, path, params, "fit", servers)}
            if is_real and not options.no_real:
                record["real"] = run(program, path, params, "load", servers)
            record["devices"] = next((record[mode].pop("devices") for mode in ("real", "dry")
                                      if record.get(mode, {}).get("ok")), [])
            part.write(json.dumps(record) + "\n")
            if count % 50 == 0:
                print(f"{count} configurations of {len(models)} models", flush=True)
    return models, count


def main():
    options = arguments()
    os.makedirs(options.out, exist_ok=True)
    with tempfile.TemporaryDirectory() as into:
        options.scratch = into
        program = build_recorder(options.source, options.build, into)
        seen = environment(options.source, program)
        models, count = record_all(options, program)
    with open(os.path.join(options.out, "headers.json"), "w", encoding="utf-8") as file:
        json.dump({"models": list(models.values())}, file, indent=1)
    with open(os.path.join(options.out, "environment.json"), "w", encoding="utf-8") as file:
        json.dump(seen, file, indent=1)
    print(f"{count} configurations of {len(models)} models in {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
