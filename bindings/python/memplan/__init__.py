# SPDX-License-Identifier: MIT
"""memplan: where every byte of a language model will go, before it is loaded.

    >>> import memplan
    >>> plan = memplan.plan("meta-llama/Llama-2-70b-chat-hf",
    ...                     max_memory={0: "20GB", "cpu": "60GB"}, context=4096)
    >>> print(plan)

A model (Model) and a machine (Machine) make a plan (Plan), which knows where
each unit goes, what each memory holds and why, and how fast it will be.
memplan.transformers has what a loader script for Transformers needs.

Bytes are ints; what is not known is None, never 0. Failures raise a subclass
of memplan.Error; "does not fit" is a plan that says so. Nothing here uses the
network, and objects may be shared by threads.
"""

from __future__ import annotations

from memplan import _library
from memplan.errors import (
    ArgumentError,
    CorruptError,
    Error,
    NoMemoryError,
    NotFoundError,
    ReadError,
    TooLargeError,
    TooNewError,
    UnsupportedError,
)
from memplan.machine import Machine
from memplan.model import Model
from memplan.plan import Plan, plan, price

TYPE_CHECKING = False
if TYPE_CHECKING:
    from memplan.rows import Device, Entry, Fix, Placement, Pool, Row, Tensor, Unit

__version__ = _library.version()

__all__ = [
    "ArgumentError",
    "CorruptError",
    "Device",
    "Entry",
    "Error",
    "Fix",
    "Machine",
    "Model",
    "NoMemoryError",
    "NotFoundError",
    "Placement",
    "Plan",
    "Pool",
    "ReadError",
    "Row",
    "Tensor",
    "TooLargeError",
    "TooNewError",
    "Unit",
    "UnsupportedError",
    "bytes_format",
    "bytes_parse",
    "list_entries",
    "plan",
    "price",
]


def __getattr__(name: str) -> object:
    """The classes of rows, when one is first asked for: dataclasses take longer
    to import than the rest of memplan."""
    if name == "rows" or name in __all__:
        import memplan.rows as rows

        return rows if name == "rows" else getattr(rows, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def bytes_parse(text: str) -> int:
    """Read an amount of memory: "20GB" is 20 * 10**9, "16GiB" is 16 * 2**30.

    What people read in two ways ("24G", "20gb") raises ArgumentError with both
    readings.
    """
    return _library.bytes_parse(text)


def bytes_format(amount: int | None) -> str:
    """Write an amount for a person: "7.9 GiB", "0 B"; None is "unknown"."""
    return _library.bytes_format(amount)


def list_entries(name: str) -> tuple[Entry, ...]:
    """What is known by name.

    "models" of the built-in catalogue, "gpus", "engines", "architectures",
    "dtypes", "kv_dtypes", "caches", "settings", "dialects" of plans, and
    "lists", which are these. Any other raises NotFoundError.
    """
    from memplan.rows import Entry

    found = tuple(Entry(**row) for row in _library.list_entries(name))
    if not found:
        known = ", ".join(row["name"] for row in _library.list_entries("lists"))
        raise NotFoundError(f'no list "{name}"; there are {known}')
    return found
