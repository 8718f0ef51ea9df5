# SPDX-License-Identifier: MIT
"""Machines: where a model can be placed."""

from __future__ import annotations

import os

from memplan import _environment, _library, errors
from memplan._shown import Shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Mapping, Union

    from memplan.rows import Device

    #: Budgets: "0=20GB,cpu=60GB", or {0: "20GB", "cpu": 60 * 10**9}.
    Budgets = Union[str, Mapping[Union[int, str], Union[int, str]]]

__all__ = ["Machine", "budgets_text"]


def budgets_text(budgets: Budgets) -> str:
    """Budgets as the library reads them: "0=20GB,cpu=60000000000"."""
    if isinstance(budgets, str):
        return budgets
    if not budgets:
        raise errors.ArgumentError('no budgets: write {0: "20GB", "cpu": "60GB"}')
    return ",".join(f"{key}={amount}" for key, amount in budgets.items())


class Machine(Shown):
    """The memories of a machine: what is there, what is free, how fast it is.

    Read-only; may be shared by threads.

        >>> machine = memplan.Machine.declare({0: "20GB", "cpu": "60GB"})
    """

    __slots__ = ()
    _maker = "memplan.Machine.detect(), .open() or .declare()"

    @classmethod
    def detect(
        cls,
        *,
        root: str | os.PathLike[str] | None = None,
        disk_path: str | os.PathLike[str] | None = None,
        nvml_path: str | None = None,
    ) -> "Machine":
        """This machine, from what hwloc, the kernel and the drivers say.

        No device is woken. ``CUDA_VISIBLE_DEVICES``, ``CUDA_DEVICE_ORDER``,
        ``HIP_VISIBLE_DEVICES`` and ``ROCR_VISIBLE_DEVICES`` count. ``root`` is
        a recorded file tree that stands for "/"; ``disk_path`` lies on the disk
        that may hold offloaded weights (None: no disk); ``nvml_path`` is NVML's
        shared object ("": none).
        """
        options: dict[str, object] = dict(_environment.machine_options())
        options.update(root=root, disk_path=disk_path, nvml_path=nvml_path)
        return cls(_library.detect_machine(options))

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> "Machine":
        """A machine one is not on: an lstopo XML, a JSON profile (what to_json()
        of a machine writes), or words, such as "2x rtx-4090, 64GiB ram"."""
        return cls(_library.open_machine(path))

    @classmethod
    def declare(cls, budgets: Budgets, base: Machine | None = None) -> "Machine":
        """A machine of which only budgets are known.

        Keys are device numbers, "cpu" and "disk"; amounts are bytes or texts
        such as "20GB" or "16GiB". With ``base``, they are laid over that
        machine: what is named gets its budget, the rest is not used.
        """
        under = None if base is None else base._handle
        return cls(_library.declare_machine(budgets_text(budgets), under))

    @property
    def name(self) -> str:
        """For people: "this machine", a path, ..."""
        return str(self._handle.total("name"))

    @property
    def total_bytes(self) -> int | None:
        """The host's memory."""
        count: int | None = self._handle.total("total_bytes")
        return count

    @property
    def available_bytes(self) -> int | None:
        """What one may use of it now, with all limits."""
        count: int | None = self._handle.total("available_bytes")
        return count

    @property
    def limit_bytes(self) -> int | None:
        """The tightest limit (cgroup, rlimit), or None."""
        count: int | None = self._handle.total("limit_bytes")
        return count

    @property
    def cpu_model(self) -> str:
        """The processor's name, or ""."""
        return str(self._handle.total("cpu_model") or "")

    @property
    def thread_count(self) -> int:
        """Threads that this process may use."""
        return int(self._handle.total("thread_count") or 0)

    @property
    def devices(self) -> tuple[Device, ...]:
        """The devices, in the engine's order."""
        from memplan.rows import Device

        return tuple(
            Device(**{**row, "is_unified": bool(row["is_unified"])})
            for row in self._handle.rows("device")
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """Disagreements that were found, in plain words."""
        return self._handle.notes()

    def __repr__(self) -> str:
        if self._handle.closed:
            return "<memplan.Machine, closed>"
        info = self._handle.describe()
        amount = _library.bytes_format(info["available_bytes"])
        count = info["device_count"]
        devices = f"{count} device" if count == 1 else f"{count} devices"
        return f"<memplan.Machine {info['name']}: {amount} available, {devices}>"
