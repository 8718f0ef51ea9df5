# SPDX-License-Identifier: MIT
"""Maps for loader scripts, from folders, configurations and live modules."""

import json
from pathlib import Path

import pytest
from conftest import needs

torch, transformers = needs("torch", "transformers")

from families import FAMILIES, config_of, model_of, type_of  # noqa: E402

from transformers.integrations.accelerate import (  # noqa: E402
    _get_device_map as auto_map,
)

import memplan  # noqa: E402
import memplan.transformers as mt  # noqa: E402

SOURCES = Path(__file__).resolve().parents[2] / "libmemplan" / "src"
BIG = dict(num_hidden_layers=16, hidden_size=1024, intermediate_size=4096)


def on_meta(config):
    with torch.device("meta"):
        return type_of(config)(config)


@pytest.fixture(scope="module")
def config():
    return config_of("llama", **BIG, max_position_embeddings=65536, dtype="float16")


@pytest.fixture
def folder(config, tmp_path):
    config.save_pretrained(tmp_path)
    return tmp_path


def live_bytes(module):
    tensors = [*module.parameters(), *module.buffers()]
    return sum({id(t): t.nbytes for t in tensors}.values())


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_live_modules_are_read(family):
    config = config_of(family)
    for module in (on_meta(config), model_of(family)):
        model = mt.model_of(module)
        assert model.format == "declared"
        assert model.architecture == family
        assert model.layer_count == config.num_hidden_layers
        assert model.weight_bytes == live_bytes(module)
        names = {name for name, _ in module.named_parameters(remove_duplicate=False)}
        assert names <= {tensor.name for tensor in model.tensors}
    plan = memplan.plan(model, "cpu=4GB", context=64)
    assert plan.pool("cpu").bytes_of("kv_cache", "state") > 0


def test_ties_are_read():
    model = mt.model_of(model_of("qwen2"))
    head = next(tensor for tensor in model.tensors if tensor.name == "lm_head.weight")
    assert head.tied_to == "model.embed_tokens.weight"


def test_a_module_without_a_configuration():
    module = torch.nn.Sequential(*(torch.nn.Linear(64, 64) for _ in range(3)))
    model = mt.model_of(module)
    assert model.weight_bytes == 3 * (64 * 64 + 64) * 4


def test_folder_configuration_and_module_agree(folder, config):
    module = on_meta(config).half()
    budgets = {0: "1.2GB", "cpu": "8GB"}
    maps = [
        mt.device_map(source, budgets, context=4096)
        for source in (folder, str(folder), config, module)
    ]
    assert maps[1:] == maps[:-1]
    assert set(maps[0].values()) == {0, "cpu"}


def test_maps_cover_the_module(config):
    module = on_meta(config)
    placed = mt.device_map(module, "0=1.5GB,cpu=8GB", context=2048)
    mt.check_device_map(module, placed)


def test_more_context_leaves_less(folder):
    short = mt.max_memory(folder, "0=2GB,cpu=8GB", context=1024)
    long = mt.max_memory(folder, "0=2GB,cpu=8GB", context=4096)
    assert 0 < long[0] < short[0] < 2 * 10**9


def test_shorter_steps_and_a_cache_elsewhere_leave_more(folder):
    budgets = "0=2GB,cpu=8GB"
    whole = mt.max_memory(folder, budgets, context=4096)
    steps = mt.max_memory(folder, budgets, context=4096, prompt=256)
    away = mt.max_memory(folder, budgets, context=4096, prompt=256, cache="offloaded")
    assert whole[0] < steps[0] < away[0]
    told = mt.explain_oom(folder, budgets, context=4096, prompt=256)
    assert told.better.fits


def test_what_the_plan_leaves_alone_gets_nothing(folder):
    # At this context the cache does not fit on the device: all is on the host.
    budgets = mt.max_memory(folder, "0=2GB,cpu=8GB", context=16384)
    assert set(budgets) == {"cpu"}
    found = memplan.plan(
        folder, max_memory="0=2GB,cpu=8GB", context=16384, engine="transformers"
    )
    assert found.max_memory == json.loads(found.render("json"))["max_memory"] == budgets


def test_kwargs_are_ready(folder):
    kwargs = mt.from_pretrained_kwargs(
        folder, "0=0.9GB,cpu=1.2GB,disk=9GB", context=512, offload_folder="here"
    )
    told = memplan.plan(
        folder, max_memory="0=0.9GB,cpu=1.2GB,disk=9GB", context=512, engine="transformers"
    ).render("table")
    assert f"dtype=torch.{kwargs['dtype']}," in told
    assert set(kwargs["device_map"].values()) == {0, "cpu", "disk"}
    assert kwargs["offload_folder"] == "here"
    kwargs = mt.from_pretrained_kwargs(folder, "0=2GB,cpu=8GB", context=64, dtype="bf16")
    assert kwargs["dtype"] == "bfloat16"


def schemes():
    """The quantizers of the table, by name."""
    rows = (SOURCES / "model" / "schemes.def").read_text().split("SCHEME(")[2:]
    rows = [[cell.strip() for cell in row.split(",")] for row in rows]
    return [row[1].strip('"') for row in rows if row[3] != "0"]


def shown_config(text):
    """The configuration that a plan tells to type, made."""
    shown = text[text.index("quantization_config=") :].split("\n        device_map")[0]
    shown = shown[: shown.rindex("),") + 1].split("=", 1)[1]
    import transformers

    names = dict(vars(transformers))
    if "TorchAo" in shown:
        names.update(vars(pytest.importorskip("torchao.quantization")))
    return eval(shown, names)


@pytest.mark.parametrize("scheme", schemes())
@pytest.mark.parametrize("where", ["0=8GB,cpu=8GB", "0=1.2GB,cpu=8GB"])
def test_what_is_counted_is_configured(folder, scheme, where):
    # One configuration, whether typed as the plan shows it or passed on.
    if scheme.startswith("hqq"):
        pytest.importorskip("hqq")
    options = dict(context=64, dtype=scheme)
    try:
        kwargs = mt.from_pretrained_kwargs(folder, where, **options)
    except mt.DoesNotFitError:
        assert scheme.startswith(("hqq", "quanto")) and "1.2GB" in where
        return
    if scheme.startswith("torchao"):
        pytest.importorskip("torchao")
    made = kwargs["quantization_config"]
    plan = memplan.plan(folder, where, engine="transformers", **options)
    text = plan.render("table")
    assert plan.dtype == scheme
    assert shown_config(text).to_dict() == made.to_dict()
    offloads = {0, "cpu"} == set(plan.device_map.values())
    if isinstance(made, transformers.BitsAndBytesConfig):
        assert made.llm_int8_enable_fp32_cpu_offload is offloads
    assert kwargs.get("dtype") == ("bfloat16" if scheme == "torchao-int4" else None)


def test_short_names_are_torchaos(folder):
    for name in ("int8", "int4"):
        found = memplan.plan(folder, "0=8GB,cpu=8GB", engine="transformers", dtype=name)
        assert found.dtype == f"torchao-{name}"


def test_what_does_not_fit_raises(folder):
    with pytest.raises(mt.DoesNotFitError, match="does not fit at") as caught:
        mt.device_map(folder, "cpu=100MB", context=4096)
    assert not caught.value.plan.fits
    with pytest.raises(mt.DoesNotFitError) as caught:
        mt.device_map("llama-2-7b", "0=12GB,cpu=8GB", context=16384, dtype="fp16")
    # Less than half of the context that was asked for comes after a smaller cache.
    assert (
        "keep the cache in int2 (kv_dtype='int2'); "
        "use a context of 6656 tokens (context=6656)" in str(caught.value)
    )
    assert "--" not in str(caught.value)


def test_explains_why_a_map_fails(folder):
    # All on the device: the weights fit, the cache of a long context does not.
    found = mt.explain_oom(
        folder, {0: "1.6GB", "cpu": "16GB"}, context=60000, device_map={"": 0}
    )
    assert found.fails and found.device == "0" and found.short_bytes > 0
    assert 0 < found.holds_tokens < found.context_tokens == 60000
    edge = dict(machine="0=1.6GB,cpu=16GB", engine="transformers")
    for tokens, fits in ((found.holds_tokens, True), (found.holds_tokens + 1, False)):
        assert memplan.price(folder, {"": 0}, context=tokens, **edge).fits is fits
    assert "lacks" in str(found) and "60,000 tokens" in str(found)


def resolved(placed, name):
    """Where a map puts a module: the longest key above it."""
    while name not in placed:
        name = name.rpartition(".")[0]
    return str(placed[name])


def test_explains_the_automatic_map(folder, config):
    budgets = {0: "1.6GB", "cpu": "16GB"}
    found = mt.explain_oom(folder, budgets, context=2048)
    amounts = {0: 1600 * 10**6, "cpu": 16 * 10**9}
    made = auto_map(on_meta(config).half(), "auto", amounts, None)
    assert found.is_automatic
    for unit in found.ledger.placement:
        assert unit.pool == resolved(made, unit.unit) == resolved(
            found.device_map, unit.unit
        )
    named = mt.explain_oom(folder, budgets, context=2048, device_map="auto")
    assert named.text == found.text
    holds = mt.explain_oom(folder, budgets, context=64, device_map="cpu")
    assert not holds.fails and "this map holds at 64 tokens" in str(holds)


def test_explains_a_map_that_goes_to_disk():
    budgets = {0: "10GB", "cpu": "3GB"}
    found = mt.explain_oom("llama-3.1-8b", budgets, context=4096, device_map="auto")
    assert "disk" in found.device_map.values()
    assert 'the map of device_map="auto"' in str(found)
    assert "of weights go to disk" in str(found)
    with pytest.raises(ValueError, match="hf_device_map"):
        mt.explain_oom("llama-3.1-8b", budgets, context=64, device_map="sequential")
