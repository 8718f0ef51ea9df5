# SPDX-License-Identifier: MIT
"""The one module that touches the C library.

Nothing of CFFI leaves it: texts are copied at once, bytes become ints, what
is not known becomes None, and a handle stays inside a Handle.
"""

from __future__ import annotations

import os
from typing import Any, Callable, Dict, Iterator, Mapping, Optional, Tuple, Type, Union

from memplan import errors
from memplan._native import ffi as _ffi
from memplan._native import lib as _lib

Text = Union[str, bytes, "os.PathLike[str]"]
Row = Dict[str, Any]

_UNKNOWN: int = _lib.MEMPLAN_UNKNOWN
_ERRORS: Dict[str, Type[errors.Error]] = {
    kind.status: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.Error)
}


#: Of each struct and handle that is made: its type, and what the type tells.
#: Looking a type up by its name takes longer than making one of it.
_STRUCTS: Dict[str, Tuple[Any, int]] = {
    kind: (_ffi.typeof(f"{kind} *"), _ffi.sizeof(kind))
    for kind in _ffi.list_types()[0]
    if kind.endswith(("_info", "_options", "_request"))
}
_HANDLES: Dict[str, Tuple[Any, Any]] = {
    kind: (_ffi.typeof(f"memplan_{kind} **"), getattr(_lib, f"memplan_{kind}_free"))
    for kind in ("model", "machine", "plan", "modules")
}
_ERROR = _ffi.typeof("memplan_error *")
_CHARS = _ffi.typeof("char[]")
_TEXT = _ffi.typeof("char **")


def version() -> str:
    """The version of the library that is running."""
    return _text(_lib.memplan_version())


def _text(pointer: Any) -> str:
    return str(_ffi.string(pointer), "utf-8", "replace")


def _encode(value: Text, what: str) -> bytes:
    data = value.encode("utf-8") if isinstance(value, str) else os.fsencode(value)
    if b"\0" in data:
        raise errors.ArgumentError(f"{what}: it holds a NUL character")
    return data


def _path(value: Text) -> bytes:
    """A path or name: surrogates stand for the bytes of a file's name."""
    data = os.fsencode(value)
    if b"\0" in data:
        raise errors.ArgumentError("the path holds a NUL character")
    return data


def _check(status: int, error: Any) -> None:
    if status == _lib.MEMPLAN_OK:
        return
    name = _text(_lib.memplan_status_name(status))
    offset = None if error.offset == _UNKNOWN else int(error.offset)
    line = int(error.line) or None
    raise _ERRORS.get(name, errors.Error)(_text(error.message), offset, line)


def _options(kind: str, values: Mapping[str, object]) -> Tuple[Any, object]:
    """A sized struct, and what keeps its texts alive."""
    type_, size = _STRUCTS[kind]
    struct = _ffi.new(type_)
    struct.size = size
    kept = []
    for name, value in values.items():
        if value is None:
            continue
        if isinstance(value, bool):
            value = int(value)
        if not isinstance(value, int):
            value = _ffi.new(_CHARS, _encode(value, name))  # type: ignore[arg-type]
            kept.append(value)
        elif not 0 <= value < 2**64:
            raise errors.ArgumentError(f"{name}: {value} is not within 64 bits")
        setattr(struct, name, value)
    return struct, kept


def _fields(kind: str) -> Tuple[str, ...]:
    return tuple(name for name, _ in _ffi.typeof(kind).fields if name != "size")


def _row(kind: str, fill: Callable[[Any], Optional[int]]) -> Optional[Row]:
    """The struct that `fill` fills, as a dict; None past the last one."""
    type_, size = _STRUCTS[kind]
    struct = _ffi.new(type_)
    struct.size = size
    if fill(struct) not in (None, _lib.MEMPLAN_OK):
        return None
    row: Row = {}
    for name in _fields(kind):
        value = getattr(struct, name)
        if isinstance(value, int):
            row[name] = None if value == _UNKNOWN else value
        elif value == _ffi.NULL:
            row[name] = None
        elif name == "shape":
            row[name] = tuple(value[0 : struct.dimension_count])
        else:
            row[name] = _text(value)
    return row


def _take_text(call: Callable[[Any, Any], int]) -> str:
    """A text that the library makes: copied and freed."""
    out, error = _ffi.new(_TEXT), _ffi.new(_ERROR)
    _check(call(out, error), error)
    try:
        return _text(out[0])
    finally:
        _lib.memplan_text_free(out[0])


class Handle:
    """A model, a machine, a plan or a tree of modules of the library's.

    Any number of threads may read one at once. It is freed with the last
    reference, or by close(); after that, using it raises ValueError.
    """

    __slots__ = ("_kind", "_pointer")

    def __init__(self, kind: str, create: Callable[[Any, Any], int]) -> None:
        type_, free = _HANDLES[kind]
        out, error = _ffi.new(type_), _ffi.new(_ERROR)
        self._pointer: Any = None
        self._kind = kind
        _check(create(out, error), error)
        self._pointer = _ffi.gc(out[0], free)

    @property
    def _open(self) -> Any:
        pointer = self._pointer
        if pointer is None:
            raise ValueError(f"this {self._kind} is closed")
        return pointer

    def close(self) -> None:
        """Free it now. Twice is once."""
        pointer, self._pointer = self._pointer, None
        if pointer is not None:
            _ffi.release(pointer)

    @property
    def closed(self) -> bool:
        """It was closed."""
        return self._pointer is None

    def describe(self) -> Row:
        """Its totals."""
        describe = getattr(_lib, f"memplan_{self._kind}_describe")
        pointer = self._open
        row = _row(f"memplan_{self._kind}_info", lambda out: describe(pointer, out))
        assert row is not None
        return row

    def rows(self, what: str, *at: int) -> Iterator[Row]:
        """Its rows of one kind: "tensor", "unit", "device", "pool", ..."""
        get = getattr(_lib, f"memplan_{self._kind}_{what}")
        index = 0
        while True:
            pointer = self._open
            row = _row(
                f"memplan_{what}_info", lambda out: get(pointer, *at, index, out)
            )
            if row is None:
                return
            yield row
            index += 1

    def notes(self) -> Tuple[str, ...]:
        """Its notes in plain words."""
        note = getattr(_lib, f"memplan_{self._kind}_note")
        found, index = [], 0
        while (text := note(self._open, index)) != _ffi.NULL:
            found.append(_text(text))
            index += 1
        return tuple(found)

    def render(self, dialect: str, **options: object) -> str:
        """Its text in a dialect."""
        call = getattr(_lib, f"memplan_{self._kind}_render")
        name = _encode(dialect, "dialect")
        struct, kept = _options("memplan_render_options", options)
        text = _take_text(lambda out, e: call(out, self._open, name, struct, e))
        del kept
        return text


def open_model(source: Text, options: Mapping[str, object]) -> Handle:
    """memplan_model_open()."""
    struct, kept = _options("memplan_model_options", options)
    name = _path(source)
    handle = Handle(
        "model", lambda out, e: _lib.memplan_model_open(out, name, struct, e)
    )
    del kept
    return handle


def detect_machine(options: Mapping[str, object]) -> Handle:
    """memplan_machine_detect()."""
    struct, kept = _options("memplan_machine_options", options)
    handle = Handle(
        "machine", lambda out, e: _lib.memplan_machine_detect(out, struct, e)
    )
    del kept
    return handle


def open_machine(path: Text, options: Mapping[str, object]) -> Handle:
    """memplan_machine_open()."""
    struct, kept = _options("memplan_machine_options", options)
    name = _path(path)
    handle = Handle(
        "machine", lambda out, e: _lib.memplan_machine_open(out, name, struct, e)
    )
    del kept
    return handle


def declare_machine(budgets: str, base: Optional[Handle]) -> Handle:
    """memplan_machine_declare()."""
    text = _encode(budgets, "budgets")
    under = _ffi.NULL if base is None else base._open
    return Handle(
        "machine", lambda out, e: _lib.memplan_machine_declare(out, under, text, e)
    )


def create_plan(model: Handle, machine: Handle, request: Mapping[str, object]) -> Handle:
    """memplan_plan_create()."""
    struct, kept = _options("memplan_request", request)
    handle = Handle(
        "plan",
        lambda out, e: _lib.memplan_plan_create(
            out, model._open, machine._open, struct, e
        ),
    )
    del kept
    return handle


def price_plan(
    model: Handle, machine: Handle, request: Mapping[str, object], placement: Optional[str]
) -> Handle:
    """memplan_plan_price()."""
    struct, kept = _options("memplan_request", request)
    text = _ffi.NULL if placement is None else _encode(placement, "placement")
    handle = Handle(
        "plan",
        lambda out, e: _lib.memplan_plan_price(
            out, model._open, machine._open, struct, text, e
        ),
    )
    del kept
    return handle


def dialects() -> Dict[str, str]:
    """The dialects of plans, each with what it is for."""
    found: Dict[str, str] = {}
    while (name := _lib.memplan_dialect_name(len(found))) != _ffi.NULL:
        found[_text(name)] = _text(_lib.memplan_dialect_purpose(len(found)))
    return found


def _parse(call: Callable[[Any, Any, Any], int], text: str) -> int:
    out, error = _ffi.new("uint64_t *"), _ffi.new("memplan_error *")
    _check(call(out, _encode(text, "amount"), error), error)
    return int(out[0])


def bytes_parse(text: str) -> int:
    """memplan_bytes_parse()."""
    return _parse(_lib.memplan_bytes_parse, text)


def modules_bytes_parse(text: str) -> int:
    """memplan_modules_bytes_parse()."""
    return _parse(_lib.memplan_modules_bytes_parse, text)


def bytes_format(amount: Optional[int]) -> str:
    """memplan_bytes_format()."""
    out = _ffi.new("char[32]")
    _lib.memplan_bytes_format(out, 32, _UNKNOWN if amount is None else amount)
    return _text(out)


def read_modules(json: str) -> Handle:
    """memplan_modules_read()."""
    data = json.encode("utf-8")
    return Handle(
        "modules", lambda out, e: _lib.memplan_modules_read(out, data, len(data), e)
    )


def declare_model(tree: Handle, name: str, config: Optional[str]) -> Handle:
    """memplan_model_declare()."""
    called = _encode(name, "name")
    text = _ffi.NULL if config is None else _encode(config, "config")
    return Handle(
        "model",
        lambda out, e: _lib.memplan_model_declare(out, tree._open, called, text, e),
    )


def modules_sizes(tree: Handle, options: Mapping[str, object]) -> str:
    """memplan_modules_sizes()."""
    struct, kept = _options("memplan_modules_options", options)
    text = _take_text(
        lambda out, e: _lib.memplan_modules_sizes(out, tree._open, struct, e)
    )
    del kept
    return text


def modules_balance(tree: Handle, max_memory: str, options: Mapping[str, object]) -> str:
    """memplan_modules_balance()."""
    struct, kept = _options("memplan_modules_options", options)
    data = _encode(max_memory, "max_memory")
    text = _take_text(
        lambda out, e: _lib.memplan_modules_balance(out, tree._open, data, struct, e)
    )
    del kept
    return text


def modules_map(tree: Handle, max_memory: str, options: Mapping[str, object]) -> str:
    """memplan_modules_map()."""
    struct, kept = _options("memplan_modules_options", options)
    data = _encode(max_memory, "max_memory")
    text = _take_text(
        lambda out, e: _lib.memplan_modules_map(out, tree._open, data, struct, e)
    )
    del kept
    return text


def modules_check(tree: Handle, names: str) -> str:
    """memplan_modules_check()."""
    data = _encode(names, "names")
    return _take_text(
        lambda out, e: _lib.memplan_modules_check(out, tree._open, data, e)
    )


def device_map_clean(device_map: str) -> str:
    """memplan_device_map_clean()."""
    data = _encode(device_map, "device_map")
    return _take_text(lambda out, e: _lib.memplan_device_map_clean(out, data, e))
