# SPDX-License-Identifier: MIT
"""Plans: where everything goes, what it takes, and how fast it will be."""

from __future__ import annotations

import os

from memplan import _library
from memplan._shown import Shown
from memplan.machine import Machine
from memplan.model import Model

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Mapping, Union

    from memplan.machine import Budgets
    from memplan.rows import Fix, Placement, Pool

    #: Units fixed to pools: "model.layers.0..9=0,lm_head=cpu", or a dict of them.
    Pins = Union[str, Mapping[str, Union[int, str]]]

__all__ = ["Plan", "plan", "price"]

_CATEGORY_ORDER = ("category", "certainty", "bytes", "rule")


class Plan(Shown):
    """A placement with its ledger, its speed and its verdict.

    Made by memplan.plan() and memplan.price(). Read-only; may be shared by
    threads, and outlives its model and its machine.
    """

    __slots__ = ()
    _maker = "memplan.plan() or memplan.price()"

    @property
    def fits(self) -> bool:
        """Every pool holds what it is given."""
        return bool(self._handle.total("fits"))

    @property
    def is_optimal(self) -> bool:
        """Nothing that ``claim`` compares with is faster."""
        return bool(self._handle.total("is_optimal"))

    @property
    def claim(self) -> str:
        """What is proven about the placement, in words, or ""."""
        return str(self._handle.total("claim"))

    @property
    def gap_parts_per_million(self) -> int | None:
        """Time above the proven bound, or None."""
        gap: int | None = self._handle.total("gap_parts_per_million")
        return gap

    @property
    def engine(self) -> str:
        """Whose rules count the bytes: "transformers", "llama.cpp"."""
        return str(self._handle.total("engine"))

    @property
    def profile(self) -> str:
        """Which version's: "transformers-5"."""
        return str(self._handle.total("profile"))

    @property
    def dtype(self) -> str:
        """Weights as planned: "bf16", "nf4"."""
        return str(self._handle.total("dtype"))

    @property
    def kv_dtype(self) -> str:
        """The cache as planned."""
        return str(self._handle.total("kv_dtype"))

    @property
    def cache(self) -> str:
        """How transformers keeps the cache: "dynamic", "static", ...; or ""."""
        return str(self._handle.total("cache"))

    @property
    def context_tokens(self) -> int:
        """Tokens that one sequence may hold."""
        return int(self._handle.total("context_tokens"))

    @property
    def sequences(self) -> int:
        """Sequences at once."""
        return int(self._handle.total("sequences"))

    @property
    def decode_ns_per_token(self) -> int | None:
        """The least time a token takes, or None where a speed is unknown."""
        time: int | None = self._handle.total("decode_ns_per_token")
        return time

    @property
    def pools(self) -> tuple[Pool, ...]:
        """Devices first, then "cpu", then "disk", each with its ledger."""
        from memplan.rows import Pool, Row

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

    def pool(self, key: int | str) -> Pool:
        """The pool of that key; KeyError where there is none."""
        for pool in self.pools:
            if pool.key == str(key):
                return pool
        raise KeyError(key)

    @property
    def placement(self) -> tuple[Placement, ...]:
        """Every unit and its pool, in the order in which they run."""
        from memplan.rows import Placement

        keys = [pool["key"] for pool in self._handle.rows("pool")]
        return tuple(
            Placement(row["unit"], keys[row["pool_index"]], row["weight_bytes"])
            for row in self._handle.rows("placement")
        )

    @property
    def fixes(self) -> tuple[Fix, ...]:
        """Changes that would make it fit, the cheapest first."""
        from memplan.rows import Fix

        return tuple(
            Fix(row["kind"], row["text"], row["value"] or "", row["bytes"] or 0)
            for row in self._handle.rows("fix")
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What else there is to know, in plain words."""
        return self._handle.notes()

    @property
    def device_map(self) -> dict[str, int | str]:
        """For ``from_pretrained(device_map=...)`` (engine "transformers")."""
        return _library.device_map(self._handle)

    @property
    def max_memory(self) -> dict[int | str, int]:
        """For ``from_pretrained(device_map="auto", max_memory=...)``: with them
        the map that it makes holds. Devices that stay empty have no key. Raises
        UnsupportedError where no such budgets are found."""
        budgets: dict[str, int] = self._read("max_memory")
        return {
            int(key) if key.isdecimal() else key: amount
            for key, amount in budgets.items()
        }

    def render(self, dialect: str, **options: Any) -> str:
        """The plan as somebody's input: of memplan.list_entries("dialects").

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


def pins_text(pins: Pins | None) -> str | None:
    """Pins as the library reads them."""
    if pins is None or isinstance(pins, str):
        return pins
    return ",".join(f"{unit}={pool}" for unit, pool in pins.items())


def _model(model: Model | str | os.PathLike[str]) -> Model:
    return model if isinstance(model, Model) else Model.open(model)


def _machine(
    machine: Machine | str | os.PathLike[str] | Mapping[Any, Any] | None,
    max_memory: Budgets | None,
) -> Machine:
    if machine is None or isinstance(machine, Machine):
        pass
    elif hasattr(machine, "items") or (isinstance(machine, str) and "=" in machine):
        machine = Machine.declare(machine)  # type: ignore[arg-type]
    else:
        machine = Machine.open(machine)
    if max_memory is not None:
        return Machine.declare(max_memory, machine)
    return Machine.detect() if machine is None else machine


def plan(
    model: Model | str | os.PathLike[str],
    machine: Machine | str | os.PathLike[str] | Mapping[Any, Any] | None = None,
    *,
    context: int = 0,
    sequences: int = 1,
    prompt: int = 0,
    dtype: str | None = None,
    kv_dtype: str | None = None,
    cache: str | None = None,
    encoder_tokens: int = 0,
    engine: str | None = None,
    max_memory: Budgets | None = None,
    pins: Pins | None = None,
    settings: str | None = None,
    reserve_bytes: int = 0,
) -> Plan:
    """Plan where a model's memory goes on a machine: the fastest placement.

    A model that does not fit gives a Plan that says so (``plan.fits``,
    ``plan.fixes``), not an exception. The same input gives the same plan.

        >>> plan = memplan.plan("meta-llama/Llama-2-70b-chat-hf",
        ...                     max_memory={0: "20GB", "cpu": "60GB"})

    :param model: a Model, or what Model.open() takes.
    :param machine: a Machine, budgets ("0=20GB,cpu=60GB" or a dict), or a path
        or words that Machine.open() takes ("2x rtx-4090, 64GiB ram"). None: this
        machine, or ``max_memory`` alone.
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
    model: Model | str | os.PathLike[str],
    placement: str | Mapping[str, int | str] | None,
    machine: Machine | str | os.PathLike[str] | Mapping[Any, Any] | None = None,
    *,
    context: int = 0,
    sequences: int = 1,
    prompt: int = 0,
    dtype: str | None = None,
    kv_dtype: str | None = None,
    cache: str | None = None,
    encoder_tokens: int = 0,
    engine: str | None = None,
    max_memory: Budgets | None = None,
    settings: str | None = None,
    reserve_bytes: int = 0,
) -> Plan:
    """Price exactly one placement: no search, no change.

    :param placement: a device_map (a dict or JSON) for "transformers", or "auto",
        the map that it makes of the same memories; settings ("ngl=20") or None
        for "llama.cpp".

    The rest is as for plan().
    """
    if placement is not None and not isinstance(placement, str):
        import json

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
