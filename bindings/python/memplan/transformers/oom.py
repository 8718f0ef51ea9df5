# SPDX-License-Identifier: MIT
"""Why a device map runs out of memory, and the one that does not."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Dict, Optional

from memplan import _library
from memplan.errors import NotFoundError
from memplan.machine import Machine, budgets_text
from memplan.model import Model
from memplan.plan import Plan, plan, price
from memplan.transformers.loading import DeviceMap, Source, model_of, spelled

if TYPE_CHECKING:
    from memplan.machine import Budgets

__all__ = ["Explanation", "explain_oom"]

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
    is_automatic: bool = False  #: It is the one of device_map="auto".

    def _on_disk(self) -> str:
        """What the automatic map leaves to a disk, which nobody expects."""
        left = sum(
            unit.weight_bytes for unit in self.ledger.placement if unit.pool == "disk"
        )
        if not self.is_automatic or not left:
            return ""
        return f", and {_library.bytes_format(left)} of weights go to disk"

    @property
    def text(self) -> str:
        """The explanation, in sentences."""
        tokens = f"{self.context_tokens:,} tokens"
        what = 'the map of device_map="auto"' if self.is_automatic else "this map"
        disk = self._on_disk()
        if not self.fails:
            return f"{what} holds at {tokens}{disk}."
        assert self.device is not None
        pool = self.ledger.pool(self.device)
        lines = [
            f"{what} fails at {tokens}: {pool.name} lacks "
            f"{_library.bytes_format(self.short_bytes)}{disk}.",
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
            lines += [f"  {spelled(fix)}" for fix in self.better.fixes]
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.text


#: What a disk may hold that nobody gave a budget: no less than any model.
_DISK_BYTES = 2**57


def _price(
    model: Model,
    placement: DeviceMap | str,
    max_memory: Budgets,
    machine: Machine,
    request: Dict[str, Any],
) -> Plan:
    """The placement priced; "auto" may leave to a disk what fits nowhere."""
    try:
        return price(model, placement, machine, **request)
    except NotFoundError:
        if placement != "auto":
            raise
    with_disk = f"{budgets_text(max_memory)},disk={_DISK_BYTES}"
    return price(model, placement, Machine.declare(with_disk), **request)


def _placement(device_map: Any) -> DeviceMap | str:
    """What from_pretrained(device_map=...) makes of its argument."""
    if device_map in (None, "auto", "balanced"):
        return "auto"
    if device_map in ("sequential", "balanced_low_0"):
        raise ValueError(
            f'device_map="{device_map}" is not worked out: pass the map that it '
            "made, model.hf_device_map"
        )
    if isinstance(device_map, (int, str)):
        return {"": device_map}
    return dict(device_map)


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
    device_map: DeviceMap | str | int | None = None,
    dtype: Optional[str] = None,
    kv_dtype: Optional[str] = None,
    cache: Optional[str] = None,
    prompt: int = 0,
    encoder_tokens: int = 0,
) -> Explanation:
    """Why a map will fail: where, by how much, from which context on.

    :param max_memory: what the devices have: {0: "20GB", "cpu": "60GB"}.
    :param device_map: the map in question, as from_pretrained() takes it. None
        or "auto": the one that Transformers 5 makes of ``max_memory``.

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
    placement = _placement(device_map)
    wanted = better.context_tokens

    def priced(tokens: int) -> Plan:
        step = min(prompt, tokens)
        asked = {**request, "context": tokens, "prompt": step}
        return _price(opened, placement, max_memory, machine, asked)

    ledger = priced(wanted)
    holds, fails = 0, wanted
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
        device_map=(
            dict(placement) if isinstance(placement, dict) else ledger.device_map
        ),
        ledger=ledger,
        better=better,
        is_automatic=placement == "auto",
    )
