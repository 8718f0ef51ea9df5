# SPDX-License-Identifier: MIT
"""The one module that touches the C library.

Nothing of CFFI leaves it: texts are copied at once, bytes become ints, what
is not known becomes None, and a handle stays inside a Handle.
"""

from __future__ import annotations

import os

from memplan import errors
from memplan._native import ffi as _ffi
from memplan._native import lib as _lib

TYPE_CHECKING = False
if TYPE_CHECKING:  # at run time, typing is half of what an import would take
    from typing import Any, Dict, Iterator, Mapping, NoReturn, Union

    Text = Union[str, bytes, "os.PathLike[str]"]
    Row = Dict[str, Any]

# A method of ffi's is made anew wherever it is named: these are made once.
_new, _gc, _sizeof = _ffi.new, _ffi.gc, _ffi.sizeof
_string, _unpack = _ffi.string, _ffi.unpack
_NULL = _ffi.NULL

_UNKNOWN: int = _lib.MEMPLAN_UNKNOWN
_ERRORS = {
    kind.status: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.Error)
}
_HOST = {-1: "cpu", -2: "disk"}
_FREE = {
    "model": _lib.memplan_model_free,
    "machine": _lib.memplan_machine_free,
    "plan": _lib.memplan_plan_free,
    "modules": _lib.memplan_modules_free,
}


def version() -> str:
    """The version of the library that is running."""
    return _text(_lib.memplan_version())


def _text(pointer: Any) -> str:
    return str(_string(pointer), "utf-8", "replace")


def _encode(value: Text, what: str) -> bytes:
    data = value.encode("utf-8") if isinstance(value, str) else os.fsencode(value)
    if 0 in data:
        raise errors.ArgumentError(f"{what}: it holds a NUL character")
    return data


def _path(value: Text) -> bytes:
    """A path or name: surrogates stand for the bytes of a file's name."""
    data = os.fsencode(value)
    if 0 in data:
        raise errors.ArgumentError("the path holds a NUL character")
    return data


def _fail(status: int, error: Any) -> NoReturn:
    name = _text(_lib.memplan_status_name(status))
    offset = None if error.offset == _UNKNOWN else int(error.offset)
    line = int(error.line) or None
    raise _ERRORS.get(name, errors.Error)(_text(error.message), offset, line)


def _make(kind: str, create: Any, *arguments: Any) -> Any:
    """What `create` gives through its first argument, a pointer to `kind`."""
    out, error = _new(kind), _new("memplan_error *")
    if status := create(out, *arguments, error):
        _fail(status, error)
    return out[0]


def _make_text(create: Any, *arguments: Any) -> str:
    """A text that the library makes: copied and freed."""
    made = _make("char **", create, *arguments)
    try:
        return _text(made)
    finally:
        _lib.memplan_text_free(made)


def _sized(kind: str) -> Any:
    struct = _new(kind + " *")
    struct.size = _sizeof(kind)
    return struct


def _options(kind: str, values: Mapping[str, object]) -> tuple[Any, object]:
    """A struct of options, and what keeps its texts alive; NULL for none."""
    if not values:
        return _NULL, None
    struct = _sized(kind)
    kept = []
    for name, given in values.items():
        if given is None or given == 0:
            continue  # the default of every field
        value = given
        try:
            if not isinstance(value, int):
                value = _new("char[]", _encode(value, name))  # type: ignore[arg-type]
                kept.append(value)
            elif not 0 <= value < 2**64:
                raise errors.ArgumentError(f"{name}: {value} is not within 64 bits")
            setattr(struct, name, value)
        except TypeError:
            is_whole = isinstance(getattr(struct, name), int)
            wanted = "whole number" if is_whole else "text"
            raise TypeError(f"{name}: {given!r} is no {wanted}") from None
    return struct, kept


def _fields(kind: str) -> tuple[str, ...]:
    return tuple(name for name, _ in _ffi.typeof(kind).fields if name != "size")


def _value(struct: Any, name: str) -> Any:
    """A field of a struct that the library filled."""
    value = getattr(struct, name)
    if isinstance(value, int):
        return None if value == _UNKNOWN else value
    if not value:
        return None
    if name == "shape":
        return tuple(value[0 : struct.dimension_count])
    return _text(value)


class Handle:
    """A model, a machine, a plan or a tree of modules of the library's.

    Any number of threads may read one at once. It is freed with the last
    reference, or by close(); after that, using it raises ValueError.
    """

    __slots__ = ("_kind", "_pointer")

    def __init__(self, kind: str, made: Any) -> None:
        self._kind = kind
        self._pointer: Any = _gc(made, _FREE[kind])

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

    def _totals(self) -> Any:
        struct = _sized(f"memplan_{self._kind}_info")
        getattr(_lib, f"memplan_{self._kind}_describe")(self._open, struct)
        return struct

    def total(self, name: str) -> Any:
        """One of its totals."""
        return _value(self._totals(), name)

    def describe(self) -> Row:
        """Its totals."""
        struct = self._totals()
        names = _fields(f"memplan_{self._kind}_info")
        return {name: _value(struct, name) for name in names}

    def rows(self, what: str, *at: int) -> Iterator[Row]:
        """Its rows of one kind: "tensor", "unit", "device", "pool", ..."""
        get = getattr(_lib, f"memplan_{self._kind}_{what}")
        names = _fields(f"memplan_{what}_info")
        struct = _sized(f"memplan_{what}_info")
        index = 0
        while get(self._open, *at, index, struct) == _lib.MEMPLAN_OK:
            yield {name: _value(struct, name) for name in names}
            index += 1

    def notes(self) -> tuple[str, ...]:
        """Its notes in plain words."""
        note = getattr(_lib, f"memplan_{self._kind}_note")
        found: list[str] = []
        while text := note(self._open, len(found)):
            found.append(_text(text))
        return tuple(found)

    def render(self, dialect: str, **options: object) -> str:
        """Its text in a dialect."""
        call = getattr(_lib, f"memplan_{self._kind}_render")
        name = _encode(dialect, "dialect")
        struct, kept = _options("memplan_render_options", options)
        text = _make_text(call, self._open, name, struct)
        del kept
        return text


def open_model(source: Text, options: Mapping[str, object]) -> Handle:
    """memplan_model_open()."""
    struct, kept = _options("memplan_model_options", options)
    name = _path(source)
    made = _make("memplan_model **", _lib.memplan_model_open, name, struct)
    del kept
    return Handle("model", made)


def detect_machine(options: Mapping[str, object]) -> Handle:
    """memplan_machine_detect()."""
    struct, kept = _options("memplan_machine_options", options)
    made = _make("memplan_machine **", _lib.memplan_machine_detect, struct)
    del kept
    return Handle("machine", made)


def open_machine(path: Text) -> Handle:
    """memplan_machine_open()."""
    name = _path(path)
    return Handle(
        "machine", _make("memplan_machine **", _lib.memplan_machine_open, name)
    )


def declare_machine(budgets: str, base: Handle | None) -> Handle:
    """memplan_machine_declare()."""
    text = _encode(budgets, "budgets")
    under = _NULL if base is None else base._open
    made = _make("memplan_machine **", _lib.memplan_machine_declare, under, text)
    return Handle("machine", made)


def create_plan(model: Handle, machine: Handle, request: Mapping[str, object]) -> Handle:
    """memplan_plan_create()."""
    struct, kept = _options("memplan_request", request)
    create = _lib.memplan_plan_create
    made = _make("memplan_plan **", create, model._open, machine._open, struct)
    del kept
    return Handle("plan", made)


def price_plan(
    model: Handle, machine: Handle, request: Mapping[str, object], placement: str | None
) -> Handle:
    """memplan_plan_price()."""
    struct, kept = _options("memplan_request", request)
    text = _NULL if placement is None else _encode(placement, "placement")
    price = _lib.memplan_plan_price
    made = _make("memplan_plan **", price, model._open, machine._open, struct, text)
    del kept
    return Handle("plan", made)


def device_map(plan: Handle) -> dict[str, int | str]:
    """memplan_plan_map()."""
    made = _make("memplan_map **", _lib.memplan_plan_map, plan._open)
    try:
        info = _sized("memplan_map_info")
        _lib.memplan_map_describe(made, info)
        names = _unpack(info.names, info.names_bytes)
        devices = _unpack(info.devices, info.module_count)
    finally:
        _lib.memplan_map_free(made)
    # Every name has a terminator: behind the last one stands a part too many,
    # which zip() leaves.
    parts = str(names, "utf-8", "replace").split("\0")
    if info.offloaded_count:
        devices = [_HOST.get(device, device) for device in devices]
    return dict(zip(parts, devices))


def list_entries(name: str) -> Iterator[Row]:
    """memplan_list_entry(), one after the other."""
    list_ = _encode(name, "list")
    names = _fields("memplan_entry_info")
    struct = _sized("memplan_entry_info")
    index = 0
    while _lib.memplan_list_entry(list_, index, struct) == _lib.MEMPLAN_OK:
        yield {name: _value(struct, name) for name in names}
        index += 1


def bytes_parse(text: str) -> int:
    """memplan_bytes_parse()."""
    return int(_make("uint64_t *", _lib.memplan_bytes_parse, _encode(text, "amount")))


def accelerate_bytes_parse(text: str) -> int:
    """memplan_accelerate_bytes_parse()."""
    amount = _encode(text, "amount")
    return int(_make("uint64_t *", _lib.memplan_accelerate_bytes_parse, amount))


def bytes_format(amount: int | None) -> str:
    """memplan_bytes_format()."""
    out = _new("char[32]")
    _lib.memplan_bytes_format(out, 32, _UNKNOWN if amount is None else amount)
    return _text(out)


def read_modules(json: str) -> Handle:
    """memplan_modules_parse()."""
    data = json.encode("utf-8")
    made = _make("memplan_modules **", _lib.memplan_modules_parse, data, len(data))
    return Handle("modules", made)


def declare_model(tree: Handle, name: str, config: str | None) -> Handle:
    """memplan_model_declare()."""
    called = _encode(name, "name")
    text = _NULL if config is None else _encode(config, "config")
    declare = _lib.memplan_model_declare
    made = _make("memplan_model **", declare, tree._open, called, text)
    return Handle("model", made)


def modules_sizes(tree: Handle, options: Mapping[str, object]) -> str:
    """memplan_modules_sizes()."""
    struct, kept = _options("memplan_modules_options", options)
    text = _make_text(_lib.memplan_modules_sizes, tree._open, struct)
    del kept
    return text


def modules_balance(tree: Handle, max_memory: str, options: Mapping[str, object]) -> str:
    """memplan_modules_balance()."""
    struct, kept = _options("memplan_modules_options", options)
    data = _encode(max_memory, "max_memory")
    text = _make_text(_lib.memplan_modules_balance, tree._open, data, struct)
    del kept
    return text


def modules_map(tree: Handle, max_memory: str, options: Mapping[str, object]) -> str:
    """memplan_modules_map()."""
    struct, kept = _options("memplan_modules_options", options)
    data = _encode(max_memory, "max_memory")
    text = _make_text(_lib.memplan_modules_map, tree._open, data, struct)
    del kept
    return text


def modules_check(tree: Handle, names: str) -> str:
    """memplan_modules_check()."""
    data = _encode(names, "names")
    return _make_text(_lib.memplan_modules_check, tree._open, data)


def device_map_clean(device_map: str) -> str:
    """memplan_device_map_clean()."""
    data = _encode(device_map, "device_map")
    return _make_text(_lib.memplan_device_map_clean, data)
