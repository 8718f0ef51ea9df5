# SPDX-License-Identifier: MIT
"""Why a device map runs out of memory, and the one that does not."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional

from memplan import _library
from memplan.machine import Machine
from memplan.model import Model
from memplan.plan import Plan, plan, price
from memplan.transformers.loading import DeviceMap, Source, model_of

if TYPE_CHECKING:
    from memplan.machine import Budgets

__all__ = ["Explanation", "explain_oom"]

#: PyTorch's names of dtypes, by memplan's.
_TORCH = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16", "fp64": "float64"}


@dataclass(frozen=True)
class Explanation:
    """What explain_oom() found. ``print()`` it for the sentences."""

    fails: bool  #: The map runs out of memory at the context asked for.
    device: Optional[str]  #: Where first: "0", "cpu"; None: nowhere.
    short_bytes: int  #: How much is missing there at that context.
    context_tokens: int  #: The context asked for.
    holds_tokens: int  #: The longest context that the map holds; 0: none.
    device_map: DeviceMap  #: The map in question.
    ledger: Plan  #: That map, priced at that context.
    better: Plan  #: The best map on the same budgets.

    @property
    def text(self) -> str:
        """The explanation, in sentences."""
        tokens = f"{self.context_tokens:,} tokens"
        if not self.fails:
            return f"this map holds at {tokens}."
        assert self.device is not None
        pool = self.ledger.pool(self.device)
        lines = [
            f"this map fails at {tokens}: {pool.name} lacks "
            f"{_library.bytes_format(self.short_bytes)}.",
            f"It has {_library.bytes_format(pool.capacity_bytes)} and would hold:",
        ]
        lines += [
            f"  {row.category:12} {_library.bytes_format(row.bytes):>10}  "
            f"({row.certainty}) {row.rule}"
            for row in pool.rows
        ]
        if self.holds_tokens:
            lines.append(f"It holds up to {self.holds_tokens:,} tokens.")
        else:
            lines.append("It holds at no context.")
        if self.better.fits:
            lines.append(f"This one holds at {tokens}:")
            lines.append("  device_map = " + json.dumps(self.better.device_map))
        else:
            lines.append(f"No map holds at {tokens} within these budgets.")
            lines += [f"  {fix.text}" for fix in self.better.fixes]
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.text


def _tree(model: Model) -> _library.Handle:
    """A tree of modules from the names of a model's tensors; units stay whole."""
    indices: Dict[str, int] = {"": 0}
    modules: List[List[Any]] = [["", "Root", None, 0]]
    layers = {unit.name for unit in model.units if unit.kind == "layer"}
    own: List[List[Any]] = []
    paths: Dict[str, List[Any]] = {}
    for tensor in model.tensors:
        path, _, leaf = tensor.name.rpartition(".")
        paths.setdefault(path, []).append((leaf, tensor))
    # Preorder: a module's parts follow it, in the order they were met.
    children: Dict[str, List[str]] = {}
    for path in paths:
        parts = path.split(".") if path else []
        for depth in range(len(parts)):
            above, below = ".".join(parts[:depth]), ".".join(parts[: depth + 1])
            if below not in children.setdefault(above, []):
                children[above].append(below)
    stack = list(reversed(children.get("", [])))
    while stack:
        path = stack.pop()
        above, _, leaf = path.rpartition(".")
        indices[path] = len(modules)
        kind = "Layer" if path in layers else "Part"
        modules.append([leaf, kind, indices[above], len(modules)])
        stack.extend(reversed(children.get(path, [])))
    owners: Dict[str, int] = {}
    for path in sorted(paths, key=lambda path: indices[path]):
        for leaf, tensor in paths[path]:
            # A tied tensor counts with its owner, so it is left to it.
            what = 1 if tensor.is_buffer else 0
            dtype = _TORCH.get(tensor.dtype, "uint8")
            shape = tensor.shape if tensor.dtype in _TORCH else (tensor.bytes,)
            at = len(own)
            name = tensor.tied_to or tensor.name
            first = owners.setdefault(name, at)
            own.append([leaf, "Tensor", indices[path], what, dtype, list(shape), first])
    return _library.read_modules(json.dumps({"modules": modules, "tensors": own}))


def _automatic(model: Model, budgets: Mapping[str, int], dtype: str) -> DeviceMap:
    """What device_map="auto" makes of the budgets."""
    options: Dict[str, object] = {
        "dtype": _TORCH.get(dtype),
        "no_split": json.dumps(["Layer"]),
    }
    tree = _tree(model)
    limits: Dict[str, Any] = dict(budgets)
    text = _library.modules_balance(tree, json.dumps(limits), options)
    limits.update(json.loads(text))
    text = _library.modules_map(tree, json.dumps(limits), options)
    found: DeviceMap = json.loads(text)["device_map"]
    return found


def _shortest(ledger: Plan) -> Optional[str]:
    """The pool that lacks most, or None."""
    worst = max(ledger.pools, key=lambda pool: pool.short_bytes)
    return worst.key if worst.short_bytes else None


def explain_oom(
    model: Source,
    max_memory: Budgets,
    *,
    context: int,
    sequences: int = 1,
    device_map: Optional[DeviceMap] = None,
    dtype: Optional[str] = None,
    kv_dtype: Optional[str] = None,
    cache: Optional[str] = None,
    prompt: int = 0,
    encoder_tokens: int = 0,
) -> Explanation:
    """Why a map will fail: where, by how much, from which context on.

    :param max_memory: what the devices have: {0: "20GB", "cpu": "60GB"}.
    :param device_map: the map in question. None: the one that
        ``device_map="auto"`` makes of ``max_memory``.

    The rest is as for memplan.plan().
    """
    opened = model_of(model)
    machine = Machine.declare(max_memory)
    request: Dict[str, Any] = {
        "sequences": sequences,
        "dtype": dtype,
        "kv_dtype": kv_dtype,
        "cache": cache,
        "encoder_tokens": encoder_tokens,
        "engine": "transformers",
    }
    better = plan(opened, machine, context=context, prompt=prompt, **request)
    if device_map is None:
        budgets = {
            pool.key: pool.capacity_bytes or 2**57
            for pool in better.pools
            if pool.key != "disk"
        }
        device_map = _automatic(opened, budgets, dtype or opened.dtype)

    def priced(tokens: int) -> Plan:
        assert device_map is not None
        step = min(prompt, tokens)
        return price(
            opened, device_map, machine, context=tokens, prompt=step, **request
        )

    ledger = priced(better.context_tokens)
    holds, fails = 0, ledger.context_tokens
    if ledger.fits:
        holds = fails
    else:
        while fails - holds > 1:  # more context never needs fewer bytes
            middle = (holds + fails) // 2
            if priced(middle).fits:
                holds = middle
            else:
                fails = middle
    device = _shortest(ledger)
    return Explanation(
        fails=not ledger.fits,
        device=device,
        short_bytes=0 if device is None else ledger.pool(device).short_bytes,
        context_tokens=ledger.context_tokens,
        holds_tokens=holds,
        device_map=dict(device_map),
        ledger=ledger,
        better=better,
    )
