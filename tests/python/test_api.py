# SPDX-License-Identifier: MIT
"""The plain API: what a caller meets, without torch."""

import dataclasses
import gc
import json
import os
import subprocess
import sys
import threading

import pytest

import memplan
from memplan import _library

LLAMA = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "dtype": "float16",
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "vocab_size": 1000,
    "max_position_embeddings": 512,
    "rms_norm_eps": 1e-5,
    "tie_word_embeddings": False,
}
#: CPython's own module of sub-interpreters.
MODULE = "_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters"

# embed + head; a layer: q, o, k, v, three of the MLP, two norms; the last norm.
LAYER = 2 * 256 * 256 + 2 * 256 * 128 + 3 * 256 * 512 + 2 * 256
PARAMETERS = 2 * 1000 * 256 + 4 * LAYER + 256


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(LLAMA))
    return tmp_path


@pytest.fixture
def plan(folder):
    return memplan.plan(folder, {0: "2GB", "cpu": "8GB"}, context=128)


def test_version_is_one(plan):
    assert memplan.__version__.count(".") == 2


def test_model_counts_by_hand(folder):
    model = memplan.Model.open(folder)
    assert model.parameter_count == PARAMETERS
    assert (model.architecture, model.layer_count) == ("llama", 4)
    assert model.context_tokens == 512
    assert [unit.kind for unit in model.units].count("layer") == 4
    tensors = {tensor.name: tensor for tensor in model.tensors}
    assert tensors["lm_head.weight"].shape == (1000, 256)
    assert tensors["lm_head.weight"].bytes == 512_000
    assert sum(unit.weight_bytes for unit in model.units) == model.weight_bytes


def test_plan_adds_up(plan):
    assert plan.fits
    for pool in plan.pools:
        assert pool.used_bytes == sum(row.bytes for row in pool.rows)
        assert isinstance(pool.used_bytes, int)
    keys = {pool.key for pool in plan.pools}
    assert {row.pool for row in plan.placement} <= keys
    # 4 layers, 128 tokens, 4 heads of 32, keys and values, 2 bytes each.
    cache = sum(pool.bytes_of("kv_cache") for pool in plan.pools)
    assert cache == 4 * 128 * 4 * 32 * 2 * 2


def test_strings_stand_for_objects(folder, plan):
    machine = memplan.Machine.declare("0=2GB,cpu=8GB")
    same = memplan.plan(memplan.Model.open(str(folder)), machine, context=128)
    assert same.to_dict()["pools"] == plan.to_dict()["pools"]
    text = memplan.plan(str(folder), max_memory={0: 2 * 10**9, "cpu": "8GB"}, context=128)
    assert text.device_map == same.device_map == plan.device_map


def test_wrong_types_are_named(folder):
    with pytest.raises(TypeError, match=r"Model\.open"):
        memplan.Model(str(folder))
    with pytest.raises(TypeError, match="context_tokens: '4096' is no whole number"):
        memplan.plan(folder, "0=2GB", context="4096")
    with pytest.raises(TypeError, match="context_tokens: 64.5 is no whole number"):
        memplan.plan(folder, "0=2GB", context=64.5)
    with pytest.raises(TypeError, match="dtype: 16 is no text"):
        memplan.plan(folder, "0=2GB", dtype=16)
    with pytest.raises(TypeError, match="None is no model"):
        memplan.plan(None)
    with pytest.raises(memplan.ArgumentError, match="no budgets"):
        memplan.plan(folder, max_memory={})


def test_words_stand_for_a_machine(folder):
    assert memplan.plan(folder, "rtx-4090, 64GiB ram", context=64).fits


def test_pins_are_obeyed(folder):
    plan = memplan.plan(folder, "0=2GB,cpu=8GB", pins={"lm_head": "cpu"}, context=64)
    assert {row.unit: row.pool for row in plan.placement}["lm_head"] == "cpu"


def test_price_keeps_the_placement(folder):
    plan = memplan.price(folder, {"": "cpu"}, "0=2GB,cpu=8GB", context=64)
    assert plan.device_map == {"": "cpu"}


@pytest.mark.parametrize(
    "budgets, pins",
    [
        ("cpu=8GB", None),
        ("3=2GB", None),
        ("0=2MB,1=3MB,cpu=8GB", None),
        ("1=2GB,cpu=8GB,disk=8GB", {"model.norm": "cpu", "lm_head": "disk"}),
    ],
)
def test_the_map_is_what_the_dialect_writes(folder, budgets, pins):
    plan = memplan.plan(folder, budgets, context=64, reserve_bytes=1, pins=pins)
    written = json.loads(plan.render("device_map"))
    assert list(plan.device_map.items()) == list(written.items())
    for unit, pool in (pins or {}).items():
        assert plan.device_map[unit] == pool


def test_names_in_a_map_may_hold_anything():
    names = ['a"b', "a\\b", "a\nb", "a\tb", "\N{GREEK SMALL LETTER ALPHA}"]
    modules = [["", "Net", None, 0]]
    modules += [[name, "Linear", 0, 1 + at] for at, name in enumerate(names)]
    tensors = [
        ["weight", "Parameter", 1 + at, 0, "float32", [9], at] for at in range(len(names))
    ]
    tree = _library.read_modules(json.dumps({"modules": modules, "tensors": tensors}))
    model = memplan.Model._of(_library.declare_model(tree, "odd", None))
    expected = {name: at % 2 or "cpu" for at, name in enumerate(names)}
    plan = memplan.price(model, expected, "1=2GB,cpu=2GB", context=64)
    assert plan.device_map == expected == json.loads(plan.render("device_map"))


def test_no_is_a_plan(folder):
    plan = memplan.plan(folder, "cpu=100MB", context=64)
    assert not plan.fits
    assert plan.fixes and all(fix.text for fix in plan.fixes)


def test_rows_are_frozen(plan):
    with pytest.raises(dataclasses.FrozenInstanceError):
        plan.pools[0].used_bytes = 0


def test_every_status_has_a_class():
    names = {kind.status for kind in memplan.Error.__subclasses__()}
    assert names == {
        "ARGUMENT", "NO_MEMORY", "IO", "CORRUPT",
        "UNSUPPORTED", "TOO_LARGE", "TOO_NEW", "NOT_FOUND",
    }  # fmt: skip


def test_failures_say_what_and_where(tmp_path):
    with pytest.raises(memplan.NotFoundError, match="no-such-model"):
        memplan.Model.open("no-such-model")
    (tmp_path / "config.json").write_text('{\n "model_type": }')
    with pytest.raises(memplan.CorruptError) as caught:
        memplan.Model.open(tmp_path)
    assert (caught.value.status, caught.value.line) == ("CORRUPT", 2)
    with pytest.raises(memplan.ArgumentError, match="24"):
        memplan.bytes_parse("24G")
    with pytest.raises(memplan.ArgumentError, match="NUL"):
        memplan.Model.open("a\0b")
    with pytest.raises(memplan.ArgumentError):
        memplan.Machine.declare({"gpu": "1GB"})


def test_amounts():
    assert memplan.bytes_parse("20GB") == 20 * 10**9
    assert memplan.bytes_parse("16GiB") == 16 * 2**30
    assert memplan.bytes_format(None) == "unknown"
    assert memplan.bytes_format(0) == "0 B"


def test_it_shows_itself(plan, folder, tmp_path):
    for shown in (plan, memplan.Model.open(folder), memplan.Machine.declare("cpu=8GB")):
        assert "<svg" in shown._repr_html_()
        assert json.loads(shown.to_json()) == shown.to_dict()
        assert str(shown) == shown.table()
        shown.savefig(tmp_path / "picture.svg")
        assert (tmp_path / "picture.svg").read_text().lstrip().startswith("<svg")
    with pytest.raises(ValueError, match="svg"):
        plan.savefig("plan.png")


def test_every_dialect_renders(plan):
    for dialect in memplan.list_entries("dialects"):
        assert dialect.text
        try:
            assert plan.render(dialect.name)
        except (memplan.ArgumentError, memplan.UnsupportedError) as error:
            assert "transformers" in str(error) or "llama" in str(error), dialect


def test_lists_are_what_is_known():
    for list_ in memplan.list_entries("lists"):
        entries = memplan.list_entries(list_.name)
        pairs = [(entry.group, entry.name) for entry in entries]
        assert len(set(pairs)) == len(pairs), list_
    (gpu,) = (one for one in memplan.list_entries("gpus") if one.name == "rtx-4090")
    assert (gpu.group, gpu.bytes) == ("nvidia", 24 * 2**30)
    assert {"fp16", "int4"} <= {one.name for one in memplan.list_entries("dtypes")}
    with pytest.raises(memplan.NotFoundError, match="gpus"):
        memplan.list_entries("graphics cards")


def test_closed_is_closed(folder):
    with memplan.Model.open(folder) as model:
        assert model.layer_count == 4
    model.close()
    assert "closed" in repr(model)
    with pytest.raises(ValueError, match="closed"):
        model.layer_count


def test_any_order_of_collection(folder):
    for order in range(6):
        held = {
            "model": memplan.Model.open(folder),
            "machine": memplan.Machine.declare("0=2GB,cpu=8GB"),
        }
        held["plan"] = memplan.plan(held["model"], held["machine"], context=64)
        names = list(held)
        for at in (order % 3, order % 2):
            del held[names.pop(at)]
            gc.collect()
        if "plan" in held:
            assert held["plan"].fits and held["plan"].pools


def test_threads_share_a_plan(plan):
    expected, wrong = plan.to_dict(), []

    def read():
        for _ in range(20):
            if plan.to_dict() != expected or not plan.pools:
                wrong.append(1)

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_fork_after_import(plan, folder):
    child = os.fork()
    if child == 0:
        again = memplan.plan(folder, "0=2GB,cpu=8GB", context=128)
        os._exit(0 if again.device_map == plan.device_map else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert plan.fits


def test_sub_interpreters(folder):
    inner = f"""
import sys
sys.path[:] = {sys.path!r}
import memplan
assert memplan.plan({str(folder)!r}, "cpu=8GB").fits
"""
    outer = f"""
import {MODULE} as interpreters
import memplan
for _ in range(3):
    one = interpreters.create()
    assert interpreters.run_string(one, {inner!r}) is None
    interpreters.destroy(one)
{inner}
"""
    done = subprocess.run([sys.executable, "-c", outer], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_names_in_the_cache(folder, tmp_path, monkeypatch):
    hub = tmp_path / "home" / "hub"
    repository = hub / "models--acme--tiny"
    snapshot = repository / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0" * 40)
    (snapshot / "config.json").write_text(json.dumps(LLAMA))
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    assert memplan.Model.open("acme/tiny").layer_count == 4
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "other"))
    with pytest.raises(memplan.NotFoundError):
        memplan.Model.open("acme/tiny")
    assert memplan.Model.open("acme/tiny", cache_dir=hub).layer_count == 4
    with pytest.raises(memplan.Error, match='revision "v9"'):
        memplan.Model.open("acme/tiny", cache_dir=hub, revision="v9")


def test_visible_devices_are_passed(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    machine = memplan.Machine.detect()
    assert machine.devices == ()
    assert machine.available_bytes and machine.thread_count > 0


def test_importing_is_light():
    # Each takes longer than all of memplan, and a map needs none.
    script = """
import sys
before = set(sys.modules)
import memplan
print(memplan.plan("llama-2-7b", "cpu=99GB", context=64).device_map)
print({"dataclasses", "html", "json", "re", "typing"} & (set(sys.modules) - before))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "{'': 'cpu'}\nset()\n", done.stderr


def test_every_public_name_is_there():
    assert set(memplan.__all__) <= set(dir(memplan))
    for name in memplan.__all__:
        assert getattr(memplan, name).__doc__, name
    assert memplan.rows.Pool is memplan.Pool
    with pytest.raises(AttributeError, match="no attribute 'pool'"):
        memplan.pool


def test_only_the_library_module_knows_ffi():
    package = os.path.dirname(memplan.__file__)
    for base, _, files in os.walk(package):
        for name in files:
            if name.endswith(".py") and name != "_library.py":
                with open(os.path.join(base, name), encoding="utf-8") as file:
                    assert "_native" not in file.read(), name


def test_the_command():
    from memplan.__main__ import COMMAND

    if not COMMAND.exists():
        pytest.skip("an uninstalled build has no command beside the module")
    done = subprocess.run(
        [sys.executable, "-m", "memplan", "--version"], capture_output=True, text=True
    )
    assert done.returncode == 0 and memplan.__version__ in done.stdout
