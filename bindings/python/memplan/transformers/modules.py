# SPDX-License-Identifier: MIT
"""A live torch.nn.Module, read as a tree: names, classes, sizes, no weights.

Works alike on real, meta and fake tensors. torch is not imported here: what
is needed of it is in the module that the caller hands over.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Optional, Tuple

from memplan import _library

if TYPE_CHECKING:
    import torch

    Module = torch.nn.Module
else:
    Module = Any

__all__ = ["tree_of", "describe"]


def dtype_name(dtype: object) -> str:
    """PyTorch's name of a dtype, without "torch."."""
    name = str(dtype)
    if type(dtype).__name__ == "CustomDtype":  # Accelerate's, for 4 bits and 2
        return "CustomDtype." + getattr(dtype, "name", name)
    return name[len("torch.") :] if name.startswith("torch.") else name


def _walk(
    module: Module, parent: Optional[int], name: str, out: List[Tuple[Any, ...]]
) -> Iterator[Tuple[int, Module]]:
    """Every path to a module, in the order of named_modules()."""
    stack: List[Tuple[Module, Optional[int], str]] = [(module, parent, name)]
    while stack:
        here, above, called = stack.pop()
        index = len(out)
        out.append((called, type(here).__name__, above, here))
        yield index, here
        below = [
            (child, index, key)
            for key, child in here._modules.items()
            if child is not None
        ]
        stack.extend(reversed(below))


def _own_tensors(module: Module) -> Iterator[Tuple[str, Any, int]]:
    for name, tensor in module._parameters.items():
        if tensor is not None:
            yield name, tensor, 0
    transient = module._non_persistent_buffers_set
    for name, buffer in module._buffers.items():
        if buffer is not None:
            yield name, buffer, 2 if name in transient else 1


def describe(module: Module) -> str:
    """The tree as memplan_modules_parse() wants it."""
    rows: List[Tuple[Any, ...]] = []
    seen_modules: Dict[int, int] = {}
    seen_tensors: Dict[int, int] = {}
    modules: List[List[Any]] = []
    tensors: List[List[Any]] = []
    for index, here in _walk(module, None, "", rows):
        name, kind, parent, _ = rows[index]
        modules.append([name, kind, parent, seen_modules.setdefault(id(here), index)])
        for called, tensor, what in _own_tensors(here):
            first = seen_tensors.setdefault(id(tensor), len(tensors))
            tensors.append(
                [
                    called,
                    type(tensor).__name__,
                    index,
                    what,
                    dtype_name(tensor.dtype),
                    list(tensor.shape),
                    first,
                ]
            )
    return json.dumps({"modules": modules, "tensors": tensors})


def tree_of(module: Module) -> _library.Handle:
    """The library's tree of a live module."""
    return _library.read_modules(describe(module))
