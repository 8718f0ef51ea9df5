# SPDX-License-Identifier: MIT
"""Plans: where everything goes, what it takes, and how fast it will be."""

from __future__ import annotations

import json
import os
from typing import Any, Dict, Mapping, Optional, Tuple, Union

from memplan import _library
from memplan._shown import Shown
from memplan.machine import Budgets, Machine
from memplan.model import Model
from memplan.rows import Fix, Placement, Pool, Row

__all__ = ["Plan", "plan", "price"]

#: Units fixed to pools: "model.layers.0..9=0,lm_head=cpu", or a dict of them.
Pins = Union[str, Mapping[str, Union[int, str]]]

_CATEGORY_ORDER = ("category", "certainty", "bytes", "rule")


class Plan(Shown):
    """A placement with its ledger, its speed and its verdict.

    Made by memplan.plan() and memplan.price(). Read-only; may be shared by
    threads, and outlives its model and its machine.
    """

    __slots__ = ()

    @property
    def fits(self) -> bool:
        """Every pool holds what it is given."""
        return bool(self._handle.describe()["fits"])

    @property
    def is_optimal(self) -> bool:
        """Nothing that ``claim`` compares with is faster."""
        return bool(self._handle.describe()["is_optimal"])

    @property
    def claim(self) -> str:
        """What is proven about the placement, in words, or ""."""
        return str(self._handle.describe()["claim"])

    @property
    def gap_parts_per_million(self) -> Optional[int]:
        """Time above the proven bound, or None."""
        gap: Optional[int] = self._handle.describe()["gap_parts_per_million"]
        return gap

    @property
    def engine(self) -> str:
        """Whose rules count the bytes: "transformers", "llama.cpp"."""
        return str(self._handle.describe()["engine"])

    @property
    def profile(self) -> str:
        """Which version's: "transformers-5"."""
        return str(self._handle.describe()["profile"])

    @property
    def dtype(self) -> str:
        """Weights as planned: "bf16", "nf4"."""
        return str(self._handle.describe()["dtype"])

    @property
    def kv_dtype(self) -> str:
        """The cache as planned."""
        return str(self._handle.describe()["kv_dtype"])

    @property
    def cache(self) -> str:
        """How transformers keeps the cache: "dynamic", "static", ...; or ""."""
        return str(self._handle.describe()["cache"])

    @property
    def context_tokens(self) -> int:
        """Tokens that one sequence may hold."""
        return int(self._handle.describe()["context_tokens"])

    @property
    def sequences(self) -> int:
        """Sequences at once."""
        return int(self._handle.describe()["sequences"])

    @property
    def decode_ns_per_token(self) -> Optional[int]:
        """The least time a token takes, or None where a speed is unknown."""
        time: Optional[int] = self._handle.describe()["decode_ns_per_token"]
        return time

    @property
    def pools(self) -> Tuple[Pool, ...]:
        """Devices first, then "cpu", then "disk", each with its ledger."""
        return tuple(
            Pool(
                key=pool["key"],
                name=pool["name"],
                capacity_bytes=pool["capacity_bytes"],
                used_bytes=pool["used_bytes"],
                short_bytes=pool["short_bytes"],
                free_bytes=pool["free_bytes"],
                rows=tuple(
                    Row(**{name: row[name] for name in _CATEGORY_ORDER})
                    for row in self._handle.rows("row", index)
                ),
            )
            for index, pool in enumerate(self._handle.rows("pool"))
        )

    def pool(self, key: Union[int, str]) -> Pool:
        """The pool of that key; KeyError where there is none."""
        for pool in self.pools:
            if pool.key == str(key):
                return pool
        raise KeyError(key)

    @property
    def placement(self) -> Tuple[Placement, ...]:
        """Every unit and its pool, in the order in which they run."""
        keys = [pool["key"] for pool in self._handle.rows("pool")]
        return tuple(
            Placement(row["unit"], keys[row["pool_index"]], row["weight_bytes"])
            for row in self._handle.rows("placement")
        )

    @property
    def fixes(self) -> Tuple[Fix, ...]:
        """Changes that would make it fit, the cheapest first."""
        return tuple(
            Fix(row["kind"], row["text"], row["value"] or "", row["bytes"] or 0)
            for row in self._handle.rows("fix")
        )

    @property
    def notes(self) -> Tuple[str, ...]:
        """What else there is to know, in plain words."""
        return self._handle.notes()

    @property
    def device_map(self) -> Dict[str, Union[int, str]]:
        """For ``from_pretrained(device_map=...)`` (engine "transformers")."""
        device_map: Dict[str, Union[int, str]] = json.loads(self.render("device_map"))
        return device_map

    @property
    def max_memory(self) -> Dict[Union[int, str], int]:
        """For ``from_pretrained(max_memory=...)``: reserves are taken off."""
        budgets: Dict[str, int] = json.loads(self.render("max_memory"))
        return {
            int(key) if key.isdecimal() else key: amount
            for key, amount in budgets.items()
        }

    def render(self, dialect: str, **options: Any) -> str:
        """The plan as somebody's input; memplan.dialects() lists what there is.

        Options are those of memplan_render_options: ``width``, ``use_colour``,
        ``use_unicode``, ``with_rules``, ...
        """
        return self._handle.render(dialect, **options)

    def __repr__(self) -> str:
        if self._handle.closed:
            return "<memplan.Plan, closed>"
        info = self._handle.describe()
        verdict = "fits" if info["fits"] else "does not fit"
        return (
            f"<memplan.Plan {info['engine']}, {info['dtype']}, "
            f"{info['context_tokens']} tokens: {verdict}>"
        )


def pins_text(pins: Optional[Pins]) -> Optional[str]:
    """Pins as the library reads them."""
    if pins is None or isinstance(pins, str):
        return pins
    return ",".join(f"{unit}={pool}" for unit, pool in pins.items())


def _model(model: Union[Model, str, "os.PathLike[str]"]) -> Model:
    return model if isinstance(model, Model) else Model.open(model)


def _machine(
    machine: Optional[Union[Machine, str, "os.PathLike[str]", Mapping[Any, Any]]],
    max_memory: Optional[Budgets],
) -> Machine:
    if machine is None or isinstance(machine, Machine):
        pass
    elif isinstance(machine, Mapping) or (isinstance(machine, str) and "=" in machine):
        machine = Machine.declare(machine)
    else:
        machine = Machine.open(machine)
    if max_memory is not None:
        return Machine.declare(max_memory, machine)
    return Machine.detect() if machine is None else machine


def plan(
    model: Union[Model, str, "os.PathLike[str]"],
    machine: Optional[Union[Machine, str, "os.PathLike[str]", Mapping[Any, Any]]] = None,
    *,
    context: int = 0,
    sequences: int = 1,
    prompt: int = 0,
    dtype: Optional[str] = None,
    kv_dtype: Optional[str] = None,
    cache: Optional[str] = None,
    encoder_tokens: int = 0,
    engine: Optional[str] = None,
    max_memory: Optional[Budgets] = None,
    pins: Optional[Pins] = None,
    settings: Optional[str] = None,
    reserve_bytes: int = 0,
) -> Plan:
    """Plan where a model's memory goes on a machine: the fastest placement.

    A model that does not fit gives a Plan that says so (``plan.fits``,
    ``plan.fixes``), not an exception. The same input gives the same plan.

        >>> plan = memplan.plan("meta-llama/Llama-2-70b-chat-hf",
        ...                     max_memory={0: "20GB", "cpu": "60GB"})

    :param model: a Model, or what Model.open() takes.
    :param machine: a Machine, budgets ("0=20GB,cpu=60GB" or a dict), or a path
        that Machine.open() takes. None: this machine, or ``max_memory`` alone.
    :param context: tokens that one sequence may hold. 0: the model's own
        length, but at most 4096.
    :param sequences: sequences at once (the batch).
    :param prompt: tokens read in one step. 0: the engine's default.
    :param dtype: of weights: "fp32", "fp16", "bf16", "int8", "int4", "nf4".
        None: the file's.
    :param kv_dtype: of the cache. None: the engine's default.
    :param cache: generate()'s cache_implementation: "dynamic", "static",
        "offloaded", "offloaded_static", "quantized". None: "dynamic", or as
        ``kv_dtype`` asks.
    :param encoder_tokens: what an encoder reads, for cross attention. 0: the
        model's own number, else a whole prompt.
    :param engine: "transformers" or "llama.cpp". None: by the model's format.
    :param max_memory: budgets, alone or laid over ``machine``.
    :param pins: units fixed to pools: "model.layers.0..9=0,lm_head=cpu".
    :param settings: the engine's own parameters: "ngl=20,ub=512".
    :param reserve_bytes: kept free on each device. 0: the engine's own reserve.
    """
    return Plan(
        _library.create_plan(
            _model(model)._handle,
            _machine(machine, max_memory)._handle,
            {
                "engine": engine,
                "context_tokens": context,
                "sequences": sequences,
                "prompt_tokens": prompt,
                "dtype": dtype,
                "kv_dtype": kv_dtype,
                "cache": cache,
                "encoder_tokens": encoder_tokens,
                "settings": settings,
                "pins": pins_text(pins),
                "reserve_bytes": reserve_bytes,
            },
        )
    )


def price(
    model: Union[Model, str, "os.PathLike[str]"],
    placement: Optional[Union[str, Mapping[str, Union[int, str]]]],
    machine: Optional[Union[Machine, str, "os.PathLike[str]", Mapping[Any, Any]]] = None,
    *,
    context: int = 0,
    sequences: int = 1,
    prompt: int = 0,
    dtype: Optional[str] = None,
    kv_dtype: Optional[str] = None,
    cache: Optional[str] = None,
    encoder_tokens: int = 0,
    engine: Optional[str] = None,
    max_memory: Optional[Budgets] = None,
    settings: Optional[str] = None,
    reserve_bytes: int = 0,
) -> Plan:
    """Price exactly one placement: no search, no change.

    :param placement: a device_map (a dict or JSON) for "transformers"; settings
        ("ngl=20") or None for "llama.cpp".

    The rest is as for plan().
    """
    if placement is not None and not isinstance(placement, str):
        placement = json.dumps(dict(placement))
    return Plan(
        _library.price_plan(
            _model(model)._handle,
            _machine(machine, max_memory)._handle,
            {
                "engine": engine,
                "context_tokens": context,
                "sequences": sequences,
                "prompt_tokens": prompt,
                "dtype": dtype,
                "kv_dtype": kv_dtype,
                "cache": cache,
                "encoder_tokens": encoder_tokens,
                "settings": settings,
                "reserve_bytes": reserve_bytes,
            },
            placement,
        )
    )
