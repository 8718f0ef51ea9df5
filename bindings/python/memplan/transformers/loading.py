# SPDX-License-Identifier: MIT
"""What a loader script passes to from_pretrained(), planned so that it holds."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional, Tuple, Union

from memplan import _library
from memplan.errors import UnsupportedError
from memplan.machine import Machine
from memplan.model import Model
from memplan.plan import Plan, plan
from memplan.transformers.modules import tree_of

if TYPE_CHECKING:
    import torch
    import transformers

    from memplan.machine import Budgets
    from memplan.plan import Pins
    from memplan.rows import Fix

    Source = Union[
        Model,
        str,
        "os.PathLike[str]",
        torch.nn.Module,
        transformers.PretrainedConfig,
    ]
else:
    Source = Any

Where = Optional[Union[Machine, str, "os.PathLike[str]", Mapping[Any, Any]]]
DeviceMap = Dict[str, Union[int, str]]

__all__ = [
    "DoesNotFitError",
    "device_map",
    "from_pretrained_kwargs",
    "max_memory",
    "model_of",
]

#: Plain dtypes, as from_pretrained(dtype=...) takes them.
_DTYPES = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16", "fp64": "float64"}

#: Quantized on the way in: the configuration's class and what it takes, by the
#: name that a plan gives its dtype.
_QUANTIZERS: Dict[str, Tuple[str, Dict[str, Any]]] = {
    "bnb-int8": ("BitsAndBytesConfig", {"load_in_8bit": True}),
    "torchao-int8": ("TorchAoConfig", {"quant_type": "Int8WeightOnlyConfig"}),
    "torchao-int4": (
        "TorchAoConfig",
        {
            "quant_type": "Int4WeightOnlyConfig",
            "int4_packing_format": "tile_packed_to_4d",
        },
    ),
    "hqq-int8": ("HqqConfig", {"nbits": 8, "group_size": 64}),
    "hqq-int4": ("HqqConfig", {"nbits": 4, "group_size": 64}),
    **{
        f"quanto-{kind}": ("QuantoConfig", {"weights": kind})
        for kind in ("int8", "float8", "int4", "int2")
    },
    **{
        kind + suffix: (
            "BitsAndBytesConfig",
            {"load_in_4bit": True, "bnb_4bit_quant_type": kind, **more},
        )
        for kind in ("nf4", "fp4")
        for suffix, more in (("", {}), ("-double", {"bnb_4bit_use_double_quant": True}))
    },
}

#: The dtype of the rest, where a quantizer's kernels compute in no other.
_COMPUTED = {"torchao-int4": "bfloat16"}


def spelled(fix: Fix) -> str:
    """A fix in words, with the keyword argument that it is."""
    if fix.kind == "memory":
        return fix.text
    value = fix.value if fix.kind in ("context", "prompt") else repr(fix.value)
    return f"{fix.text} ({fix.kind}={value})"


class DoesNotFitError(MemoryError):
    """No placement holds. ``plan`` says what is missing and what would help."""

    def __init__(self, found: Plan) -> None:
        self.plan = found
        short = ", ".join(
            f"{_library.bytes_format(pool.short_bytes)} on {pool.key}"
            for pool in found.pools
            if pool.short_bytes
        )
        help_ = "; ".join(spelled(fix) for fix in found.fixes)
        super().__init__(
            f"it does not fit at {found.context_tokens} tokens: {short} short"
            + (f"; {help_}" if help_ else "")
        )


def _config_json(config: Any, architecture: Optional[str] = None) -> str:
    """A configuration's JSON with all keys, and the class that is built."""
    fields = json.loads(config.to_json_string(use_diff=False))
    if architecture is not None:
        fields["architectures"] = [architecture]
    return json.dumps(fields)


def _of_config(config: Any) -> Model:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.json"
        path.write_text(_config_json(config), encoding="utf-8")
        return Model.open(path)


def model_of(source: Source) -> Model:
    """The Model of what a script has at hand.

    A live torch.nn.Module (on meta or real: its modules, tied parameters and
    buffers are read, no weights are touched), a Transformers configuration, or
    what memplan.Model.open() takes.
    """
    if isinstance(source, Model):
        return source
    if isinstance(source, (str, bytes, os.PathLike)):
        return Model.open(source)
    if not hasattr(source, "named_modules"):
        return _of_config(source)
    module: Any = source
    kind = type(module).__name__
    config = getattr(module, "config", None)
    text = _config_json(config, kind) if hasattr(config, "to_json_string") else None
    name = getattr(config, "name_or_path", "") or kind
    return Model._of(_library.declare_model(tree_of(module), name, text))


def _fitting(
    model: Source, machine: Where, offload_folder: object = None, **request: Any
) -> Plan:
    """A plan by the arguments of a function below. They are plan()'s own, but
    for ``offload_folder``, which is not the plan's."""
    found = plan(model_of(model), machine, engine="transformers", **request)
    if not found.fits:
        raise DoesNotFitError(found)
    return found


def max_memory(
    model: Source,
    machine: Where = None,
    *,
    context: int,
    sequences: int = 1,
    dtype: Optional[str] = None,
    kv_dtype: Optional[str] = None,
    cache: Optional[str] = None,
    prompt: int = 0,
    encoder_tokens: int = 0,
    max_memory: Optional[Budgets] = None,
    pins: Optional[Pins] = None,
    reserve_bytes: int = 0,
) -> Dict[Union[int, str], int]:
    """``max_memory`` for from_pretrained(device_map="auto"): bytes a device.

    The map that Transformers 5 makes of it holds, with what ``generate()`` needs
    beside weights at ``context`` tokens in ``sequences`` sequences; it may be
    slower than device_map(). Devices that stay empty have no key. The budgets
    of ``max_memory`` are laid over ``machine`` (None: this one). Raises
    DoesNotFitError, and UnsupportedError where no budgets are found with which
    "auto" holds.
    """
    return _fitting(**locals()).max_memory


def device_map(
    model: Source,
    machine: Where = None,
    *,
    context: int,
    sequences: int = 1,
    dtype: Optional[str] = None,
    kv_dtype: Optional[str] = None,
    cache: Optional[str] = None,
    prompt: int = 0,
    encoder_tokens: int = 0,
    max_memory: Optional[Budgets] = None,
    pins: Optional[Pins] = None,
    reserve_bytes: int = 0,
) -> DeviceMap:
    """``device_map`` for from_pretrained(): the fastest that holds.

    It holds while weights load and in ``generate()``, up to ``context`` tokens
    in ``sequences`` sequences. Raises DoesNotFitError.
    """
    return _fitting(**locals()).device_map


def _quantization(dtype: str, offloads: bool) -> Any:
    """The configuration of what was counted."""
    import transformers

    kind, settings = _QUANTIZERS[dtype]
    settings = dict(settings)
    if kind == "BitsAndBytesConfig" and offloads:
        # Asked for whatever the bits.
        settings["llm_int8_enable_fp32_cpu_offload"] = True
    if kind == "TorchAoConfig":
        import torchao.quantization  # type: ignore[import-not-found, import-untyped, unused-ignore]

        chosen = getattr(torchao.quantization, settings.pop("quant_type"))
        settings = {"quant_type": chosen(**settings)}
    return getattr(transformers, kind)(**settings)


def from_pretrained_kwargs(
    model: Source,
    machine: Where = None,
    *,
    context: int,
    sequences: int = 1,
    dtype: Optional[str] = None,
    kv_dtype: Optional[str] = None,
    cache: Optional[str] = None,
    prompt: int = 0,
    encoder_tokens: int = 0,
    max_memory: Optional[Budgets] = None,
    pins: Optional[Pins] = None,
    reserve_bytes: int = 0,
    offload_folder: Union[str, "os.PathLike[str]"] = "offload",
) -> Dict[str, Any]:
    """All that from_pretrained() needs to load as planned, ready for ``**``.

        >>> kwargs = from_pretrained_kwargs("./llama", context=8192, dtype="bf16")
        >>> model = AutoModelForCausalLM.from_pretrained("./llama", **kwargs)

    ``device_map`` and ``dtype``; ``max_memory``, where "auto" would hold with
    one; ``offload_folder`` where units go to disk; ``quantization_config`` for
    "int8", "int4", "nf4" and the other quantizers. Raises DoesNotFitError.

    What ``prompt``, ``cache`` and a quantized ``kv_dtype`` count is generate()'s
    to do: hand it ``prefill_chunk_size``, ``cache_implementation`` and
    ``cache_config``, as ``print(memplan.plan(...))`` shows them.
    """
    found = _fitting(**locals())
    placed = found.device_map
    kwargs: Dict[str, Any] = {"device_map": placed}
    with contextlib.suppress(UnsupportedError):  # the map decides by itself
        kwargs["max_memory"] = found.max_memory
    if dtype and found.dtype in _QUANTIZERS:
        away = {device for device in placed.values() if device in ("cpu", "disk")}
        offloads = bool(away) and away != set(placed.values())
        kwargs["quantization_config"] = _quantization(found.dtype, offloads)
        if found.dtype in _COMPUTED:
            kwargs["dtype"] = _COMPUTED[found.dtype]
    else:
        kwargs["dtype"] = _DTYPES.get(found.dtype, "auto")
    if "disk" in placed.values():
        kwargs["offload_folder"] = os.fspath(offload_folder)
    return kwargs

