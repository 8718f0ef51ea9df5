# SPDX-License-Identifier: MIT
"""What a model, a machine and a plan have in common: how they show themselves."""

from __future__ import annotations

import os

from memplan import _library

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    Self = TypeVar("Self", bound="Shown")


class Shown:
    """Something of the library's that can be printed, drawn and closed."""

    __slots__ = ("_handle",)

    #: What makes one, for who calls the class itself.
    _maker = ""

    def __init__(self, handle: _library.Handle) -> None:
        if not isinstance(handle, _library.Handle):
            kind = type(self).__name__
            raise TypeError(f"memplan.{kind}({handle!r}): {self._maker} makes one")
        self._handle = handle

    @classmethod
    def _of(cls: type[Self], handle: _library.Handle) -> Self:
        return cls(handle)

    def close(self) -> None:
        """Free its memory now rather than with the last reference."""
        self._handle.close()

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def table(self, width: int = 80, *, unicode: bool = True, colour: bool = False) -> str:
        """The table that ``print()`` shows; ``width`` in columns."""
        return self._handle.render(
            "table", width=width, use_unicode=unicode, use_colour=colour
        )

    def __str__(self) -> str:
        return self.table()

    def to_json(self) -> str:
        """Everything, as JSON with a named schema; bytes are whole numbers."""
        return self._handle.render("json")

    def to_dict(self) -> dict[str, Any]:
        """What to_json() writes, as a dict."""
        result: dict[str, Any] = self._read("json")
        return result

    def _read(self, dialect: str) -> Any:
        """What a dialect that is JSON says."""
        import json  # with what it imports, it takes longer than memplan itself

        return json.loads(self._handle.render(dialect))

    def to_svg(self) -> str:
        """A picture with a bar for each memory, for light and dark pages."""
        return self._handle.render("svg")

    def savefig(self, path: "str | os.PathLike[str]") -> None:
        """Write the picture to a file, which must end in ".svg"."""
        if not os.fspath(path).lower().endswith(".svg"):
            raise ValueError(f"{os.fspath(path)}: only .svg is drawn")
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.to_svg())

    def _repr_html_(self) -> str:
        import html

        # The fold keeps a notebook short; the table inside is for copying.
        return (
            f"{self.to_svg()}\n<details><summary>{html.escape(repr(self))}</summary>\n"
            f"<pre>{html.escape(self.table())}</pre></details>"
        )
