# SPDX-License-Identifier: MIT
"""Accelerate 1's device maps, computed in C: the same names, the same answers.

    from memplan.transformers import infer_auto_device_map, get_balanced_memory

stands in for the import from accelerate: the same sizes, budgets, maps,
warnings and exceptions for the same module. Two things are better defined
here: groups of tied parameters come in one order instead of a set's, and
get_max_memory() without an argument reads the devices without waking them,
and the host with its limits (cgroup, rlimit).

A plan (memplan.transformers.device_map) is better; these are for being the
same.
"""

from __future__ import annotations

import json
import logging
import math
import warnings
from collections import OrderedDict, defaultdict
from typing import TYPE_CHECKING, Any, Dict, Hashable, Iterable, List, Optional, Union

from memplan import _library, errors
from memplan.machine import Machine
from memplan.transformers.modules import dtype_name, tree_of

if TYPE_CHECKING:
    import torch

    Module = torch.nn.Module
    DType = Union[str, torch.dtype]
else:
    Module = Any
    DType = Any

Device = Union[int, str]
Amount = Union[int, float]
Budgets = Dict[Device, Any]

__all__ = [
    "check_device_map",
    "clean_device_map",
    "compute_module_sizes",
    "get_balanced_memory",
    "get_max_memory",
    "infer_auto_device_map",
]

logger = logging.getLogger(__name__)

# The order in which Accelerate looks for accelerators.
_ACCELERATORS = ("npu", "mlu", "sdaa", "musa", "xpu", "hpu")
_NAMED = ("mps", "cpu", "disk")


def _accelerator() -> str:
    """The kind of device that numbers stand for: "cuda" where none is."""
    import torch

    for kind in _ACCELERATORS:
        module = getattr(torch, kind, None)
        if module is not None and module.is_available():
            return kind
    return "cuda"


def _has_mps() -> bool:
    import torch

    return bool(torch.backends.mps.is_available())


def _device_count() -> int:
    import torch

    return int(getattr(torch, _accelerator()).device_count())


def _parse(size: str) -> int:
    """An amount as Accelerate reads it: "20gb" is gigabits."""
    try:
        return _library.accelerate_bytes_parse(size)
    except errors.ArgumentError:
        raise ValueError(
            f"`size` {size} is not in a valid format. Use an integer for bytes, "
            "or a string with an unit (like '5.0GB')."
        ) from None
    except errors.TooLargeError:
        raise OverflowError("cannot convert float infinity to integer") from None


def _free_memory() -> Budgets:
    machine = Machine.detect()
    free: Budgets = {
        device.index: device.free_bytes
        for device in machine.devices
        if device.free_bytes is not None and not device.is_unified
    }
    shares = any(device.is_unified for device in machine.devices)
    available = machine.available_bytes or 0
    if _has_mps():
        free["mps"] = available
    elif shares:
        # One memory for both: a budget for the host would count it twice.
        free.update((d.index, d.free_bytes or 0) for d in machine.devices)
    else:
        free["cpu"] = available
    return free


def get_max_memory(max_memory: Optional[Budgets] = None) -> Budgets:
    """Budgets in bytes: what is free, or ``max_memory`` with texts read.

    Devices come by number, then "mps", "cpu", "disk". As in Accelerate, the
    texts in the dict that is passed are replaced.
    """
    if max_memory is None:
        return _free_memory()
    for key, value in max_memory.items():
        if isinstance(value, str):
            max_memory[key] = _parse(value)
    numbered = sorted(key for key in max_memory if isinstance(key, int))
    count = _device_count()
    for device in numbered:
        if device >= count or device < 0:
            logger.warning(
                f"Device {device} is not available, available devices are "
                f"{list(range(count))}"
            )
    known: List[Device] = [*numbered, *(key for key in _NAMED if key in max_memory)]
    for key in max_memory:
        if key not in known:
            raise ValueError(
                f"Device {key} is not recognized, available devices are "
                "integers(for GPU/XPU), 'mps', 'cpu' and 'disk'"
            )
    return {key: max_memory[key] for key in known}


def _budgets(max_memory: Budgets) -> str:
    """Budgets as the library reads them; endless ones are only very large."""
    return json.dumps(
        {
            str(int(key) if isinstance(key, int) else key): (
                math.copysign(2**57, value)
                if abs(value) > 2**57
                else value if isinstance(value, float) else int(value)
            )
            for key, value in max_memory.items()
        }
    )


def _proper(dtype: Any) -> Any:
    if isinstance(dtype, str):
        import torch

        return getattr(torch, dtype.replace("torch.", ""))
    return dtype


def _options(
    dtype: Any,
    special_dtypes: Optional[Dict[str, Any]],
    no_split: Optional[Union[str, Iterable[str]]] = None,
) -> Dict[str, object]:
    if isinstance(no_split, str):
        no_split = [no_split]
    special = None
    if special_dtypes is not None:
        special = {
            key: dtype_name(_proper(kind)) for key, kind in special_dtypes.items()
        }
    return {
        "dtype": None if dtype is None else dtype_name(_proper(dtype)),
        "special_dtypes": None if special is None else json.dumps(special),
        "no_split": None if no_split is None else json.dumps(list(no_split)),
    }


def compute_module_sizes(
    model: Module,
    dtype: Optional[DType] = None,
    special_dtypes: Optional[Dict[str, DType]] = None,
    buffers_only: bool = False,
) -> Dict[str, Amount]:
    """The bytes of each module and tensor of ``model`` by path; "" is all.

    ``dtype`` is what floats become, ``special_dtypes`` the same for single
    tensors. Tied tensors count once, under their first name.
    """
    options = _options(dtype, special_dtypes)
    options["buffers_only"] = buffers_only
    sizes: Dict[str, Amount] = defaultdict(int)
    sizes.update(json.loads(_library.modules_sizes(tree_of(model), options)))
    return sizes


def _size(tree: _library.Handle, options: Dict[str, object]) -> Any:
    return json.loads(_library.modules_sizes(tree, options)).get("", 0)


def _counts(device: Device, expected: str) -> bool:
    if isinstance(device, int):
        return True
    import torch

    return bool(torch.device(device).type == expected)


def get_balanced_memory(
    model: Module,
    max_memory: Optional[Budgets] = None,
    no_split_module_classes: Optional[List[str]] = None,
    dtype: Optional[DType] = None,
    special_dtypes: Optional[Dict[str, DType]] = None,
    low_zero: bool = False,
) -> Budgets:
    """Budgets for infer_auto_device_map() that use all devices evenly.

    ``low_zero`` leaves device 0 as empty as can be, for other work.
    """
    is_free = max_memory is None
    budgets = get_max_memory(max_memory)
    accelerator = _accelerator()
    expected = "mps" if accelerator == "cuda" and _has_mps() else accelerator
    counted = [key for key in budgets if _counts(key, expected) and budgets[key] > 0]
    if not counted:
        return budgets
    if len(counted) == 1:
        low_zero = False
        first = next((key for key in budgets if isinstance(key, int)), None)
        if is_free and first is not None:
            budgets[first] *= 0.9
            logger.info(
                f"We will use 90% of the memory on device {first} for storing the "
                "model, and 10% for the buffer to avoid OOM. You can set "
                "`max_memory` in to a higher value to use more memory (at your own "
                "risk)."
            )
    options = _options(dtype, special_dtypes, no_split_module_classes)
    options.update(low_zero=low_zero, counts_mps="mps" in counted)
    tree = tree_of(model)
    if low_zero:
        for index in (*range(1, len(counted)), 0):
            budgets[index]  # a KeyError, as Accelerate has it
    changed = json.loads(_library.modules_balance(tree, _budgets(budgets), options))
    changed = {int(key): amount for key, amount in changed.items()}
    if low_zero and any(isinstance(budgets[key], float) for key in counted):
        # The library counts in bits: what is left over from floats is not whole.
        others = {**budgets, **changed}
        left = _size(tree, options) - sum([others[i] for i in range(1, len(counted))])
        changed[0] = min(max(0, left), budgets[0])
    budgets.update(changed)
    return budgets


def _warn_untied(model: Module, document: Dict[str, Any]) -> None:
    """A model that says its weights are tied, and whose are not."""
    if document["has_ties"] or not _says_tied(model):
        return
    logger.warning(
        "The model weights are not tied. Please use the `tie_weights` method before "
        "using the `infer_auto_device` function."
    )


def _says_tied(model: Module) -> bool:
    if "PreTrainedModel" not in [kind.__name__ for kind in type(model).__mro__]:
        return False
    config: Any = getattr(model, "config", None)
    inner = config
    if hasattr(config, "get_text_config"):
        inner = config.get_text_config(decoder=True)
    if (
        inner is not None
        and getattr(inner, "tie_word_embeddings", False)
        and model.get_output_embeddings()  # type: ignore[operator]
    ):
        return True
    if getattr(config, "is_encoder_decoder", False) and getattr(
        config, "tie_encoder_decoder", False
    ):
        return True
    return any(hasattr(module, "_tie_weights") for module in model.modules())


def infer_auto_device_map(
    model: Module,
    max_memory: Optional[Budgets] = None,
    no_split_module_classes: Optional[List[str]] = None,
    dtype: Optional[DType] = None,
    special_dtypes: Optional[Dict[str, DType]] = None,
    verbose: bool = False,
    clean_result: bool = True,
    offload_buffers: bool = False,
    fallback_allocation: bool = False,
) -> Dict[str, Device]:
    """A device map that fills devices in order, then "cpu", then "disk".

    Device 0 and the host keep room for the largest layer still to come. The
    arguments are Accelerate's; ``verbose`` prints what went where, and not
    each attempt.
    """
    budgets = get_max_memory(max_memory)
    options = _options(dtype, special_dtypes, no_split_module_classes)
    options.update(
        keeps_parts=not clean_result,
        offload_buffers=offload_buffers,
        fallback_allocation=fallback_allocation,
    )
    try:
        text = _library.modules_map(tree_of(model), _budgets(budgets), options)
    except errors.NotFoundError:
        raise IndexError("list index out of range") from None
    except errors.UnsupportedError as error:
        if "whole number" not in str(error):
            raise
        raise AttributeError("'float' object has no attribute 'upper'") from None
    document = json.loads(text)
    _warn_untied(model, document)
    device_map: Dict[str, Device] = OrderedDict(document["device_map"])
    if verbose:
        for name, device in device_map.items():
            print(f"Putting {name} on {device}.")
    stranded = document["stranded_buffer_bytes"]
    if stranded is not None:
        warnings.warn(
            f"Current model requires {stranded} bytes of buffer for offloaded "
            "layers, which seems does not fit any GPU's remaining memory. If you are "
            "experiencing a OOM later, please consider using offload_buffers=True.",
            stacklevel=2,
        )
    if document["unassigned"]:
        lines = "\n".join(
            f"  - {device}: {amount} bytes required"
            for device, amount in document["unassigned"].items()
        )
        logger.info(
            "Based on the current allocation process, no modules could be assigned "
            f"to the following devices due to insufficient memory:\n{lines}\nThese "
            "minimum requirements are specific to this allocation attempt and may "
            "vary. Consider increasing the available memory for these devices to at "
            "least the specified minimum, or adjusting the model config."
        )
    return device_map


def check_device_map(model: Module, device_map: Dict[str, Any]) -> None:
    """Raise ValueError unless ``device_map`` gives every tensor a device.

    Keys that name no module of ``model`` are warned of.
    """
    names = json.dumps({"keys": list(device_map), "state": list(model.state_dict())})
    found = json.loads(_library.modules_check(tree_of(model), names))
    if found["unknown"]:
        warnings.warn(
            "The following device_map keys do not match any submodules in the model: "
            f"{found['unknown']}",
            UserWarning,
            stacklevel=2,
        )
    if found["uncovered"]:
        raise ValueError(
            "The device_map provided does not give any device for the following "
            f"parameters: {', '.join(found['uncovered'])}"
        )


def clean_device_map(
    device_map: Dict[str, Hashable], module_name: str = ""
) -> Dict[str, Hashable]:
    """Join the parts of a module that go to one device, in place.

    With ``module_name``, only what lies in that module.
    """
    prefix = f"{module_name}." if module_name else ""
    inside = [key for key in device_map if key.startswith(prefix)]
    values: List[Hashable] = list(dict.fromkeys(device_map[key] for key in inside))
    numbers = {value: number for number, value in enumerate(values)}
    below = {key[len(prefix) :]: numbers[device_map[key]] for key in inside}
    cleaned = {
        prefix + key if key else module_name: values[number]
        for key, number in json.loads(
            _library.device_map_clean(json.dumps(below))
        ).items()
    }
    for key in inside:
        if key not in cleaned:
            del device_map[key]
    device_map.update(cleaned)
    return device_map
