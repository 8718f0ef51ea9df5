# SPDX-License-Identifier: MIT
"""Rows: what models, machines and plans are made of.

All are frozen. Bytes are ints; what is not known is None, never 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Tuple

__all__ = ["Device", "Entry", "Fix", "Placement", "Pool", "Row", "Tensor", "Unit"]


@dataclass(frozen=True)
class Tensor:
    """One tensor of a model. Buffers, which are not trained, are tensors too."""

    name: str  #: As the running model names it.
    dtype: str  #: "fp16", "q4_k", "i64", ...
    shape: Tuple[int, ...]  #: Outermost first, as Python prints it.
    bytes: int
    unit: int  #: Index of its unit in ``Model.units``.
    is_buffer: bool  #: A buffer, not a parameter.
    tied_to: Optional[str]  #: The tensor that owns the bytes, or None.


@dataclass(frozen=True)
class Unit:
    """What a plan places as a whole: an embedding, a layer, a norm, a head."""

    name: str  #: "model.layers.7", "blk.7", "lm_head".
    kind: str  #: "embedding", "layer", "norm", "head", ...
    weight_bytes: int  #: In the model's own dtypes; tied tensors count once.
    parameter_count: int
    tensor_count: int


@dataclass(frozen=True)
class Device:
    """A GPU or another accelerator."""

    index: int  #: As the engine numbers it.
    name: str
    vendor: str  #: "nvidia", "amd", "intel", "apple", or "".
    pci: str  #: "0000:01:00.0", or "".
    total_bytes: Optional[int]
    free_bytes: Optional[int]
    is_unified: bool  #: Its memory is the host's: one budget.
    numa_index: Optional[int]
    bandwidth_bytes_per_second: Optional[int]
    link_bytes_per_second: Optional[int]  #: To and from the host.


@dataclass(frozen=True)
class Row:
    """One row of a pool's ledger."""

    category: str  #: "weights", "kv_cache", "compute", "staging", ...
    certainty: str  #: "exact", "bound" (never less is needed) or "estimate".
    bytes: int
    rule: str  #: Whose rule it comes from: one sentence.


@dataclass(frozen=True)
class Pool:
    """One memory that a plan may spend. ``used_bytes`` is the sum of its rows."""

    key: str  #: "0", "cpu", "disk".
    name: str  #: "GPU 0: Tesla T4", "host memory", "disk".
    capacity_bytes: Optional[int]  #: What the plan may spend; None: no limit.
    used_bytes: int
    short_bytes: int  #: What is missing where it does not fit.
    free_bytes: Optional[int]  #: What is left; None: no limit is known.
    rows: Tuple[Row, ...]

    def bytes_of(self, *categories: str) -> int:
        """The sum of the rows of some categories."""
        return sum(row.bytes for row in self.rows if row.category in categories)


@dataclass(frozen=True)
class Placement:
    """Where one unit goes."""

    unit: str
    pool: str  #: The pool's key: "0", "cpu", "disk".
    weight_bytes: int  #: As placed.


@dataclass(frozen=True)
class Fix:
    """A change that would make the plan fit."""

    kind: str  #: "prompt", "context", "kv_dtype", "cache", "dtype", "memory".
    text: str  #: One sentence.
    value: str  #: The value to set: "2048", "int8", "cpu".
    bytes: int  #: Memory to add, where kind is "memory".


@dataclass(frozen=True)
class Entry:
    """Something that is known by name: see memplan.list_entries()."""

    name: str  #: As it is written: "rtx-4090".
    group: str  #: A GPU's vendor, or the engine that takes it, or "".
    text: str  #: What it is, in a few words, or "".
    bytes: Optional[int]  #: Of a GPU's memory.
    bytes_per_second: Optional[int]  #: At which it is read.
