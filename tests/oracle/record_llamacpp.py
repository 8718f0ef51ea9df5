#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
Records new truth from a real llama.cpp, in the form that llamacpp_truth.py reads.

    record_llamacpp.py OUT --source LLAMA_CPP --build LLAMA_CPP/build
                       --model FILE.gguf... [--settings FILE] [--rpc HOST:PORT,...]

LLAMA_CPP is a source tree of the version to record (a release, or
vendor/llama.cpp of llama-cpp-python's source archive), built with

    cmake -S LLAMA_CPP -B LLAMA_CPP/build -DBUILD_SHARED_LIBS=ON -DGGML_RPC=ON \\
          -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF
    cmake --build LLAMA_CPP/build --target llama ggml-rpc-server

Each model is recorded with each line of --settings (JSON objects of the names
that a record's `params` have; a few common ones without it), as a dry run and
as a real load. Several devices on one machine: start ggml-rpc-server with
`-d CPU,CPU` and name it with --rpc. Headers are stored, tensor data is not, so
a sparse file of the right size will do for the dry run.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile

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
FEATURES = ("avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512vl", "avx512_vnni",
            "avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16")


def build_recorder(source, build, into):
    """Compiles recorder.cc against one llama.cpp."""
    program = os.path.join(into, "recorder")
    libraries = os.path.join(build, "bin")
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


def run(program, model, params, measure, servers):
    """One run: what a record's `dry` or `real` holds."""
    try:
        done = subprocess.run([program, model, *words(params, measure, servers)],
                              capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return {"ok": False, "stage": "timeout", "reason": f"{TIMEOUT_S} s"}
    if done.returncode == 0:
        result = json.loads(done.stdout.strip().splitlines()[-1])
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


def environment(source):
    """What decides packing, and what was recorded."""
    flags = ""
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            flags = next((line for line in file if line.startswith("flags")), "")
    return {"llama_cpp": os.path.basename(os.path.abspath(source)),
            "os": platform.platform(), "cores": os.cpu_count(),
            "physical_memory": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
            "processor_features": [f for f in FEATURES if f in flags.split()]}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("out")
    parser.add_argument("--source", required=True)
    parser.add_argument("--build", required=True)
    parser.add_argument("--model", required=True, nargs="+")
    parser.add_argument("--settings", help="JSON objects, one a line")
    parser.add_argument("--rpc", default="")
    parser.add_argument("--device", action="append", default=[], metavar="NAME:TOTAL:FREE",
                        help="a device as llama.cpp sees it, in order")
    parser.add_argument("--no-real", action="store_true", help="dry runs only")
    return parser.parse_args()


def main():
    options = arguments()
    os.makedirs(options.out, exist_ok=True)
    asked = COMMON
    if options.settings:
        with open(options.settings, encoding="utf-8") as file:
            asked = [json.loads(line) for line in file if line.strip()]
    devices = []
    for text in options.device:
        name, total, free = text.split(":")
        devices.append({"name": name, "total": int(total), "free": int(free)})
    seen = environment(options.source)
    host = {"free": seen["physical_memory"], "total": seen["physical_memory"]}
    models, count = [], 0
    with tempfile.TemporaryDirectory() as into, \
            open(os.path.join(options.out, "part-a.jsonl"), "w", encoding="utf-8") as part:
        program = build_recorder(options.source, options.build, into)
        for path in options.model:
            entry = store_header(path, options.out)
            models.append(entry)
            for one in asked:
                params = {**DEFAULTS, **one}
                count += 1
                record = {"id": f"R-{count:04}", "part": "R", "arch": entry["arch"],
                          "model": entry["model"], "params": params, "devices": devices,
                          "host": host,
                          "dry": run(program, path, params, "fit", options.rpc)}
                if not options.no_real:
                    record["real"] = run(program, path, params, "load", options.rpc)
                part.write(json.dumps(record) + "\n")
                print(record["id"], entry["model"], record["dry"]["ok"], flush=True)
    with open(os.path.join(options.out, "headers.json"), "w", encoding="utf-8") as file:
        json.dump({"models": models}, file, indent=1)
    with open(os.path.join(options.out, "environment.json"), "w", encoding="utf-8") as file:
        json.dump(seen, file, indent=1)
    print(f"{count} configurations of {len(models)} models in {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
