# SPDX-License-Identifier: MIT
"""memplan and Accelerate on the same budget: who keeps more on the device.

Both maps are priced by the same ledger at the same context. Accelerate's is
taken as it is used: get_balanced_memory() and infer_auto_device_map(), with
max_memory lowered until what it makes holds; that is what its user has to do
by hand. Ours must hold at once, and never keep less on the fast device.
"""

import pytest
from conftest import needs

torch, modeling = needs("torch", "accelerate.utils.modeling")

from families import config_of, type_of  # noqa: E402

import memplan  # noqa: E402

WIDE = dict(
    hidden_size=1024, intermediate_size=2816, num_hidden_layers=24, vocab_size=32000
)
SHAPES = {
    "llama, half on the device": ("llama", WIDE, 0.5, 2048),
    "llama, long context": ("llama", WIDE, 2.6, 16384),
    "qwen2, tied": ("qwen2", WIDE, 0.5, 2048),
    "gemma2, large vocabulary": ("gemma2", {**WIDE, "vocab_size": 128000}, 1.6, 2048),
    "mixtral, large layers": ("mixtral", WIDE, 0.4, 2048),
    "phi3, short and wide": ("phi3", {**WIDE, "num_hidden_layers": 6}, 0.6, 2048),
    "deepseek_v3, latent cache": ("deepseek_v3", WIDE, 0.5, 4096),
    "qwen3, nearly all": ("qwen3", WIDE, 0.95, 1024),
}
RESERVE = 900_000_000  # what a device needs beside weights, roughly


def theirs(module, budgets, model, machine, context):
    """Accelerate's map under the largest budget of device 0 that holds."""
    options = dict(no_split_module_classes=module._no_split_modules, dtype="float16")
    for share in range(100, -1, -2):
        lowered = {0: budgets[0] * share // 100, "cpu": budgets["cpu"]}
        lowered = modeling.get_balanced_memory(module, lowered, **options)
        device_map = modeling.infer_auto_device_map(module, lowered, **options)
        priced = memplan.price(model, dict(device_map), machine, context=context)
        if priced.fits:
            return priced, share
    return None, 0


def kept(plan):
    return plan.pool(0).bytes_of("weights")


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.filterwarnings("ignore")
def test_never_less_on_the_device(shape, tmp_path, record_property):
    family, changes, part, context = SHAPES[shape]
    config = config_of(
        family, **{**changes, "max_position_embeddings": 32768, "dtype": "float16"}
    )
    config.save_pretrained(tmp_path)
    with torch.device("meta"):
        module = type_of(config)(config).half()
    model = memplan.Model.open(tmp_path)
    budgets = {0: int(model.weight_bytes * part) + RESERVE, "cpu": 64 * 10**9}
    machine = memplan.Machine.declare(budgets)
    ours = memplan.plan(model, machine, context=context)
    assert ours.fits and ours.is_optimal
    other, share = theirs(module, budgets, model, machine, context)
    other_bytes = kept(other) if other is not None else 0
    print(f"{shape}: ours {kept(ours):,}, Accelerate {other_bytes:,} at {share} %")
    record_property("ours_bytes", kept(ours))
    record_property("accelerate_bytes", other_bytes)
    assert kept(ours) >= other_bytes and kept(ours) > 0
