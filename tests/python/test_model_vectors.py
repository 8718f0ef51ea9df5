# SPDX-License-Identifier: MIT
"""Vectors of models and of trees of modules, which C reads too."""

import json

import pytest
from conftest import ROOT

import memplan
from memplan import _library

VECTORS = ROOT / "tests" / "vectors"


def run(name, check):
    """Every case of a file; the file says how many there are."""
    document = json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))
    for case in document["cases"]:
        try:
            check(case["given"], case["expect"])
        except Exception as error:
            raise AssertionError(f"{name}: {case['name']}: {error!r}") from error
    assert len(document["cases"]) == document["cases_expected"]


def refused(expect, key, call):
    with pytest.raises(memplan.Error) as caught:
        call()
    assert expect[key] in str(caught.value), caught.value
    assert caught.value.status == expect.get("status", caught.value.status)


def test_catalogue():
    def check(given, expect):
        model = memplan.Model.open(given["name"])
        assert model.format == "catalogue"
        assert model.parameter_count == int(expect["parameters"])
        assert model.layer_count == expect["layers"]
        assert model.architecture == expect["architecture"]

    run("catalogue", check)


def test_configs(tmp_path):
    def check(given, expect):
        (tmp_path / "config.json").write_text(given["config"], encoding="utf-8")
        if "says" in expect:
            refused(expect, "says", lambda: memplan.Model.open(tmp_path))
            return
        model = memplan.Model.open(tmp_path)
        found = {
            "parameter_count": model.parameter_count,
            "weight_bytes": model.weight_bytes,
            "layer_count": model.layer_count,
            "tensor_count": len(model.tensors),
            "unit_count": len(model.units),
            "context_tokens": model.context_tokens,
        }
        for key in found.keys() & expect.keys():
            assert found[key] == int(expect[key]), key
        units = {unit.name: unit for unit in model.units}
        for unit in expect.get("units", ()):
            if "weight_bytes" in unit:
                assert units[unit["name"]].weight_bytes == int(unit["weight_bytes"])

    run("configs", check)


def test_refused_gguf(tmp_path):
    path = tmp_path / "model.gguf"

    def check(given, expect):
        text = " ".join(line.split("#")[0] for line in given["hex"])
        path.write_bytes(bytes.fromhex(text))
        refused(expect, "message", lambda: memplan.Model.open(path))

    run("gguf_refused", check)


def test_refused_safetensors(tmp_path):
    path = tmp_path / "model.safetensors"

    def check(given, expect):
        header = given["header"].encode("utf-8")
        length = int(given.get("length", len(header)))
        data = length.to_bytes(8, "little") + header + bytes(given["data_bytes"])
        path.write_bytes(data)
        refused(expect, "message", lambda: memplan.Model.open(path))

    run("safetensors_refused", check)


def test_modules():
    def call(given):
        if given["call"] == "bytes":
            return _library.accelerate_bytes_parse(given["text"])
        if given["call"] == "clean":
            return json.loads(_library.device_map_clean(given["device_map"]))
        tree = _library.read_modules(given["tree"])
        if given["call"] == "sizes":
            return json.loads(_library.modules_sizes(tree, {}))
        if given["call"] == "balance":
            return json.loads(_library.modules_balance(tree, given["max_memory"], {}))
        return json.loads(_library.modules_map(tree, given["max_memory"], {}))

    def check(given, expect):
        if "says" in expect:
            refused(expect, "says", lambda: call(given))
        elif "bytes" in expect:
            assert call(given) == expect["bytes"]
        elif "device_map" in expect:
            assert call(given)["device_map"] == expect["device_map"]
        else:
            assert call(given) == expect["result"]

    run("modules", check)
