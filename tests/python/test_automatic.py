# SPDX-License-Identifier: MIT
"""max_memory: what device_map="auto" makes of it holds.

Real modules on the meta device, and Transformers' own function for the map;
the map is priced as a user's would be.
"""

import itertools
import logging

import pytest
from conftest import needs

torch, transformers = needs("torch", "transformers")

from families import config_of, type_of  # noqa: E402
from transformers.integrations.accelerate import _get_device_map  # noqa: E402

import memplan  # noqa: E402

#: As published, in the parts that decide sizes.
MODELS = {
    "llama-2-70b": ("llama", "float16", dict(
        hidden_size=8192, intermediate_size=28672, num_hidden_layers=80,
        num_attention_heads=64, num_key_value_heads=8, vocab_size=32000,
    )),
    "mixtral-8x7b": ("mixtral", "bfloat16", dict(
        hidden_size=4096, intermediate_size=14336, num_hidden_layers=32,
        num_attention_heads=32, num_key_value_heads=8, vocab_size=32000,
        num_local_experts=8,
    )),
    "qwen3-8b": ("qwen3", "bfloat16", dict(
        hidden_size=4096, intermediate_size=12288, num_hidden_layers=36,
        num_attention_heads=32, num_key_value_heads=8, vocab_size=151936,
        head_dim=128,
    )),
    "qwen2.5-1.5b": ("qwen2", "bfloat16", dict(
        hidden_size=1536, intermediate_size=8960, num_hidden_layers=28,
        num_attention_heads=12, num_key_value_heads=2, vocab_size=151936,
        tie_word_embeddings=True,
    )),
}  # fmt: skip
MACHINES = [
    "gtx-1070, rtx-4090, 256GiB ram",
    "rtx-4090, gtx-1070, 512GiB ram 80GB/s",
    "2x rtx-4090, 256GiB ram",
    "rtx-3060 6GB, 64GiB ram 80GB/s",
    "rtx-3060 6GB, rtx-3060, 200GiB ram",
    "8x rtx-3090, 64GiB ram",
    "rtx-4090 20GiB, rtx-3060 11GiB, 20GiB ram, 150GB disk 3GB/s",
    "160GiB ram",
]
CONTEXTS = [512, 4096, 32768]
DTYPES = {"float16": "fp16", "bfloat16": "bf16"}


@pytest.fixture(autouse=True)
def quiet():
    """No warnings of devices that this machine does not have."""
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("name", MODELS)
def test_what_auto_makes_of_it_holds(name, tmp_path):
    family, dtype, sizes = MODELS[name]
    config = config_of(family, **sizes, max_position_embeddings=65536, dtype=dtype)
    config.save_pretrained(tmp_path)
    model = memplan.Model.open(tmp_path)
    with torch.device("meta"):
        module = type_of(config)(config).to(getattr(torch, dtype))
    tried = 0
    for machine, context in itertools.product(MACHINES, CONTEXTS):
        request = dict(
            context=context, dtype=DTYPES[dtype], engine="transformers"
        )
        found = memplan.plan(model, machine, **request)
        if not found.fits:
            continue
        budgets = found.max_memory
        made = _get_device_map(module, "auto", dict(budgets), None)
        priced = memplan.price(model, dict(made), machine, **request)
        assert priced.fits, (machine, context, budgets)
        assert {str(key) for key in set(made.values())} <= {
            pool.key for pool in found.pools
        }
        tried += 1
    assert tried > 12


def test_budgets_that_no_map_holds_are_refused():
    # There is no host to rest on, and "auto" keeps the first device from taking
    # its last layer.
    found = memplan.plan(
        "llama-2-70b", "4x rtx-3060", context=2048, dtype="nf4", engine="transformers"
    )
    assert found.fits
    with pytest.raises(memplan.UnsupportedError, match="use the plan's device_map"):
        found.max_memory
    assert '"max_memory": null' in found.render("json")
