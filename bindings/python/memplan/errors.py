# SPDX-License-Identifier: MIT
"""What can go wrong: one class for each status of the library.

"Does not fit" is not here: that is a plan that says so.
"""

from __future__ import annotations

__all__ = [
    "Error",
    "ArgumentError",
    "NoMemoryError",
    "ReadError",
    "CorruptError",
    "UnsupportedError",
    "TooLargeError",
    "TooNewError",
    "NotFoundError",
]


class Error(Exception):
    """A call that failed.

    ``str(error)`` is one line, complete by itself: the file first, then the
    offending value, then the rule.
    """

    #: The status's name: "ARGUMENT", "CORRUPT", ...
    status: str = "UNKNOWN"
    #: The byte of the input that is to blame, or None.
    offset: int | None
    #: The 1-based line of a text input, or None.
    line: int | None

    def __init__(
        self, message: str, offset: int | None = None, line: int | None = None
    ) -> None:
        super().__init__(message)
        self.offset = offset
        self.line = line


class ArgumentError(Error, ValueError):
    """An argument is outside its range."""

    status = "ARGUMENT"


class NoMemoryError(Error, MemoryError):
    """The host refused memory."""

    status = "NO_MEMORY"


class ReadError(Error, OSError):
    """A file could not be opened or read."""

    status = "IO"


class CorruptError(Error, ValueError):
    """The input breaks its format's rules."""

    status = "CORRUPT"


class UnsupportedError(Error, NotImplementedError):
    """The input is sound, but not known here."""

    status = "UNSUPPORTED"


class TooLargeError(Error, OverflowError):
    """A size passes 64 bits or a stated cap."""

    status = "TOO_LARGE"


class TooNewError(Error):
    """A struct uses a later release's field."""

    status = "TOO_NEW"


class NotFoundError(Error, LookupError):
    """No such file, model, pool or unit."""

    status = "NOT_FOUND"
